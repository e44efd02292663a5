"""Train a ComModel: photos and a codec, or photos before and after, in; a model and its error beside doing nothing out.

    python -m training compression --photos ../shared/data/photos --codec jpeg:50 --out runs/commodel
    python -m training compression --pairs originals/ returned/ --out runs/commodel

Mean absolute error, Adam, one epoch of warm-up and a cosine. The state of every epoch is kept, so the same command goes
on where it stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.nn import functional as F
from torch.utils.data import DataLoader

from training.data.codecs import CONDITION_VALUES, CodecRange, parse_range
from training.data.pairs import CropPairs, PhotoPair
from training.errors import TrainingError
from training.models.commodel import ComModel, ComModelConfig, build_commodel, save_commodel
from training.progress import track
from training.recipes.compression_table import measure_commodel
from training.recipes.run_state import resume, save_state, warm_cosine, write_rows

LAST, MODEL, LOG = "last.pt", "commodel.pt", "log.csv"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CompressionConfig:
    """One training run; with the photos it decides every number that comes out."""

    codecs: tuple[str, ...] = ("jpeg:50",)  # names of training.data.codecs, ranges too; none for pairs from folders
    widths: tuple[int, ...] = (12, 24, 64)
    blocks: int = 2
    crop_px: int = 128
    crops_a_photo: int = 4  # in an epoch
    epochs: int = 30
    batch: int = 16
    learning_rate: float = 1e-3
    seed: int = 0
    workers: int = 0  # processes that compress; the result does not depend on it

    def __post_init__(self) -> None:
        bounds = {
            "crop_px": (32, 1024),
            "crops_a_photo": (1, 1000),
            "epochs": (1, 10_000),
            "batch": (1, 4096),
            "learning_rate": (1e-7, 1),
            "workers": (0, 256),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")
        if self.crop_px % self.model.unit_px:
            raise ValueError(f"crop_px: expected a multiple of {self.model.unit_px}, got {self.crop_px}")

    @property
    def ranges(self) -> list[CodecRange]:
        """Raises: TrainingError for a name that is no codec."""
        return [parse_range(text) for text in self.codecs]

    @property
    def model(self) -> ComModelConfig:
        """A model that has to serve more than one setting is told which."""
        is_one = len(self.codecs) <= 1 and all(codec.is_one for codec in self.ranges)
        return ComModelConfig(
            widths=self.widths, blocks=self.blocks, condition_values=0 if is_one else CONDITION_VALUES
        )


def train_commodel(
    config: CompressionConfig,
    splits: dict[str, list[PhotoPair]],
    out: Path,
    *,
    command: str = "",
    report: Report = lambda _line: None,
) -> tuple[ComModel, list[dict[str, Any]]]:
    """Train, measure on the test photos, and write out/commodel.pt.

    Args:
        splits: pairs of the splits "train", "val" and "test", as `split_pairs` gives them.
        report: is told each epoch's row.
    Returns: the model in eval mode, and a row a codec as `measure_commodel` makes them.
    Raises: TrainingError if a split has no photos, or `out` holds a run of other settings.
    """
    empty = [name for name, pairs in splits.items() if not pairs]
    if empty:
        raise TrainingError(f"photos: expected some in each split, found none in {', '.join(empty)}; add photos")
    out.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator()
    network = build_commodel(config.model, seed=config.seed)
    network = network.to(accelerator.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    crops = _crops(config, splits["train"], seed=config.seed)
    steps = math.ceil(len(crops) / config.batch)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps, config.epochs * steps))
    network, optimizer, scheduler = accelerator.prepare(network, optimizer, scheduler)
    parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
    run = fingerprint(config, splits)
    history = resume(out / LAST, parts, run)
    for epoch in range(len(history), config.epochs):
        started = time.perf_counter()
        crops.set_epoch(epoch)
        order = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        loader = DataLoader(crops, config.batch, shuffle=True, generator=order, num_workers=config.workers)
        loss = _train_epoch(accelerator, parts, accelerator.prepare(loader), f"epoch {epoch + 1} of {config.epochs}")
        row = {"epoch": epoch + 1, "mae_levels": loss, **_validation(accelerator, network, config, splits["val"])}
        history.append({**row, "seconds": time.perf_counter() - started})
        if accelerator.is_main_process:
            save_state(out / LAST, parts, run, history)
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    model = accelerator.unwrap_model(network).to("cpu").eval()
    rows = measure_commodel(model, splits["test"], config.ranges)
    facts = {"codecs": list(config.codecs), "test": rows, "config": _plain(config), "command": command}
    save_commodel(out / MODEL, model, {**facts, "photos": {name: len(pairs) for name, pairs in splits.items()}})
    return model, rows


def fingerprint(config: CompressionConfig, splits: dict[str, list[PhotoPair]]) -> str:
    """A hash of everything that a run depends on."""
    sha = hashlib.sha256(json.dumps({**_plain(config), "workers": 0}).encode())
    for name, pairs in splits.items():
        for pair in pairs:
            sha.update(f"{name} {pair.sha256} {pair.original.shape}".encode())
            sha.update(b"" if pair.returned is None else pair.returned.tobytes())
    return sha.hexdigest()


def _crops(config: CompressionConfig, pairs: Sequence[PhotoPair], *, seed: int, crops_a_photo: int = 0) -> CropPairs:
    count = crops_a_photo or config.crops_a_photo
    return CropPairs(pairs, config.ranges, crop_px=config.crop_px, crops_a_photo=count, seed=seed)


def _train_epoch(accelerator: Accelerator, parts: dict[str, Any], loader: DataLoader[Any], title: str) -> float:
    """One pass; the mean absolute error in levels, on the way."""
    network, optimizer = parts["network"], parts["optimizer"]
    network.train()
    losses = []
    for originals, returned, conditions in track(loader, title, total=len(loader)):
        optimizer.zero_grad()
        with accelerator.autocast():
            loss = F.l1_loss(_apply(network, accelerator, originals, conditions), returned)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        parts["scheduler"].step()
        losses.append(loss.detach())
    mean = 255 * float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise TrainingError(f"loss: expected a finite number, got {mean}; lower --learning-rate")
    return mean


def _validation(
    accelerator: Accelerator, network: torch.nn.Module, config: CompressionConfig, pairs: Sequence[PhotoPair]
) -> dict[str, float]:
    """Errors on crops of the validation photos that are the same in every epoch."""
    network.eval()
    model_error = identity_error = 0.0
    loader = DataLoader(_crops(config, pairs, seed=config.seed + 1, crops_a_photo=1), config.batch)
    with torch.no_grad():
        for batch in loader:
            originals, returned, conditions = (part.to(accelerator.device) for part in batch)
            found = _apply(network, accelerator, originals, conditions)
            model_error += float((found - returned).abs().mean((1, 2, 3)).sum()) * 255 / len(pairs)
            identity_error += float((originals - returned).abs().mean((1, 2, 3)).sum()) * 255 / len(pairs)
    return {"val_mae_levels": model_error, "val_identity_levels": identity_error}


def _apply(
    network: torch.nn.Module, accelerator: Accelerator, originals: torch.Tensor, conditions: torch.Tensor
) -> torch.Tensor:
    originals = originals.contiguous(memory_format=torch.channels_last)
    is_conditioned = accelerator.unwrap_model(network).config.condition_values > 0
    return network(originals, conditions) if is_conditioned else network(originals)


def _plain(config: CompressionConfig) -> dict[str, Any]:
    return {**dataclasses.asdict(config), "codecs": list(config.codecs), "widths": list(config.widths)}

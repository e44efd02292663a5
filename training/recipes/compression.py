"""Train a ComModel: photos and a codec, or photos before and after, in; a model and its error beside doing nothing out.

    python -m training compression --photos ../shared/data/photos --codec jpeg:50 --out runs/commodel
    python -m training compression --pairs originals/ returned/ --out runs/commodel

Mean absolute error, Adam, one epoch of warm-up and a cosine. The state of every epoch is kept, so the same command goes
on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from training.bounds import check_bounds
from training.data.codecs import CONDITION_VALUES, CodecRange, parse_range
from training.data.pairs import CropPairs, PhotoPair
from training.errors import TrainingError
from training.models.commodel import ComModel, ComModelConfig, build_commodel, save_commodel
from training.progress import track
from training.recipes.compression_start import BLOCK_PX, Crops, start_network
from training.recipes.compression_table import measure_commodel
from training.recipes.run_state import prepared, resume, save_state, warm_cosine, write_rows

_START_CROPS = 4  # of a photo
LAST, MODEL, LOG = "last.pt", "commodel.pt", "log.csv"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CompressionConfig:
    """One training run; with the photos it decides every number that comes out."""

    codecs: tuple[str, ...] = ("jpeg:50",)  # names of training.data.codecs, ranges too; none for pairs from folders
    widths: tuple[int, ...] = (12, 24, 48)
    blocks: int = 1
    transforms: tuple[int, ...] | None = None  # sides in px of the blocks before the encoder; None: by the codecs
    kinks: int = 16
    crop_px: int = 128
    crops_a_photo: int = 8  # in an epoch
    epochs: int = 30  # 0: what the start gives, without descent
    batch: int = 6
    learning_rate: float = 1e-3
    curve_rate: float = 10.0  # of the transforms' curves, as a multiple of the learning rate
    seed: int = 0
    workers: int = 0  # processes that compress; the result does not depend on it

    def __post_init__(self) -> None:
        bounds = {
            "crop_px": (32, 1024),
            "crops_a_photo": (1, 1000),
            "epochs": (0, 10_000),
            "batch": (1, 4096),
            "learning_rate": (1e-7, 1),
            "curve_rate": (1e-3, 1e3),
            "workers": (0, 256),
        }
        check_bounds(self, bounds)
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
            widths=self.widths,
            blocks=self.blocks,
            condition_values=0 if is_one else CONDITION_VALUES,
            transforms=self._block_sides() if self.transforms is None else self.transforms,
            kinks=self.kinks,
        )

    def _block_sides(self) -> tuple[int, ...]:
        """JPEG codes blocks of 8 px, WebP of 4; who came back from a site may have been coded as either."""
        kinds = {step.kind for codec in self.ranges for step in codec.lowest.steps} - {"resize"}
        return tuple(sorted({BLOCK_PX.get(kind, 8) for kind in kinds}, reverse=True)) or (8,)


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
    network = network.to(accelerator.device, memory_format=_layout(config))  # pyright: ignore[reportCallIssue]
    crops = _crops(config, splits["train"], seed=config.seed)
    steps = math.ceil(len(crops) / config.batch)
    optimizer = torch.optim.Adam(_groups(network, config))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps, config.epochs * steps))
    network, optimizer, scheduler = accelerator.prepare(network, optimizer, scheduler)
    parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
    run = fingerprint(config, splits)
    history = resume(out / LAST, parts, run)
    if not history:
        start_network(accelerator.unwrap_model(network), splits["train"], config.ranges, _batches(config, accelerator))
    for epoch in range(len(history), config.epochs):
        started = time.perf_counter()
        order = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        loader = DataLoader(crops, config.batch, shuffle=True, generator=order, num_workers=config.workers)
        loader = prepared(accelerator, loader, epoch)
        loss = _train_epoch(accelerator, parts, loader, f"epoch {epoch + 1} of {config.epochs}")
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


def _groups(network: ComModel, config: CompressionConfig) -> list[dict[str, Any]]:
    """Curves begin at 0 and have to become as large as coefficients, which takes larger steps than filters bear."""
    curves = [value for name, value in network.named_parameters() if "curves." in name or ".lose" in name]
    known = {id(value) for value in curves}
    others = [value for value in network.parameters() if id(value) not in known]
    groups = [{"params": others, "lr": config.learning_rate}]
    return groups + [{"params": curves, "lr": config.learning_rate * config.curve_rate}] * bool(curves)


def _layout(config: CompressionConfig | ComModelConfig) -> torch.memory_format:
    """Wide convolutions are faster with the channels last, the few channels of transforms alone are not."""
    return torch.channels_last if config.widths else torch.contiguous_format


def _batches(config: CompressionConfig, accelerator: Accelerator) -> Crops:
    """Pairs of crops to fit the start to, other ones than those of the epochs."""

    def batches(photos: Sequence[PhotoPair], ranges: Sequence[CodecRange]) -> Iterator[tuple[Tensor, Tensor]]:
        crops = CropPairs(photos, ranges, crop_px=config.crop_px, crops_a_photo=_START_CROPS, seed=config.seed + 2)
        for originals, returned, _condition in DataLoader(crops, config.batch):
            yield originals.to(accelerator.device), returned.to(accelerator.device)

    return batches


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
    config = accelerator.unwrap_model(network).config
    originals = originals.contiguous(memory_format=_layout(config))
    is_conditioned = config.condition_values > 0
    return network(originals, conditions) if is_conditioned else network(originals)


def _plain(config: CompressionConfig) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}

"""Train what is to be deceived: grey pictures in, a VGG, a ResNet and the critic's head D_rec out, each in one file.

One cycle of AdamW over pictures that are mirrored and shifted. The state is kept every 100 steps, so the same command
goes on from there.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.files import write_whole
from training.bounds import check_bounds
from training.errors import TrainingError
from training.models.sensing_classifiers import CLASSIFIERS, build_classifier
from training.progress import track
from training.recipes.run_state import resume, save_state, warm_cosine
from training.recipes.sensing_data import Greys, GreySplits

TRAINED = (*CLASSIFIERS, "critic")
_EVERY = 100
_SHIFT_PX = 3
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """One training run of each classifier."""

    steps: int = 1000
    batch: int = 64
    learning_rate: float = 3e-3
    mirror: bool = True  # not for digits
    precision: str = "bf16"  # or "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {"steps": (1, 10_000_000), "batch": (2, 65_536), "learning_rate": (1e-7, 1)}
        check_bounds(self, bounds)
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision: expected bf16 or fp32, got {self.precision!r}")


def train_classifiers(
    config: ClassifierConfig,
    splits: GreySplits,
    out: Path,
    *,
    start_from: Path | None = None,
    report: Report = lambda _line: None,
) -> dict[str, nn.Module]:
    """Train those of TRAINED that out/NAME.pt does not hold yet.

    Args: start_from: a folder of earlier ones, from which these go on; None: from random weights.
    Returns: all of them in eval mode.
    Raises: TrainingError if `out` holds runs of other settings or pictures, or `start_from` lacks one.
    """
    starts = {name: None if start_from is None else start_from / f"{name}.pt" for name in TRAINED}
    out.mkdir(parents=True, exist_ok=True)
    return {name: _train(name, config, splits, out, starts[name], report) for name in TRAINED}


def load_classifier(path: Path, name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A trained one in eval mode, and what is known about it. Raises: TrainingError."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = build_classifier(name, classes=content["facts"]["classes"])
        network.load_state_dict(content["state"])
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such file; train it with `python -m training sensing`") from None
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TrainingError(f"{path}: expected the classifier {name} ({reason}); remove it") from error
    return network.eval(), content["facts"]


@torch.no_grad()
def answers(network: nn.Module, images: Tensor, *, batch: int = 250) -> Tensor:
    """(N,) the class that the network finds likeliest in each of (N, 1, S, S)."""
    return torch.cat([network(part).argmax(1) for part in images.split(batch)])


def accuracy(network: nn.Module, pictures: Greys) -> float:
    """The share of pictures that the network has right."""
    return float((answers(network, pictures.images) == pictures.answers).float().mean())


def _train(
    name: str, config: ClassifierConfig, splits: GreySplits, out: Path, start: Path | None, report: Report
) -> nn.Module:
    known = json.dumps([name, asdict(config), splits.sha256]).encode()
    network = build_classifier(name, classes=splits.classes, seed=config.seed)
    if start is not None:
        network, _ = load_classifier(start, name)
        known += start.read_bytes()
    run = hashlib.sha256(known).hexdigest()
    if (out / f"{name}.pt").is_file():
        network, facts = load_classifier(out / f"{name}.pt", name)
        if facts["run"] != run:
            raise TrainingError(f"{out / name}.pt: was trained with other settings or pictures; name another --out")
        return network
    device = Accelerator().device
    network = network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=0.02)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(config.steps // 10, config.steps))
    parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
    history = resume(out / f"{name}.last.pt", parts, run)
    first = int(history[-1]["step"]) if history else 0
    started, losses = time.perf_counter(), []
    for step in track(range(first, config.steps), name, total=config.steps - first):
        images, labels = augmented_batch(splits.train, config.batch, (config.seed, step), mirror=config.mirror)
        network.train()
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            logits = network(images.to(device).contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), labels.to(device))
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(float(loss.detach()))
        if (step + 1) % _EVERY == 0 or step + 1 == config.steps:
            history.append({"step": step + 1, "loss": float(np.mean(losses)), "seconds": time.perf_counter() - started})
            losses.clear()
            if not math.isfinite(history[-1]["loss"]):
                raise TrainingError(f"{name}: the loss is not finite; lower the learning rate")
            save_state(out / f"{name}.last.pt", parts, run, history)
            report(f"{name}  " + "  ".join(f"{key} {value:.4g}" for key, value in history[-1].items()))
    network = network.to("cpu").eval()
    facts = {"run": run, "classes": splits.classes, "val": accuracy(network, splits.val),
             "test": accuracy(network, splits.test), "config": asdict(config)}  # fmt: skip
    report(f"{name}: right on {facts['val']:.1%} of the validation pictures, {facts['test']:.1%} of the test pictures")
    buffer = io.BytesIO()
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    torch.save({"facts": facts, "state": state}, buffer)
    write_whole(out / f"{name}.pt", buffer.getvalue(), force=True)
    return network


def augmented_batch(
    pictures: Greys, count: int, seed: Sequence[int], *, mirror: bool = True, shift_px: int = _SHIFT_PX
) -> tuple[Tensor, Tensor]:
    """A batch that depends on `seed` alone, so that a resumed run draws the same; mirrored and shifted at random."""
    rng = np.random.default_rng(list(seed))
    index = rng.integers(0, len(pictures), count)
    pixels = pictures.pixels[index]
    if mirror:
        turned = rng.random(count) < 0.5
        pixels = np.where(turned[:, None, None], pixels[:, :, ::-1], pixels)
    if shift_px:
        side = pixels.shape[-1]
        padded = np.pad(pixels, ((0, 0), (shift_px, shift_px), (shift_px, shift_px)), mode="reflect")
        corners = rng.integers(0, 2 * shift_px + 1, (count, 2))
        pixels = np.stack(
            [one[top : top + side, left : left + side] for one, (top, left) in zip(padded, corners, strict=True)]
        )
    images = torch.from_numpy(pixels[:, None].astype(np.float32) / 255)
    return images, torch.from_numpy(pictures.labels[index])

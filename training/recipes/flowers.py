"""Train a flower classifier: photos in class folders in, a checkpoint with its measured worth out.

    python -m training flowers --data ../shared/data/flowers17 ../shared/data/flowers5 --out runs/flowers

Fine-tuning of an ImageNet network: AdamW, one epoch of warm-up and a cosine, label smoothing, an average of the
weights (EMA), views at a smaller size than the photos are later seen at (Touvron et al. 2019, arXiv:1906.06423).
Photos of other things, where given, are one more class. The state of every epoch is kept, so the same command goes on
where it stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from training.augment.augmentation import build_augmentation
from training.augment.names import parse_name
from training.bounds import check_bounds
from training.data.flowers import PhotoSet
from training.data.views import TrainingViews, ViewConfig
from training.errors import TrainingError
from training.evaluate.classifier import accuracy, calibrate_answers, predict
from training.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.models.registry import build_network, last_layer
from training.progress import track
from training.recipes.flowers_points import PhotoPoints
from training.recipes.flowers_renewed import RenewedPoints
from training.recipes.run_state import prepared, resume, save_state, warm_cosine, write_rows

_CIFAR_SHIFT = 4 / 32  # of the side, as for the ResNets of CIFAR-10
LAST, MODEL, LOG = "last.pt", "model.pt", "log.csv"


@dataclass(frozen=True, kw_only=True)
class FlowersConfig:
    """One training run; with the photos it decides every number that comes out."""

    network: str = "efficientnet_lite0"
    # Of training.models.registry; or a checkpoint of the same classes to go on from; or several, with commas, whose
    # average is gone on from (a model soup, Wortsman et al. 2022, arXiv:2203.05482).
    weights: str = "pretrained"
    augmentation: str = "advmask"  # a full name of training.augment.names
    size_px: int = 176  # of the views in training
    test_size_px: int = 224
    crop: float = 1.0  # flowers reach the edge: on validation photos 1.0 was ahead of 0.875
    epochs: int = 12  # 0: the weights are calibrated and measured as they are
    batch: int = 32
    learning_rate: float = 4e-4
    head_rate: float = 5.0  # of the new last layer, times learning_rate
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    ema_decay: float = 0.99
    smallest_area: float = 0.35
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "epochs": (0, 10_000),
            "batch": (2, 4096),
            "learning_rate": (1e-7, 10),
            "head_rate": (0.01, 1000),
            "weight_decay": (0, 1),
            "label_smoothing": (0, 0.9),
            "ema_decay": (0, 0.99999),
            "test_size_px": (16, 1024),
        }
        check_bounds(self, bounds)
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop: expected 0 < crop <= 1, got {self.crop}")
        try:
            parse_name(self.augmentation)
        except ValueError as error:
            raise ValueError(f"augmentation: {error}") from None

    @property
    def views(self) -> ViewConfig:
        return ViewConfig(size_px=self.size_px, smallest_area=self.smallest_area)


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What a run learns from: photos, photos of other things, and the sensitive points of each photo."""

    photos: PhotoSet
    background: tuple[NDArray[np.uint8], ...] = ()
    points: Sequence[NDArray[np.floating] | None] | None = None  # one entry a photo of `photos`, whatever its split
    kind: str = "photo"  # a preset of training.augment.settings; pictures as small as CIFAR's are moved, not resized


def train_flowers(
    config: FlowersConfig,
    data: TrainingSet,
    out: Path,
    *,
    command: str = "",
    report: Callable[[str], None] = lambda _line: None,
) -> Checkpoint:
    """Train, pick nothing by the test split, calibrate on the validation split, and write the checkpoint.

    Args:
        out: folder for the state of the last epoch, the log and the checkpoint.
        report: is told each epoch's row.
    Returns: the checkpoint, as written to out/model.pt.
    Raises: TrainingError if `out` holds a run of other settings or the split has no photos.
    """
    out.mkdir(parents=True, exist_ok=True)
    classes = len(data.photos.classes)
    if not (data.photos.rows("train") and data.photos.rows("val")):
        raise TrainingError("data: expected photos on the train and val sides, found none on one; add photos")
    data = with_points(config, data)
    accelerator = Accelerator()
    network = _network(config, data)
    network = network.to(accelerator.device, memory_format=torch.channels_last)
    views = _views(config, data)
    steps = math.ceil(len(views) / config.batch)
    optimizer = torch.optim.AdamW(_groups(network, config), lr=config.learning_rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(steps, config.epochs * steps))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
    network, optimizer, scheduler = accelerator.prepare(network, optimizer, scheduler)
    parts = {"network": network, "average": average, "optimizer": optimizer, "scheduler": scheduler}
    renewed = _renewed(config, data, views)
    if renewed is not None:
        parts["points"] = renewed
    run = fingerprint(config, data)
    history = resume(out / LAST, parts, run)
    for epoch in range(len(history), config.epochs):
        started = time.perf_counter()
        if hasattr(views.augment, "set_epoch"):
            views.augment.set_epoch(epoch)  # pyright: ignore[reportFunctionMemberAccess, reportOptionalMemberAccess]
        if renewed is not None:
            renewed.begin_epoch(epoch, average.module)
        loader = prepared(accelerator, _loader(views, config, epoch), epoch)
        loss = _train_epoch(accelerator, parts, loader, config, f"epoch {epoch + 1} of {config.epochs}")
        row = {"epoch": epoch + 1, "loss": loss, **_accuracies(average, data.photos, config, ["val"])}
        history.append({**row, "seconds": time.perf_counter() - started})
        if accelerator.is_main_process:
            save_state(out / LAST, parts, run, history)
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    checkpoint = _checkpoint(config, data, average.module, classes, command)
    save_checkpoint(out / MODEL, checkpoint)
    return checkpoint


def with_points(config: FlowersConfig, data: TrainingSet) -> TrainingSet:
    """The data with the points that the augmentation's name asks for; points that were given as a list stay."""
    if not isinstance(data.points, PhotoPoints):
        return data
    is_several = parse_name(config.augmentation).points_from == "several"
    return replace(data, points=data.points.together() if is_several else tuple(data.points))


def fingerprint(config: FlowersConfig, data: TrainingSet) -> str:
    """A hash of everything that a run depends on."""
    points = b"" if data.points is None else b"".join(p.tobytes() for p in data.points if p is not None)
    content = json.dumps([dataclasses.asdict(config), data.photos.sha256, data.photos.labels.tolist()]).encode()
    return hashlib.sha256(content + points + str(len(data.background)).encode()).hexdigest()


def _network(config: FlowersConfig, data: TrainingSet) -> nn.Module:
    outputs = len(data.photos.classes) + bool(data.background)
    if not _starts(config):
        return build_network(config.network, weights=config.weights, seed=config.seed, classes=outputs)  # pyright: ignore[reportArgumentType]
    states = []
    for path in _starts(config):
        start = load_checkpoint(path)
        if (start.network, start.classes, start.outputs) != (config.network, data.photos.classes, outputs):
            raise TrainingError(f"{path}: expected a {config.network} of the same classes, found another network")
        states.append(start.state)
    network = build_network(config.network, weights="random", classes=outputs)
    network.load_state_dict(averaged(states))
    return network


def _starts(config: FlowersConfig) -> list[Path]:
    """The checkpoints that the run goes on from; none for a name of weights."""
    return [Path(path) for path in config.weights.split(",")] if config.weights.endswith(".pt") else []


def _begun_at(config: FlowersConfig) -> dict[str, list[str]]:
    """By which commands the starts were made, for whoever wants to make the network anew."""
    commands = [load_checkpoint(path).command for path in _starts(config)]
    return {"begun_at": commands} if any(commands) else {}


def averaged(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each weight over the states; whole numbers, which are counts, are those of the first."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if first.is_floating_point() else first
        for name, first in states[0].items()
    }


def _views(config: FlowersConfig, data: TrainingSet) -> TrainingViews:
    rows = data.photos.rows("train")
    images = [data.photos.images[row] for row in rows] + list(data.background)
    labels = [int(data.photos.labels[row]) for row in rows] + [len(data.photos.classes)] * len(data.background)
    points = None
    if data.points is not None:
        nowhere = np.zeros((0, 2), np.float32)
        points = [data.points[row] for row in rows] + [nowhere] * len(data.background)
    variant = parse_name(config.augmentation)
    augment = build_augmentation(
        variant.method, epochs=max(1, config.epochs), seed=config.seed, preset=data.kind, fill=variant.fill
    )
    seen = config.views if data.kind == "photo" else replace(config.views, shift=_CIFAR_SHIFT)
    return TrainingViews(images, labels, seen, seed=config.seed, augment=augment, points=points)


def _renewed(config: FlowersConfig, data: TrainingSet, views: TrainingViews) -> RenewedPoints | None:
    if parse_name(config.augmentation).points_from != "renewed":
        return None
    return RenewedPoints(views, data.photos, config.size_px)


def _loader(views: TrainingViews, config: FlowersConfig, epoch: int) -> DataLoader[tuple[Tensor, int]]:
    order = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
    # A last batch of one photo would give BatchNorm nothing to normalise by.
    drop_last = len(views) % config.batch == 1
    return DataLoader(views, config.batch, shuffle=True, generator=order, drop_last=drop_last)


def _train_epoch(
    accelerator: Accelerator, parts: dict[str, Any], loader: DataLoader[Any], config: FlowersConfig, title: str
) -> float:
    network, optimizer = parts["network"], parts["optimizer"]
    network.train()
    losses = []
    for images, labels in track(loader, title, total=len(loader)):
        optimizer.zero_grad()
        with accelerator.autocast():
            logits = network(images.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        parts["scheduler"].step()
        parts["average"].update_parameters(accelerator.unwrap_model(network))
        losses.append(loss.detach())
    mean = float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise TrainingError(f"loss: expected a finite number, got {mean}; lower --learning-rate")
    return mean


def _groups(network: nn.Module, config: FlowersConfig) -> list[dict[str, Any]]:
    """The new layer learns faster; biases and normalisation are not decayed."""
    head = list(last_layer(network).parameters())
    body = [parameter for parameter in network.parameters() if all(parameter is not own for own in head)]
    return [
        {"params": head, "weight_decay": config.weight_decay, "lr": config.learning_rate * config.head_rate},
        {"params": [p for p in body if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in body if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _accuracies(network: nn.Module, photos: PhotoSet, config: FlowersConfig, splits: Sequence[str]) -> dict[str, float]:
    return {
        split: accuracy(logits, labels, len(photos.classes))
        for split in splits
        for logits, labels in [_logits(network, photos, split, config)]
    }


def _logits(network: nn.Module, photos: PhotoSet, split: str, config: FlowersConfig) -> tuple[Tensor, Tensor]:
    network.eval()
    rows = photos.rows(split)
    images = [photos.images[row] for row in rows]
    return predict(network, images, config.test_size_px, crop=config.crop), torch.from_numpy(photos.labels[rows])


def _checkpoint(config: FlowersConfig, data: TrainingSet, network: nn.Module, classes: int, command: str) -> Checkpoint:
    logits, labels = _logits(network, data.photos, "val", config)
    answers = calibrate_answers(logits, labels, classes)
    return Checkpoint(
        network=config.network,
        classes=data.photos.classes,
        has_other=bool(data.background),
        size_px=config.test_size_px,
        crop=config.crop,
        temperature=answers.temperature,
        unsure_below=answers.unsure_below,
        metrics={"val_accuracy": accuracy(logits, labels, classes), "val_photos": len(labels)},
        data={
            "train_photos": len(data.photos.rows("train")),
            "background_photos": len(data.background),
            "config": dataclasses.asdict(config),
            **_begun_at(config),
        },
        command=command,
        state=network.state_dict(),
    )

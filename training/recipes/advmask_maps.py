"""What differently trained networks look at: checkpoints and photos in; heat maps side by side and their figures out.

    python -m training advmask-maps --data FOLDER --models base=A.pt grid_mask=B.pt advmask=C.pt

The figures are means over test photos that every network gets right: the share of the picture that the map of the right
class covers, and the deletion and insertion scores.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from torch import Tensor, nn

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input, to_uint8
from training.data.flowers import PhotoSet
from training.errors import TrainingError
from training.evaluate.attention import activation_map, area_share, attention_sheet
from training.evaluate.insertion import deletion_insertion
from training.models.checkpoint import Checkpoint, build, load_checkpoint
from training.models.efficientnet_lite import EfficientNetLite
from training.recipes.run_state import write_rows

THRESHOLDS = (0.2, 0.5)
SHOWN = 8  # test photos on the sheet, where no others are named


@dataclass(frozen=True, kw_only=True)
class MapsJob:
    """What `python -m training advmask-maps` was asked for."""

    models: Mapping[str, Path]
    out: Path
    photos: tuple[Path, ...] = ()  # for the sheet, in place of test photos
    most: int = 120  # test photos that are measured

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models: expected one or more, got none")
        if self.most < 1:
            raise ValueError(f"most: expected 1 or more, got {self.most}")


def compare_maps(
    job: MapsJob, load: Callable[[int], PhotoSet], *, report: Callable[[str], None] = lambda _line: None
) -> list[dict[str, float | str]]:
    """Measure every model; write out/maps.csv, out/maps.md and out/maps.jpg.

    Args:
        load: gives the photos, resized to a short side in px.
    Returns: a row a model.
    Raises: TrainingError if a checkpoint is no EfficientNet-Lite, or they know different classes or sizes.
    """
    checkpoints = {name: load_checkpoint(path) for name, path in job.models.items()}
    first = _agreed(checkpoints)
    networks = {name: _network(name, checkpoint) for name, checkpoint in checkpoints.items()}
    photos = load(round(first.size_px / first.crop))
    rows = photos.rows("test")
    chosen = rows[:: -(-len(rows) // job.most)]  # they are sorted by class: an even choice shows all of them
    images = torch.from_numpy(
        np.concatenate([to_network_input(photos.images[row], first.size_px, first.crop) for row in chosen])
    )
    labels = torch.from_numpy(photos.labels[chosen])
    right = torch.stack([_answers(network, images) == labels for network in networks.values()]).all(0)
    images, labels = images[right], labels[right]
    if not len(images):
        raise TrainingError("data: expected test photos that every model gets right, found none")
    figures = [_figures(name, network, images, labels) for name, network in networks.items()]
    job.out.mkdir(parents=True, exist_ok=True)
    write_rows(job.out / "maps.csv", figures)
    write_whole(job.out / "maps.md", as_markdown(figures, len(images)).encode(), force=True)
    shown = _shown(job, first, images)
    write_whole(job.out / "maps.jpg", _sheet(networks, shown, first), force=True)
    report(as_markdown(figures, len(images)))
    return figures


def as_markdown(rows: list[dict[str, float | str]], photos: int) -> str:
    """The rows as a table."""
    names = list(rows[0])
    lines = [f"Means over {photos} test photos that all networks get right.", ""]
    lines += ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += [
        "| " + " | ".join(value if isinstance(value, str) else f"{value:.3f}" for value in row.values()) + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _agreed(checkpoints: Mapping[str, Checkpoint]) -> Checkpoint:
    first_name, first = next(iter(checkpoints.items()))
    for name, checkpoint in checkpoints.items():
        if (checkpoint.classes, checkpoint.size_px, checkpoint.crop) != (first.classes, first.size_px, first.crop):
            raise TrainingError(f"models: expected {name} to have the classes and size of {first_name}, found others")
    return first


def _network(name: str, checkpoint: Checkpoint) -> EfficientNetLite:
    network = build(checkpoint)
    if not isinstance(network, EfficientNetLite):
        raise TrainingError(f"{name}: expected a network of the EfficientNet-Lite family, found {checkpoint.network}")
    return network


def _answers(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(part).argmax(1) for part in images.split(32)])


def _maps(network: EfficientNetLite, images: Tensor, classes: Tensor) -> Tensor:
    return activation_map(network, network.bn1, images, classes, activation="relu6")


def _figures(name: str, network: EfficientNetLite, images: Tensor, labels: Tensor) -> dict[str, float | str]:
    maps = _maps(network, images, labels)
    deletion, insertion = deletion_insertion(network, images, maps, labels)
    areas = {f"area at {at}": float(area_share(maps, at).mean()) for at in THRESHOLDS}
    return {"model": name, **areas, "deletion": mean(deletion.tolist()), "insertion": mean(insertion.tolist())}


def _shown(job: MapsJob, checkpoint: Checkpoint, images: Tensor) -> Tensor:
    if not job.photos:
        return images[:: max(1, len(images) // SHOWN)][:SHOWN]
    inputs = [to_network_input(decode(path).rgb_hwc, checkpoint.size_px, checkpoint.crop) for path in job.photos]
    return torch.from_numpy(np.concatenate(inputs))


def _sheet(networks: Mapping[str, EfficientNetLite], images: Tensor, checkpoint: Checkpoint) -> bytes:
    answers = {name: _answers(network, images)[:] for name, network in networks.items()}
    maps = {name: _maps(network, images, answers[name].clone()).numpy() for name, network in networks.items()}
    names = [*checkpoint.classes, "none of these"]
    rows = [(to_uint8(images[i : i + 1].numpy()), [maps[name][i] for name in networks]) for i in range(len(images))]
    captions = [", ".join(names[int(answers[name][i])] for name in networks) for i in range(len(images))]
    buffer = io.BytesIO()
    attention_sheet(rows, ["photo", *networks], row_captions=captions).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()

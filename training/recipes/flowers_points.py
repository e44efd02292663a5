"""Photos and a base model in, the sensitive points of each photo out: what AdvMask masks are grown from.

AutoAdversary (arXiv:2203.09756) attacks the base model on each training photo; the points are the pixels that it had to
change (AdvMask, arXiv:2211.16040, step 2). They are shares of the picture's sides, so they serve at any size. The
dense attack's strongest pixels, which AdvMask's authors did not try, are asked for by `PhotoPoints.of`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mobile_app.core.preprocess import from_uint8
from training.attacks.sparse.auto_adversary import AutoAdversaryConfig, auto_adversary
from training.attacks.sparse.dense import DenseConfig, strongest_pixels
from training.augment.points import Find, PointCache, file_sha256, sensitive_points
from training.data.flowers import PhotoSet
from training.data.views import Box, resized_crop
from training.errors import TrainingError
from training.models.checkpoint import build, load_checkpoint
from training.progress import counting

BASE_SIZE_PX = 64
Points = NDArray[np.floating]
Attack = Literal["auto_adversary", "strongest"]
ATTACKS: tuple[str, ...] = get_args(Attack)


@dataclass(frozen=True, kw_only=True)
class PointsConfig:
    """How the points are found."""

    size_px: int = BASE_SIZE_PX  # of the whole photo, squeezed to a square, while it is attacked
    points: int = 64  # kept of a photo
    batch: int = 32
    attack: AutoAdversaryConfig = field(
        default_factory=lambda: AutoAdversaryConfig(base=DenseConfig(steps=5, budget_levels=16.0), steps=30)
    )

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 512:
            raise ValueError(f"size_px: expected 16 to 512, got {self.size_px}")
        if self.points < 1 or self.batch < 1:
            raise ValueError(f"points, batch: expected 1 or more, got {self.points}, {self.batch}")


class PhotoPoints(Sequence[Points | None]):
    """AutoAdversary's points: (K, 2) (row, column) for a photo of the train split, None for the others."""

    def __init__(
        self, photos: PhotoSet, base: Path, cache: Path, config: PointsConfig, report: Callable[[str], None]
    ) -> None:
        self._photos, self._base, self._cache, self._config, self._report = photos, base, cache, config, report
        self._found: dict[str, tuple[Points | None, ...]] = {}
        self.of("auto_adversary")

    def of(self, attack: str) -> tuple[Points | None, ...]:
        """The points of one of ATTACKS on the same base model, found when they are first asked for.

        Raises: ValueError for another name.
        """
        if attack not in ATTACKS:
            raise ValueError(f"attack: expected one of {', '.join(ATTACKS)}, got {attack!r}")
        if attack not in self._found:
            self._found[attack] = _find(attack, self._photos, self._base, self._cache, self._config, self._report)
        return self._found[attack]

    def together(self) -> tuple[Points | None, ...]:
        """The points of all attacks, one after another."""
        each = zip(*(self.of(attack) for attack in ATTACKS), strict=True)
        return tuple(None if photo[0] is None else np.concatenate(photo) for photo in each)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __len__(self) -> int:
        return len(self._photos.images)

    def __getitem__(self, row: Any) -> Any:
        return self.of("auto_adversary")[row]

    def __iter__(self) -> Iterator[Points | None]:
        return iter(self.of("auto_adversary"))


def _find(
    attack: str, photos: PhotoSet, base: Path, cache: Path, config: PointsConfig, report: Callable[[str], None]
) -> tuple[Points | None, ...]:
    checkpoint = load_checkpoint(base)
    if checkpoint.classes != photos.classes:
        raise TrainingError(f"{base}: expected the classes of the photos, found others; train a base model on them")
    network = build(checkpoint).to(memory_format=torch.channels_last).requires_grad_(False)
    rows = photos.rows("train")
    images = squeezed(photos, rows, config.size_px)
    settings, find = _attack(attack, network, config)
    store = PointCache(cache, file_sha256(base), settings, most=config.points)
    with counting(len(rows), f"finding sensitive points ({attack})") as advance:

        def find_and_count(batch: Tensor, labels: Tensor) -> Tensor:
            mask = find(batch, labels)
            advance(len(batch))
            return mask

        labels = torch.from_numpy(photos.labels[rows])
        keys = [photo_key(photos, row) for row in rows]
        found = sensitive_points(find_and_count, images, labels, store, keys=keys, batch=config.batch, save_every=4)
    report(
        f"{attack}: {len(rows)} photos, {np.mean([len(points) for points in found]):.0f} points each, in {store.path}"
    )
    by_row = dict(zip(rows, found, strict=True))
    return tuple(by_row.get(row) for row in range(len(photos.images)))


def _attack(attack: str, network: nn.Module, config: PointsConfig) -> tuple[dict[str, Any], Find]:
    """Everything that the points depend on besides photos and base model, and the attack itself."""
    if attack == "auto_adversary":

        def prune(batch: Tensor, labels: Tensor) -> Tensor:
            return auto_adversary(
                network, batch, labels, config.attack, generator=torch.Generator().manual_seed(0)
            ).mask

        return asdict(config), prune  # the attack's name is not among the settings: older files stay good
    base = config.attack.base
    settings = {"attack": attack, "size_px": config.size_px, "base": asdict(base)}
    return settings, lambda batch, labels: strongest_pixels(network, batch, labels, config.points, base)


def squeezed(photos: PhotoSet, rows: Sequence[int], size_px: int) -> Tensor:
    """(N, 3, size_px, size_px) in [0, 1]: the whole of each photo, whatever its shape."""
    whole = Box(0, 0, 1, 1)
    views = [from_uint8(resized_crop(photos.images[row], whole, size_px)) for row in rows]
    return torch.from_numpy(np.concatenate(views))


def photo_key(photos: PhotoSet, row: int) -> str:
    """Of a photo's file and label: the points hold at whatever size the photo is in memory."""
    return hashlib.sha256(f"{photos.sha256[row]} {photos.labels[row]}".encode()).hexdigest()

"""The augmentations as torchvision v2 transforms: for `v2.Compose`, with points carried along as KeyPoints.

    train = v2.Compose([v2.RandomResizedCrop(224), AdvMask(epochs=30, seed=0), v2.RandomHorizontalFlip()])
    image, points, label = train(image, key_points(points_rc, size_hw), label)

Crops, flips and resizes before the transform move the points with the picture. A sample that is a pair of a tensor
and relative points needs no transform: `build_augmentation` returns what takes the two as they are.

Randomness: a transform draws from NumPy generators made from its seed, never from a global one. In a DataLoader's
worker it makes one from its seed and the worker's (`get_worker_info().seed`): no two workers draw alike, every epoch
draws anew, and a run repeats if the loader has a seeded `generator` (and a fixed number of workers). `set_epoch` writes
to shared memory and so reaches persistent workers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from training.augment.augmentation import NEEDS_POINTS, Augmentation, build_augmentation
from training.augment.fill import Fill
from training.augment.settings import Preset
from training.torchvision_shim import ensure_torchvision

ensure_torchvision()

from PIL import Image  # noqa: E402
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

__all__ = [
    "AdvMask",
    "AdvPoints",
    "CornerMask",
    "Cutout",
    "GridMask",
    "HideAndSeek",
    "InformationDropping",
    "RandomErasing",
    "RandomMask",
    "build_augmentation",
    "key_points",
    "relative_points",
]


def key_points(points_rc: NDArray[np.floating], size_hw: tuple[int, int]) -> tv_tensors.KeyPoints:
    """Relative (row, column) to torchvision's (x, y) in pixels, where the centre of the first pixel is (0, 0)."""
    points = torch.as_tensor(np.asarray(points_rc, np.float32)).reshape(-1, 2)
    height, width = size_hw
    return tv_tensors.KeyPoints(points.flip(1) * torch.tensor([width, height]) - 0.5, canvas_size=size_hw)


def relative_points(points: tv_tensors.KeyPoints) -> NDArray[np.float32]:
    """The way back; points that a crop has left outside are dropped."""
    height, width = points.canvas_size
    relative_xy = (points.as_subclass(Tensor).reshape(-1, 2).float() + 0.5) / torch.tensor([width, height])
    relative = relative_xy.flip(1).cpu().numpy()
    return relative[((relative >= 0) & (relative < 1)).all(1)]


class InformationDropping(v2.Transform):
    """What the transforms of this module share; `name` is one of `training.augment.augmentation.NAMES`.

    Takes one image a sample (`tv_tensors.Image`, a plain tensor or a PIL image, RGB) and returns it in the same form;
    KeyPoints and everything else pass through unchanged.
    """

    _transformed_types = (Tensor, Image.Image)

    def __init__(
        self,
        name: str,
        *,
        epochs: int,
        seed: int,
        preset: str | Preset = "photo",
        fill: Fill = "mean",
        final_share: float = 0.8,
    ) -> None:
        super().__init__()
        self.name, self.epochs, self.seed = name, epochs, seed
        self.augmentation: Augmentation = build_augmentation(
            name, epochs=epochs, seed=seed, preset=preset, fill=fill, final_share=final_share
        )
        self._generators: dict[int | None, np.random.Generator] = {}

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins; the first is 0."""
        self.augmentation.set_epoch(epoch)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        points = [value for value in flat_inputs if isinstance(value, tv_tensors.KeyPoints)]
        if self.name in NEEDS_POINTS and len(points) != 1:
            raise ValueError(f"{self.name}: expected one tv_tensors.KeyPoints in a sample, got {len(points)}")
        return {"points_rc": relative_points(points[0]) if points else None}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if isinstance(inpt, tv_tensors.TVTensor) and not isinstance(inpt, tv_tensors.Image):
            return inpt
        is_picture = isinstance(inpt, Image.Image)
        plain = F.pil_to_tensor(inpt) if is_picture else inpt.as_subclass(Tensor)
        masked = self.augmentation(plain, params["points_rc"], self._generator())
        if is_picture:
            return F.to_pil_image(masked)
        return tv_tensors.wrap(masked, like=inpt) if isinstance(inpt, tv_tensors.Image) else masked

    def _generator(self) -> np.random.Generator:
        worker = get_worker_info()
        key = None if worker is None else int(worker.seed)
        if key not in self._generators:
            self._generators[key] = np.random.default_rng(self.seed if key is None else (self.seed, key))
        return self._generators[key]


class AdvMask(InformationDropping):
    """Squares around the sensitive points of a picture: Yang et al. 2023, arXiv:2211.16040."""

    def __init__(self, **options: Any) -> None:
        super().__init__("advmask", **options)


class AdvPoints(InformationDropping):
    """The sensitive points themselves: AdvMask's ablation "Adv"."""

    def __init__(self, **options: Any) -> None:
        super().__init__("adv", **options)


class RandomMask(InformationDropping):
    """AdvMask's squares around random points: its ablation "Random + Mask"."""

    def __init__(self, **options: Any) -> None:
        super().__init__("random_mask", **options)


class CornerMask(InformationDropping):
    """AdvMask's squares around corners: its ablation "Corner + Mask"."""

    def __init__(self, **options: Any) -> None:
        super().__init__("corner_mask", **options)


class Cutout(InformationDropping):
    """One square: DeVries and Taylor 2017, arXiv:1708.04552."""

    def __init__(self, **options: Any) -> None:
        super().__init__("cutout", **options)


class RandomErasing(InformationDropping):
    """One rectangle, every second time: Zhong et al. 2020, arXiv:1708.04896."""

    def __init__(self, **options: Any) -> None:
        super().__init__("random_erasing", **options)


class HideAndSeek(InformationDropping):
    """Cells of a grid: Singh and Lee, ICCV 2017."""

    def __init__(self, **options: Any) -> None:
        super().__init__("hide_and_seek", **options)


class GridMask(InformationDropping):
    """A grid of squares: Chen et al. 2020, arXiv:2001.04086."""

    def __init__(self, **options: Any) -> None:
        super().__init__("grid_mask", **options)

"""What happens to a photo between its owner's file and a recogniser: codecs, smaller sizes, screenshots, purifiers.

`choose_grid(["full"])` -> recompressions by name; each takes (H, W, 3) uint8 and returns a new photo, perhaps smaller.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mobile_app.core.bundle import load_bundle
from mobile_app.core.preprocess import from_uint8, to_uint8
from mobile_app.core.shield import SHIELD_SIZES, load_shield, shield_files, shielded
from training.errors import TrainingError

Pixels = NDArray[np.uint8]
Subsampling = Literal["4:4:4", "4:2:0"]
COMDEFEND = "comdefend"
SCREEN_PX = (1080, 2340)  # width and height of a common phone


class Step(Protocol):
    """One thing done to a photo; a frozen config, so that its repr says all that decides on the outcome."""

    def __call__(self, rgb_hwc: Pixels, /) -> Pixels: ...


@dataclass(frozen=True)
class Jpeg:
    quality: int
    subsampling: Subsampling

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        if self.subsampling not in ("4:4:4", "4:2:0"):
            raise ValueError(f"subsampling: expected 4:4:4 or 4:2:0, got {self.subsampling!r}")

    def encode(self, rgb_hwc: Pixels) -> bytes:
        return _encoded(rgb_hwc, "JPEG", quality=self.quality, subsampling=self.subsampling)

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return _decoded(self.encode(rgb_hwc))


@dataclass(frozen=True)
class WebP:
    quality: int

    def __post_init__(self) -> None:
        _check_quality(self.quality)

    def encode(self, rgb_hwc: Pixels) -> bytes:
        return _encoded(rgb_hwc, "WEBP", quality=self.quality)

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return _decoded(self.encode(rgb_hwc))


@dataclass(frozen=True)
class Jpeg2000:
    """Lossy, by the 9-7 wavelet; the raw photo has `rate` times as many bytes as the file."""

    rate: float

    def __post_init__(self) -> None:
        if not 1 <= self.rate <= 1000:
            raise ValueError(f"rate: expected 1 to 1000, got {self.rate}")

    def encode(self, rgb_hwc: Pixels) -> bytes:
        return _encoded(rgb_hwc, "JPEG2000", quality_mode="rates", quality_layers=[self.rate], irreversible=True)

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return _decoded(self.encode(rgb_hwc))


@dataclass(frozen=True)
class LongSide:
    """The longer side is brought down to `px` by Lanczos; a smaller photo keeps its size."""

    px: int

    def __post_init__(self) -> None:
        if self.px < 1:
            raise ValueError(f"px: expected 1 or more, got {self.px}")

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return _resized(rgb_hwc, min(1.0, self.px / max(rgb_hwc.shape[:2])), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Share:
    """Both sides times `share`, by Lanczos: a smaller size for small photos too."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share: expected 0 < share <= 1, got {self.share}")

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return _resized(rgb_hwc, self.share, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Screenshot:
    """As large as fits on a screen, by bilinear interpolation: a small photo grows. No codec: screenshots are PNG."""

    width_px: int = SCREEN_PX[0]
    height_px: int = SCREEN_PX[1]

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        height, width = rgb_hwc.shape[:2]
        scale = min(self.width_px / width, self.height_px / height)
        return _resized(rgb_hwc, scale, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class BitDepth:
    """`bits` a channel, spread over 0 to 255 again: Xu et al. 2018, arXiv:1704.01155, section III-A."""

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits: expected 1 to 8, got {self.bits}")

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        top = 2**self.bits - 1
        table = np.rint(np.rint(np.arange(256) * (top / 255)) * (255 / top)).astype(np.uint8)
        return table[rgb_hwc]


@dataclass(frozen=True)
class Median:
    """Of the window around each pixel, in each channel: Xu et al. 2018, section III-B."""

    window_px: int = 3

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return np.array(Image.fromarray(rgb_hwc).filter(ImageFilter.MedianFilter(self.window_px)))


@dataclass(frozen=True)
class Blur:
    """Gaussian; Pillow makes it of box filters."""

    sigma_px: float

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return np.array(Image.fromarray(rgb_hwc).filter(ImageFilter.GaussianBlur(self.sigma_px)))


@dataclass(frozen=True)
class ComDefend:
    """The shield of the bundle, or a model of `python -m training comdefend`, as a purifier of photos of any size."""

    sha256: str  # of its weights
    purify: Callable[[NDArray[np.float32]], NDArray[np.float32]] = field(repr=False, compare=False)

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        return to_uint8(self.purify(from_uint8(rgb_hwc)))


@dataclass(frozen=True)
class Recompression:
    """An entry of the grid: steps that follow one another, none for the file as it was saved."""

    name: str
    steps: tuple[Step, ...] = ()

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        for step in self.steps:
            rgb_hwc = step(rgb_hwc)
        return rgb_hwc


def choose_grid(names: Sequence[str]) -> tuple[Recompression, ...]:
    """The entries of the grids `quick` and `full`, or single ones by name, in the order of `full`, each once.

    After them come purifiers: `comdefend`, the bundle's shield, or `comdefend:MODEL.pt`.

    Raises: TrainingError for no name or an unknown one, or if a purifier cannot be had; BundleError without a shield.
    """
    known = {entry.name.casefold(): entry for entry in FULL}
    chosen: set[str] = set()
    purifiers = {name: _comdefend(name) for name in names if name.partition(":")[0] == COMDEFEND}
    for name in names:
        if name in purifiers:
            continue
        if name in GRIDS:
            chosen |= {entry.name for entry in GRIDS[name]}
        elif name.casefold() in known:
            chosen.add(known[name.casefold()].name)
        else:
            expected = ", ".join([*GRIDS, *(repr(entry.name) for entry in FULL), COMDEFEND, f"{COMDEFEND}:MODEL.pt"])
            raise TrainingError(f"grid: expected some of {expected}, got {name!r}")
    if not chosen and not purifiers:
        raise TrainingError("grid: expected at least one name, got none; `quick` is the small one")
    return (*(entry for entry in FULL if entry.name in chosen), *purifiers.values())


def _comdefend(name: str) -> Recompression:
    """Of the bundle, through the phone's own code, or of a checkpoint, through torch."""
    path = name.partition(":")[2]
    if not path:
        bundle = load_bundle()
        graph = load_shield(bundle, max(SHIELD_SIZES.values()))
        digest = hashlib.sha256("".join(bundle.sha256[file] for file in shield_files(bundle)).encode()).hexdigest()
        return Recompression(name, (ComDefend(digest, lambda image: shielded(image, graph)),))
    import torch

    from training.models.comdefend import load_comdefend

    model, _ = load_comdefend(Path(path))
    unit = model.config.unit_px

    def purify(image: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = image.shape[2:]
        padded = np.pad(image, ((0, 0), (0, 0), (0, -height % unit), (0, -width % unit)), mode="edge")
        with torch.no_grad():
            return model(torch.from_numpy(padded)).numpy()[:, :, :height, :width]

    return Recompression(name, (ComDefend(hashlib.sha256(Path(path).read_bytes()).hexdigest(), purify),))


def _check_quality(quality: int) -> None:
    if not 1 <= quality <= 100:
        raise ValueError(f"quality: expected 1 to 100, got {quality}")


def _encoded(rgb_hwc: Pixels, codec: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb_hwc).save(buffer, codec, **options)
    return buffer.getvalue()


def _decoded(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP", "JPEG2000"]) as image:
        return np.array(image.convert("RGB"))


def _resized(rgb_hwc: Pixels, scale: float, by: Image.Resampling) -> Pixels:
    if scale == 1:
        return rgb_hwc
    height, width = rgb_hwc.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.array(Image.fromarray(rgb_hwc).resize(size, by))


NONE = Recompression("none")
FULL = (
    NONE,
    *(
        Recompression(f"JPEG {quality} {sampling}", (Jpeg(quality, sampling),))
        for quality in (92, 85, 75, 50)
        for sampling in ("4:4:4", "4:2:0")
    ),
    *(Recompression(f"WebP {quality}", (WebP(quality),)) for quality in (75, 50)),
    Recompression("JPEG 2000 at 20:1", (Jpeg2000(20),)),
    *(Recompression(f"long side {px} + JPEG 75 4:2:0", (LongSide(px), Jpeg(75, "4:2:0"))) for px in (2048, 1080, 720)),
    Recompression("3/4 size + JPEG 75 4:2:0", (Share(0.75), Jpeg(75, "4:2:0"))),
    Recompression("posted twice", (LongSide(2048), Jpeg(85, "4:2:0"), LongSide(1080), Jpeg(75, "4:2:0"))),
    Recompression("screenshot", (Screenshot(),)),
    Recompression("4 bits a channel", (BitDepth(4),)),
    Recompression("median 3 x 3", (Median(3),)),
    Recompression("Gaussian blur 1 px", (Blur(1.0),)),
)
QUICK = tuple(
    entry
    for entry in FULL
    if entry.name in ("none", "JPEG 75 4:2:0", "JPEG 50 4:2:0", "WebP 50", "long side 1080 + JPEG 75 4:2:0")
)
GRIDS = {"quick": QUICK, "full": FULL}

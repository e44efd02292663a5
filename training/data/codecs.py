"""Compression by name: black boxes from a photo, uint8 (H, W, 3), to what comes back, uint8 (H', W', 3).

none                 nothing happens
jpeg:75  jpeg:75:444 JPEG of a quality, 1 to 100, with 4:2:0 (or 420, the default) or 4:4:4
webp:50  avif:50     of a quality, 1 to 100
jpeg2000:20          of a ratio, 1 to 200: the file is that many times smaller than the pixels
720                  the long side is brought down to 720 px; a smaller photo keeps its size
720+jpeg:75          one after the other, as many as you like
jpeg:30-95           any quality between, for training: `parse_range`
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from mobile_app.core.posting import recompress
from training.errors import TrainingError

Pixels = NDArray[np.uint8]

STRENGTHS = {"jpeg": (1, 100), "webp": (1, 100), "avif": (1, 100), "jpeg2000": (1, 200)}
KINDS = ("jpeg:420", "jpeg:444", "webp", "avif", "jpeg2000")  # what a condition tells apart
CONDITION_VALUES = len(KINDS) + 1
NEEDS = {"webp": "webp", "avif": "avif", "jpeg2000": "jpg_2000"}  # features of Pillow
_LONG_SIDES_PX = (16, 16_384)
_STEP = re.compile(r"(?P<kind>[a-z]+(?:2000)?):(?P<low>\d+)(?:-(?P<high>\d+))?(?::(?P<chroma>[\d:]+))?")


@dataclass(frozen=True)
class Step:
    """One thing that happens to a photo: `resize` to a long side, or a codec at a strength."""

    kind: str
    strength: int  # quality, ratio, or long side in px
    chroma: str = ""  # of JPEG: "420" or "444"

    @property
    def text(self) -> str:
        return str(self.strength) if self.kind == "resize" else ":".join(
            part for part in (self.kind, str(self.strength), self.chroma) if part
        )  # fmt: skip


@dataclass(frozen=True)
class Codec:
    """Steps one after the other. Call it with a photo; its name is `text`."""

    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        return "+".join(step.text for step in self.steps) or "none"

    def __call__(self, rgb_hwc: Pixels) -> Pixels:
        """(H, W, 3) uint8 -> (H', W', 3) uint8, a new array; smaller only after a step to a long side."""
        returned = rgb_hwc.copy()
        for step in self.steps:
            returned = _APPLY[step.kind](returned, step)
        return returned

    def condition(self) -> NDArray[np.float32]:
        """(CONDITION_VALUES,) float32: which of KINDS the last codec is, and how strongly it compresses, about -1 to 1.

        All zeros where no codec is in it.
        """
        values = np.zeros(CONDITION_VALUES, np.float32)
        coding = [step for step in self.steps if step.kind != "resize"]
        if coding:
            last = coding[-1]
            values[KINDS.index(f"jpeg:{last.chroma}" if last.kind == "jpeg" else last.kind)] = 1
            values[-1] = _hardness(last)
        return values


@dataclass(frozen=True)
class CodecRange:
    """Codecs that differ in strength; one of them is drawn at a time."""

    lowest: Codec
    highest: Codec
    text: str

    @property
    def is_one(self) -> bool:
        return self.lowest == self.highest

    @property
    def middle(self) -> Codec:
        """Every step half way between its ends, rounded down."""
        pairs = zip(self.lowest.steps, self.highest.steps, strict=True)
        return Codec(tuple(Step(a.kind, (a.strength + b.strength) // 2, a.chroma) for a, b in pairs))

    def draw(self, rng: np.random.Generator) -> Codec:
        """Every whole strength between the ends is as likely as any other."""
        pairs = zip(self.lowest.steps, self.highest.steps, strict=True)
        return Codec(
            tuple(Step(a.kind, int(rng.integers(a.strength, b.strength, endpoint=True)), a.chroma) for a, b in pairs)
        )


def parse_codec(text: str) -> Codec:
    """The codec of that name. Raises: TrainingError, one sentence, for what is none or Pillow here cannot write."""
    found = parse_range(text)
    if not found.is_one:
        raise TrainingError(f"codec {text!r}: expected one strength, found a range; name one, such as jpeg:75")
    return found.lowest


def parse_range(text: str) -> CodecRange:
    """Like `parse_codec`, and strengths may be ranges such as jpeg:30-95."""
    if text == "none":
        return CodecRange(Codec(()), Codec(()), text)
    ends = [_parse_step(part, text) for part in text.split("+")]
    low, high = Codec(tuple(a for a, _ in ends)), Codec(tuple(b for _, b in ends))
    return CodecRange(low, high, low.text if low == high else text)


def missing(text: str) -> str | None:
    """Why this Pillow cannot do a codec; None if it can. Raises: TrainingError for what is no codec."""
    try:
        parse_range(text)
    except CodecUnavailableError as error:
        return str(error)
    return None


class CodecUnavailableError(TrainingError):
    """A codec that Pillow was built without."""


def back_to_size(rgb_hwc: Pixels, height: int, width: int) -> Pixels:
    """Resized by Pillow's bicubic unless it has that size already: what a recogniser of a fixed input does."""
    if rgb_hwc.shape[:2] == (height, width):
        return rgb_hwc
    return np.asarray(Image.fromarray(rgb_hwc).resize((width, height), Image.Resampling.BICUBIC))


def _parse_step(part: str, text: str) -> tuple[Step, Step]:
    if part.isdecimal():
        _check_bounds(int(part), _LONG_SIDES_PX, "long side in px", text)
        return (Step("resize", int(part)),) * 2
    match = _STEP.fullmatch(part)
    if match is None or match["kind"] not in STRENGTHS:
        raise TrainingError(
            f"codec {text!r}: expected jpeg:QUALITY, jpeg:QUALITY:444, webp:QUALITY, avif:QUALITY, jpeg2000:RATIO or a "
            f"long side in px, joined by +; got {part!r}"
        )
    kind, low, high = match["kind"], int(match["low"]), int(match["high"] or match["low"])
    for strength in (low, high):
        _check_bounds(strength, STRENGTHS[kind], "ratio" if kind == "jpeg2000" else "quality", text)
    if low > high:
        raise TrainingError(f"codec {text!r}: expected the smaller number first, got {low}-{high}")
    if kind in NEEDS and not features.check(NEEDS[kind]):
        raise CodecUnavailableError(f"codec {text!r}: this Pillow was built without {kind}; install one of its wheels")
    chroma = (match["chroma"] or "").replace(":", "")
    if kind == "jpeg":
        chroma = chroma or "420"
    if chroma not in (("420", "444") if kind == "jpeg" else ("",)):
        expected = "4:2:0 or 4:4:4" if kind == "jpeg" else "no subsampling"
        raise TrainingError(f"codec {text!r}: expected {expected} after the strength, got {match['chroma']!r}")
    return Step(kind, low, chroma), Step(kind, high, chroma)


def _check_bounds(value: int, bounds: tuple[int, int], name: str, text: str) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise TrainingError(f"codec {text!r}: {name}: expected {low} to {high}, got {value}")


def _hardness(step: Step) -> float:
    if step.kind == "jpeg":  # libjpeg's factor on its tables, which is 1 at quality 50; doubled, it is a third more
        factor = 50 / step.strength if step.strength < 50 else 2 - step.strength / 50
        return math.log2(max(factor, 0.02)) / 3
    if step.kind == "jpeg2000":
        return math.log2(step.strength / 10) / 3
    return (50 - step.strength) / 50


def _long_side(rgb_hwc: Pixels, step: Step) -> Pixels:
    height, width = rgb_hwc.shape[:2]
    if max(height, width) <= step.strength:
        return rgb_hwc
    scale = step.strength / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb_hwc).resize(size, Image.Resampling.LANCZOS))


def _jpeg(rgb_hwc: Pixels, step: Step) -> Pixels:
    return recompress(rgb_hwc, quality=step.strength, subsampling="4:4:4" if step.chroma == "444" else "4:2:0")


def _webp(rgb_hwc: Pixels, step: Step) -> Pixels:
    return _round_trip(rgb_hwc, "WEBP", quality=step.strength)


def _avif(rgb_hwc: Pixels, step: Step) -> Pixels:
    return _round_trip(rgb_hwc, "AVIF", quality=step.strength)


def _jpeg2000(rgb_hwc: Pixels, step: Step) -> Pixels:
    """The lossy form of the standard: 9-7 wavelet, rate as a ratio."""
    return _round_trip(rgb_hwc, "JPEG2000", quality_mode="rates", quality_layers=[step.strength], irreversible=True)


def _round_trip(rgb_hwc: Pixels, name: str, **options: Any) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(rgb_hwc).save(buffer, name, **options)
    with Image.open(buffer, formats=[name]) as returned:
        return np.array(returned.convert("RGB"))


_APPLY = {"resize": _long_side, "jpeg": _jpeg, "webp": _webp, "avif": _avif, "jpeg2000": _jpeg2000}

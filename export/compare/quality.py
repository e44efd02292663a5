"""A graph that makes pictures, and photos, in; how close its pictures are to float32's and what they are worth, out.

- The codec (`measure`, `reconstruct`): PSNR of what is rebuilt to the photo, in dB, and the share of photos that a
  recogniser still has right on it, which is to be low. Both at the highest rate, of one tile.
- The shield: the share of photos that a recogniser has right through it.
- The stand-in for a codec (`compress`): its mean error in levels, against what the codec makes of the photo.

The recogniser is `objects` of the bundle. A generator is judged by its cloaks (export.compare.cloaks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from export.contract import GraphSpec
from export.shipped import inputs_of
from mobile_app.core.preprocess import Pixels, to_uint8
from mobile_app.core.quality import psnr_db
from mobile_app.core.runtime import Graph
from training.data.codecs import parse_codec
from training.evaluate.judges import Judge, ask

PICTURE_TASKS = ("measure", "reconstruct", "shield", "compress")
_CODEC_TASKS = ("measure", "reconstruct")
_IDENTICAL_DB = 99.0  # stands for two equal pictures, which JSON has no number for
_WHOLE = 1.0  # share of a picture's short side that the recogniser sees


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """What is asked of a graph."""

    images: Sequence[np.ndarray]  # (1, 3, S, S) in [0, 1] each
    labels: Sequence[int] | None  # of the photos, where they are known
    judge: Judge | None  # the recogniser; None measures no recognition


def made_pictures(spec: GraphSpec, graph: Graph, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(1, 3, S, S) in [0, 1] each: what the graph makes of the images, by way of the codec's other half."""
    found = []
    for image in images:
        output = graph.run(inputs_of(spec, image))[spec.outputs[0]]
        if spec.after is not None:
            with torch.no_grad():
                output = spec.after(torch.from_numpy(output)).numpy()
        found.append(output)
    return found


def quality(
    spec: GraphSpec, found: Sequence[np.ndarray], float_found: Sequence[np.ndarray], given: Pictures
) -> dict[str, Any]:
    """Compare pictures with those of the float32 graph, and with what they are for.

    Args:
        found, float_found: of made_pictures, for given.images.
    Returns: "photos"; "psnr_db" and "lowest_psnr_db" to float32's pictures, 99 where all are equal; and those of
        "rebuilt_db", "right", "read" and "error_levels" that the task has.
    """
    pixels, photos = [to_uint8(one) for one in found], [to_uint8(image) for image in given.images]
    distances = [min(_distance_db(a, b), _IDENTICAL_DB) for a, b in zip(found, float_found, strict=True)]
    values: dict[str, Any] = {
        "photos": len(pixels),
        "psnr_db": float(np.mean(distances)),
        "lowest_psnr_db": min(distances),
    }
    if spec.task in _CODEC_TASKS:
        values["rebuilt_db"] = float(np.mean([psnr_db(a, b) for a, b in zip(photos, pixels, strict=True)]))
    if spec.task == "compress":
        values |= _error_of_stand_in(spec.trained_on, photos, found)
    if given.judge is not None and given.labels is not None and spec.task != "compress":
        name = "read" if spec.task in _CODEC_TASKS else "right"
        values[name] = _share_right(
            given.judge, pixels, given.labels, _known(given, photos) if name == "read" else None
        )
    return values


def _distance_db(found: np.ndarray, wanted: np.ndarray) -> float:
    """PSNR of pictures in [0, 1] that were not rounded."""
    mean_square = float(np.mean((found.astype(np.float64) - wanted) ** 2))
    return -10 * np.log10(mean_square) if mean_square else np.inf


def _known(given: Pictures, photos: Sequence[Pixels]) -> list[bool]:
    """Whether the recogniser has each photo right as it is."""
    assert given.judge is not None
    assert given.labels is not None
    answers = ask(given.judge, photos, _WHOLE)
    return [answer[0] == label for answer, label in zip(answers, given.labels, strict=True)]


def _share_right(
    judge: Judge, pictures: Sequence[Pixels], labels: Sequence[int], counted: Sequence[bool] | None
) -> float | None:
    """Of the photos that count, all by default; None where none does."""
    answers = ask(judge, pictures, _WHOLE)
    right = [answer[0] == label for answer, label in zip(answers, labels, strict=True)]
    chosen = [hit for index, hit in enumerate(right) if counted is None or counted[index]]
    return sum(chosen) / len(chosen) if chosen else None


def _error_of_stand_in(
    facts: Mapping[str, Any], photos: Sequence[Pixels], found: Sequence[np.ndarray]
) -> dict[str, float]:
    """Nothing where the checkpoint does not name one codec that keeps a photo's size."""
    codecs = facts.get("codecs")
    if not codecs or len(codecs) != 1:
        return {}
    codec = parse_codec(codecs[0])
    errors = []
    for photo, picture in zip(photos, found, strict=True):
        wanted = codec(photo)
        if wanted.shape != photo.shape:
            return {}
        errors.append(float(np.abs(picture[0].transpose(1, 2, 0) * 255 - wanted).mean()))
    return {"error_levels": float(np.mean(errors))}

"""The pictures of `petalveil classify --explain`: where each goes, and what is drawn in it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_app.cli.targets import Originals, make_folder
from mobile_app.core.bundle import Bundle
from mobile_app.core.classify import Classification
from mobile_app.core.errors import BundleError, OutputError
from mobile_app.core.explain import explain, gradient_evidence
from mobile_app.core.files import write_whole
from mobile_app.core.recogniser import Recogniser
from mobile_app.core.runtime import Graph, load_graph

SUFFIX = ".explained.png"


class Explainer:
    """Draws what a recogniser looked at, a PNG a photo.

    Raises: OutputError, before anything is written, if two pictures would get one name, one would replace a photo, or
        one is there already and `force` is not given.
    """

    def __init__(
        self, out: str, photos: Sequence[Path], bundle: Bundle, *, force: bool = False, threads: int | None = None
    ) -> None:
        self._bundle, self._force, self._threads = bundle, force, threads
        self._targets = targets(out, photos)
        self._gradients: dict[str, Graph] = {}
        originals = Originals(photos)
        for target in self._targets.values():
            originals.refuse(target)
            if os.path.lexists(target) and not force:
                raise OutputError(f"{target}: already exists and was left as it is; use --force to replace it")

    def write(self, photo: Path, rgb_hwc: NDArray[np.uint8], recogniser: Recogniser, found: Classification) -> Path:
        """Draw one photo. Returns: the file. Raises: BundleError, GraphError, OutputError."""
        target = self._targets[photo]
        picture = explain(
            rgb_hwc,
            self._evidence(rgb_hwc, recogniser, found),
            _title(found),
            _about(recogniser, found),
            crop=recogniser.crop,
        )
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        make_folder(target.parent)
        write_whole(target, buffer.getvalue(), force=self._force)
        return target

    def _evidence(
        self, rgb_hwc: NDArray[np.uint8], recogniser: Recogniser, found: Classification
    ) -> NDArray[np.float32]:
        if found.evidence is not None:
            return found.evidence
        name = f"{recogniser.name}.gradient"
        if name not in self._bundle.graphs:
            raise BundleError(f"{recogniser.name}: has no maps of its evidence, and the bundle no graph {name}")
        if name not in self._gradients:
            self._gradients[name] = load_graph(self._bundle.path(name), name=name, threads=self._threads)
        return gradient_evidence(rgb_hwc, self._gradients[name], found.best.index, crop=recogniser.crop)


def targets(out: str, photos: Sequence[Path]) -> dict[Path, Path]:
    """Where the picture of each photo goes: OUT for one photo, unless it looks like a folder; else a file in OUT.

    Raises: OutputError for a file that is no .png, a folder that is a file, or two photos of one name.
    """
    path = Path(out)
    is_folder = path.is_dir() or out.endswith(("/", os.sep)) or not path.suffix or len(photos) > 1
    if not is_folder:
        if path.suffix.lower() != ".png":
            raise OutputError(f"{path}: would hold a PNG; give it the suffix .png")
        return {photos[0]: path}
    if os.path.lexists(path) and not path.is_dir():
        raise OutputError(
            f"{path}: a file, where a folder for {len(photos)} pictures was expected; choose another name"
        )
    found: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for photo in photos:
        target = path / f"{photo.stem}{SUFFIX}"
        other = taken.setdefault(target.name.casefold(), photo)
        if other != photo:
            raise OutputError(f"{other} and {photo}: both would become {target.name}; explain them into two folders")
        found[photo] = target
    return found


def _title(found: Classification) -> str:
    doubt = "not sure; nearest: " if found.unsure else ""
    return f"{doubt}{found.best.label}, {found.best.probability:.1%}"


def _about(recogniser: Recogniser, found: Classification) -> str:
    """Latin letters alone: the font that comes along has no others."""
    latin = recogniser.species[found.best.index].latin if recogniser.species else None
    how = "class activation map" if found.evidence is not None else "gradient x image"
    return ", ".join(text for text in (latin, f"{recogniser.name}, {how}") if text)

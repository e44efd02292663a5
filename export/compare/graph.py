"""One graph in; its variants on disk, and a row for each of what it costs and computes, out."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.compare.cells import Cells, sha256_of
from export.compare.config import CompareConfig
from export.compare.measure import accuracy, answers, exact_outputs, interleaved_ms, outputs_compared, parity
from export.compare.photos import LabelledPhoto, calibration_images
from export.compare.quality import PICTURE_TASKS, Pictures, made_pictures, quality
from export.compare.table import Row
from export.contract import GraphSpec
from export.errors import ExportError
from export.precisions.variants import Variant, write_variant
from export.shipped import Photos, export_spec, inputs_of, parity_inputs
from export.storage import save_graph
from mobile_app.core.errors import GraphError
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.runtime import Graph, load_graph
from training.evaluate.judges import RECOGNISER, Judge, open_judges

_PARITY_PHOTOS = 6
_RUNTIME_PREFIX = "Status Message: "  # what stands before it in ONNX Runtime's errors names a node and no cause


def graph_path(folder: Path, name: str, precision: str) -> Path:
    """Where a variant is."""
    return folder / f"{name}.{precision.replace(' ', '-')}.onnx"


class GraphJob:
    """All that is measured of one graph by itself."""

    def __init__(
        self,
        spec: GraphSpec,
        config: CompareConfig,
        cells: Cells,
        labelled: Sequence[LabelledPhoto],
        ships_now: Collection[str] = (),
    ) -> None:
        """Args: ships_now: the precisions in which the bundle has it."""
        self.spec, self.config, self.cells, self.ships_now = spec, config, cells, ships_now
        self.labelled = labelled[: config.photos] if spec.classes == 1000 else []
        self.folder = config.out / "graphs"

    def rows(self) -> list[Row]:
        plain = self._plain()
        made = {precision: self._variant(plain, precision) for precision in self.config.precisions}
        rows = [self._row(precision, found) for precision, found in made.items()]
        times = self._latency([row.precision for row in rows if row.variant is not None and not row.failure])
        return [replace(row, latency=times.get(row.precision, {})) for row in rows]

    def _plain(self) -> Path:
        path = self.folder / f".{self.spec.name}.onnx"

        def make() -> str:
            save_graph(export_spec(self.spec), path)
            return sha256_of(path)

        self.cells.get("export", repr(self.spec), make, lambda sha: path.is_file() and sha256_of(path) == sha)
        return path

    def _variant(self, plain: Path, precision: str) -> dict[str, Any]:
        """A Variant as JSON with its hash, or {"failure": why there is none}."""
        path = graph_path(self.folder, self.spec.name, precision)
        calibrated = [str(self._calibration_folder), self.config.calibration_photos, self.config.seed]

        def make() -> dict[str, Any]:
            try:
                images = self._calibration if precision == "int8" else []
                variant = write_variant(
                    plain, path, precision, images=images, smooth=self.spec.smooth, spared=self.spec.spared
                )
                load_graph(path).run(self._inputs(1)[0])
            except (ExportError, GraphError) as error:
                path.unlink(missing_ok=True)
                return {"failure": f"cannot be had: {str(error).rpartition(_RUNTIME_PREFIX)[2].rstrip('.)')}"}
            return {"variant": asdict(variant), "sha256": sha256_of(path)}

        def is_valid(content: Any) -> bool:
            return "failure" in content or (path.is_file() and sha256_of(path) == content["sha256"])

        key = [sha256_of(plain), precision, calibrated if precision == "int8" else self.spec.spared or None]
        return self.cells.get("variant", key, make, is_valid)

    def _row(self, precision: str, made: Mapping[str, Any]) -> Row:
        row = Row(
            graph=self.spec.name,
            task=self.spec.task,
            precision=precision,
            ships_now=precision in self.ships_now,
            variant=Variant(**made["variant"]) if "variant" in made else None,
            lowest_cosine=self.spec.lowest_cosine_in(precision),
            lowest_agreement=self.spec.lowest_agreement,
            failure=made.get("failure", ""),
        )
        if row.variant is None:
            return row
        key = [made["sha256"], sha256_of(self.folder / f".{self.spec.name}.onnx")]
        found = self.cells.get("parity", [*key, self._photo_key(_PARITY_PHOTOS)], lambda: self._parity(precision))
        if self.spec.task == "classify":
            key = [*key, self._photo_key(self.config.photos), str(self._calibration_folder)]
            right = self.cells.get("accuracy", key, lambda: self._accuracy(precision))
            row = replace(row, accuracy=right)
        elif self.spec.task in PICTURE_TASKS:
            key = [*key, self._photo_key(self.config.photos), str(self._calibration_folder)]
            row = replace(row, quality=self.cells.get("quality", key, lambda: self._quality(precision)))
        return replace(row, parity=found)

    def _parity(self, precision: str) -> dict[str, Any]:
        inputs, exact = self._inputs(_PARITY_PHOTOS), self._exact
        if precision == "int8":  # made for photos; the drawn pattern, which comes first, is none
            inputs, exact = inputs[1:], exact[1:]
        return parity(self._load(precision), inputs, exact, outputs_compared(self.spec))

    def _accuracy(self, precision: str) -> dict[str, Any]:
        images, labels = self._photos
        return accuracy(answers(self._load(precision), images), self._float_answers, labels)

    def _quality(self, precision: str) -> dict[str, Any]:
        images, labels = self._photos
        found = made_pictures(self.spec, self._load(precision), images)
        given = Pictures(images=images, labels=labels, judge=self._judge if labels is not None else None)
        return quality(self.spec, found, self._float_pictures, given)

    def _latency(self, precisions: Sequence[str]) -> dict[str, Any]:
        shas = [sha256_of(graph_path(self.folder, self.spec.name, name)) for name in precisions]

        def make() -> dict[str, Any]:
            graphs = {name: self._load(name) for name in precisions}
            return interleaved_ms(graphs, self._inputs(1)[-1], rounds=self.config.rounds)

        return self.cells.get("latency", [shas, self.config.rounds], make)

    def _load(self, precision: str) -> Graph:
        return load_graph(graph_path(self.folder, self.spec.name, precision), name=self.spec.name, threads=1)

    def _inputs(self, photos: int) -> list[dict[str, np.ndarray]]:
        """What the parity of what ships is checked on, and as many labelled photos, each with its own class."""
        plain = Photos(calibration=[], held_out=[])
        inputs = [dict(arrays) for arrays in parity_inputs(self.spec, plain)]
        for photo in self.labelled[:photos]:
            image = to_network_input(photo.rgb_hwc, self.spec.size_px, self.spec.crop)
            inputs.append(inputs_of(self.spec, image, photo.label))
        if not self.labelled and self._calibration_folder is not None:
            inputs += [inputs_of(self.spec, image) for image in self._kept_back[:photos]]
        return inputs

    def _photo_key(self, photos: int) -> list[str]:
        return [photo.name for photo in self.labelled[:photos]] or [str(self._calibration_folder)]

    @functools.cached_property
    def _calibration_folder(self) -> Path | None:
        return self.config.calibration if self.spec.checkpoint is None else self.config.flower_calibration

    @functools.cached_property
    def _all_calibration(self) -> list[np.ndarray]:
        crop = 1.0 if self.spec.objective else self.spec.crop  # the engine shows a network whole squares
        most = self.config.calibration_photos * 4 // 3
        return calibration_images(
            self._calibration_folder, size_px=self.spec.size_px, crop=crop, most=most, seed=self.config.seed
        )

    @property
    def _calibration(self) -> list[np.ndarray]:
        """As the graph's own input: a decoder is calibrated on what its encoder measures."""
        kept = [image for index, image in enumerate(self._all_calibration) if index % 4]
        return [inputs_of(self.spec, image)[self.spec.input] for image in kept]

    @property
    def _kept_back(self) -> list[np.ndarray]:
        """A quarter of the photos, which calibrates nothing."""
        return self._all_calibration[::4]

    @functools.cached_property
    def _photos(self) -> tuple[list[np.ndarray], list[int] | None]:
        if not self.labelled:
            return self._kept_back, None
        images = [to_network_input(photo.rgb_hwc, self.spec.size_px, self.spec.crop) for photo in self.labelled]
        return images, [photo.label for photo in self.labelled]

    @functools.cached_property
    def _exact(self) -> list[dict[str, np.ndarray]]:
        return exact_outputs(self.spec, self._inputs(_PARITY_PHOTOS))

    @functools.cached_property
    def _float_answers(self) -> np.ndarray:
        return answers(self._load("float32"), self._photos[0])

    @functools.cached_property
    def _float_pictures(self) -> list[np.ndarray]:
        return made_pictures(self.spec, self._load("float32"), self._photos[0])

    @functools.cached_property
    def _judge(self) -> Judge:
        return open_judges([RECOGNISER], self.config.shared)[0][0]

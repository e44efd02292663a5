"""Trained weights and real photos: what the packages of the contract's networks compute, at a side that is quick.

By the MIL evaluator everywhere, and by Apple's own runtime where there is one.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.contract import SHIPPED, GraphSpec
from export.coreml.convert import compress, convert_float, save
from export.coreml.parity import Measured, Reference, measure, reference
from export.coreml.tools import coremltools
from export.shipped import Photos, export_spec
from mobile_app.core.preprocess import to_network_input

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SIDE_PX = 96
LOWEST_COSINE = 0.8
GRADIENTS = ("objects.gradient", "squeezenet.gradient")


@dataclasses.dataclass(frozen=True)
class Trained:
    spec: GraphSpec
    half: Any  # the float16 model of coremltools
    wanted: Reference

    def measured(self, folder: Path, precision: str, **how: Any) -> Measured:
        path = folder / f"{precision}.mlpackage"
        save(compress(self.half, precision), path, title="test", version="0", licence=self.spec.licence, facts={})
        return measure(path, self.spec, precision, self.wanted, **how)


@pytest.fixture(scope="module", params=GRADIENTS)
def trained(request: pytest.FixtureRequest) -> Trained:
    spec = next(spec for spec in SHIPPED if spec.name == request.param)
    # At less than half its side rounding turns the gradient further: of Lite0 in int8 to 0.85, at 224 px to 0.986.
    spec = dataclasses.replace(spec, size_px=SIDE_PX, lowest_cosine_shipped=LOWEST_COSINE)
    return Trained(spec, convert_float(export_spec(spec), in_half=True), reference(spec, Photos()))


def test_float16_follows_the_smooth_gradient_of_a_trained_network(trained: Trained, tmp_path: Path) -> None:
    found = trained.measured(tmp_path, "float16")
    assert trained.spec.smooth is not None
    assert found.deviation > 1  # logits of a trained network
    assert {row.output: row.ok for row in found.rows} == {"logits": True, "grad": True}
    assert all(row.images == 14 and row.cosine > 0.99 for row in found.rows)
    assert found.signs is not None
    assert found.signs > 0.95


def test_int8_weights_are_smaller_and_less_exact(trained: Trained, tmp_path: Path) -> None:
    half, eight = trained.measured(tmp_path, "float16"), trained.measured(tmp_path, "int8")
    assert all(row.ok for row in eight.rows)
    assert eight.size_bytes < 0.65 * half.size_bytes
    worse = {row.output: row.cosine for row in half.rows}
    assert all(row.cosine < worse[row.output] for row in eight.rows)


def test_photos_are_looked_at_as_the_app_does(trained: Trained, coffee: np.ndarray) -> None:
    """The reference's fourth view of the sample is scikit-image's picture of the same cup, through the app's resize."""
    views = [inputs["image"] for inputs in trained.wanted.inputs[::2]]
    assert len({view.tobytes() for view in views}) == 7
    nearest = min(float(np.abs(view - to_network_input(coffee, SIDE_PX, 0.875)).mean()) for view in views)
    assert nearest < 0.02


@pytest.mark.skipif(sys.platform != "darwin", reason="needs Apple's Core ML, which is on a Mac alone")
def test_apples_runtime_computes_it_too(trained: Trained, tmp_path: Path) -> None:
    found = trained.measured(tmp_path, "float16", run=_predict(tmp_path / "float16.mlpackage"))
    assert all(row.ok for row in found.rows)


def _predict(path: Path) -> Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]:
    loaded: list[Any] = []

    def run(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        if not loaded:  # the package is written after this function is made
            loaded.append(coremltools().models.MLModel(str(path)))
        narrow = {name: array.astype(np.int32) if array.dtype.kind == "i" else array for name, array in inputs.items()}
        return {name: np.asarray(array) for name, array in loaded[0].predict(narrow).items()}

    return run

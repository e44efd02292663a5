"""A folder with the bundle's other graphs in, the graph of the engine `generator` added to it: no training, no photos.

It takes the first steps of the engine `gradient` in one call (export.unroll), on weights that the folder has already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from export.contract import FOLLOWED, GraphSpec
from export.errors import ExportError
from export.parity import ParityRow, compare
from export.shipped import SAMPLES
from export.storage import read_where_they_lie, save_graph
from export.unroll import unrolled
from mobile_app.core.bundle import reference_image
from mobile_app.core.engines import Engine, GradientEngine, UnrolledEngine
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import fit_short_side, from_uint8, to_network_input
from mobile_app.core.recogniser import OBJECTS
from mobile_app.core.runtime import load_graph
from mobile_app.core.step import StepConfig, with_steps

ROUNDS = 3  # of all networks: at two it deceives others on 82 % of photos instead of 88, at four on 89 (docs/cloaks.md)
MADE_OF = (OBJECTS, *FOLLOWED)
_STEPS = ROUNDS * len(FOLLOWED)
SPEC = GraphSpec(
    name="generator",
    task="generate",
    network="the graphs that cloaks follow, unrolled",
    size_px=224,
    outputs=("unit",),
    engine="generator",
    source=f"petalveil's own: {_STEPS} steps of the engine `gradient` along the robust networks and SqueezeNet",
    licence="Apache-2.0, of SqueezeNet MIT",
    precision="int8 weights",
    trained_on={"no photos; made of": list(MADE_OF), "steps": _STEPS},
    lowest_cosine_shipped=0.98,  # each step carries on what the one before rounded, on a drawn image most of all
)


def can_be_made(names: Collection[str]) -> bool:
    return set(MADE_OF) <= set(names)


def write_generator(root: Path, graphs: Mapping[str, Mapping[str, Any]]) -> tuple[list[ParityRow], list[str]]:
    """Write the graph into the folder of a bundle.

    Args:
        graphs: entries of the manifest to be, of all that it is made of.
    Returns: its parity rows, and the files beside it that it reads weights from.
    Raises: ExportError if it does not do what the engine does.
    """
    recogniser, *networks = (ir.external_data.load_to_model(ir.load(root / graphs[name]["file"])) for name in MADE_OF)
    model = unrolled(recogniser, networks, rounds=ROUNDS)
    files = dict.fromkeys(file for name in MADE_OF for file in graphs[name]["data"] or [graphs[name]["file"]])
    read_where_they_lie(model, [root / file for file in files])
    path = root / f"{SPEC.name}.onnx"
    save_graph(model, path)
    rows = _parity(path, [root / graphs[name]["file"] for name in MADE_OF])
    for row in rows:
        if not row.ok:
            raise ExportError(
                f"{SPEC.name}: output {row.output} has cosine {row.cosine:.6f} with {row.against}, expected at least "
                f"{row.lowest_cosine}; the graph does not take the steps that the engine takes"
            )
    return rows, list(files)


def _parity(path: Path, parts: list[Path]) -> list[ParityRow]:
    recogniser, *networks = (load_graph(part) for part in parts)
    unrolled = UnrolledEngine(load_graph(path), size_px=SPEC.size_px)
    steps = GradientEngine(networks, recogniser=recogniser, posting_quality=None)
    return compare(
        partial(_unit, unrolled),
        partial(_unit, steps),
        _inputs(),
        against=f"{_STEPS} steps of the engine `gradient`",
        lowest_cosine={"unit": SPEC.lowest_cosine_shipped},
    )


def _unit(engine: Engine, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    config = with_steps(StepConfig(), _STEPS)
    quiet: dict[str, Any] = {"on_step": lambda _done, _steps: None, "should_stop": lambda: False}
    return {"unit": engine.perturb(inputs["image"], inputs["bound"], config, **quiet)}


def _inputs() -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    images = [reference_image(SPEC.size_px)]
    for photo in (decode(path).rgb_hwc for path in sorted(SAMPLES.glob("*.jpg"))):
        long = photo[: photo.shape[1] * 2 // 5]  # a panorama: its five squares are visited alike by both
        images += [to_network_input(photo, SPEC.size_px, crop) for crop in (1.0, 0.6)]
        images.append(from_uint8(fit_short_side(long, SPEC.size_px)))
    for image in images:
        yield {"image": image, "bound": rng.uniform(1.4 / 255, 8 / 255, image.shape).astype(np.float32)}

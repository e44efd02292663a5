"""Whole cloaks, made by the engine of the phone with all its graphs in one precision, and judged by other networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.compare.cells import Cells, sha256_of
from export.compare.graph import graph_path
from export.compare.measure import POSTING_QUALITY, cloaked, posted
from export.compare.photos import LabelledPhoto
from export.compare.table import ENGINE, Row
from export.contract import GraphSpec
from mobile_app.core.cloak import MEDIUM
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.step import StepConfig
from training.errors import TrainingError
from training.evaluate.judges import Judge, ask, open_judges
from training.evaluate.success import Answer, count_success

UNSEEN = ("lite2", "darknet_tiny", "mobilenet_v1_tflite")  # none of them is a surrogate of the engine
SHIPPED_SET = "as it ships"
_WHOLE = 1.0  # share of a photo's short side that judges see


@dataclass(frozen=True, kw_only=True, eq=False)
class CloakJob:
    """What is cloaked, and by what it is judged."""

    folder: Path  # of the variants
    photos: Sequence[LabelledPhoto]
    shared: Path  # where judges are
    config: StepConfig = field(default_factory=lambda: MEDIUM)


def cloak_rows(
    rows: Sequence[Row], specs: Sequence[GraphSpec], job: CloakJob, cells: Cells, report: Callable[[str], None]
) -> list[Row]:
    """The rows, those of the engine's graphs with how often judges were fooled; and one row of the set that ships.

    Args:
        specs: of the graphs that the engine follows, in their order.
        report: is told of judges that cannot be had.
    """
    found = {(row.graph, row.precision): row for row in rows}
    sets: dict[str, list[Row]] = {}
    for precision in dict.fromkeys(row.precision for row in rows):
        sets[precision] = [found[spec.name, precision] for spec in specs if (spec.name, precision) in found]
    sets[SHIPPED_SET] = [found[key] for spec in specs if (key := (spec.name, spec.precision)) in found]
    if not specs:
        return list(rows)
    judges, attacked = _judges(job, report)
    cloaks: dict[str, dict[str, Any]] = {}
    for title, members in sets.items():
        if len(members) == len(specs) and all(row.variant is not None for row in members):
            cloaks[title] = _success(members, judges, attacked, job, cells)
    names = {spec.name for spec in specs}
    extended = [replace(row, cloaks=cloaks.get(row.precision, {})) if row.graph in names else row for row in rows]
    if SHIPPED_SET in cloaks:
        extended.append(_set_row(cloaks[SHIPPED_SET], [row.precision for row in sets[SHIPPED_SET]]))
    return extended


def _set_row(cloaks: dict[str, Any], precisions: Sequence[str]) -> Row:
    return Row(
        graph=ENGINE,
        task="gradient",
        precision=SHIPPED_SET,
        ships_now=True,
        variant=None,
        lowest_cosine=0,
        lowest_agreement=0,
        cloaks=cloaks,
        failure=f"the engine with {', '.join(precisions)}",
    )


def _judges(job: CloakJob, report: Callable[[str], None]) -> tuple[list[Judge], set[str]]:
    """(judges, the names of those that were attacked)."""
    path = job.folder / "objects.float32.onnx"
    judges = [_graph_judge("lite0 (attacked)", path)] if path.is_file() else []
    attacked = {judge.name for judge in judges}
    for name in UNSEEN:
        try:
            judges += open_judges([name], job.shared)[0]
        except TrainingError as error:
            report(f"{error}; cloaks are judged without it")
    return judges, attacked


def _graph_judge(name: str, path: Path) -> Judge:
    graph = load_graph(path, threads=1)

    def scores(images: np.ndarray) -> np.ndarray:
        return np.concatenate([graph.run({"image": image[None]})["logits"] for image in images])

    return Judge(name=name, size_px=graph.inputs["image"].shape[-1], scores=scores, digest=sha256_of(path))


def _success(
    members: Sequence[Row], judges: Sequence[Judge], attacked: set[str], job: CloakJob, cells: Cells
) -> dict[str, Any]:
    paths = [graph_path(job.folder, row.graph, row.precision) for row in members]
    key = [[sha256_of(path) for path in paths], repr(job.config), [judge.digest for judge in judges]]
    graphs: list[Graph] = []
    plain, changed = [], []
    for photo in job.photos:

        def make(photo: LabelledPhoto = photo) -> dict[str, Any]:
            graphs.extend(load_graph(path, threads=1) for path in paths[len(graphs) :])
            return _asked(judges, cloaked(graphs, photo.rgb_hwc, job.config))

        plain.append(cells.get("plain", [photo.name, key[2]], lambda photo=photo: _asked(judges, photo.rgb_hwc)))
        changed.append(cells.get("cloak", [photo.name, *key], make))
    labels = [photo.label for photo in job.photos]
    found: dict[str, Any] = {}
    for judge in judges:
        for title, file in (("saved", "saved"), (f"JPEG {POSTING_QUALITY}", "posted")):
            clean, before, after = (
                [_answer(answers, judge.name, key) for answers in many]
                for many, key in ((plain, "saved"), (plain, file), (changed, file))
            )
            counted = count_success(labels, clean, before, after)
            found[f"{judge.name}, {title}"] = {
                "counted": counted.counted,
                "fooled": counted.fooled,
                "attacked": judge.name in attacked,
            }
    return found


def _asked(judges: Sequence[Judge], rgb_hwc: np.ndarray) -> dict[str, Any]:
    """The first five answers of each judge, to a photo as it is and as it comes back from a site."""
    shown = [rgb_hwc, posted(rgb_hwc)]
    return {judge.name: dict(zip(("saved", "posted"), ask(judge, shown, _WHOLE), strict=True)) for judge in judges}


def _answer(answers: dict[str, Any], judge: str, file: str) -> Answer:
    return tuple(answers[judge][file])

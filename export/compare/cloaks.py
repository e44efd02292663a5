"""Whole cloaks, made with graphs of one precision, and judged by other networks.

The engine of the phone follows all its graphs; any other graph that can make a cloak makes one by itself.
"""

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
from export.contract import GraphSpec, in_turn
from mobile_app.core.cloak import ONE_ROUND
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.step import StepConfig
from training.errors import TrainingError
from training.evaluate.judges import Judge, ask, open_judges
from training.evaluate.success import Answer, count_success

UNSEEN = ("lite2", "darknet_tiny", "mobilenet_v1_tflite")  # none of them is a surrogate of the engine
SHIPPED_SET = "as it ships"
RECOGNISER = "objects.float32.onnx"  # says what a photo shows, in every precision of the others
ENGINE_FOLLOWED = "gradient"  # the engine of GraphSpec whose graphs take turns
_WHOLE = 1.0  # share of a photo's short side that judges see


@dataclass(frozen=True, kw_only=True, eq=False)
class CloakJob:
    """What is cloaked, and by what it is judged."""

    folder: Path  # of the variants
    photos: Sequence[LabelledPhoto]
    shared: Path  # where judges are
    config: StepConfig = field(default_factory=lambda: ONE_ROUND)


def engines(specs: Sequence[GraphSpec]) -> dict[str, list[GraphSpec]]:
    """Name -> the graphs that make a cloak together: the phone's engine, and each graph that makes one by itself."""
    by_name = {spec.name: spec for spec in specs if spec.engine == ENGINE_FOLLOWED}
    followed = [by_name[name] for name in in_turn(by_name)]
    alone = [spec for spec in specs if spec.engine != ENGINE_FOLLOWED and _makes_cloaks(spec)]
    return {**({ENGINE: followed} if followed else {}), **{spec.name: [spec] for spec in alone}}


def cloak_rows(
    rows: Sequence[Row], specs: Sequence[GraphSpec], job: CloakJob, cells: Cells, report: Callable[[str], None]
) -> list[Row]:
    """The rows, those of graphs that make cloaks with how often judges were fooled; and one of the set that ships.

    Args:
        report: is told of judges that cannot be had.
    """
    made = engines(specs)
    if not made:
        return list(rows)
    judges, attacked = _judges(job, report)
    found = {(row.graph, row.precision): row for row in rows}
    cloaks: dict[tuple[str, str], dict[str, Any]] = {}
    for name, followed in made.items():
        sets = {
            precision: [found[spec.name, precision] for spec in followed if (spec.name, precision) in found]
            for precision in dict.fromkeys(row.precision for row in rows)
        }
        if name == ENGINE:
            shipped = [found[key] for spec in followed if (key := (spec.name, spec.precision)) in found]
            sets[SHIPPED_SET] = shipped
        for title, members in sets.items():
            if len(members) == len(followed) and all(row.variant is not None for row in members):
                cloaks[name, title] = _success(members, judges, attacked, job, cells)
    engine_of = {spec.name: name for name, followed in made.items() for spec in followed}
    extended = [
        replace(row, engine=(name := engine_of.get(row.graph, "")), cloaks=cloaks.get((name, row.precision), {}))
        for row in rows
    ]
    if (ENGINE, SHIPPED_SET) in cloaks:
        precisions = [spec.precision for spec in made[ENGINE]]
        extended.append(_set_row(cloaks[ENGINE, SHIPPED_SET], precisions))
    return extended


def _makes_cloaks(spec: GraphSpec) -> bool:
    """Of what judges know: the classes of ImageNet."""
    return spec.task == "generate" or (spec.task == "gradient" and spec.checkpoint is None)


def _set_row(cloaks: dict[str, Any], precisions: Sequence[str]) -> Row:
    return Row(
        graph=ENGINE,
        engine=ENGINE,
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
    path = job.folder / RECOGNISER
    judges = [_graph_judge("lite0 (known)", path)] if path.is_file() else []
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
    recogniser = job.folder / RECOGNISER
    asked = load_graph(recogniser, threads=1) if recogniser.is_file() else None
    weights = [sha256_of(path) for path in (*paths, *([recogniser] if asked else []))]
    key = [weights, repr(job.config), [[judge.name, judge.digest] for judge in judges]]
    graphs: list[Graph] = []
    plain, changed = [], []
    for photo in job.photos:

        def make(photo: LabelledPhoto = photo) -> dict[str, Any]:
            graphs.extend(load_graph(path, threads=1) for path in paths[len(graphs) :])
            return _asked(judges, cloaked(graphs, photo.rgb_hwc, job.config, asked))

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

"""`python -m export coreml`: graphs of the contract to Core ML packages, checked, with a table of what was measured.

The packages are made beside their folder and take their places at the end, so that after an interruption all is as it
was. `OUT/float16/objects.gradient.mlpackage`: a folder for each precision, with the names that the app looks for.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir as ir

import mobile_app
from export.contract import GraphSpec
from export.coreml.convert import PRECISIONS, SUFFIX, compress, convert_float, save
from export.coreml.parity import Measured, measure, reference
from export.coreml.table import TABLE, Entry, write_tables
from export.coreml.tools import coremltools
from export.errors import ExportError
from export.graphs import Checkpoints, graphs
from export.shipped import export_spec


@dataclass(frozen=True, kw_only=True)
class CoremlJob:
    """What to convert, and where to."""

    out: Path
    graphs: tuple[str, ...] = ()  # names; all that there are if none is given
    precisions: tuple[str, ...] = ("float16",)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    def __post_init__(self) -> None:
        unknown = [name for name in self.precisions if name not in PRECISIONS]
        if unknown or not self.precisions:
            raise ValueError(f"precision: expected some of {', '.join(PRECISIONS)}, got {', '.join(unknown) or 'none'}")
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"out: expected a folder or nothing at {self.out}, got a file")


def write_coreml(job: CoremlJob) -> Iterator[str]:
    """Convert, check, write; yields what happened, a line each.

    Raises: ExportError if coremltools is missing or a graph has no translation, and after all else was written, if
        a package was left out because its parity row fails.
    """
    coremltools()
    wanted = graphs(job.checkpoints, job.graphs)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory(dir=job.out.parent, prefix=".coreml-") as folder:
        for place, spec in enumerate(wanted, 1):
            for entry in _packages(spec, job.precisions, Path(folder)):
                entries.append(entry)
                yield f"[{place}/{len(wanted)}] {entry.line()}"
        _take_places(Path(folder), job.out)
    write_tables(job.out, entries)
    yield f"{job.out / TABLE}: {sum(entry.ok for entry in entries)} packages, checked against torch in float64"
    refused = [f"{entry.graph} in {entry.precision}" for entry in entries if not entry.ok]
    if refused:
        raise ExportError(f"{', '.join(refused)}: not written, for what it computes is too far from torch; see {TABLE}")


def _packages(spec: GraphSpec, precisions: Sequence[str], folder: Path) -> Iterator[Entry]:
    """Make the packages of one graph in `folder`; one whose row fails does not stay."""
    expected = reference(spec)
    model = export_spec(spec)
    half = None
    for precision in precisions:
        started = time.perf_counter()
        if precision == "float32":
            made = convert_float(_copy(model), in_half=False)
        else:
            half = half or convert_float(_copy(model), in_half=True)
            made = compress(half, precision)
        path = folder / precision / f"{spec.name}{SUFFIX}"
        path.parent.mkdir(exist_ok=True)
        save(
            made,
            path,
            title=f"{spec.name} of petalveil: {_task(spec)}",
            version=mobile_app.__version__,
            licence=spec.licence,
            facts={"graph": spec.name, "source": spec.source, "precision": precision, "network": spec.network},
        )
        taken = time.perf_counter() - started
        measured = measure(path, spec, precision, expected)
        entry = _entry(spec, precision, measured, taken)
        if not entry.ok:
            shutil.rmtree(path)
        yield entry


def _entry(spec: GraphSpec, precision: str, measured: Measured, seconds: float) -> Entry:
    return Entry(
        graph=spec.name,
        precision=precision,
        size_bytes=measured.size_bytes,
        rows=tuple(measured.rows),
        signs=measured.signs,
        deviation=measured.deviation,
        seconds=seconds,
    )


def _copy(model: ir.Model) -> ir.Model:
    """Translating changes a model."""
    return ir.from_proto(ir.to_proto(model))


def _task(spec: GraphSpec) -> str:
    tasks = {"classify": "image to logits", "gradient": "image and label to loss, logits and the gradient of the loss"}
    return tasks.get(spec.task, f"{spec.input} to {', '.join(spec.outputs)}")


def _take_places(made: Path, out: Path) -> None:
    """Move each package to its place; the one that was there goes first, and with the temporary folder."""
    replaced = made / "replaced"
    for path in sorted(made.glob(f"*/*{SUFFIX}")):
        place = out / path.relative_to(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            (replaced / place.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.move(place, replaced / place.parent.name / place.name)
        shutil.move(path, place)

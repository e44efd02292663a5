"""Graph files in; whether and how phones will run them, a row a graph, out.

    python -m export check
    python -m export check FILE.onnx --ort runs/ort

A command of its own and no part of `compare`: it needs no photos and no network to export and takes seconds, so that it
can be run on whatever is about to be packed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from export.check.rewrite import in_one_part
from export.check.tools import CORE_ML, NNAPI, Partitions, moving_shapes, partitions, to_ort
from export.errors import ExportError
from export.parity import cosine
from export.storage import save_graph
from mobile_app.core.bundle import load_bundle
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import reference_inputs

# The latest (IR version, opset) that a release reads: tried with graphs of one operator, 2026-11-21.
READS = {
    "1.17.0": (9, 20),
    "1.20.0": (10, 21),
    "1.22.0": (10, 22),
    "1.23.0": (11, 23),
    "1.24.1": (13, 25),
    "1.28.0": (13, 26),
}
PINNED = "1.28.0"  # of the package for Android, onnxruntime-android
_PROPAGATES = "1.28.0"  # earlier releases trip over a DequantizeLinear without a zero point before a Transpose
# Of an .ort file's answers with those of the graph that it was made from. Added in another order, two numbers of a
# window that are all but equal change places, and the gradient of SqueezeNet's maxima goes another way.
LOWEST_COSINE = 0.999
LOWEST_COSINE_LOOSE = 0.99  # of an int8 graph, or one that takes steps
_ANY_SIZE_PX = 224  # of the image for a graph that takes any


@dataclass(frozen=True, kw_only=True)
class GraphCheck:
    """One graph."""

    name: str
    ir: int
    opset: int
    oldest: str | None  # release of ONNX Runtime that reads it, of those that were tried; None for none of them
    partitions: tuple[Partitions, ...]
    faults: tuple[str, ...]  # sentences; empty where nothing is wrong

    def parts(self, provider: str) -> int:
        return next(found.parts for found in self.partitions if found.provider == provider)


def check_graph(path: Path) -> GraphCheck:
    """Look at an .onnx file; weights beside it are found there.

    Raises: ExportError if there is no such file.
    """
    if not path.is_file():
        raise ExportError(f"{path}: expected an .onnx file, found none; check the path")
    model = onnx.load(path, load_external_data=False)
    opset = max((entry.version for entry in model.opset_import if not entry.domain), default=0)
    found = tuple(partitions(path))
    oldest = oldest_runtime(model)
    faults = [*_foreign(model), *_moving(model, path), *_split(model, found)]
    if oldest is None:
        latest = READS[PINNED]
        faults.append(
            f"IR version {model.ir_version}, opset {opset}: expected at most {latest[0]} and {latest[1]}, which "
            f"onnxruntime {PINNED} reads"
        )
    return GraphCheck(
        name=path.stem,
        ir=model.ir_version,
        opset=opset,
        oldest=oldest,
        partitions=found,
        faults=tuple(faults),
    )


def oldest_runtime(model: onnx.ModelProto) -> str | None:
    """The first release that reads a graph, of those in READS up to the pinned one; None if none does."""
    opset = max((entry.version for entry in model.opset_import if not entry.domain), default=0)
    for release, (version, latest) in READS.items():
        if model.ir_version <= version and opset <= latest and (release == _PROPAGATES or not _has_bare_kernel(model)):
            return release
    return None


def ort_agreement(path: Path, converted: Path) -> float:
    """The lowest cosine, over the outputs, between what a graph and its .ort file give for the reference image."""
    graphs = [load_graph(file, threads=1) for file in (path, converted)]
    first = next(iter(graphs[0].inputs.values()))
    size_px = first.shape[-1] if first.is_fixed else _ANY_SIZE_PX
    found = [graph.run(reference_inputs(graph, size_px)) for graph in graphs]
    return min(cosine(found[1][name], array) for name, array in found[0].items() if np.any(array))


def rewritten(path: Path, folder: Path) -> Path:
    """Write a graph, with its weights inside, to `folder` in operators that Core ML's provider takes in one part."""
    model = ir.external_data.load_to_model(ir.load(path))
    in_one_part(model)
    folder.mkdir(parents=True, exist_ok=True)
    save_graph(model, folder / path.name)
    return folder / path.name


def check(paths: Sequence[Path], ort: Path | None, one_part: Path | None = None) -> int:
    """Print a table; returns the exit code, 1 where a graph has a fault.

    Args:
        paths: of .onnx files; none stands for the graphs of the bundle.
        ort: a folder for .ort files, whose answers are then compared.
        one_part: a folder for rewritten graphs, which are then looked at instead.
    """
    if not paths:
        bundle = load_bundle()
        paths = [bundle.path(name) for name in bundle.graphs]
    if one_part is not None:
        paths = [rewritten(path, one_part) for path in paths]
    checks = [check_graph(path) for path in paths]
    for line in as_markdown(checks):
        print(line)
    faults = [f"{found.name}: {fault}" for found in checks for fault in found.faults]
    for path in paths if ort is not None else ():
        assert ort is not None
        converted = to_ort(path, ort)
        same = ort_agreement(path, converted)
        print(f"{converted}: {converted.stat().st_size / 1e6:.2f} MB, cosine {same:.6f} with {path.name}")
        if not same >= lowest_cosine_of_ort(path):
            faults.append(
                f"{converted.name}: cosine {same:.6f} with {path.name}, expected {lowest_cosine_of_ort(path)}"
            )
    for fault in faults:
        print(f"FAULT {fault}")
    return int(bool(faults))


def lowest_cosine_of_ort(path: Path) -> float:
    """8-bit activations fall on neighbouring levels where another order of adding rounds otherwise; of steps that
    follow each other, each carries what the one before rounded."""
    model = onnx.load(path, load_external_data=False)
    return LOWEST_COSINE_LOOSE if _is_int8(model) or _has_loop(model) else LOWEST_COSINE


def as_markdown(checks: Sequence[GraphCheck]) -> list[str]:
    """A table of versions and parts, and what splits each graph."""
    providers = [found.provider for found in checks[0].partitions] if checks else []
    lines = [f"| graph | IR | opset | oldest runtime | {' | '.join(providers)} |", "|---" * (4 + len(providers)) + "|"]
    for found in checks:
        cells = [f"{one.parts} ({one.taken} of {one.operators})" for one in found.partitions]
        lines.append(f"| {' | '.join([found.name, str(found.ir), str(found.opset), found.oldest or 'none', *cells])} |")
    lines += ["", "Parts (operators taken, of all). What a provider leaves to the processor:", ""]
    for found in checks:
        for one in found.partitions:
            if one.left and one.provider in (NNAPI, CORE_ML):
                left = ", ".join(f"{count} {name}" for name, count in one.left.items())
                lines.append(f"- {found.name}, {one.provider}: {left}")
    return [*lines, ""]


def _foreign(model: onnx.ModelProto) -> list[str]:
    domains = {node.domain for node in model.graph.node} | {entry.domain for entry in model.opset_import}
    faults = [f"operators of {name}: expected standard ones alone" for name in sorted(domains - {"", "ai.onnx"})]
    return faults + (["local functions: expected none; inline them"] if model.functions else [])


def _moving(model: onnx.ModelProto, path: Path) -> list[str]:
    """A graph with a Loop stays on the processor as a whole, where open lengths cost nothing."""
    if _has_loop(model):
        return []
    names = moving_shapes(path)
    return [f"{len(names)} values without a fixed shape, {names[0]} among them: fix them all"] if names else []


def _split(model: onnx.ModelProto, found: Sequence[Partitions]) -> list[str]:
    """A classifier has to stay in one piece: Core ML takes no QDQ, so of one in int8 NNAPI alone is asked."""
    outputs = {value.name for value in model.graph.output}
    if "logits" not in outputs or "grad" in outputs:
        return []
    providers = (NNAPI,) if _is_int8(model) else (NNAPI, CORE_ML)
    return [
        f"{one.provider} cuts it into {one.parts} parts at {', '.join(one.left)}: expected one part"
        for one in found
        if one.provider in providers and one.parts != 1
    ]


def _is_int8(model: onnx.ModelProto) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def _has_loop(model: onnx.ModelProto) -> bool:
    return any(node.op_type == "Loop" for node in model.graph.node)


def _has_bare_kernel(model: onnx.ModelProto) -> bool:
    """Whether a DequantizeLinear without a zero point is read by what moves numbers."""
    bare = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear" and len(node.input) == 2}
    movers = re.compile(r"Transpose|Slice|Gather|Reshape|Squeeze|Unsqueeze")
    return any(name in bare for node in model.graph.node if movers.fullmatch(node.op_type) for name in node.input)

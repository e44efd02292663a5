"""What one runtime costs against another on the same graph: time of a run as a share of the first one's.

    python tests/benchmarks/runtimes.py [--backends wheel,capi] [--threads 1] [--seconds 12] [--graphs objects,1080]

All run in turn, one call each, and who begins changes from round to round, so that a noisy machine slows all of them
alike; a figure is the median over the rounds of a call's time by that of the first runtime's in the same round. CPU is
that of the process: it counts no time in which another program had the core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import onnx
from machine import machine
from onnx import TensorProto, helper, numpy_helper

from mobile_app.core.bundle import load_bundle
from mobile_app.core.runtime import Graph, load_graph

FEWEST_ROUNDS = 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="wheel,capi")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=12, help="for each graph")
    parser.add_argument("--graphs", default="", help="names, parted by commas; all where there is none")
    options = parser.parse_args()
    backends, only = options.backends.split(","), set(filter(None, options.graphs.split(",")))
    print(f"Machine: {machine()}. Date: {date.today().isoformat()}. Command:")
    print(f"`python {' '.join(sys.argv)}`\n")
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name, path in _paths(Path(folder)):
            if not only or name in only:
                graphs = [load_graph(path, name=name, threads=options.threads, backend=one) for one in backends]
                if not rows:
                    print("\n".join(_head([graph.runtime for graph in graphs])))
                rows.append(_row(name, graphs, options.seconds))
                print(rows[-1], flush=True)
    return 0


def image_to_image(path: Path, side: int = 1080) -> Path:
    """A graph whose output is as large as its input: two convolutions of eight channels over (1, 3, side, side)."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype(np.float32) / 8 for size in ((8, 3, 3, 3), (3, 8, 3, 3))]
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], pads=[1] * 4),
        helper.make_node("Sigmoid", ["c"], ["out"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, side, side)) for name in ("image", "out")]
    stored = [numpy_helper.from_array(array, name) for array, name in zip(weights, ("first", "second"), strict=True)]
    graph = helper.make_graph(nodes, "image to image", ports[:1], ports[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def _paths(folder: Path) -> Iterator[tuple[str, Path]]:
    bundle = load_bundle()
    yield from ((name, bundle.path(name)) for name in bundle.graphs)
    yield "1080", image_to_image(folder / "1080.onnx")


def _head(runtimes: list[str]) -> list[str]:
    columns = ["graph", "rounds", f"{runtimes[0]}, ms"]
    columns += [f"{runtime}, {what}" for runtime in runtimes[1:] for what in ("x time", "x CPU")]
    return [f"| {' | '.join([*columns, 'same bits'])} |", f"|{'---|' * (len(columns) + 1)}"]


def _row(name: str, graphs: list[Graph], seconds: float) -> str:
    rng = np.random.default_rng(0)
    inputs = {key: rng.random(port.shape).astype(port.dtype) for key, port in graphs[0].inputs.items()}
    outputs = [[graph.run(inputs) for graph in graphs] for _ in range(3)][-1]  # warm
    same = all(np.array_equal(found[key], array) for found in outputs[1:] for key, array in outputs[0].items())
    times = np.array(list(_rounds(graphs, inputs, seconds)))  # (rounds, runtimes, wall and CPU)
    ratios = times[:, 1:] / times[:, :1]
    cells = [name, str(len(times)), f"{np.median(times[:, 0, 0]) * 1e3:.1f}"]
    for column in range(len(graphs) - 1):
        low, middle, high = np.percentile(ratios[:, column, 0], (25, 50, 75))
        cells += [f"{middle:.3f} ({low:.2f} to {high:.2f})", f"{np.median(ratios[:, column, 1]):.3f}"]
    return f"| {' | '.join([*cells, 'yes' if same else 'no'])} |"


def _rounds(graphs: list[Graph], inputs: dict[str, np.ndarray], seconds: float) -> Iterator[list[tuple[float, float]]]:
    started, number = time.perf_counter(), 0
    while number < FEWEST_ROUNDS or time.perf_counter() - started < seconds:
        found: dict[int, tuple[float, float]] = {}
        for turn in range(len(graphs)):
            place = (turn + number) % len(graphs)
            cpu, wall = time.process_time(), time.perf_counter()
            graphs[place].run(inputs)
            found[place] = time.perf_counter() - wall, time.process_time() - cpu
        yield [found[place] for place in range(len(graphs))]
        number += 1


if __name__ == "__main__":
    sys.exit(main())

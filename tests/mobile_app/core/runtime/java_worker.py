"""Runs in a Python of its own, since a Java machine cannot be stopped: graphs through the Java API, as JSON.

    python java_worker.py FOLDER     with the graphs that test_java.py writes

Arrays that come out are saved beside them as java-<graph>.npy.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mobile_app.core import memory
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Graph, available_backends, load_graph


def main(folder: Path) -> dict[str, object]:
    label = available_backends().get("java")
    if label is None:
        return {"missing": _sentence(lambda: load_graph(folder / "net.onnx", backend="java"))}
    for name in ("net", "half", "parted"):
        graph = load_graph(folder / f"{name}.onnx", threads=1, backend="java")
        np.save(folder / f"java-{name}.npy", graph.run(inputs(graph))["out"])
    net = load_graph(folder / "net.onnx", threads=1, backend="java")
    gather = load_graph(folder / "label.onnx", backend="java")
    return {
        "label": label,
        "runtime": net.runtime,
        "ports": {name: [list(port.shape), port.dtype] for name, port in {**net.inputs, **net.outputs}.items()},
        "gathered": gather.run({"place": np.int64([1])})["y"].tolist(),
        "while running": _sentence(lambda: gather.run({"place": np.int64([7])})),
        "gathered after": gather.run({"place": np.int64([0])})["y"].tolist(),
        "words": _sentence(lambda: load_graph(folder / "words.onnx", backend="java")),
        "broken": _sentence(lambda: load_graph(folder / "broken.onnx", backend="java")),
        "open": _sentence(lambda: load_graph(folder / "open.onnx", backend="java")),
        "nan": _sentence(lambda: load_graph(folder / "log.onnx", backend="java").run({"x": np.float32([[-1, 1]])})),
        "misfit": _sentence(lambda: net.run({"image": np.zeros((1, 3, 2, 2), np.float32)})),
        "owned": _owned(net),
        "threads agree": _threads_agree(net),
        **_java_threads(folder / "net.onnx"),
        "grown_mb": _grown_mb(net),
    }


def inputs(graph: Graph) -> dict[str, np.ndarray]:
    """The same for each runtime."""
    rng = np.random.default_rng(5)
    return {name: rng.random(port.shape).astype(port.dtype) for name, port in graph.inputs.items()}


def _owned(graph: Graph) -> bool:
    first = graph.run(inputs(graph))["out"]
    before = first.copy()
    graph.run({"image": np.zeros_like(first)})
    return bool((first == before).all())


def _threads_agree(graph: Graph) -> bool:
    images = np.random.default_rng(1).random((24, *graph.inputs["image"].shape), np.float32)
    alone = [graph.run({"image": image})["out"] for image in images]
    with ThreadPoolExecutor(3) as executor:
        together = list(executor.map(lambda image: graph.run({"image": image})["out"], images))
    return bool(np.array_equal(alone, together))


def _java_threads(path: Path) -> dict[str, int]:
    """How many threads Java knows, before, during and after one of Python's has loaded and run a graph."""
    from jnius import autoclass

    threads = autoclass("java.lang.management.ManagementFactory").getThreadMXBean()
    during: list[int] = []

    def work() -> None:
        graph = load_graph(path, threads=1, backend="java")
        graph.run(inputs(graph))
        during.append(threads.getThreadCount())

    before = threads.getThreadCount()
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    return {"threads before": before, "threads during": during[0], "threads after": threads.getThreadCount()}


def _grown_mb(graph: Graph) -> float | None:
    given = inputs(graph)
    for _ in range(200):
        graph.run(given)
    before = memory.resident_mb()
    for _ in range(1000):
        graph.run(given)
    after = memory.resident_mb()
    return None if before is None or after is None else after - before


def _sentence(call) -> str:
    try:
        call()
    except GraphError as error:
        return str(error)
    return "no error"


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))

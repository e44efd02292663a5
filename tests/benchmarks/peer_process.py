"""One peer of bench_peers.py in a process of its own: lines of words in, lines of JSON out.

    python tests/benchmarks/peer_process.py NAME THREADS FOLDER

It makes the network ready, answers {"ready": version, "cosine": against torch}, and then, to each line with a number,
that many runs: {"ms": [...], "cpu_ms": mean}. What is not installed is answered with {"missing": why}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from mobile_app.core.bundle import reference_image

Run = Callable[[], Any]
Peer = tuple[Run, str]  # a run whose result is logits or a gradient, and who computes
LABEL = 281


def main() -> int:
    name, threads, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print as they like

    def say(**facts: Any) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    if name == "prepare":
        prepare(folder)
        say(ready="prepared", cosine=1.0)
        return 0
    if name in (TEST_TOOL, EXECUTORCH) and hasattr(os, "sched_setaffinity"):  # they cannot be told a number of threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        run, runtime = MAKERS[name](folder, threads)
        result = run()
    except (ImportError, OSError) as error:
        say(missing=f"{type(error).__name__}: {error}".splitlines()[0][:200])
        return 0
    for _ in range(2):
        run()
    say(ready=runtime, cosine=None if result is None else _cosine(np.asarray(result), name, folder))
    for line in sys.stdin:
        count = int(line)
        cpu_started, times = time.process_time(), []
        if name == TEST_TOOL:
            times = [_by_test_tool(folder, count)] * count
        else:
            for _ in range(count):
                started = time.perf_counter()
                run()
                times.append((time.perf_counter() - started) * 1e3)
        say(ms=times, cpu_ms=(time.process_time() - cpu_started) * 1e3 / count)
    return 0


def prepare(folder: Path) -> None:
    """The network as each peer wants it, and what torch says of the reference image."""
    import onnx_ir as ir
    import torch

    from export import gradient
    from export.forward import to_onnx
    from training.models.efficientnet_lite import efficientnet_lite
    from training.objectives import AwayFromLabel

    network = efficientnet_lite(0)
    image = torch.from_numpy(reference_image(224))
    forward = to_onnx(network, {"image": image}, ["logits"])
    gradient.clean(forward)
    ir.save(forward, folder / "forward.onnx")
    objective = AwayFromLabel(network).eval()
    ir.save(gradient.export_gradient(objective, {"image": image, "label": torch.tensor([0])}), folder / "gradient.onnx")
    with torch.inference_mode():
        np.save(folder / "logits.npy", network(image).numpy())
    np.save(folder / "grad.npy", np.asarray(_torch_gradient(folder, 1)[0]()))
    with contextlib.suppress(ImportError):
        from lite0_tflite import to_tflite

        (folder / "forward.tflite").write_bytes(to_tflite(network))


def _ours(file: str, output: str) -> Callable[[Path, int], Peer]:
    def make(folder: Path, threads: int) -> Peer:
        from mobile_app.core.runtime import load_graph

        graph = load_graph(folder / file, threads=threads)
        feed = {"image": reference_image(224)}
        if "label" in graph.inputs:
            feed["label"] = np.array([LABEL])
        return lambda: graph.run(feed)[output], graph.runtime

    return make


def _torch_eager(_folder: Path, threads: int) -> Peer:
    import torch

    network, image = _torch_network(threads)

    def run() -> Any:
        with torch.inference_mode():
            return network(image)

    return run, f"torch {version('torch')}"


def _torch_compiled(_folder: Path, threads: int) -> Peer:
    import torch

    network, image = _torch_network(threads)
    compiled = torch.compile(network)

    def run() -> Any:
        with torch.no_grad():
            return compiled(image).numpy()

    try:
        run()
    except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:  # no compiler for C++ on this machine
        raise ImportError(f"torch.compile failed ({str(error).splitlines()[0]})") from error
    return run, f"torch {version('torch')}, inductor"


def _torch_gradient(_folder: Path, threads: int) -> Peer:
    import torch

    from training.objectives import AwayFromLabel

    network, image = _torch_network(threads)
    objective, label = AwayFromLabel(network).eval(), torch.tensor([LABEL])

    def run() -> Any:
        leaf = image.clone().requires_grad_()
        loss = objective(leaf, label)[0]
        return torch.autograd.grad(loss.sum(), leaf)[0].numpy()

    return run, f"torch {version('torch')}, autograd"


def _torch_network(threads: int) -> tuple[Any, Any]:
    import torch

    from training.models.efficientnet_lite import efficientnet_lite

    torch.set_num_threads(threads)
    network = efficientnet_lite(0)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network, torch.from_numpy(reference_image(224).copy())  # without a stride of 0, which ExecuTorch refuses


def _litert(folder: Path, threads: int) -> Peer:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=(folder / "forward.tflite").read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    image = np.ascontiguousarray(reference_image(224).transpose(0, 2, 3, 1))
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run() -> Any:
        interpreter.set_tensor(source, image)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run, f"ai-edge-litert {version('ai-edge-litert')}, XNNPACK"


def _executorch(folder: Path, threads: int) -> Peer:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    network, image = _torch_network(threads)
    path = folder / "forward.pte"
    if not path.is_file():
        program = torch.export.export(network, (image,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)
    del portable_lib  # it is imported for the kernels that it registers
    method = Runtime.get().load_program(path).load_method("forward")
    return lambda: method.execute([image])[0], f"executorch {version('executorch')}, XNNPACK"


def _test_tool(folder: Path, _threads: int) -> Peer:
    from mobile_app.core.runtime import runtime_label  # before the tool: it switches telemetry off

    _by_test_tool(folder, 1)
    return lambda: None, f"onnxruntime.tools.onnxruntime_test, {runtime_label()}"


def _by_test_tool(folder: Path, count: int) -> float:
    """The mean that ONNX Runtime's own tool prints; it loads the graph each time, and warms nothing up."""
    from onnxruntime.tools.onnxruntime_test import run_model

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run_model(str(folder / "forward.onnx"), count, feeds={"image": reference_image(224)})
    return float(re.search(r"avg latency: ([0-9.e+-]+) ms", printed.getvalue())[1])  # pyright: ignore


def _cosine(found: np.ndarray, name: str, folder: Path) -> float:
    wanted = np.load(folder / ("grad.npy" if "gradient" in name else "logits.npy")).ravel().astype(np.float64)
    found = found.ravel().astype(np.float64)
    return float(found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted))


EXECUTORCH = "ExecuTorch"
TEST_TOOL = "ONNX Runtime's test tool"
MAKERS: dict[str, Callable[[Path, int], Peer]] = {
    "petalveil": _ours("forward.onnx", "logits"),
    TEST_TOOL: _test_tool,
    "torch, eager": _torch_eager,
    "torch.compile": _torch_compiled,
    "LiteRT": _litert,
    EXECUTORCH: _executorch,
    "petalveil, gradient": _ours("gradient.onnx", "grad"),
    "torch, eager, gradient": _torch_gradient,
}

if __name__ == "__main__":
    sys.exit(main())

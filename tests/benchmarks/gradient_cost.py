"""What one gradient costs, as a multiple of the forward pass, and what each way of writing it gained.

    python tests/benchmarks/gradient_cost.py [--threads 1,2] [--rounds 15] [--out docs/gradient-cost.md]

Every row is measured in turn within each round, so that a noisy machine slows all of them alike; a row's figure is the
median over the rounds of its time divided by the forward pass's time in the same round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import onnx_ir as ir
import torch
from machine import machine
from torch.nn import functional as F

from export import gradient
from export.adjoint import convolution, reverse, shaping
from export.adjoint.tape import Tape, dims
from export.forward import to_onnx
from mobile_app.core.bundle import reference_image
from mobile_app.core.runtime import load_graph
from training.models.efficientnet_lite import efficientnet_lite
from training.objectives import AwayFromLabel

RUNS_A_ROUND = 12


def clip_by_comparison(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    y = node.outputs[0]
    above = tape.like("Greater", y, tape.scalar(0), dtype=ir.DataType.BOOL)
    below = tape.like("Less", y, tape.scalar(6), dtype=ir.DataType.BOOL)
    inside = tape.like("And", above, below, dtype=ir.DataType.BOOL)
    return [tape.op("Where", inside, grad, tape.scalar(0), shape=dims(grad))]


def interleave_by_depth_to_space(tape: Tape, parts: list[ir.Value], strides: tuple[int, ...]) -> ir.Value:
    batch, channels, rows, columns = dims(parts[0])
    shape = (batch, channels, rows * strides[0], columns * strides[1])
    return tape.op("DepthToSpace", tape.concat(parts, 1), shape=shape, blocksize=strides[0], mode="DCR")


def always_transposed(tape, grad, weight, window, groups, image_shape):
    return convolution._transposed(tape, grad, weight, window, groups, image_shape)


def without_phases(tape, grad, weight, window, groups, image_shape):
    if convolution._has_unit_stride(window, dims(grad), image_shape):
        return convolution._unit_stride(tape, grad, weight, window, groups, image_shape)
    return convolution._transposed(tape, grad, weight, window, groups, image_shape)


COMPARISONS = mock.patch.dict(reverse.RULES, {"Clip": clip_by_comparison})
TRANSPOSED = mock.patch.object(convolution, "convolution_adjoint", always_transposed)
NO_PHASES = mock.patch.object(convolution, "convolution_adjoint", without_phases)
DEPTH_TO_SPACE = mock.patch.object(convolution, "interleave", interleave_by_depth_to_space)
NOT_DEALT_OUT = mock.patch.object(gradient, "deal_out_strided_blocks", return_value=0)

VARIANTS = {
    "ConvTranspose for every adjoint, masks by Greater, Less and Where": [COMPARISONS, TRANSPOSED, NOT_DEALT_OUT],
    "+ stride 1 as an ordinary Conv with the turned kernel": [COMPARISONS, NO_PHASES, NOT_DEALT_OUT],
    "+ strided depthwise by phases, joined by DepthToSpace": [COMPARISONS, DEPTH_TO_SPACE, NOT_DEALT_OUT],
    "+ masks by HardSigmoid and Mul": [DEPTH_TO_SPACE, NOT_DEALT_OUT],
    "+ phases joined with channels last": [NOT_DEALT_OUT],
    "+ strided blocks dealt out before the expansion (what ships)": [],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [
        "# What one gradient costs",
        "",
        "EfficientNet-Lite0, 224 px, batch 1, float32 on the CPU; times as a multiple of the forward pass in",
        "ONNX Runtime with the same number of threads. Median over the rounds (quartiles in brackets).",
        "",
        f"Machine: {machine()}. Date: {date.today().isoformat()}. Command:",
        f"`python tests/benchmarks/gradient_cost.py --threads {options.threads} --rounds {options.rounds}`",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        paths = dict(_graphs(Path(folder)))
        for threads in (int(count) for count in options.threads.split(",")):
            lines += [f"## {threads} thread{'s' if threads > 1 else ''}", "", "| graph | x forward |", "|---|---|"]
            lines += [*_measure(paths, threads, options.rounds), ""]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines), encoding="utf-8")
    return 0


def _graphs(folder: Path) -> Iterator[tuple[str, Path]]:
    network = efficientnet_lite(0)
    image = torch.from_numpy(reference_image(224))
    forward = to_onnx(network, {"image": image}, ["logits"])
    gradient.clean(forward)
    ir.save(forward, folder / "forward.onnx")
    yield "forward pass", folder / "forward.onnx"
    for number, (name, patches) in enumerate(VARIANTS.items()):
        with _applied(patches):
            model = gradient.export_gradient(
                AwayFromLabel(network).eval(), {"image": image, "label": torch.tensor([0])}
            )
        ir.save(model, folder / f"{number}.onnx")
        yield name, folder / f"{number}.onnx"


@contextmanager
def _applied(patches: list) -> Iterator[None]:
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        # `shaping` holds a name of its own for the same function
        stack.enter_context(mock.patch.object(shaping, "interleave", convolution.interleave))
        yield


def _measure(paths: dict[str, Path], threads: int, rounds: int) -> Iterator[str]:
    torch.set_num_threads(threads)
    image, label = reference_image(224), np.array([281])
    jobs: dict[str, Callable[[], object]] = {}
    for name, path in paths.items():
        graph = load_graph(path, threads=threads)
        feed = {"image": image, "label": label} if "label" in graph.inputs else {"image": image}
        jobs[name] = lambda graph=graph, feed=feed: graph.run(feed)
    jobs |= _torch_jobs(torch.from_numpy(image), torch.from_numpy(label))
    for job in jobs.values():
        job(), job()
    times = np.array([[_median_seconds(job) for job in jobs.values()] for _ in range(rounds)])
    ratios = times / times[:, :1]
    yield f"| forward pass ({np.median(times[:, 0]) * 1e3:.1f} ms) | 1 |"
    for column, name in list(enumerate(jobs))[1:]:
        low, middle, high = np.percentile(ratios[:, column], (25, 50, 75))
        yield f"| {name} | {middle:.2f} ({low:.2f} to {high:.2f}) |"


def _torch_jobs(image: torch.Tensor, label: torch.Tensor) -> dict[str, Callable[[], object]]:
    network = efficientnet_lite(0)

    def eager() -> torch.Tensor:
        leaf = image.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(network(leaf), label), leaf)[0]

    jobs: dict[str, Callable[[], object]] = {"torch, eager: forward and autograd": eager}
    try:
        import torchattacks
    except ModuleNotFoundError:
        return jobs
    attack = torchattacks.MIFGSM(network, eps=8 / 255, alpha=2 / 255, steps=1)
    jobs["torchattacks MIFGSM, one step"] = lambda: attack(image, label)
    return jobs


def _median_seconds(job: Callable[[], object]) -> float:
    seconds = []
    for _ in range(RUNS_A_ROUND):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


if __name__ == "__main__":
    sys.exit(main())

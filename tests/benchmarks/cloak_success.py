"""How often a cloak works: the attacked network and the judges, before and after recompression, with what it cost.

    python tests/benchmarks/cloak_success.py [--photos 404] [--strength medium] [--out docs/cloak-success.md]

Photos: the ImageNet-compatible set beside the repo (../shared/data/nips17), less the quarter that settings were tuned
on (sha256 of the file below 64 in its first byte). Each is cloaked, written to a file in its own format, and read back.
Success counts only over photos that the recogniser gets right when clean and after the same recompression.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch
from machine import machine
from PIL import Image

from mobile_app.core.bundle import load_bundle
from mobile_app.core.cloak import STRENGTHS, cloak
from mobile_app.core.engines import GradientEngine
from mobile_app.core.photo import EncodeConfig, decode, encode
from mobile_app.core.posting import recompress
from mobile_app.core.quality import largest_change_levels, psnr_db, ssim
from mobile_app.core.runtime import load_graph
from mobile_app.core.step import StepConfig
from training.models.efficientnet_lite import efficientnet_lite

SHARED = Path(__file__).parents[3] / "shared"
Pixels = np.ndarray
Recogniser = Callable[[Pixels], int]
POSTINGS: dict[str, Callable[[Pixels], Pixels]] = {
    "as saved": lambda rgb: rgb,
    "JPEG 75": lambda rgb: recompress(rgb, quality=75),
    "JPEG 50": lambda rgb: recompress(rgb, quality=50),
    "3/4 size, JPEG 75": lambda rgb: recompress(rgb, quality=75, long_side_px=max(rgb.shape) * 3 // 4),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000, help="at most so many")
    parser.add_argument("--strength", choices=STRENGTHS, default="medium")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tuning", action="store_true", help="use the quarter that settings are tuned on")
    parser.add_argument("--no-judges", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not (SHARED / "data" / "nips17").is_dir():
        print("cloak_success: needs ../shared/data/nips17 beside the repo", file=sys.stderr)
        return 1
    bundle = load_bundle()
    recognisers = {"EfficientNet-Lite0 as shipped (attacked)": _graph_recogniser(load_graph(bundle.path("objects")))}
    recognisers["EfficientNet-Lite0, original weights"] = _torch_recogniser(efficientnet_lite(0))
    if not options.no_judges:
        recognisers |= dict(_judges())
    engine = GradientEngine(load_graph(bundle.path("objects.gradient")))
    config = StepConfig(budget_levels=STRENGTHS[options.strength], steps=options.steps)
    photos = _photos(options.tuning)[: options.photos]
    right = {name: np.zeros((len(photos), len(POSTINGS)), bool) for name in recognisers}
    fooled = {name: np.zeros((len(photos), len(POSTINGS)), bool) for name in recognisers}
    quality = []
    for row, (path, label) in enumerate(photos):
        photo = decode(path)
        started = time.perf_counter()
        cloaked = cloak(photo, engine, config).photo
        seconds = time.perf_counter() - started
        before, after = photo.rgb_hwc, decode(encode(cloaked, EncodeConfig())).rgb_hwc
        quality.append((psnr_db(before, after), ssim(before, after), largest_change_levels(before, after), seconds))
        for column, posting in enumerate(POSTINGS.values()):
            posted_before, posted_after = posting(before), posting(after)
            for name, recognise in recognisers.items():
                right[name][row, column] = recognise(posted_before) == label
                fooled[name][row, column] = recognise(posted_after) != label
        if sys.stderr.isatty():
            print(f"\r{row + 1} of {len(photos)}", end="", file=sys.stderr)
    lines = list(_table(options, len(photos), right, fooled, np.array(quality)))
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _table(options, count: int, right, fooled, quality: np.ndarray) -> Iterator[str]:
    budget = STRENGTHS[options.strength]
    yield f"# Cloaks at {options.strength} strength ({budget:g} levels, {options.steps} steps)"
    yield ""
    yield f"{count} photos of 299 x 299 px. Share of photos on which a recogniser is fooled (top-1), with the number of"
    yield "photos that it gets right without a cloak, clean and after the same recompression."
    yield ""
    yield f"Machine: {machine()}. Date: {date.today().isoformat()}. Command: `python tests/benchmarks/cloak_success.py"
    yield f"--strength {options.strength} --steps {options.steps}`; there is no chance in it, so no seed."
    yield ""
    yield "| recogniser | " + " | ".join(POSTINGS) + " |"
    yield "|---" * (len(POSTINGS) + 1) + "|"
    for name in right:
        counted = right[name] & right[name][:, :1]
        cells = [
            f"{100 * fooled[name][counted[:, i], i].mean():.1f} % of {counted[:, i].sum()}"
            for i in range(len(POSTINGS))
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    yield "| | mean | worst |"
    yield "|---|---|---|"
    yield f"| PSNR, dB | {quality[:, 0].mean():.2f} | {quality[:, 0].min():.2f} |"
    yield f"| SSIM | {quality[:, 1].mean():.4f} | {quality[:, 1].min():.4f} |"
    yield f"| largest change, levels | {quality[:, 2].mean():.2f} | {quality[:, 2].max():.0f} |"
    yield f"| seconds a photo, cloak alone | {quality[:, 3].mean():.2f} | {quality[:, 3].max():.2f} |"


def _photos(tuning: bool) -> list[tuple[Path, int]]:
    rows = [(Path(path), label) for path, label in _shared_module("common").labelled("nips17")]
    return [row for row in rows if (hashlib.sha256(row[0].read_bytes()).digest()[0] < 64) == tuning]


def _graph_recogniser(graph) -> Recogniser:
    to_input = _shared_module("common").to_input
    size_px = graph.inputs["image"].shape[-1]
    return lambda rgb: int(graph.run({"image": to_input(Image.fromarray(rgb), size_px, 1.0)[None]})["logits"].argmax())


def _torch_recogniser(network) -> Recogniser:
    """Of a classifier on images at its own size; the judges need no gradient, nor does the original network here."""
    to_input = _shared_module("common").to_input
    size_px = network.size if hasattr(network, "size") else network.size_px

    def recognise(rgb: Pixels) -> int:
        with torch.no_grad():
            return int(network(torch.from_numpy(to_input(Image.fromarray(rgb), size_px, 1.0)[None])).argmax())

    return recognise


def _judges() -> Iterator[tuple[str, Recogniser]]:
    yield "SqueezeNet 1.1 (judge)", _torch_recogniser(_shared_module("squeezenet").load())
    yield "Darknet-tiny (judge)", _torch_recogniser(_shared_module("darknet_tiny").load())
    yield "MobileNetV1 0.5 int8 (judge)", _torch_recogniser(_shared_module("mobilenet_v1_tflite").load())


def _shared_module(name: str):
    """One of the loaders in ../shared/judges, which find their weights themselves."""
    folder = str(SHARED / "judges")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())

"""How exact the gradient graphs of whole networks are: float32 in the runtime and in torch, against torch in float64.

    python tests/benchmarks/parity_networks.py [--photos 50] [--networks resnet18,...] [--out docs/parity-networks.md]

EfficientNet-Lite0 has its ImageNet weights, the others calibrated random ones. The photos are the ImageNet-compatible
set beside the repo (../shared/data/nips17), or crops of scikit-image's photos where it is not there. The loss is the
cross-entropy of a class that the network does not see: that of a class it is certain of is flat to float32.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch
from machine import machine

from export.fidelity import HIGHEST_RATIO, LOWEST_COSINE, FidelityRow, gradient_fidelity
from export.gradient import export_gradient
from export.storage import save_graph
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.runtime import load_graph
from training.models.registry import TORCHVISION, build_network
from training.objectives import AwayFromLabel

SIZE_PX = 224
PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "nips17"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--networks", default=",".join(("efficientnet_lite0", *TORCHVISION)))
    parser.add_argument("--out", type=Path, help="write the table there too")
    options = parser.parse_args()
    torch.set_num_threads(1)  # more of them wait for each other for minutes where another process wants the cores
    if PHOTOS.is_dir():
        images, source = list(_photos(options.photos)), "photos of the NIPS 2017 set"
    else:
        images, source = list(_crops(options.photos)), "crops of scikit-image's photos"
    rows = []
    for name in options.networks.split(","):
        rows.append(_measure(name, images))
        print(_line(rows[-1]), flush=True)
    table = _table(rows, f"{len(images)} {source}, {SIZE_PX} px; {machine()}; {date.today()}")
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")
    return 0 if all(row.ok for row in rows) else 1


def _measure(name: str, images: list[np.ndarray]) -> FidelityRow:
    network = build_network(name, weights="calibrated" if name in TORCHVISION else "pretrained")
    objective = AwayFromLabel(network).eval()
    example = {"image": torch.from_numpy(images[0]), "label": torch.tensor([0])}
    inputs = ({"image": image, "label": np.array([i * 97 % 1000])} for i, image in enumerate(images))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        save_graph(export_gradient(objective, example), path)
        return gradient_fidelity(name, load_graph(path).run, objective, inputs)


def _photos(count: int) -> Iterator[np.ndarray]:
    with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as table:
        names = [row["file"] for row in csv.DictReader(table)][:count]
    yield from (to_network_input(decode(PHOTOS / name).rgb_hwc, SIZE_PX, 1.0) for name in names)


def _crops(count: int) -> Iterator[np.ndarray]:
    from skimage import data

    photos = [photo() for photo in (data.astronaut, data.chelsea, data.coffee, data.rocket)]
    rng = np.random.default_rng(0)
    for index in range(count):
        photo = photos[index % len(photos)]
        side = int(rng.integers(min(photo.shape[:2]) // 3, min(photo.shape[:2])))
        top, left = (int(rng.integers(0, size - side + 1)) for size in photo.shape[:2])
        yield to_network_input(np.ascontiguousarray(photo[top : top + side, left : left + side]), SIZE_PX, 1.0)


def _table(rows: list[FidelityRow], conditions: str) -> str:
    return "\n".join(
        [
            f"Made by `python tests/benchmarks/parity_networks.py`: {conditions}.",
            "",
            "Error: ||g - g64|| / ||g64||, the geometric mean over the images. A pre-activation within rounding of",
            "zero may take the other piece of a ReLU than in float64, in either, which makes errors of 1e-6 into ones",
            "of 1e-2 image by image; the ratio is therefore given with two standard errors to each side.",
            "",
            "| network | error of the graph | error of torch float32 | ratio (95 %) | lowest cosine | passes |",
            "|---|---|---|---|---|---|",
            *map(_line, rows),
            "",
            f"Passes: the ratio is at most {HIGHEST_RATIO} and every cosine at least {LOWEST_COSINE}. Undecided: the",
            f"ratio found is over {HIGHEST_RATIO}, but {HIGHEST_RATIO} lies within its two standard errors, so that it",
            "takes more photos (`--photos`) to tell.",
            "",
        ]
    )


def _line(row: FidelityRow) -> str:
    highest = row.ratio**2 / row.ratio_at_least
    return (
        f"| {row.name} | {row.graph_error:.1e} | {row.torch_error:.1e} | {row.ratio:.2f} "
        f"({row.ratio_at_least:.2f} to {highest:.2f}) | {min(row.cosines):.6f} | {_verdict(row)} |"
    )


def _verdict(row: FidelityRow) -> str:
    if not row.ok:
        return "NO"
    return "yes" if row.ratio <= HIGHEST_RATIO else "undecided"


if __name__ == "__main__":
    sys.exit(main())

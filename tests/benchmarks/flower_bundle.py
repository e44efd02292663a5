"""What the flower graphs of a bundle are worth, through the code of the phone: photos decoded, resized, named.

    python tests/benchmarks/flower_bundle.py --data ../shared/data/flowers17 ../shared/data/flowers5 \
        --others ../shared/data/nips17

The test split alone, which neither training nor calibration has seen, once with wrong labels left out and once as the
folders have them; and photos of other things, less those that were learnt from.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mobile_app.core.bundle import DEFAULT_ROOT, load_bundle
from mobile_app.core.photo import decode
from mobile_app.core.recogniser import Recogniser, load_recogniser
from tests.benchmarks.machine import machine
from training.data.flowers import PhotoSet, load_flowers
from training.evaluate.classifier import expected_calibration_error
from training.recipes.flowers import FlowersConfig
from training.recipes.ship_flowers import FlowersJob, other_photos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--others-share", type=float, default=0.25)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_ROOT)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    entry = bundle.entry("flowers")
    short_side_px = round(entry.size_px / entry.crop)  # to which the phone resizes a photo first
    sets = {
        "checked": load_flowers(options.data, short_side_px),
        "as found": load_flowers(options.data, short_side_px, keep_faults=True),
    }
    job = FlowersJob(config=FlowersConfig(), out=Path(), others=options.others, others_share=options.others_share)
    others = [decode(path).rgb_hwc for path in other_photos(job)[1]]
    print(f"{machine()}; {len(others)} photos of other things\n")
    print("| graph | labels | photos | top-1 | top-5 | ECE | kept | of those right | others refused | ms a photo |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ("flowers", "flowers.int8"):
        recogniser = load_recogniser(bundle, name, threads=1)
        refused = np.mean([recogniser.look(photo).unsure for photo in others])
        for title, photos in sets.items():
            print(f"| {name} | {title} | " + " | ".join(_figures(recogniser, photos, float(refused))) + " |")


def _figures(recogniser: Recogniser, photos: PhotoSet, refused: float) -> Sequence[str]:
    rows = photos.rows("test")
    started = time.process_time()
    answers = [recogniser.look(photos.images[row], top=len(photos.classes)) for row in rows]
    ms = 1000 * (time.process_time() - started) / len(rows)
    labels = photos.labels[rows]
    right = np.array([answer.best.index for answer in answers]) == labels
    top5 = [label in [guess.index for guess in answer.top[:5]] for answer, label in zip(answers, labels, strict=True)]
    kept = np.array([not answer.unsure for answer in answers])
    probabilities = np.zeros((len(rows), len(photos.classes)))
    for position, answer in enumerate(answers):
        for guess in answer.top:
            probabilities[position, guess.index] = guess.probability
    error = expected_calibration_error(torch.from_numpy(probabilities), torch.from_numpy(labels))
    shares = (right.mean(), np.mean(top5))
    return [
        str(len(rows)), *(f"{100 * value:.2f} %" for value in shares), f"{error:.4f}", f"{100 * kept.mean():.1f} %",
        f"{100 * right[kept].mean():.2f} %", f"{100 * refused:.1f} %", f"{ms:.1f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()

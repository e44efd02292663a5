"""What recognisers that no one here trained say of the demo's photo before and after, both posted.

    make demo && python tests/benchmarks/demo_judges.py [--shared ../shared]

Posted is: long side 1080, JPEG 75 4:2:0. Needs the judges beside the repo, and the desk tools.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mobile_app.core.bundle import load_bundle
from mobile_app.core.classify import softmax
from mobile_app.core.photo import decode
from mobile_app.core.posting import recompress
from mobile_app.core.preprocess import to_network_input
from training.evaluate.judges import open_judges

SAMPLE = Path(__file__).parents[2] / "mobile_app" / "samples" / "coffee.jpg"
JUDGES = ("lite2", "darknet_tiny", "mobilenet_v1_tflite", "squeezenet")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cloaked", type=Path, default=Path("petalveil-demo/coffee.cloaked.jpg"))
    options = parser.parse_args()
    names = load_bundle().labels("objects")
    judges, _ = open_judges(JUDGES, options.shared)
    for judge in judges:
        said = []
        for path in (SAMPLE, options.cloaked):
            posted = recompress(decode(path).rgb_hwc, quality=75, long_side_px=1080)
            scores = judge.scores(to_network_input(posted, judge.size_px))[0]
            # The int8 judge gives probabilities, of which it rounds the small ones to 0; the others give logits.
            shares = scores if scores.min() >= 0 and scores.max() <= 1 else softmax(scores)
            said.append(f"{names[int(shares.argmax())]} {shares.max():.0%}")
        print(f"{judge.name}: {said[0]}, then {said[1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

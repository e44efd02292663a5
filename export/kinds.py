"""What can be named beside the contract's graphs: kinds of checkpoints, each with what it is. Imports nothing."""

from __future__ import annotations

KINDS = {
    "flowers": "the trained flower classifier",
    "generator": "what `python -m training generator` made",
    "commodel": "what `python -m training compression` made",
    "sensing": "what `python -m training sensing-photos` made",
    "shield": "what `python -m training comdefend --net phone` made",
    "lite0": "what `python -m training surrogate --network efficientnet_lite0` made",
    "lite1": "what `python -m training surrogate --network efficientnet_lite1` made",
}

"""Names in, judges out: ImageNet classifiers of one interface that say what they see in a photo.

Which part a judge had in an attack (attacked, surrogate, unseen) is the attack's to say: see training.evaluate.attacks.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mobile_app.core.bundle import load_bundle
from mobile_app.core.errors import PetalveilError
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.recogniser import OBJECTS
from mobile_app.core.runtime import load_graph
from training.errors import TrainingError
from training.evaluate.success import Answer
from training.models.efficientnet_lite import efficientnet_lite
from training.models.registry import TORCHVISION, build_network
from training.torchvision_shim import ensure_torchvision

Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]

RECOGNISER = "lite0_shipped"  # as the bundle has it
SHIPPED = {  # graphs of the bundle: the recogniser, and two networks that cloaks follow, as far as they recognise
    RECOGNISER: OBJECTS,
    "lite0_robust": "lite0.robust.gradient",
    "lite1_robust": "lite1.robust.gradient",
}
LITE = {"lite0": 0, "lite1": 1, "lite2": 2}
SHARED = {"squeezenet": "squeezenet_ndf", "darknet_tiny": "darknet_tiny", "mobilenet_v1_tflite": "mobilenet_v1_tflite"}
JUDGES = (*SHIPPED, *LITE, *SHARED, *TORCHVISION)
_BATCH = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """A classifier that looks at photos."""

    name: str
    size_px: int
    scores: Callable[[Array], Array]  # (N, 3, S, S) in [0, 1] -> (N, classes), larger is likelier
    digest: str  # of its weights, so that an answer is kept for this network and no other


def ask(judge: Judge, photos: Sequence[Pixels], crop: float) -> list[Answer]:
    """The judge's first five answers to each (H, W, 3) uint8 photo, of which it sees `crop` of the short side.

    Raises: TrainingError in one sentence if the judge fails or gives anything but finite scores.
    """
    inputs = [to_network_input(photo, judge.size_px, crop) for photo in photos]
    answers: list[Answer] = []
    for start in range(0, len(inputs), _BATCH):
        batch = np.concatenate(inputs[start : start + _BATCH])
        try:
            scores = np.asarray(judge.scores(batch))
        except (RuntimeError, ValueError, TypeError, PetalveilError) as error:
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(f"judge {judge.name}: failed ({first_line}); leave it out with --judges") from error
        if scores.ndim != 2 or len(scores) != len(batch) or scores.shape[1] < 5 or not np.isfinite(scores).all():
            found = f"{scores.shape}{'' if np.isfinite(scores).all() else ' with NaN or infinity'}"
            raise TrainingError(
                f"judge {judge.name}: expected finite scores of shape ({len(batch)}, classes), found {found}; "
                "leave it out with --judges"
            )
        best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        answers += [tuple(int(index) for index in row) for row in best]
    return answers


def open_judges(names: Sequence[str], shared: Path) -> tuple[list[Judge], list[str]]:
    """The judges of these names, or, for no names, all that can be had here.

    Returns: (judges, sentences on which cannot be had and why).
    Raises: TrainingError for an unknown name, for one that was named and cannot be had, and if none is left.
    """
    for name in names:
        if name not in JUDGES:
            raise TrainingError(f"judges: expected some of {', '.join(JUDGES)}, got {name!r}")
    judges: list[Judge] = []
    reasons: dict[str, list[str]] = {}
    for name in dict.fromkeys(names) or JUDGES:
        try:
            judges.append(_open(name, shared, may_download=bool(names)))
        except (TrainingError, ModuleNotFoundError) as error:
            if names:
                raise TrainingError(f"judge {name}: {error}") from error
            reasons.setdefault(str(error), []).append(name)
    sentences = [f"{', '.join(names)}: {reason}" for reason, names in reasons.items()]
    if not judges:
        raise TrainingError(f"judges: none can be had here ({'; '.join(sentences)})")
    return judges, sentences


def torch_judge(name: str, network: nn.Module, size_px: int) -> Judge:
    """A judge of a torch network on images in [0, 1]."""

    def scores(images: Array) -> Array:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).float().numpy()

    sha = hashlib.sha256(repr(network).encode())
    for values in network.state_dict().values():
        sha.update(values.contiguous().numpy().tobytes())
    return Judge(name=name, size_px=size_px, scores=scores, digest=sha.hexdigest()[:16])


def _open(name: str, shared: Path, *, may_download: bool) -> Judge:
    if name in SHIPPED:
        return _shipped(name)
    if name in LITE:
        network = efficientnet_lite(LITE[name])
        return torch_judge(name, network, network.size_px)
    return _from_shared(name, shared) if name in SHARED else _of_torchvision(name, may_download)


def _shipped(name: str) -> Judge:
    bundle = load_bundle()
    graph, entry = load_graph(bundle.path(SHIPPED[name])), bundle.entry(SHIPPED[name])
    label = {"label": np.array([0])} if "label" in graph.inputs else {}  # a gradient graph answers whatever it is given

    def scores(images: Array) -> Array:
        return np.concatenate([graph.run({"image": image[None], **label})["logits"] for image in images])

    digest = hashlib.sha256("".join(bundle.sha256[file] for file in (entry.file, *entry.data)).encode()).hexdigest()
    return Judge(name=name, size_px=entry.size_px, scores=scores, digest=digest[:16])


def load_shared(name: str, shared: Path) -> Any:
    """The network of a loader in `shared`/judges. Raises: TrainingError if it is not there."""
    loader = _loader(name, shared)
    with _importable(loader.parent):
        return importlib.import_module(name).load()


def _loader(name: str, shared: Path) -> Path:
    loader = shared / "judges" / f"{name}.py"
    if not loader.is_file():
        raise TrainingError(f"{loader}: missing; put the folder of judges beside the project or name it with --shared")
    return loader


def _from_shared(name: str, shared: Path) -> Judge:
    loader = _loader(name, shared)
    files = [loader, *sorted(path for path in (shared / "weights" / SHARED[name]).rglob("*") if path.is_file())]
    sha = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files))
    network = load_shared(name, shared)

    def scores(images: Array) -> Array:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return Judge(name=name, size_px=network.size, scores=scores, digest=sha.hexdigest()[:16])


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The loaders import what stands beside them by its bare name."""
    before: dict[str, ModuleType] = dict(sys.modules)
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(folder.resolve()))
        for name in set(sys.modules) - set(before):
            if (folder / f"{name}.py").is_file():
                del sys.modules[name]  # another folder of judges may have modules of the same names


def _of_torchvision(name: str, may_download: bool) -> Judge:
    ensure_torchvision()
    from torchvision import models

    url = models.get_model_weights(name).DEFAULT.url
    if not may_download and not (Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]).is_file():
        raise TrainingError("weights are not on this machine; name it with --judges to have them downloaded")
    try:
        network = build_network(name)
    except OSError as error:
        raise TrainingError(f"weights cannot be downloaded ({error}); leave it out") from error
    return torch_judge(name, network, 224)

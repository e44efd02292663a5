"""A CIFAR-10 classifier that learned on what a ComDefend gives back: the defence at training."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.files import write_whole
from training.bounds import check_bounds
from training.data.cifar10 import Cifar10
from training.errors import TrainingError
from training.progress import track
from training.recipes.comdefend_defences import Defence
from training.recipes.run_state import write_rows

_BATCH = 50


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Fine-tuning; on CIFAR-10's training part, with flips."""

    pictures: int = 5000
    epochs: int = 2
    learning_rate: float = 0.01  # falls in a line to 0
    momentum: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {"pictures": (_BATCH, 50_000), "epochs": (1, 1000), "learning_rate": (1e-7, 1), "momentum": (0, 1)}
        check_bounds(self, bounds)


def tuned_classifier(classifier: nn.Module, defence: Defence, data: Path, config: TuneConfig, out: Path) -> nn.Module:
    """A copy of the classifier, tuned on purified training pictures; kept in `out`, where a second call finds it.

    Its BatchNorms keep the statistics that they have: batches of one kind of picture would move them.
    """
    settings = json.dumps([vars(config), defence.key, _digest(classifier)], sort_keys=True)
    path = out / f"tuned-{hashlib.sha256(settings.encode()).hexdigest()[:16]}.pt"
    tuned = copy.deepcopy(classifier)
    if path.exists():
        tuned.load_state_dict(_read(path))
        return tuned.requires_grad_(False).eval()
    images, labels = _purified(Cifar10(data, "train"), defence, config)
    tuned.requires_grad_(True)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=config.learning_rate, momentum=config.momentum)
    steps = config.epochs * (len(images) // _BATCH)
    rng = np.random.default_rng([config.seed, 1])
    rows = []
    for number in track(range(steps), "tuning on purified pictures"):
        optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - number / steps)
        drawn = torch.from_numpy(rng.integers(0, len(images), _BATCH))
        batch = images[drawn].flip(3) if rng.random() < 0.5 else images[drawn]
        loss = F.cross_entropy(tuned(batch), labels[drawn])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows.append({"step": number + 1, "loss": float(loss.detach())})
    _save(path, tuned)
    write_rows(path.with_suffix(".csv"), rows)
    return tuned.requires_grad_(False).eval()


@torch.no_grad()
def _purified(cifar: Cifar10, defence: Defence, config: TuneConfig) -> tuple[Tensor, Tensor]:
    chosen = np.random.default_rng(config.seed).permutation(len(cifar))[: config.pictures]
    pixels = torch.from_numpy(cifar.images(chosen).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    done = [defence.purify(part) for part in track(pixels.split(_BATCH), "purifying")]
    return torch.cat(done), torch.from_numpy(cifar.labels[chosen])


def _save(path: Path, network: nn.Module) -> None:
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue(), force=True)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: expected weights of a tuned classifier, they do not load; remove it") from error


def _digest(network: nn.Module) -> str:
    sha = hashlib.sha256()
    for values in network.state_dict().values():
        sha.update(values.contiguous().numpy().tobytes())
    return sha.hexdigest()

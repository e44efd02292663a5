"""A classifier in, one that minds small changes less out: what a cloak follows to deceive classifiers it never met.

    python -m training surrogate --network efficientnet_lite1 --photos FOLDER... --out runs/surrogate-lite1

What deceives a classifier that was trained with small adversarial changes deceives others more often: it has to change
what they all look at (Springer et al. 2021, "A little robustness goes a long way", arXiv:2106.02105). Theirs learn that
on ImageNet. This one starts from the ImageNet weights and needs no labels: of whatever photos there are, changed along
its own gradient, it has to give the answer and the features that the original gives of the unchanged ones (adversarial
distillation, Goldblum et al. 2020, arXiv:1905.09747; the features keep what the classes of other photos hang on). The
change is one step along the sign of the gradient from a random start (Wong et al. 2020, arXiv:2001.03994). BatchNorm
keeps its statistics. The state is kept every 50 steps, and the same command goes on from there.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.bounds import check_bounds
from training.data.crops import Photos, read_photos
from training.models.registry import EFFICIENTNET_LITE, SQUEEZENET, build_network
from training.models.stored import load_model, save_model
from training.progress import track
from training.recipes.run_state import resume, save_state, warm_cosine, write_rows

LAST, MODEL, LOG = "last.pt", "model.pt", "log.csv"
NETWORKS = (*EFFICIENTNET_LITE, SQUEEZENET)
ROBUST_STEEPNESS = 1.5  # of the masks on its way back: at 1 the gradient is lost, at 2 fewer others are deceived
Report = Callable[[str], None]
_FORMAT = "surrogate"  # by which a model's file is told from others
_EVERY = 50  # steps between two rows of the log
_WARM = 50  # steps in which the learning rate rises
_SIDES_PX = (128, 160, 192, 224)
_OVERSHOOT = 1.25  # of the step along the sign, times the bound: from a random start it should reach the border


@dataclass(frozen=True, kw_only=True)
class SurrogateConfig:
    """One training run; with the photos it decides every number that comes out."""

    network: str = "efficientnet_lite1"  # one of NETWORKS
    steps: int = 2000
    batch: int = 12
    learning_rate: float = 2e-4
    bound_levels: float = 3.0  # of 255: each photo has its own largest change, drawn from 0 to this
    features: float = 2.0  # weight of the features beside the answer
    ema_decay: float = 0.995
    original: float = 0.5  # share of the original's weights in what is written
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ValueError(f"network: expected one of {', '.join(NETWORKS)}, got {self.network!r}")
        bounds = {
            "steps": (1, 10_000_000),
            "batch": (1, 4096),
            "learning_rate": (1e-7, 1),
            "bound_levels": (0, 64),
            "features": (0, 1000),
            "ema_decay": (0, 0.99999),
            "original": (0, 1),
            "seed": (0, 2**31),
        }
        check_bounds(self, bounds)


def train_surrogate(
    config: SurrogateConfig,
    folders: Sequence[str],
    out: Path,
    *,
    command: str = "",
    report: Report = lambda _line: None,
) -> nn.Module:
    """Train and write out/model.pt: the mean of the weights over the last steps, mixed with the original ones.

    Halfway between both lies a network that knows about as much as the original and minds changes about as little as
    the trained one (Wortsman et al. 2022, arXiv:2109.01903).

    Args:
        folders: of photos, see training.data.natural; each is drawn from as often as any other.
        report: is told each row of the log.
    Returns: the network in eval mode.
    Raises: TrainingError if there are no photos, or `out` holds a run of other settings or photos.
    """
    out.mkdir(parents=True, exist_ok=True)
    photos = read_photos(folders, short_side_px=max(_SIDES_PX) * 8 // 7)
    accelerator = Accelerator()
    original = build_network(config.network).to(accelerator.device, memory_format=torch.channels_last)  # pyright: ignore
    network = copy.deepcopy(original)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
    original.requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-5)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(_WARM, config.steps))
    parts = {"network": network, "average": average, "optimizer": optimizer, "rate": rate}
    run = hashlib.sha256(json.dumps([asdict(config), photos.sha256]).encode()).hexdigest()
    history = resume(out / LAST, parts, run)
    first = int(history[-1]["step"]) if history else 0
    recent: list[tuple[float, float, float]] = []
    started = time.perf_counter()
    for number in track(range(first, config.steps), f"surrogate {config.network}", total=config.steps - first):
        drawn = np.random.default_rng([config.seed, number])  # of this step alone: a resumed run draws the same
        image = _batch(photos, config.batch, drawn, accelerator.device)
        aim = _Aim(original, image, config.features)
        bound = torch.from_numpy(drawn.uniform(0, config.bound_levels / 255, (len(image), 1, 1, 1)).astype(np.float32))
        changed = attacked(network, image, bound.to(image.device), aim, drawn)
        loss, answer, kept = aim.missed_by(network, changed)
        optimizer.zero_grad(set_to_none=True)
        loss.mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        rate.step()
        average.update_parameters(network)
        recent.append((float(loss.mean().detach()), float(answer.mean().detach()), float(kept)))
        if (number + 1) % _EVERY == 0 or number + 1 == config.steps:
            means = dict(zip(("loss", "answer", "same_class"), np.mean(recent, 0).tolist(), strict=True))
            history.append({"step": number + 1, **means, "seconds": time.perf_counter() - started})
            recent.clear()
            save_state(out / LAST, parts, run, history)
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    facts = {"config": asdict(config), "photos": photos.count, "sha256": photos.sha256, "command": command,
             "log": history[-1]}  # fmt: skip
    robust = average.module.requires_grad_(False)
    for kept, start in zip(robust.parameters(), original.parameters(), strict=True):
        kept.lerp_(start, config.original)
    robust = robust.cpu().eval()
    save_model(out / MODEL, _FORMAT, robust, config={"network": config.network}, facts=facts)
    return robust


def load_surrogate(path: Path) -> tuple[nn.Module, dict[str, object]]:
    """A trained surrogate in eval mode, and the facts of its run.

    Raises: TrainingError if the file is missing or something else.
    """
    return load_model(path, _FORMAT, _build, name="a robust surrogate", command="python -m training surrogate")


def attacked(network: nn.Module, image: Tensor, bound: Tensor, aim: _Aim, rng: np.random.Generator) -> Tensor:
    """(N, 3, S, S) `image` and a change of at most `bound`, (N, 1, 1, 1), by which the network misses its aim more."""
    noise = torch.from_numpy(rng.uniform(-1, 1, image.shape).astype(np.float32)).to(image.device)
    change = (bound * noise).contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = list(network.parameters())
    for value in weights:  # half the time of this pass would go to their gradients
        value.requires_grad_(False)
    (gradient,) = torch.autograd.grad(aim.missed_by(network, image + change)[0].sum(), change)
    for value in weights:
        value.requires_grad_(True)
    change = torch.clamp(change.detach() + _OVERSHOOT * bound * gradient.sign(), -bound, bound)
    return (image + change).clamp(0, 1)


class _Aim:
    """What the original says and sees of photos without a change."""

    def __init__(self, original: nn.Module, image: Tensor, weight: float) -> None:
        with torch.no_grad():
            self._features, logits = _seen(original, image)
        self._answer = F.log_softmax(logits, 1)
        self._scale = self._features.square().mean((1, 2, 3), keepdim=True)
        self._weight = weight

    def missed_by(self, network: nn.Module, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N,) KL divergence of the answers + weight * squared distance of the features; the first alone, (N,); and
        the share of photos, a scalar, on which the first class is the same."""
        features, logits = _seen(network, image)
        answer = F.kl_div(F.log_softmax(logits, 1), self._answer, reduction="none", log_target=True).sum(1)
        seen = ((features - self._features).square() / self._scale).mean((1, 2, 3))
        same = (logits.argmax(1) == self._answer.argmax(1)).float().mean()
        return answer + self._weight * seen, answer, same


def _seen(network: Any, image: Tensor) -> tuple[Tensor, Tensor]:
    features = network.features(image)
    return features, network.classify(features)


def _batch(photos: Photos, count: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    side = int(rng.choice(_SIDES_PX))
    pixels = np.stack([photos.crop(side, rng) for _ in range(count)])
    if rng.random() < 0.3:  # two photos side by side: more than flowers alone would show
        cut = int(side * rng.uniform(0.3, 0.7))
        pixels[:, :, cut:] = np.roll(pixels, 1, 0)[:, :, cut:]
    image = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    return image.to(device).contiguous(memory_format=torch.channels_last)


def _build(config: Mapping[str, object]) -> nn.Module:
    return build_network(str(config.get("network")), weights="random")

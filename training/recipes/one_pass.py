"""Photos and several classifiers in; a universal perturbation, or a generator that writes one a photo, out.

    python -m training universal --photos ../shared/data/photos:128 ../shared/data/nips17:48 --out runs/universal
    python -m training generator --photos ... --universal runs/universal/model.pt --out runs/generator

Each step shows one classifier a batch of photos with the change laid over them, each pixel inside its budget, then
mostly a JPEG round trip (straight through) and always a random size and place, and makes the classifier surer of
anything else. Its ReLUs pass gradients on smoothly (training.objectives.smooth). The state is kept every 50 steps, and
the same command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.looks import sampling
from mobile_app.core.posting import recompress
from mobile_app.core.preprocess import from_uint8, to_uint8
from training.bounds import check_bounds
from training.data.natural import Views, read_views
from training.errors import TrainingError
from training.models.generator import SIZE_PX, CloakGenerator, Universal
from training.models.stored import load_model, save_model
from training.objectives.smooth import SmoothMasks
from training.progress import track
from training.recipes.run_state import resume, save_state, write_rows

LAST, MODEL, LOG = "last.pt", "model.pt", "log.csv"
Kind = Literal["universal", "generator"]
Report = Callable[[str], None]
_FORMAT = "one_pass"  # by which a model's file is told from others
_EVERY = 50  # steps between two rows of the log
_VIEW_PX = 256
_SMALLEST_SHARE = 0.75  # of the side at which a classifier sees a photo
_ZOOM = (0.85, 1.15)
_POSTED = 0.6  # share of the batches that go through a JPEG
_QUALITIES = (55, 95)


@dataclass(frozen=True, kw_only=True, eq=False)
class Surrogate:
    """A classifier to be deceived."""

    name: str
    network: nn.Module  # (N, 3, S, S) in [0, 1] -> logits, for any S
    share: float = 1.0  # of the steps
    smooth: float = 2.0  # steepness of its ReLUs' masks
    temperature: float = 1.0  # its logits are divided by it


@dataclass(frozen=True, kw_only=True)
class OnePassConfig:
    """One training run; with photos and classifiers it decides every number that comes out."""

    kind: Kind = "generator"
    steps: int = 3000
    batch: int = 8
    learning_rate: float = 6e-4  # of the generator; a universal pattern moves by shares of its range
    stride: float = 0.06  # of a universal pattern, at the start
    margin: float = 2.0  # in logits, by which another class should win
    views_a_photo: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("universal", "generator"):
            raise ValueError(f"kind: expected universal or generator, got {self.kind!r}")
        bounds = {
            "steps": (1, 10_000_000),
            "batch": (1, 4096),
            "learning_rate": (1e-7, 1),
            "stride": (1e-4, 1),
            "margin": (0, 100),
            "views_a_photo": (1, 1000),
            "seed": (0, 2**31),
        }
        check_bounds(self, bounds)


def train_one_pass(
    config: OnePassConfig,
    photos: Sequence[str],
    surrogates: Sequence[Surrogate],
    out: Path,
    *,
    universal: Path | None = None,
    command: str = "",
    report: Report = lambda _line: None,
) -> nn.Module:
    """Train and write out/model.pt.

    Args:
        photos: folders, see training.data.natural.
        universal: a model.pt of a universal run, for a generator to start from.
        report: is told each row of the log.
    Returns: a Universal or a CloakGenerator in eval mode.
    Raises: TrainingError if there are no photos or classifiers, or `out` holds a run of other settings.
    """
    if not surrogates:
        raise TrainingError("surrogates: expected one classifier or more, found none")
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(config.seed)
    views = read_views(photos, views_a_photo=config.views_a_photo, side_px=_VIEW_PX, rng=rng)
    accelerator = Accelerator()
    for surrogate in surrogates:
        surrogate.network.eval().requires_grad_(False)
        surrogate.network.to(accelerator.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    labels = {one.name: _Labels(one.network, views, accelerator.device) for one in surrogates}
    torch.manual_seed(config.seed)  # for the constructor; what follows draws from `rng`
    network = _start(config, universal, rng).to(accelerator.device)
    step = _Descent(network, config) if config.kind == "generator" else _Projected(network, config)
    parts = {"network": network, "optimizer": step}
    run = _fingerprint(config, views, surrogates, universal)
    history = resume(out / LAST, parts, run)
    fooled: dict[str, list[float]] = {one.name: [] for one in surrogates}
    started = time.perf_counter()
    first = int(history[-1]["step"]) if history else 0
    shares = np.array([one.share for one in surrogates])
    for number in track(range(first, config.steps), f"{config.kind}", total=config.steps - first):
        drawn = np.random.default_rng([config.seed, number])  # of this step alone: a resumed run draws the same
        one = surrogates[drawn.choice(len(surrogates), p=shares / shares.sum())]
        image, bound, index = _batch(views, config.batch, drawn, accelerator.device)
        label = labels[one.name].of(index)
        changed = (image + network(image) * bound).clamp(0, 1)
        with SmoothMasks(one.smooth):
            logits = one.network(_as_seen(changed, drawn))
        loss = _loss(logits / one.temperature, label, config.margin)
        step.take(loss, _decay(number, config.steps))
        fooled[one.name].append(float((logits.argmax(1) != label).float().mean()))
        if (number + 1) % _EVERY == 0 or number + 1 == config.steps:
            rates = {name: float(np.mean(rates[-_EVERY:])) if rates else math.nan for name, rates in fooled.items()}
            history.append({"step": number + 1, **rates, "seconds": time.perf_counter() - started})
            save_state(out / LAST, parts, run, history)  # pyright: ignore[reportArgumentType]
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    facts = {"kind": config.kind, "config": asdict(config), "photos": len(views.pixels) // config.views_a_photo,
             "surrogates": [one.name for one in surrogates], "command": command}  # fmt: skip
    save_model(out / MODEL, _FORMAT, network, config={"kind": config.kind}, facts=facts)
    return network.cpu().eval()


def load_one_pass(path: Path) -> tuple[nn.Module, dict[str, object]]:
    """A trained Universal or CloakGenerator in eval mode, and the facts of its run.

    Raises: TrainingError if the file is missing or something else.
    """
    name, command = "a universal perturbation or a generator", "python -m training universal | generator"
    return load_model(path, _FORMAT, _build, name=name, command=command)


def _build(config: Mapping[str, object]) -> nn.Module:
    kind = config.get("kind")
    if kind not in ("universal", "generator"):
        raise ValueError(f"kind: expected universal or generator, got {kind!r}")
    return Universal() if kind == "universal" else CloakGenerator()


def _start(config: OnePassConfig, universal: Path | None, rng: np.random.Generator) -> nn.Module:
    if config.kind == "universal":
        network = Universal()
        noise = torch.from_numpy(rng.normal(size=(1, 1, SIZE_PX, SIZE_PX)).astype(np.float32))
        with torch.no_grad():
            network.pattern.copy_(_blurred(noise).sign() / 2)
        return network
    generator = CloakGenerator()
    if universal is not None:
        loaded, _ = load_one_pass(universal)
        if not isinstance(loaded, Universal):
            raise TrainingError(f"{universal}: expected a universal perturbation, found a generator")
        with torch.no_grad():
            generator.pattern.copy_(loaded.pattern)
    return generator.train()


class _Descent:
    """AdamW on what is trained."""

    def __init__(self, network: nn.Module, config: OnePassConfig) -> None:
        self._parameters = [value for value in network.parameters() if value.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=config.learning_rate, weight_decay=1e-4)
        self._rate = config.learning_rate

    def take(self, loss: Tensor, factor: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * factor
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()

    def state_dict(self) -> dict[str, object]:
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        self._optimizer.load_state_dict(state)


class _Projected:
    """Steps along the smoothed, normalised momentum of a pattern that stays within [-1, 1].

    The blur keeps what recompression keeps (as translation-invariant attacks do, Dong et al. 2019, arXiv:1904.02884).
    """

    def __init__(self, network: nn.Module, config: OnePassConfig) -> None:
        assert isinstance(network, Universal)
        self._pattern, self._stride = network.pattern, config.stride
        self._velocity = torch.zeros_like(self._pattern)

    def take(self, loss: Tensor, factor: float) -> None:
        (grad,) = torch.autograd.grad(loss, self._pattern)
        grad = _blurred(grad)
        self._velocity = 0.9 * self._velocity + grad / grad.abs().mean().clamp(min=1e-20)
        direction = (self._velocity / self._velocity.square().mean().sqrt().clamp(min=1e-20)).clamp(-2, 2)
        with torch.no_grad():
            self._pattern.sub_(self._stride * factor * direction).clamp_(-1, 1)

    def state_dict(self) -> dict[str, Tensor]:
        return {"velocity": self._velocity}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._velocity = state["velocity"].to(self._pattern.device)


def _decay(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / 30) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _loss(logits: Tensor, label: Tensor, margin: float) -> Tensor:
    """-log(1 - p) of the label with a margin: it lets go of a photo once another class is surer by that much."""
    of_label = logits.gather(1, label[:, None])[:, 0]
    others = logits.scatter(1, label[:, None], -1e4).logsumexp(1)
    return F.softplus(of_label - others + margin).mean()


def _batch(views: Views, count: int, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 3, S, S) photos, (N, 3, S, S) bounds in [0, 1], and which views they are."""
    index = rng.integers(0, len(views.pixels), count)
    images, bounds = [], []
    for view in index:
        top, left = rng.integers(0, _VIEW_PX - SIZE_PX + 1, 2)
        rows, columns = slice(top, top + SIZE_PX), slice(left, left + SIZE_PX)
        turn = -1 if rng.random() < 0.5 else 1
        images.append(from_uint8(views.pixels[view, rows, columns][:, ::turn]))
        bounds.append(views.bound_levels[view, :, rows, columns][None, ..., ::turn].astype(np.float32) / 255)
    image = torch.from_numpy(np.concatenate(images)).to(device, memory_format=torch.channels_last)
    return image, torch.from_numpy(np.concatenate(bounds)).to(device), torch.from_numpy(index).to(device)


def _as_seen(image: Tensor, rng: np.random.Generator) -> Tensor:
    """What a classifier gets of a posted photo: recompressed, mostly, and at some size and place."""
    if rng.random() < _POSTED:
        quality = int(rng.integers(*_QUALITIES))
        plain = image.detach().cpu().numpy()
        posted = np.concatenate([from_uint8(recompress(to_uint8(one[None]), quality=quality)) for one in plain])
        image = image + (torch.from_numpy(posted).to(image.device) - image).detach()
    side = int(rng.integers(int(_SMALLEST_SHARE * SIZE_PX), SIZE_PX + 1))
    zoom = rng.uniform(*_ZOOM)
    rows, columns = (_sampling(side, zoom, rng.uniform(-6, 6)).to(image.device) for _ in range(2))
    return (rows @ image @ columns.T).contiguous(memory_format=torch.channels_last)


def _sampling(side: int, zoom: float, shift: float) -> Tensor:
    """(side, S): the whole side, `zoom` times as large and shifted by so many pixels."""
    return torch.from_numpy(sampling(SIZE_PX, side, zoom * side / SIZE_PX, SIZE_PX / 2 + shift))


class _Labels:
    """What a classifier names the middle of each view, asked once a view."""

    def __init__(self, network: nn.Module, views: Views, device: torch.device) -> None:
        self._network, self._pixels, self._device = network, views.pixels, device
        self._known = torch.full((len(views.pixels),), -1, device=device)

    @torch.no_grad()
    def of(self, index: Tensor) -> Tensor:
        new = index[self._known[index] < 0].unique()
        if len(new):
            start = (_VIEW_PX - SIZE_PX) // 2
            middle = self._pixels[new.cpu().numpy(), start : start + SIZE_PX, start : start + SIZE_PX]
            image = torch.from_numpy(middle.transpose(0, 3, 1, 2).astype(np.float32) / 255)
            self._known[new] = self._network(image.to(self._device, memory_format=torch.channels_last)).argmax(1)
        return self._known[index]


def _blurred(pattern: Tensor) -> Tensor:
    """A Gaussian of 1.2 px along both axes."""
    radius = 4
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, device=pattern.device) ** 2) / (2 * 1.2**2))
    kernel = kernel / kernel.sum()
    padded = F.pad(pattern, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def _fingerprint(config: OnePassConfig, views: Views, surrogates: Sequence[Surrogate], universal: Path | None) -> str:
    start = hashlib.sha256(universal.read_bytes()).hexdigest() if universal and universal.is_file() else None
    facts = [(one.name, one.share, one.smooth, one.temperature) for one in surrogates]
    return hashlib.sha256(json.dumps([asdict(config), views.sha256, facts, start]).encode()).hexdigest()

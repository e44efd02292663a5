"""Train the codec for photos: folders of photos in, a codec whose pictures people can see and recognisers cannot out.

    python -m training sensing-photos --photos ../shared/data/photos ../shared/data/nips17:192 --out runs/sensing-photos

First the plain codec, by squared error, from principal components; it is kept as plain.pt. Then its reconstruction is
trained against classifiers, equation 4, with alpha steered as in `sensing`; the encoder and the first, linear part of
the decoder stay as they are. Every batch has a rate and a rounding step of its own, so one model serves all. What a
classifier is shown has some other size; the label is what it says of the patch itself. Textures that only work at these
sizes are averaged away in larger photos: `--patch-px 256 --shown-px 96 224 --batch 2` is for those, at twice the time.

The state is kept every 25 steps, and the same command goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F

from mobile_app.core.sensing_format import BLOCK_PX, RATES
from training.bounds import check_bounds
from training.data.natural import Views, read_views
from training.errors import TrainingError
from training.models.sensing_losses import adversarial_loss, classifier_loss, reconstruction_loss
from training.models.sensing_photo import (
    SensingCodec,
    kept,
    load_sensing,
    measurement_noise,
    save_sensing,
    with_edges,
)
from training.objectives.smooth import SmoothMasks
from training.progress import track
from training.recipes.one_pass import Surrogate
from training.recipes.run_state import resume, save_state, warm_cosine, write_rows

LAST, MODEL, PLAIN, LOG = "last.pt", "model.pt", "plain.pt", "log.csv"
_EVERY = 25
_GAIN = 0.05  # of log(alpha), for each dB that a batch is off
_LABELLED_PX = 192  # at which a classifier says what a patch shows
_STEPS_OF_ROUNDING = (0.06, 0.2)  # of the range of a pixel, as the files may have it
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class PhotoSensingConfig:
    """One training run; with photos and classifiers it decides every number that comes out."""

    plain_steps: int = 250
    steps: int = 450  # against classifiers
    batch: int = 4
    patch_px: int = 128  # of what is cut from photos; a multiple of a block
    shown_px: tuple[int, int] = (112, 192)  # smallest and largest side at which a classifier sees a patch
    learning_rate: float = 1e-3
    quality_loss: float = 0.08  # share of the plain codec's PSNR that is given up
    beta: float = 1.0
    limit: float = 10.0  # nats, see training.models.sensing_losses
    views_a_photo: int = 2
    precision: str = "bf16"  # of the deep reconstruction; or "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "plain_steps": (1, 10_000_000),
            "steps": (0, 10_000_000),
            "batch": (1, 4096),
            "learning_rate": (1e-7, 1),
            "quality_loss": (0.001, 0.9),
            "beta": (0, 1e6),
            "limit": (0, 1000),
            "views_a_photo": (1, 1000),
            "patch_px": (BLOCK_PX, 1024),
        }
        check_bounds(self, bounds)
        if self.patch_px % BLOCK_PX:
            raise ValueError(f"patch_px: expected a multiple of {BLOCK_PX}, got {self.patch_px}")
        if len(self.shown_px) != 2 or not 16 <= self.shown_px[0] < self.shown_px[1] <= 1024:
            raise ValueError(f"shown_px: expected two sides from 16 to 1024, the smaller first, got {self.shown_px}")
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision: expected bf16 or fp32, got {self.precision!r}")


def train_photo_codec(
    config: PhotoSensingConfig,
    photos: Sequence[str],
    surrogates: Sequence[Surrogate],
    out: Path,
    *,
    command: str = "",
    report: Report = lambda _line: None,
) -> SensingCodec:
    """Train and write out/plain.pt and out/model.pt.

    Args:
        photos: folders, see training.data.natural.
        surrogates: classifiers to be deceived, each by its share of the steps.
    Returns: the codec in eval mode.
    Raises: TrainingError if there are no photos or classifiers, or `out` holds a run of other settings.
    """
    if not surrogates:
        raise TrainingError("surrogates: expected one classifier or more, found none")
    out.mkdir(parents=True, exist_ok=True)
    views = read_views(
        photos, views_a_photo=config.views_a_photo, side_px=config.patch_px, rng=np.random.default_rng(config.seed)
    )
    device = Accelerator().device
    for one in surrogates:
        one.network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # pyright: ignore
    torch.manual_seed(config.seed)
    codec = SensingCodec()
    job = _Job(config, codec, views, surrogates, device)
    run = _fingerprint(config, views, surrogates)
    history = resume(out / LAST, job.parts, run)
    if not history:
        images = torch.from_numpy(views.pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        codec.encoder.start_at_principal_components(images)
        codec.decoder.start_at(codec.encoder)
    codec.to(device)
    facts = {"config": _plain(config), "photos": len(views.pixels) // config.views_a_photo, "command": command}
    facts |= {"surrogates": [one.name for one in surrogates], "patches sha256": views.sha256}
    first, started = int(history[-1]["step"]) if history else 0, time.perf_counter()
    total = config.plain_steps + config.steps
    seen: list[dict[str, float]] = []
    for number in track(range(first, total), "codec for photos", total=total - first):
        if number == config.plain_steps:
            save_sensing(out / PLAIN, codec, {**facts, "against": []})
            seen.clear()
        seen.append(job.plain_step(number) if number < config.plain_steps else job.adversarial_step(number))
        if (number + 1) % _EVERY == 0 or number + 1 in (config.plain_steps, total):
            row = {"step": number + 1, **{name: _mean([one.get(name, math.nan) for one in seen]) for name in _COLUMNS}}
            history.append({**row, "seconds": time.perf_counter() - started})
            seen.clear()
            if not math.isfinite(row["LG"]):
                raise TrainingError("LG: the loss is not finite; lower --learning-rate")
            save_state(out / LAST, job.parts, run, history)
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    save_sensing(out / MODEL, codec.cpu(), {**facts, "against": facts["surrogates"] if config.steps else []})
    return load_sensing(out / MODEL)[0]


_COLUMNS = ("LG", "LC", "read", "psnr_db", "lost_db", "alpha")


class _Job:
    """The codec and one step of it."""

    def __init__(
        self,
        config: PhotoSensingConfig,
        codec: SensingCodec,
        views: Views,
        surrogates: Sequence[Surrogate],
        device: torch.device,
    ) -> None:
        self._config, self._codec, self._views, self._device = config, codec, views, device
        self._surrogates = list(surrogates)
        shares = np.array([one.share for one in surrogates])
        self._shares = shares / shares.sum()
        decoder = codec.decoder
        trained = [*decoder.deep.parameters(), *decoder.skip.parameters()]
        self._plain = torch.optim.Adam(trained, lr=config.learning_rate)
        self._adversarial = torch.optim.Adam(trained, lr=config.learning_rate)
        self._steered = _Steered()
        self._known: dict[str, dict[int, int]] = {}
        self.parts: dict[str, Any] = {
            "codec": codec,
            "plain": self._plain,
            "adversarial": self._adversarial,
            "steered": self._steered,
        }

    def plain_step(self, number: int) -> dict[str, float]:
        """One step by squared error."""
        images, found = self._drawn(number)
        loss = reconstruction_loss(found, images)
        self._take(self._plain, loss, number, self._config.plain_steps)
        psnr = _psnr(found, images)
        self._steered.see_plain(psnr)
        return {"LG": float(loss.detach()), "psnr_db": psnr}

    def adversarial_step(self, number: int) -> dict[str, float]:
        """One step against one classifier."""
        config = self._config
        images, found = self._drawn(number)
        rng = np.random.default_rng([config.seed, number, 1])
        one = self._surrogates[rng.choice(len(self._surrogates), p=self._shares)]
        side = int(rng.integers(*config.shown_px))
        labels = self._labels(one)
        with SmoothMasks(one.smooth):
            logits = one.network(_at_side(found.clamp(0, 1), side))
        loss_c = classifier_loss(logits / one.temperature, labels, limit=config.limit)
        loss_g = reconstruction_loss(found, images)
        # Per picture LG grows with its pixels; here it is counted as for pictures of 32 x 32, as alpha is elsewhere.
        scaled = loss_g * 1024 / found[0].numel()
        loss = adversarial_loss(scaled, loss_c, alpha=self._steered.alpha, beta=config.beta)
        self._take(self._adversarial, loss, number - config.plain_steps, config.steps)
        psnr, plain = _psnr(found, images), self._linear_psnr
        self._steered.steer(psnr - plain, config.quality_loss)
        return {
            "LG": float(loss_g.detach()),
            "LC": float(loss_c.detach()),
            "read": float((logits.argmax(1) == labels).float().mean()),
            "psnr_db": psnr,
            "lost_db": self._steered.gain_db - (psnr - plain),
            "alpha": self._steered.alpha,
        }

    @torch.no_grad()
    def _labels(self, one: Surrogate) -> Tensor:
        """What a classifier says of the patches of this step as they are, asked once a patch."""
        known = self._known.setdefault(one.name, {})
        new = [view for view in dict.fromkeys(self._index) if view not in known]
        if new:
            images = torch.from_numpy(self._views.pixels[new].transpose(0, 3, 1, 2).astype(np.float32) / 255)
            found = one.network(_at_side(images.to(self._device), _LABELLED_PX)).argmax(1).tolist()
            known.update(zip(new, found, strict=True))
        return torch.tensor([known[view] for view in self._index], device=self._device)

    def _drawn(self, number: int) -> tuple[Tensor, Tensor]:
        """A batch and its reconstruction, at a rate and a rounding of its own; from the number of the step alone."""
        rng = np.random.default_rng([self._config.seed, number])
        index = rng.integers(0, len(self._views.pixels), self._config.batch)
        self._index = index.tolist()
        pixels = self._views.pixels[index]
        pixels = np.where(rng.random((len(pixels), 1, 1, 1)) < 0.5, pixels[:, :, ::-1], pixels)
        images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255).to(self._device)
        rate = list(RATES)[int(rng.integers(len(RATES)))]
        noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
        with torch.no_grad():
            exact = self._codec.encoder(images)
            measured = kept(measurement_noise(exact, float(rng.uniform(*_STEPS_OF_ROUNDING)), noise), rate)
        found = with_edges(self._codec.decoder, measured, self._correction)
        with torch.no_grad():  # what the linear part alone would give, to tell a hard batch from a bad model
            flat = with_edges(self._codec.decoder, measured, lambda first: first.new_zeros(()))
            self._linear_psnr = _psnr(flat, images)
        if number < self._config.plain_steps:
            self._steered.last_linear = self._linear_psnr
        return images, found

    def _correction(self, first: Tensor) -> Tensor:
        is_fast = self._config.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=is_fast):
            corrected = self._codec.decoder.correction(first.contiguous(memory_format=torch.channels_last))
        return corrected.float()

    def _take(self, optimizer: torch.optim.Optimizer, loss: Tensor, number: int, total: int) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self._config.learning_rate * warm_cosine(max(1, total // 20), total)(number)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class _Steered:
    """alpha, and how much better than its linear part the plain codec was: what the adversarial one is held to."""

    def __init__(self) -> None:
        self.alpha = 10.0
        self.gain_db = 0.0
        self.plain_db = 25.0
        self.last_linear = 25.0

    def see_plain(self, psnr_db: float) -> None:
        self.gain_db += 0.1 * (psnr_db - self.last_linear - self.gain_db)
        self.plain_db += 0.1 * (psnr_db - self.plain_db)

    def steer(self, over_linear_db: float, quality_loss: float) -> None:
        wanted = self.gain_db - quality_loss * self.plain_db
        change = max(-0.5, min(0.5, _GAIN * (wanted - over_linear_db)))
        self.alpha = min(1e5, max(1e-3, self.alpha * math.exp(change)))

    def state_dict(self) -> dict[str, float]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, float]) -> None:
        vars(self).update(state)


def _psnr(found: Tensor, images: Tensor) -> float:
    error = (found.detach().clamp(0, 1) - images).square().mean((1, 2, 3)).clamp(min=1e-10)
    return float(-10 * error.log10().mean())


def _at_side(images: Tensor, side: int) -> Tensor:
    shown = F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return shown.contiguous(memory_format=torch.channels_last)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _plain(config: PhotoSensingConfig) -> dict[str, Any]:
    return {**asdict(config), "shown_px": list(config.shown_px)}


def _fingerprint(config: PhotoSensingConfig, views: Views, surrogates: Sequence[Surrogate]) -> str:
    facts = [(one.name, one.share, one.smooth, one.temperature) for one in surrogates]
    return hashlib.sha256(json.dumps([asdict(config), views.sha256, facts]).encode()).hexdigest()

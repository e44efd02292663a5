"""Train CSNet, and from it reconstructions that people can see and classifiers cannot: grey pictures in, model.pt out.

    python -m training sensing --data ../shared/data/cifar10/cifar10_jpeg.npz --rate 0.1 0.2 0.3 \\
        --against none vgg resnet generative --out runs/sensing

`none` is CSNet itself, trained on LG alone. `vgg` and `resnet` are Adv-CSNet-C, equations 4 to 6; `generative` is
Adv-CSNet, equations 7 to 12; both start from the CSNet of their rate, whose sampling S stays as it is: G is what is
trained against a classifier, so one file of measurements serves either reconstruction.

Two places of the text are decided here. gamma_D = 0 would leave D_rec untrained while (12) asks it: it is 1 here, D_rec
begins as a trained classifier, and `printed` is the run as printed, with 0 and a random D_rec. And alpha, which decides
between seeing and hiding but means nothing without the scale of d, is steered: it rises while reconstructions have lost
more than `quality_loss` of the PSNR of CSNet and falls while less (0: alpha stays as it is).

The state is kept every 40 steps, so the same command goes on from there. `start_from` names the --out of earlier runs
whose models the new ones begin at; S stays that of the earlier CSNet then, in the new CSNet, too. Generative runs begin
at the CSNet even so, since the critic that they were trained with is not kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.bounds import check_bounds
from training.errors import TrainingError
from training.models.sensing import CSNet, CSNetConfig, build_csnet, load_csnet, save_csnet
from training.models.sensing_classifiers import CLASSIFIERS, Recognising, build_classifier
from training.models.sensing_losses import (
    adversarial_loss,
    classifier_loss,
    discriminator_loss,
    discriminator_rec_loss,
    discriminator_rf_loss,
    generator_loss,
    generator_rf_loss,
    reconstruction_loss,
)
from training.objectives.smooth import SmoothMasks
from training.progress import track
from training.recipes.run_state import resume, save_state, warm_cosine, write_rows
from training.recipes.sensing_classifiers import augmented_batch
from training.recipes.sensing_data import Greys, GreySplits

LAST, MODEL, LOG = "last.pt", "model.pt", "log.csv"
AGAINST = ("none", *CLASSIFIERS, "generative", "printed")
_EVERY = 40  # steps between two rows of the log
_PROMPT, _PATIENT = 1.2, 0.08  # of log(alpha) for each dB that is missing: at once, and for good
_MEMORY = 0.6  # of what was missing in the batches before
_LINEAR_RATE = 0.03  # of sampling and initial reconstruction: they begin where they should, and their numbers are small
_SMOOTH = 2.0  # steepness of the classifier's masks on the way back
_SEEN_SHIFT_PX, _SEEN_NOISE = 1, 0.01  # of what the classifier is shown: what deceives through these transfers
Report = Callable[[str], None]
Against = Literal["none", "vgg", "resnet", "generative", "printed"]


@dataclass(frozen=True, kw_only=True)
class SensingConfig:
    """One training run; with the pictures and classifiers it decides every number that comes out."""

    rate: float = 0.1
    against: Against = "none"
    steps: int = 300
    batch: int = 50
    learning_rate: float = 3e-3
    quality_loss: float = 0.09  # share of CSNet's PSNR that alpha is steered to give up; 0: alpha is fixed
    alpha: float = 0.3  # of LG, equations 4 and 10; with quality_loss, only where it begins
    beta: float = 1.0  # of LC, equation 4
    lambda_d: float = 1.0  # of D_rf, equation 7
    gamma_d: float = 1.0  # of D_rec, equation 7; 0 in the paper, and in `printed`
    lambda_g: float = 1.0  # of D_rf, equation 10
    gamma_g: float = 0.1  # of D_rec, equation 10
    critic_rate: float = 1.0  # of the learning rate, that of D: a D_rec that hardly moves can be deceived for good
    limit: float = 8.0  # nats at which a picture's cross-entropy ends in (6) and (12); 0: none
    mirror: bool = True  # not for digits
    precision: str = "bf16"  # of the deep reconstruction and the classifiers; or "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.against not in AGAINST:
            raise ValueError(f"against: expected one of {', '.join(AGAINST)}, got {self.against!r}")
        if self.precision not in ("bf16", "fp32"):
            raise ValueError(f"precision: expected bf16 or fp32, got {self.precision!r}")
        bounds = {
            "rate": (1e-3, 1),
            "steps": (1, 10_000_000),
            "batch": (1, 65_536),
            "learning_rate": (1e-7, 1),
            "quality_loss": (0, 0.9),
            "limit": (0, 1000),
            "alpha": (1e-9, 1e9),
            "critic_rate": (0, 100),
            **dict.fromkeys(("beta", "lambda_d", "gamma_d", "lambda_g", "gamma_g"), (0, 1e9)),
        }
        check_bounds(self, bounds)

    @property
    def folder(self) -> str:
        """The run's name under --out."""
        return f"{self.against}-{self.rate:g}"


def train_sensing(
    config: SensingConfig,
    splits: GreySplits,
    out: Path,
    classifiers: Mapping[str, nn.Module],
    *,
    start_from: Path | None = None,
    command: str = "",
    report: Report = lambda _line: None,
) -> CSNet:
    """Train one model and write out/FOLDER/model.pt, unless it is there.

    Args:
        out: the folder of all runs; a run against something is held to out/none-RATE/model.pt, and starts from it.
        classifiers: by name, those of `training.recipes.sensing_classifiers`; none are needed for `none`.
        start_from: a folder of earlier runs; the model starts from the one of its name there, unless it is generative.
    Returns: the model in eval mode.
    Raises: TrainingError if a model to start from is missing or samples otherwise than the CSNet of `out`, or the run's
        folder holds one of other settings.
    """
    folder = out / config.folder
    plain = None if config.against == "none" else out / f"none-{config.rate:g}" / MODEL
    is_continued = start_from is not None and config.against in ("none", *CLASSIFIERS)
    start = start_from / config.folder / MODEL if start_from and is_continued else plain
    run = _fingerprint(config, splits, [path for path in dict.fromkeys((plain, start)) if path], classifiers)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MODEL).is_file():
        model, facts = load_csnet(folder / MODEL)
        if facts["run"] != run:
            raise TrainingError(f"{folder / MODEL}: holds a run with other settings; name another --out or remove it")
        return model
    device = Accelerator().device
    model = _start(config, splits, start)
    goal = None
    if plain:
        reference = load_csnet(plain)[0]
        if not torch.equal(reference.sampling.weight, model.sampling.weight):
            raise TrainingError(f"{start}: samples otherwise than {plain}; start both from the same runs")
        goal = (1 - config.quality_loss) * mean_psnr(reference, splits.val)
    model.sampling.requires_grad_(start is None)
    model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    job = _Job(config, model, classifiers, goal, device, classes=splits.classes)
    history = resume(folder / LAST, job.parts, run)
    first, started = int(history[-1]["step"]) if history else 0, time.perf_counter()
    seen: list[dict[str, float]] = []
    for step in track(range(first, config.steps), config.folder, total=config.steps - first):
        images, labels = augmented_batch(
            splits.train, config.batch, (config.seed, step), mirror=config.mirror, shift_px=0
        )
        seen.append(job.step(images.to(device), labels.to(device), step))
        if (step + 1) % _EVERY == 0 or step + 1 == config.steps:
            row = {name: float(np.mean([one[name] for one in seen])) for name in seen[0]}
            history.append({"step": step + 1, **row, "seconds": time.perf_counter() - started})
            seen.clear()
            if not math.isfinite(history[-1]["LG"]):
                raise TrainingError(f"{config.folder}: the loss is not finite; lower --learning-rate")
            save_state(folder / LAST, job.parts, run, history)
            write_rows(folder / LOG, history)
            report(f"{config.folder}  " + "  ".join(f"{name} {value:.4g}" for name, value in history[-1].items()))
    model = model.to("cpu").eval()
    val = mean_psnr(model, splits.val)
    report(f"{config.folder}: {val:.2f} dB on the validation pictures")
    facts = {"run": run, "config": asdict(config), "val_psnr_db": val, "command": command}
    save_csnet(folder / MODEL, model, facts)
    return load_csnet(folder / MODEL)[0]


@torch.no_grad()
def reconstructed(model: CSNet, images: Tensor, *, batch: int = 100) -> Tensor:
    """G(S(x)) clipped to [0, 1] and rounded to 8-bit levels, as a saved picture would be.

    The deep part, which is added, is computed in bfloat16: it is off by less than half a level and four times as fast.
    """
    parts = []
    for part in images.split(batch):
        first = model.first_reconstruction(model.sample(padded(part, model.config.block_px)))
        with torch.autocast(first.device.type, torch.bfloat16):
            parts.append(first + model.deep(first.contiguous(memory_format=torch.channels_last)).float())
    whole = torch.cat(parts)[..., : images.shape[-2], : images.shape[-1]]
    return (whole.clamp(0, 1) * 255).round() / 255


def padded(images: Tensor, block_px: int) -> Tensor:
    """Sides brought up to multiples of a block by reflection, as for digits of 28 px under blocks of 32."""
    height, width = images.shape[-2:]
    if height % block_px == 0 and width % block_px == 0:
        return images
    return nn.functional.pad(images, (0, -width % block_px, 0, -height % block_px), mode="reflect")


def psnr_each(found: Tensor, wanted: Tensor) -> Tensor:
    """(N,) dB of pictures in [0, 1]: 10 log10(1 / mean((x' - x)^2))."""
    return -10 * (found - wanted).square().mean((1, 2, 3)).clamp(min=1e-10).log10()


def mean_psnr(model: CSNet, pictures: Greys) -> float:
    """Mean over the pictures of their PSNR."""
    return float(psnr_each(reconstructed(model.eval(), pictures.images), pictures.images).mean())


def _start(config: SensingConfig, splits: GreySplits, path: Path | None) -> CSNet:
    if path is not None:
        return load_csnet(path)[0]
    model = build_csnet(CSNetConfig(rate=config.rate), seed=config.seed)
    model.start_at_principal_components(padded(splits.train.images, model.config.block_px))
    return model


class _Job:
    """The model, what deceives or judges it, and one step of each."""

    def __init__(
        self,
        config: SensingConfig,
        model: CSNet,
        classifiers: Mapping[str, nn.Module],
        goal: float | None,
        device: torch.device,
        *,
        classes: int,
    ) -> None:
        self._config, self._model, self._goal, self._device = config, model, goal, device
        is_plain = config.against == "none"
        linear = [*(one for one in model.sampling.parameters() if one.requires_grad), *model.initial.parameters()]
        self._optimizer = torch.optim.Adam(
            [{"params": list(model.deep.parameters()), "share": 1.0}, {"params": linear, "share": _LINEAR_RATE}],
            lr=config.learning_rate,
        )
        self._alpha = _Alpha(config.alpha)
        self.parts: dict[str, Any] = {"network": model, "optimizer": self._optimizer, "alpha": self._alpha}
        self._decay = warm_cosine(max(1, config.steps // 20), config.steps)
        self._classifier = self._critic = None
        if config.against in CLASSIFIERS:
            self._classifier = classifiers[config.against].to(device).eval().requires_grad_(False)
        elif not is_plain:
            known = classifiers["critic"].state_dict() if config.against == "generative" else None
            recognising = build_classifier("critic", classes=classes, seed=config.seed)
            assert isinstance(recognising, Recognising)
            if known is not None:
                recognising.load_state_dict(known)
            self._critic = recognising.critic.to(device).train()
            group = {"params": list(self._critic.parameters()), "share": config.critic_rate}
            self._critic_optimizer = torch.optim.Adam([group], lr=config.learning_rate)
            self.parts |= {"critic": self._critic, "critic_optimizer": self._critic_optimizer}

    def step(self, images: Tensor, labels: Tensor, number: int) -> dict[str, float]:
        """One step of D where there is one, then one of G; returns the losses."""
        config = self._config
        for optimizer in (self._optimizer, *([self._critic_optimizer] if self._critic else [])):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * group.get("share", 1.0) * self._decay(number)
        found = self._reconstruct(padded(images, self._model.config.block_px))
        found = found[..., : images.shape[-2], : images.shape[-1]]
        reconstruction = reconstruction_loss(found, images)
        shown, row = found.clamp(0, 1), {"LG": float(reconstruction.detach())}
        if self._classifier is not None:
            with SmoothMasks(_SMOOTH), self._fast():
                logits = self._classifier(self._as_seen(shown, number))
            loss_c = classifier_loss(logits.float(), labels, limit=config.limit)
            loss = adversarial_loss(reconstruction, loss_c, alpha=self._alpha.value, beta=config.beta)
            row |= {"LC": float(loss_c.detach()), "read": _share(logits, labels)}
        elif self._critic is not None:
            row |= self._critic_step(images, shown.detach(), labels)
            self._critic.requires_grad_(False)
            with SmoothMasks(_SMOOTH), self._fast():
                fake, logits = self._critic(self._as_seen(shown, number))
            self._critic.requires_grad_(True)
            rf = generator_rf_loss(fake.float())
            rec = classifier_loss(logits.float(), labels, limit=config.limit)
            loss = generator_loss(
                reconstruction, rf, rec, alpha=self._alpha.value, lambda_g=config.lambda_g, gamma_g=config.gamma_g
            )
            row |= {"G_rf": float(rf.detach()), "G_rec": float(rec.detach()), "read": _share(logits, labels)}
        else:
            loss = reconstruction
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        psnr = float(psnr_each(shown.detach(), images).mean())
        if self._goal is not None and config.quality_loss:
            self._alpha.steer(self._goal - psnr)
        return {**row, "psnr_db": psnr, "alpha": self._alpha.value}

    def _critic_step(self, images: Tensor, shown: Tensor, labels: Tensor) -> dict[str, float]:
        assert self._critic is not None
        with self._fast():
            real, recognised = self._critic(images)
            fake, _ = self._critic(shown)
        rf = discriminator_rf_loss(real.float(), fake.float())
        rec = discriminator_rec_loss(recognised.float(), labels)
        gamma_d = 0.0 if self._config.against == "printed" else self._config.gamma_d
        loss = discriminator_loss(rf, rec, lambda_d=self._config.lambda_d, gamma_d=gamma_d)
        self._critic_optimizer.zero_grad()
        loss.backward()
        self._critic_optimizer.step()
        return {"D_rf": float(rf.detach()), "D_rec": float(rec.detach())}

    def _reconstruct(self, images: Tensor) -> Tensor:
        """The deep part alone in 16 bits: its output is small beside what it is added to."""
        first = self._model.first_reconstruction(self._model.sample(images))
        with self._fast():
            deep = self._model.deep(first.contiguous(memory_format=torch.channels_last))
        return first + deep.float()

    def _as_seen(self, shown: Tensor, number: int) -> Tensor:
        """Moved by some pixels and a little noisy: drawn from the step alone, so that a resumed run draws the same."""
        rng = np.random.default_rng([self._config.seed, number, 1])
        down, right = (int(move) for move in rng.integers(-_SEEN_SHIFT_PX, _SEEN_SHIFT_PX + 1, 2))
        noise = torch.from_numpy(rng.normal(0, _SEEN_NOISE, tuple(shown.shape)).astype(np.float32))
        return torch.roll(shown, (down, right), (2, 3)) + noise.to(self._device)

    def _fast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.precision == "bf16")


class _Alpha:
    """The weight of LG, which goes up while pictures are worse than they should be.

    It answers what is missing now, and shifts its base by what has been missing; the second alone would swing.
    """

    def __init__(self, start: float) -> None:
        self.value = self._base = start
        self._missing_db = 0.0

    def steer(self, missing_db: float) -> None:
        self._missing_db = _MEMORY * self._missing_db + (1 - _MEMORY) * max(-5.0, min(5.0, missing_db))
        self._base = min(1e3, max(1e-2, self._base * math.exp(_PATIENT * self._missing_db)))
        self.value = self._base * math.exp(_PROMPT * self._missing_db)

    def state_dict(self) -> dict[str, float]:
        return {"value": self.value, "base": self._base, "missing_db": self._missing_db}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.value, self._base, self._missing_db = state["value"], state["base"], state["missing_db"]


def _share(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).float().mean())


def _fingerprint(
    config: SensingConfig, splits: GreySplits, needed: Sequence[Path], classifiers: Mapping[str, nn.Module]
) -> str:
    sha = hashlib.sha256(json.dumps([asdict(config), splits.sha256]).encode())
    for path in needed:
        try:
            sha.update(path.read_bytes())
        except FileNotFoundError:
            kind, name = ("CSNet", "none") if path.parent.name.startswith("none") else ("model", config.against)
            raise TrainingError(
                f"{path}: the {kind} to start from is not there; train it with --against {name} first"
            ) from None
    name = {"generative": "critic"}.get(config.against, config.against)
    if name in classifiers:
        for value in classifiers[name].state_dict().values():
            sha.update(value.cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()

"""Train a ComDefend: clean pictures in; a network that lets photos through and holds small perturbations back out.

    python -m training comdefend --data ../shared/data/photos:128 ../shared/data/nips17:64 --net phone

Patches of 32 x 32, Adam, mean((y - x)^2) + 1e-4 mean(c^2), a learning rate that falls along half a cosine. The state is
kept at every row of the log, and the same command goes on from there.

Where the public scripts differ or are silent, this is chosen: 0.5 is subtracted from the picture first, Adam at 0.001
with its default betas and 20 patches a batch (the TensorFlow script); noise of deviation 20 (both); 10^-4 on the code
(both); that the rate falls, the number of steps and the pictures are ours. So is that the last `settle` of the steps
see the bits of the test, with a straight-through gradient: until a net says every bit far louder than the noise, which
takes it long, it writes brightness into the frequency of bits, and without the noise that is lost.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from training.bounds import check_bounds
from training.errors import TrainingError
from training.models.comdefend import ComDefend, ComDefendConfig, build_comdefend, comdefend_loss, save_comdefend
from training.progress import track
from training.recipes.comdefend_data import Patches
from training.recipes.run_state import resume, save_state, warm_cosine, write_rows

LAST, MODEL, LOG = "last.pt", "comdefend.pt", "log.csv"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ComDefendRun:
    """One training run; with the patches it decides every number that comes out."""

    model: ComDefendConfig = field(default_factory=ComDefendConfig)
    steps: int = 20_000
    batch: int = 20
    learning_rate: float = 1e-3
    code_weight: float = 1e-4
    settle: float = 0.5  # share of the steps, the last, with bits and without noise; 0: as published
    log_every: int = 100  # steps
    bf16: bool = False  # convolutions in bfloat16, about twice as fast on processors that have it
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "steps": (1, 100_000_000),
            "batch": (1, 65_536),
            "learning_rate": (1e-7, 1),
            "code_weight": (0, 1),
            "settle": (0, 1),
            "log_every": (1, 1_000_000),
            "seed": (0, 2**31),
        }
        check_bounds(self, bounds)


def train_comdefend(
    config: ComDefendRun, patches: Patches, out: Path, *, command: str = "", report: Report = lambda _line: None
) -> ComDefend:
    """Train and write out/comdefend.pt.

    Args:
        report: is told each row of the log.
    Returns: the model in eval mode.
    Raises: TrainingError if `out` holds a run of other settings or the loss is no number any more.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = Accelerator().device
    network = build_comdefend(config.model, seed=config.seed)
    network = network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    warm = min(100, config.steps // 10)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(warm, config.steps))
    parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
    run = hashlib.sha256(json.dumps([dataclasses.asdict(config), patches.sha256]).encode()).hexdigest()
    history = resume(out / LAST, parts, run)
    first = int(history[-1]["step"]) if history else 0
    spent = float(history[-1]["seconds"]) if history else 0.0
    began = time.process_time()
    losses: list[Tensor] = []
    for number in track(range(first, config.steps), f"comdefend, {config.model.net}", total=config.steps - first):
        losses.append(_step(network, optimizer, config, patches, number, device))
        scheduler.step()
        if (number + 1) % config.log_every == 0 or number + 1 == config.steps:
            loss = float(torch.stack(losses).mean())
            losses = []
            if not math.isfinite(loss):
                raise TrainingError(f"loss: expected a finite number, got {loss}; lower --learning-rate")
            row = {"step": number + 1, "patches": (number + 1) * config.batch, "loss": loss}
            row |= validation(network, patches, device)
            history.append({**row, "seconds": spent + time.process_time() - began})
            save_state(out / LAST, parts, run, history)
            write_rows(out / LOG, history)
            report("  ".join(f"{name} {value:.5g}" for name, value in history[-1].items()))
    model = network.to("cpu", memory_format=torch.contiguous_format).eval()  # pyright: ignore[reportCallIssue]
    facts = {"config": dataclasses.asdict(config), "command": command, "last": history[-1], "device": device.type}
    pictures = {source.name: len(source.pixels) - source.held_back for source in patches.sources}
    save_comdefend(out / MODEL, model, {**facts, "pictures": pictures, "pictures sha256": patches.sha256})
    return model


def validation(network: ComDefend, patches: Patches, device: torch.device) -> dict[str, float]:
    """PSNR in dB of what comes back through bits, by source: from the mean squared error over all its patches."""
    network.eval()
    found = {}
    with torch.no_grad():
        for name, images in patches.validation().items():
            images = images.to(device, memory_format=torch.channels_last)
            found[f"psnr_{name}"] = -10 * math.log10(float((network(images) - images).square().mean()))
    return found


def _step(
    network: ComDefend,
    optimizer: torch.optim.Optimizer,
    config: ComDefendRun,
    patches: Patches,
    number: int,
    device: torch.device,
) -> Tensor:
    """One batch; crops and noise are of this step alone, so that a resumed run draws the same."""
    network.train()
    images = patches.batch(config.batch, np.random.default_rng([config.seed, number]))
    generator = torch.Generator().manual_seed(config.seed * 100_000_007 + number)
    noise = torch.randn(network.code_shape(len(images), *images.shape[2:]), generator=generator).to(device)
    images = images.to(device, memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
        settles = number >= round((1 - config.settle) * config.steps)
        code = network.straight_through(images) if settles else network.noisy_code(images, noise)
        rebuilt = network.decode(code)
    loss = comdefend_loss(images, rebuilt.float(), code.float(), config.code_weight)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.detach()

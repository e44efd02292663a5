"""What a network answers after recompression, kept on disk, and what counts as a success of an attack."""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mobile_app.core.files import write_whole
from training.attacks.comreadv import recompressed
from training.data.codecs import Codec
from training.recipes.sparse_cells import Subject


@dataclass(frozen=True, kw_only=True)
class Success:
    """How often an attack worked on the photos that count: those right clean and after the same codec uncloaked."""

    count: int
    successes: int

    @property
    def percent(self) -> float:
        return 100 * self.successes / self.count if self.count else math.nan

    @property
    def interval_percent(self) -> tuple[float, float]:
        """95 % interval of Wilson (1927), which stays inside 0 to 100."""
        if not self.count:
            return math.nan, math.nan
        z, n, p = 1.959964, self.count, self.successes / self.count
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return tuple(100 * (middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))  # pyright: ignore[reportReturnType]


def success_after(
    subject: Subject, adversarial: Tensor, codec: Codec, folder: Path, *, targets: Tensor | None = None
) -> Success:
    """Success of `adversarial`, (N, 3, H, W), after the real codec: another answer than the label, or the target's.

    The subject's images have to be ones that the network has right; those it gets wrong after the codec alone do not
    count, whatever the attack did to them.
    """
    counts = answers_after(subject, subject.images, codec, folder) == subject.labels
    answers = answers_after(subject, adversarial, codec, folder)
    worked = answers != subject.labels if targets is None else answers == targets
    return Success(count=int(counts.sum()), successes=int((worked & counts).sum()))


def answers_after(subject: Subject, images: Tensor, codec: Codec, folder: Path) -> Tensor:
    """(N,) int64: the network's first answers after the real codec; read from `folder` where they are known."""
    content = hashlib.sha256(f"{subject.digest()} {codec.text}".encode() + images.contiguous().numpy().tobytes())
    path = folder / f"{content.hexdigest()[:24]}.npy"
    if (known := _read(path, len(images))) is not None:
        return known
    with torch.no_grad():
        answers = torch.cat(
            [subject.network(recompressed(part, codec)).argmax(1) for part in images.split(subject.batch)]
        )
    buffer = io.BytesIO()
    np.save(buffer, answers.numpy())
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue(), force=True)
    return answers


def _read(path: Path, count: int) -> Tensor | None:
    try:
        answers = torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
    return answers if answers.shape == (count,) else None

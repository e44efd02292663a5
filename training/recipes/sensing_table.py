"""Tables 1 to 3 of adversarial compressed sensing: what classifiers read in reconstructions, and how good these are.

python -m training sensing-table --data ../shared/data/cifar10/cifar10_jpeg.npz --runs runs/sensing
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mobile_app.core.files import write_whole
from mobile_app.core.quality import ssim
from training.errors import TrainingError
from training.models.sensing import load_csnet
from training.models.sensing_classifiers import CLASSIFIERS
from training.progress import track
from training.recipes.run_state import write_rows
from training.recipes.sensing import AGAINST, MODEL, psnr_each, reconstructed
from training.recipes.sensing_classifiers import answers, load_classifier
from training.recipes.sensing_data import Greys, read_greys

NAMES = {
    "none": "CSNet",
    "vgg": "Adv-CSNet-VGG",
    "resnet": "Adv-CSNet-ResNet",
    "generative": "Adv-CSNet",
    "printed": "Adv-CSNet, gamma_D = 0",
}
# Of the paper: mean accuracy of both classifiers in %, and PSNR in dB, at rates 0.1, 0.2 and 0.3. Other classifiers on
# a better copy of the pictures, so only falls compare.
PAPER = {
    "none": ((28.92, 50.76, 69.43), (25.01, 28.51, 31.19)),
    "vgg": ((10.82, 13.51, 15.84), (24.95, 28.40, 30.50)),
    "resnet": ((19.56, 27.85, 34.61), (24.63, 28.07, 30.51)),
    "generative": ((12.06, 11.06, 14.52), (23.75, 25.52, 26.45)),
}
_SHOWN = 8
Row = dict[str, Any]


def sensing_table(data: str, runs: Path, *, pictures: int = 1000, picture: Path | None = None) -> str:
    """Measure every model under `runs`; write table.csv and table.md there.

    Args:
        data: as training.recipes.sensing_data reads it; its test pictures are used.
        picture: where to draw some test pictures as each model of the middle rate rebuilds them.
    Returns: the Markdown.
    Raises: TrainingError if `runs` holds no CSNet or no classifiers.
    """
    networks = {name: load_classifier(runs / "classifiers" / f"{name}.pt", name)[0] for name in CLASSIFIERS}
    found = _models(runs)
    if not any(against == "none" for against, _ in found):
        raise TrainingError(f"{runs}: expected a CSNet, found none; train it with `python -m training sensing`")
    test = read_greys(data, train=1, val=1, test=pictures).test
    clean = {name: _read(network, test.images, test.answers) for name, network in networks.items()}
    rows, drawn = [], [("original", test.images[:_SHOWN])]
    for against, rate in track(found, "measuring"):
        model, _ = load_csnet(runs / f"{against}-{rate:g}" / MODEL)
        images = reconstructed(model, test.images)
        rows.append({"against": against, "rate": rate, "pictures": len(test), **_measured(images, test, networks)})
        if rate == found[len(found) // 2][1]:
            drawn.append((NAMES[against], images[:_SHOWN]))
    page = as_markdown(rows, clean, pictures=len(test))
    write_rows(runs / "table.csv", rows)
    write_whole(runs / "table.md", page.encode(), force=True)
    if picture is not None:
        _draw(picture, [images for _, images in drawn])
    return page


def as_markdown(rows: Sequence[Row], clean: dict[str, float], *, pictures: int) -> str:
    """All tables, and the goals they are held to."""
    rates = sorted({row["rate"] for row in rows})
    known = {(row["against"], row["rate"]): row for row in rows}
    models = [name for name in AGAINST if any((name, rate) in known for rate in rates)]
    accuracies = ", ".join(f"{name} {100 * share:.1f} %" for name, share in clean.items())
    lines = [f"{pictures} test pictures; right on the originals: {accuracies}. In brackets: the paper's.", ""]
    lines += ["Table 1: mean accuracy of both classifiers (%; lower is better protection)", ""]
    lines += _table(models, rates, known, lambda row: 100 * (row["vgg"] + row["resnet"]) / 2, "{:.1f}", 0)
    lines += ["", "Table 2: accuracy by classifier (%)", "", _head(["model", "read by"], rates, mean=False)]
    lines.append("|---|---|" + "---|" * len(rates))
    for name in models:
        for by in CLASSIFIERS:
            cells = [f"{100 * known[name, rate][by]:.1f}" if (name, rate) in known else "" for rate in rates]
            lines.append(f"| {NAMES[name]} | {by} | " + " | ".join(cells) + " |")
    lines += ["", "Table 3: PSNR (dB)", ""]
    lines += _table(models, rates, known, lambda row: row["psnr_db"], "{:.2f}", 1)
    lines += ["", "SSIM", ""]
    lines += _table(models, rates, known, lambda row: row["ssim"], "{:.3f}", None)
    lines += ["", "Against CSNet, means over the rates that both have", ""]
    lines += ["| model | recognition falls by | PSNR falls by | the classifier not attacked is above the other by |"]
    lines += ["|---|---|---|---|", *(_goal(name, rates, known) for name in models if name != "none"), ""]
    return "\n".join(lines)


def falls(name: str, rates: Sequence[float], known: dict[tuple[str, float], Row]) -> tuple[float, float]:
    """By what share recognition and PSNR are below those of CSNet, each a mean over the rates."""
    both = [rate for rate in rates if (name, rate) in known and ("none", rate) in known]
    plain, found = ([known[one, rate] for rate in both] for one in ("none", name))

    def fall(pick: Any) -> float:
        before, after = (float(np.mean([pick(row) for row in some])) for some in (plain, found))
        return 1 - after / before

    return fall(lambda row: (row["vgg"] + row["resnet"]) / 2), fall(lambda row: row["psnr_db"])


def _goal(name: str, rates: Sequence[float], known: dict[tuple[str, float], Row]) -> str:
    recognition, quality = falls(name, rates, known)
    transfer = ""
    if name in CLASSIFIERS:
        (other,) = set(CLASSIFIERS) - {name}
        rows = [known[name, rate] for rate in rates if (name, rate) in known]
        transfer = f"{100 * float(np.mean([row[other] - row[name] for row in rows])):+.1f} points"
    return f"| {NAMES[name]} | {100 * recognition:.1f} % | {100 * quality:.1f} % | {transfer} |"


def _models(runs: Path) -> list[tuple[str, float]]:
    """Those that are trained, by what they are against and rate."""
    found = []
    for path in runs.glob(f"*/{MODEL}"):
        against, _, rate = path.parent.name.rpartition("-")
        if against in AGAINST:
            found.append((against, float(rate)))
    return sorted(found, key=lambda one: (AGAINST.index(one[0]), one[1]))


def _measured(images: Tensor, test: Greys, networks: dict[str, nn.Module]) -> Row:
    pairs = zip((images[:, 0].numpy() * 255).round().astype(np.uint8), test.pixels, strict=True)
    alike = [ssim(np.repeat(a[..., None], 3, 2), np.repeat(b[..., None], 3, 2)) for a, b in pairs]
    read = {name: _read(network, images, test.answers) for name, network in networks.items()}
    return {**read, "psnr_db": float(psnr_each(images, test.images).mean()), "ssim": float(np.mean(alike))}


def _read(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((answers(network, images) == labels).float().mean())


def _table(
    models: Sequence[str],
    rates: Sequence[float],
    known: dict[tuple[str, float], Row],
    pick: Any,
    form: str,
    paper: int | None,
) -> list[str]:
    lines = [_head(["model"], rates, mean=True), "|---|" + "---|" * (len(rates) + 1)]
    for name in models:
        values = [pick(known[name, rate]) if (name, rate) in known else None for rate in rates]
        cells = ["" if value is None else form.format(value) for value in values]
        cells.append(form.format(np.mean(values)) if None not in values else "")  # pyright: ignore
        if paper is not None and name in PAPER:
            figures = dict(zip((0.1, 0.2, 0.3), PAPER[name][paper], strict=True))
            theirs = [figures.get(rate) for rate in rates]
            theirs.append(float(np.mean(PAPER[name][paper])) if len(rates) == 3 else None)
            cells = [
                f"{cell} ({form.format(value)})" if value and cell else cell
                for cell, value in zip(cells, theirs, strict=True)
            ]
        lines.append(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
    return lines


def _head(first: Sequence[str], rates: Sequence[float], *, mean: bool) -> str:
    return f"| {' | '.join([*first, *(f'rate {rate:g}' for rate in rates), *(['mean'] if mean else [])])} |"


def _draw(path: Path, rows: Sequence[Tensor]) -> None:
    """A row a model, four times as large."""
    strips = [torch.cat(list(images[:, 0]), 1) for images in rows]
    whole = (torch.cat(strips, 0).numpy() * 255).round().astype(np.uint8)
    image = Image.fromarray(whole)
    image = image.resize((4 * image.width, 4 * image.height), Image.Resampling.NEAREST)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)

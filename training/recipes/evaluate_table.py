"""Records of the protocol in, lines of CSV, Markdown tables and plots out."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from training.evaluate.attacks import Attack
from training.evaluate.judges import Judge
from training.evaluate.plots import success_plot
from training.evaluate.protocol import PhotoSet, Record, success_of
from training.evaluate.recompression import Recompression
from training.evaluate.success import Success, mean_share, wilson_interval

ROLES = ("attacked", "surrogate", "unseen")
LEGEND = """\
Success is the share of photos on which a judge's first answer to the cloaked photo is wrong (top-1), or none of its
first five is right (top-5). Only photos count that the judge has right when clean and after the same recompression
without a cloak; their number stands behind each figure. In brackets: 95 % interval (Wilson). A mean over judges counts
each judge alike and has no interval, since all judges saw the same photos; unseen judges are those that no attack of
the table knew, the same for all.
"""
_VISIBILITY = {
    "PSNR, dB": ("psnr_db", ".2f", min),
    "SSIM": ("ssim", ".4f", min),
    "MS-SSIM": ("ms_ssim", ".4f", min),
    "GMSD": ("gmsd", ".4f", max),
    "largest change, levels": ("largest_change_levels", ".2f", max),
    "mean change, levels": ("mean_change_levels", ".2f", max),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """All records of one set of photos, each list in the order of the photos."""

    photos: PhotoSet
    attacks: tuple[Attack, ...]
    plain: list[Record]
    cloaked: dict[str, list[Record]]  # by the attack's name


def success_rows(result: Result, judges: Sequence[Judge], grid: Sequence[Recompression]) -> Iterator[dict[str, object]]:
    """One row for each attack, judge and recompression."""
    for attack in result.attacks:
        for judge in judges:
            for entry in grid:
                found = _success(result, attack, judge, entry)
                low, high = wilson_interval(found.fooled, found.counted)
                low_top5, high_top5 = wilson_interval(found.fooled_top5, found.counted)
                yield {
                    "photos": result.photos.name,
                    "attack": attack.name,
                    "judge": judge.name,
                    "role": attack.role_of(judge.name),
                    "recompression": entry.name,
                    "counted": found.counted,
                    "fooled": found.fooled,
                    "success": _rounded(found.share),
                    "low": _rounded(low),
                    "high": _rounded(high),
                    "fooled_top5": found.fooled_top5,
                    "success_top5": _rounded(found.share_top5),
                    "low_top5": _rounded(low_top5),
                    "high_top5": _rounded(high_top5),
                }


def photo_rows(result: Result) -> Iterator[dict[str, object]]:
    """One row for each attack and photo: visibility and seconds."""
    for attack in result.attacks:
        for (path, label), record in zip(result.photos.photos, result.cloaked[attack.name], strict=True):
            assert record.visibility is not None
            values = {name: _rounded(value) for name, value in asdict(record.visibility).items()}
            seconds = {"cloak_seconds": _rounded(record.cloak_seconds), "all_seconds": _rounded(record.all_seconds)}
            head = {"photos": result.photos.name, "attack": attack.name, "file": path.name, "class_index": label}
            yield {**head, **values, **seconds}


def as_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    """A header and a line for each row."""
    lines = io.StringIO(newline="")
    table = csv.DictWriter(lines, list(rows[0]) if rows else [])
    table.writeheader()
    table.writerows(rows)
    return lines.getvalue().encode()


def section(result: Result, judges: Sequence[Judge], grid: Sequence[Recompression]) -> str:
    """Everything about one set of photos, as Markdown: means, visibility, then each attack in detail."""
    photos = result.photos
    seen = "whole" if photos.crop == 1 else f"middle {100 * photos.crop:g} %"
    lines = [f"## {photos.name}: {len(photos.photos)} photos, {seen} seen", ""]
    for role in ROLES:
        if not any(_having(role, attack, result, judges) for attack in result.attacks):
            continue
        for top5 in (False, True):
            lines += [f"### Mean over {role} judges, top-{5 if top5 else 1}", ""]
            lines += _table(["recompression", *(attack.name for attack in result.attacks)])
            for entry in grid:
                shares = [_mean(result, attack, judges, role, entry, top5) for attack in result.attacks]
                lines.append(_row([entry.name, *map(_percent, shares)]))
            lines.append("")
    lines += [*_visibility(result), ""]
    for attack in result.attacks:
        lines += [*_detail(result, attack, judges, grid), ""]
    return "\n".join(lines)


def summary(result: Result, judges: Sequence[Judge], grid: Sequence[Recompression]) -> Iterator[str]:
    """A line for each attack and role: means after the first and the last recompression."""
    for attack in result.attacks:
        for role in ROLES:
            if _having(role, attack, result, judges):
                shares = (f"{entry.name} {_percent(_mean(result, attack, judges, role, entry))}" for entry in grid)
                yield f"{result.photos.name}, {attack.name}, {role} judges: {', '.join(shares)}"


def plots(result: Result, judges: Sequence[Judge], grid: Sequence[Recompression]) -> dict[str, bytes]:
    """PNG files by name, one for each role that a judge has."""
    pictures = {}
    for role in ROLES:
        series = {
            attack.name: [_mean(result, attack, judges, role, entry) for entry in grid]
            for attack in result.attacks
            if _having(role, attack, result, judges)
        }
        if series:
            title = f"{result.photos.name} ({len(result.plain)}): top-1 success, mean over {role} judges"
            name = re.sub(r"[^a-z0-9]+", "-", f"success {result.photos.name} {role}")
            pictures[f"{name}.png"] = success_plot(title, [entry.name for entry in grid], series)
    return pictures


def _detail(result: Result, attack: Attack, judges: Sequence[Judge], grid: Sequence[Recompression]) -> Iterator[str]:
    names = [f"{judge.name} ({attack.role_of(judge.name)})" for judge in judges]
    for top5 in (False, True):
        yield f"### {attack.name}, top-{5 if top5 else 1}"
        yield ""
        yield from _table(["recompression", *names])
        for entry in grid:
            found = [_success(result, attack, judge, entry) for judge in judges]
            yield _row([entry.name, *(_cell(one, top5) for one in found)])
        yield ""


def _visibility(result: Result) -> Iterator[str]:
    yield "### Visibility of the saved file, and cost: mean (worst)"
    yield ""
    yield from _table(["attack", *_VISIBILITY, "seconds, cloak alone", "seconds, file to file"])
    for attack in result.attacks:
        records = result.cloaked[attack.name]
        cells = []
        for field, spec, worst in _VISIBILITY.values():
            values = [getattr(record.visibility, field) for record in records]
            cells.append(_mean_and_worst([value for value in values if not math.isnan(value)], spec, worst))
        for field in ("cloak_seconds", "all_seconds"):
            cells.append(_mean_and_worst([getattr(record, field) for record in records], ".2f", max))
        yield _row([attack.name, *cells])


def _mean_and_worst(values: Sequence[float], spec: str, worst) -> str:
    return f"{np.mean(values):{spec}} ({worst(values):{spec}})" if values else "–"


def _success(result: Result, attack: Attack, judge: Judge, entry: Recompression) -> Success:
    return success_of(result.plain, result.cloaked[attack.name], judge.name, entry.name)


def _mean(
    result: Result, attack: Attack, judges: Sequence[Judge], role: str, entry: Recompression, top5: bool = False
) -> float:
    chosen = _having(role, attack, result, judges)
    return mean_share([_success(result, attack, judge, entry) for judge in chosen], top5=top5)


def _having(role: str, attack: Attack, result: Result, judges: Sequence[Judge]) -> list[Judge]:
    """The judges that have a role for an attack; unseen is only who is so for all, or attacks could not be compared."""
    attacks = result.attacks if role == "unseen" else (attack,)
    return [judge for judge in judges if all(one.role_of(judge.name) == role for one in attacks)]


def _cell(found: Success, top5: bool) -> str:
    fooled = found.fooled_top5 if top5 else found.fooled
    low, high = wilson_interval(fooled, found.counted)
    share = found.share_top5 if top5 else found.share
    return f"{_percent(share)} of {found.counted} [{100 * low:.1f}, {100 * high:.1f}]"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f} %"


def _rounded(value: float) -> float | str:
    return "" if math.isnan(value) else round(value, 6)


def _table(heads: Sequence[str]) -> list[str]:
    return [_row(heads), "|---" * len(heads) + "|"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""Rows of a comparison in; what would ship by the rule, and the tables as Markdown and CSV, out."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from export.precisions.variants import Variant, bytes_together
from training.evaluate.success import wilson_interval

ENGINE = "engine"  # of a row that stands for a set of graphs
SLOWEST = 1.1  # times the float32 graph
LARGEST_LOSS = 0.01  # of accuracy, against float32
LARGEST_LOSS_OF_CLOAKS = 0.1  # of the share of photos on which networks that nobody attacked are fooled
LARGEST_LOSS_DB = 0.1  # of what the codec rebuilds, by PSNR to the photo
LARGEST_ERROR = 1.05  # times the float32 graph's, of the stand-in for a codec

_MEASURES = {  # of Row.quality -> head of its column, and how a number is written
    "psnr_db": ("dB to float32's", "{:.1f}"),
    "rebuilt_db": ("rebuilt, dB", "{:.2f}"),
    "read": ("read on what is rebuilt", "{:.1%}"),
    "right": ("right through it", "{:.1%}"),
    "error_levels": ("error, levels", "{:.2f}"),
}

RULE = f"""\
A precision may ship if its parity row passes, if it is at most {SLOWEST} times as slow as float32, and if it is as good
at its task: a classifier names what the float32 graph names on the share that its GraphSpec asks for, and loses at most
{LARGEST_LOSS:.0%} of labelled photos, as does a recogniser behind the shield; cloaks fool networks that were not
attacked on at most {LARGEST_LOSS_OF_CLOAKS:.0%} of the photos fewer, and a recogniser reads what the codec rebuilds on
at most as many more; what it rebuilds is at most {LARGEST_LOSS_DB} dB further from the photo, and a stand-in for a
codec at most {LARGEST_ERROR} times as far from the codec. Of these, the set of files is taken that is smallest
together, equal weights being stored once; of two sets within 1 %, the quicker one.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One graph in one precision; a value is None, or a mapping empty, where it was not measured."""

    graph: str
    task: str
    precision: str
    ships_now: bool
    variant: Variant | None
    lowest_cosine: float
    lowest_agreement: float
    parity: Mapping[str, Any] = field(default_factory=dict)  # by output
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)  # of a graph that makes pictures, see compare.quality
    latency: Mapping[str, Any] = field(default_factory=dict)
    cloaks: Mapping[str, Any] = field(default_factory=dict)  # of the engine with all its graphs in this precision
    engine: str = ""  # ENGINE where its cloaks are made together with other graphs
    failure: str = ""  # why there is no such graph
    verdict: str = ""

    @property
    def parity_ok(self) -> bool:
        """Written so that NaN fails."""
        return bool(self.parity) and all(row["cosine"] >= self.lowest_cosine for row in self.parity.values())


def with_verdicts(rows: Sequence[Row]) -> list[Row]:
    """The rows, each with the reason for which it would ship or not."""
    references = {row.graph: row for row in rows if row.precision == "float32"}
    reasons = {(row.graph, row.precision): objection(row, references.get(row.graph)) for row in rows}
    fit = [row for row in rows if not reasons[row.graph, row.precision]]
    chosen = _smallest(fit)
    found = []
    for row in rows:
        reason = reasons[row.graph, row.precision]
        if chosen.get(row.graph) is row:
            reason = "ships by the rule"
        found.append(replace(row, verdict=reason or "fit, but the set is larger or slower with it"))
    return found


def objection(row: Row, reference: Row | None) -> str:
    """Why a precision must not ship; empty where nothing speaks against it."""
    if row.failure:
        return row.failure
    if not row.parity_ok:
        lowest = min((found["cosine"] for found in row.parity.values()), default=float("nan"))
        return f"parity: cosine {lowest:.3f}, expected {row.lowest_cosine}"
    ratio = row.latency.get("ratio", 1.0)
    if not ratio <= SLOWEST:
        return f"{ratio:.2f} times as slow as float32"
    agreed = row.accuracy.get("top1", 1.0)
    if not agreed >= row.lowest_agreement:
        return f"names what float32 names on {agreed:.1%}, expected {row.lowest_agreement:.0%}"
    if reference is None:
        return ""
    before, after = reference.accuracy.get("accuracy"), row.accuracy.get("accuracy")
    if before is not None and after is not None and not after >= before - LARGEST_LOSS:
        return f"{after:.1%} right, against {before:.1%} in float32"
    spoilt = _spoilt_pictures(row.quality, reference.quality)
    if spoilt:
        return spoilt
    lost = _unseen_share(reference.cloaks) - _unseen_share(row.cloaks)
    if row.cloaks and not lost <= LARGEST_LOSS_OF_CLOAKS:
        return f"its cloaks fool {lost:.0%} fewer photos' unseen judges"
    return ""


def _spoilt_pictures(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Why pictures are worse than those of float32; empty if they are not. Written so that NaN is worse."""
    bounds = {
        "rebuilt_db": (
            lambda a, b: a >= b - LARGEST_LOSS_DB,
            "rebuilds photos at {:.2f} dB, against {:.2f} in float32",
        ),
        "right": (lambda a, b: a >= b - LARGEST_LOSS, "{:.1%} right through it, against {:.1%} in float32"),
        "read": (lambda a, b: a <= b + LARGEST_LOSS_OF_CLOAKS, "{:.1%} can be read, against {:.1%} in float32"),
        "error_levels": (lambda a, b: a <= b * LARGEST_ERROR, "{:.2f} levels off, against {:.2f} in float32"),
    }
    for name, (is_fit, sentence) in bounds.items():
        a, b = found.get(name), wanted.get(name)
        if a is not None and b is not None and not is_fit(a, b):
            return sentence.format(a, b)
    return ""


def as_csv(rows: Iterable[Row]) -> bytes:
    lines = io.StringIO(newline="")
    flat = [_flat(row) for row in rows]
    table = csv.DictWriter(lines, list(dict.fromkeys(name for row in flat for name in row)), lineterminator="\n")
    table.writeheader()
    table.writerows(flat)
    return lines.getvalue().encode()


def as_markdown(rows: Sequence[Row], facts: Mapping[str, str]) -> str:
    """The whole page: how it was made, a table a graph, what stayed float in int8, and the rule."""
    lines = ["# Precisions", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    for graph in dict.fromkeys(row.graph for row in rows if row.parity or row.variant or row.graph != ENGINE):
        lines += [f"## {graph}", "", *_table([row for row in rows if row.graph == graph]), ""]
        lines += _kept([row for row in rows if row.graph == graph and row.precision == "int8"])
    cloaks = {_maker(row): row.cloaks for row in rows if row.cloaks}
    if cloaks:
        lines += ["## Whole cloaks", "", *_cloak_table(cloaks), ""]
    return "\n".join([*lines, "## The rule", "", RULE])


def _maker(row: Row) -> str:
    """What made a row's cloaks: the engine, whose graphs all have the same ones, or one graph."""
    return row.precision if row.engine == ENGINE else f"{row.graph} alone, {row.precision}"


def _smallest(fit: Sequence[Row]) -> dict[str, Row]:
    """Graph -> its row in the smallest set of files, for each group of graphs that may share weights."""
    chosen: dict[str, Row] = {}
    for group in _sharing(fit):
        chosen |= _smallest_of(group)
    return chosen


def _sharing(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows by groups of graphs; those of two groups have no large constant in common."""
    groups: list[tuple[set[str], list[Row]]] = []
    for graph in sorted({row.graph for row in rows}):
        own = [row for row in rows if row.graph == graph]
        tensors = {key for row in own if row.variant for key in row.variant.tensors}
        joined = [group for group in groups if group[0] & tensors]
        groups = [group for group in groups if not group[0] & tensors]
        groups.append((tensors.union(*(keys for keys, _ in joined)), [*(r for _, some in joined for r in some), *own]))
    return [found for _, found in groups]


def _smallest_of(group: Sequence[Row]) -> dict[str, Row]:
    graphs = dict.fromkeys(row.graph for row in group)
    sets = []
    for rows in itertools.product(*([row for row in group if row.graph == graph] for graph in graphs)):
        size = bytes_together([row.variant for row in rows if row.variant is not None])
        sets.append((size, sum(row.latency.get("ratio", 1.0) for row in rows), rows))
    if not sets:
        return {}
    least = min(size for size, _, _ in sets)
    best = min((entry for entry in sets if entry[0] <= 1.01 * least), key=lambda entry: (entry[1], entry[0]))
    return {row.graph: row for row in best[2]}


def _unseen_share(cloaks: Mapping[str, Any]) -> float:
    shares = [found["fooled"] / found["counted"] for found in _judged(cloaks) if not found["attacked"]]
    return sum(shares) / len(shares) if shares else 0.0


def _judged(cloaks: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [found for found in cloaks.values() if found["counted"]]


def _table(rows: Sequence[Row]) -> list[str]:
    outputs = list(dict.fromkeys(name for row in rows for name in row.parity))
    heads = ["precision", "MB", *(f"{name}: lowest cosine, median" for name in outputs)]
    heads += ["signs of grad", "error of grad"] if "grad" in outputs else [f"error of {name}" for name in outputs[:1]]
    classifies = any(row.accuracy for row in rows)
    heads += ["as float32", "right"] if classifies else []
    measures = [name for name in _MEASURES if any(row.quality.get(name) is not None for row in rows)]
    heads += [_MEASURES[name][0] for name in measures]
    heads += ["CPU ms", "ratio", "verdict"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [f"**{row.precision}**" if row.ships_now else row.precision]
        cells += ["–" if row.variant is None else f"{row.variant.bytes / 1e6:.2f}"]
        found = [row.parity.get(name) for name in outputs]
        cells += ["–" if one is None else f"{one['cosine']:.4f}, {one['median_cosine']:.4f}" for one in found]
        last = row.parity.get("grad") if "grad" in outputs else (found[0] if found else None)
        if "grad" in outputs:
            cells.append("–" if last is None else f"{last['signs']:.1%}")
        if outputs:
            cells.append("–" if last is None else f"{last['relative']:.1e}")
        if classifies:
            right = row.accuracy.get("accuracy")
            cells += [f"{row.accuracy['top1']:.1%}" if row.accuracy else "–", "–" if right is None else f"{right:.1%}"]
        values = [row.quality.get(name) for name in measures]
        cells += [
            "–" if value is None else _MEASURES[name][1].format(value)
            for name, value in zip(measures, values, strict=True)
        ]
        cells += [f"{row.latency['median_ms']:.1f}", f"{row.latency['ratio']:.2f}"] if row.latency else ["–", "–"]
        lines.append(f"| {' | '.join([*cells, row.verdict])} |")
    return lines


def _kept(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        if row.variant is not None and row.variant.in_float:
            lines += [
                f"In int8: {row.variant.in_int8} operators, calibrated on {row.variant.photos} photos. Float stay:"
            ]
            lines += [
                "",
                *(f"- {count} x {reason}" for reason, count in sorted(_short(row.variant.in_float).items())),
                "",
            ]
    return lines


def _short(in_float: Mapping[str, int]) -> dict[str, int]:
    """One line for each reason: {"Conv, Mul: the backward pass ...": 3}."""
    joined: dict[str, tuple[list[str], int]] = {}
    for text, count in in_float.items():
        operator, _, reason = text.partition(": ")
        operators, total = joined.get(reason, ([], 0))
        joined[reason] = ([*operators, operator], total + count)
    return {f"{', '.join(sorted(operators))}: {reason}": total for reason, (operators, total) in joined.items()}


def _cloak_table(cloaks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    heads = list(dict.fromkeys(name for found in cloaks.values() for name in found))
    lines = [f"| engine | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for precision, found in cloaks.items():
        lines.append(f"| {precision} | {' | '.join(_share(found.get(name)) for name in heads)} |")
    return lines


def _share(found: Mapping[str, Any] | None) -> str:
    if not found or not found["counted"]:
        return "–"
    low, high = wilson_interval(found["fooled"], found["counted"])
    return f"{found['fooled']} of {found['counted']} [{low:.0%}, {high:.0%}]"


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {"graph": row.graph, "task": row.task, "precision": row.precision}
    flat |= {"ships_now": row.ships_now, "bytes": row.variant.bytes if row.variant else "", "verdict": row.verdict}
    for output, values in row.parity.items():
        flat |= {f"{output}_{name}": value for name, value in values.items()}
    flat |= {f"agreement_{name}": value for name, value in row.accuracy.items()}
    flat |= {f"pictures_{name}": value for name, value in row.quality.items()}
    return flat | dict(row.latency)

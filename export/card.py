"""The manifest's graphs in, the text of the model card out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from export.contract import COMMAND, ROBUST

_TABLES = ("parity", "agreement with float32", "quantisation")  # of the metrics, what has a form of its own

_OBJECT_LIMITS = """\
The classifier knows the 1000 classes of ImageNet, none of them a person; it is wrong on about a quarter of
photos in the wild. The gradient graph misleads the network it was made from; how far that carries over to
others is measured in the README."""

_FLOWER_LIMITS = """\
**Never rely on the flower classifier to decide what to eat, pick or touch.** Several of its flowers are poisonous
(lily of the valley, daffodil, bluebell, buttercup, fritillary, snowdrop, windflower), and plants that look like a
harmless one of them are: lily of the valley and autumn crocus are taken for wild garlic, autumn crocus for crocus.
It compares pictures with pictures, sees no leaf or bulb that is not in the photo, and has no idea of danger.

It knows the species listed above and nothing else. A photo of another flower is meant to be answered by "not sure",
and now and then is not: a garden flower that resembles one of its own may be named after it. It learned from close-ups;
distant, dark or blurred flowers, drawings and bouquets were not tested. Probabilities are calibrated on photos of that
kind alone. Names that cover a whole genus (rose, iris, crocus, buttercup) say no more than the genus."""

_ROBUST_LIMITS = """\
The robust networks were tuned here on photos of flowers and of other things, without labels (Oxford 17 and ImageNet,
for research, and Flickr, CC BY 2.0; none is in the bundle). They recognise less than the networks that they come from,
and are there to be followed by cloaks, not asked (docs/cloaks.md)."""

_TASK_LIMITS = {
    "generate": (
        "The generator cloaks a photo in one call, in half the time of the engine that follows the same networks step "
        "by step. It deceives somewhat fewer recognisers, and takes no second round where a photo resists "
        "(docs/cloaks.md)."
    ),
    "shield": (
        "The shield undoes small changes and part of larger ones, about as JPEG 75 does. Cloaks survive it, and to an "
        "attacker who knows it, it is no defence (docs/comdefend.md)."
    ),
    "reconstruct": (
        "Rebuilt pictures deceive recognisers on photos of some 300 px; larger ones are still recognised, so bring "
        "them down first. Another decoder makes readable pictures of the same file: what protects is the picture that "
        "is rebuilt here, not the file (docs/sensing.md)."
    ),
}


def model_card(graphs: Mapping[str, Mapping[str, Any]], species: list[str]) -> str:
    """The card of a bundle.

    Args:
        graphs: the manifest's entries; nothing else is told, so that a graph that was kept has its section, too.
        species: a line for each flower, if the bundle has a flower network.
    """
    lines = [
        "# Model card",
        "",
        f"Made by `{COMMAND}`. Labels: torchvision's ImageNet names (BSD-3-Clause).",
        "",
    ]
    for name, entry in graphs.items():
        lines += [f"## {name}", "", *_facts(entry), "", *_parity(entry), "", *_int8(entry), *_metrics(entry)]
    if species:
        lines += ["## Flowers", "", *(f"- {line}" for line in species), ""]
    lines += ["## Limits", "", _OBJECT_LIMITS, ""]
    if species:
        lines += [_FLOWER_LIMITS, ""]
    if any(name.endswith(ROBUST) for name in graphs):
        lines += [_ROBUST_LIMITS, ""]
    tasks = {entry["task"] for entry in graphs.values()}
    lines += [line for task, limits in _TASK_LIMITS.items() if task in tasks for line in (limits, "")]
    return "\n".join(lines)


def _facts(entry: Mapping[str, Any]) -> Iterator[str]:
    size = entry["size_px"]
    seen = (
        f"the measurements of {size} x {size} px"
        if entry["task"] == "reconstruct"
        else f"{size} x {size} px, RGB in [0, 1]"
    )
    yield f"- task: {entry['task']}; input {seen}"
    yield f"- source: {entry['source']}; licence {entry['licence']}"
    trained_on = entry.get("trained_on")
    if trained_on:
        yield f"- stored as {entry['precision']}; made by `{entry['command']}`"
        yield "- trained on:"
        yield from (f"  {line}" for line in _listed(trained_on))
    else:
        yield f"- trained on ImageNet-1k by its authors, nothing was trained here; stored as {entry['precision']}"
    yield f"- operators: standard ONNX, opset {entry['opset']}"
    if entry.get("has_other"):
        yield "- has one more output than species, the last: none of them"
    if entry.get("species"):
        yield f'- answers "not sure" where no species reaches a probability of {entry["unsure_below"]:.3g}'


def _parity(entry: Mapping[str, Any]) -> Iterator[str]:
    yield "| output | compared with | images | lowest cosine | median relative error |"
    yield "|---|---|---|---|---|"
    for row in entry["metrics"]["parity"]:
        yield f"| {row['output']} | {row['against']} | {row['images']} | {row['cosine']:.6f} | {row['relative']:.1e} |"


def _int8(entry: Mapping[str, Any]) -> Iterator[str]:
    agreed = entry["metrics"].get("agreement with float32")
    if agreed:
        yield (
            f"On {agreed['photos']} photos that it was not calibrated on it names what the float32 graph names on "
            f"{agreed['top1']:.1%}; probabilities differ by {agreed['mean_difference']:.3f} on average, at most "
            f"{agreed['largest_difference']:.3f}."
        )
        yield ""
    facts = entry["metrics"].get("quantisation")
    if facts:
        yield (
            f"Calibrated on {facts['calibrated on photos']} photos; {facts['operators in int8']} operators in int8. "
            "These stay float:"
        )
        yield ""
        yield from (f"- {reason}" for reason in dict.fromkeys(facts["in float"].values()))
        yield ""


def _metrics(entry: Mapping[str, Any]) -> Iterator[str]:
    measured = {name: value for name, value in entry["metrics"].items() if name not in _TABLES}
    if measured:
        yield "Measured before export, with the network in float32:"
        yield ""
        yield from _listed(measured)
        yield ""


def _listed(facts: Mapping[str, Any]) -> Iterator[str]:
    """A bullet a fact; facts inside facts are indented, and so are the rows of a table."""
    for name, value in facts.items():
        title = _title(name)
        if isinstance(value, Mapping):
            yield f"- {title}:"
            yield from (f"  {line}" for line in _listed(value))
        elif isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
            yield f"- {title}:"
            yield from ("  - " + ", ".join(f"{_title(key)} {_told(of)}" for key, of in row.items()) for row in value)
        elif value not in ("", None, [], ()):
            yield f"- {title}: {_told(value)}"


def _title(name: object) -> str:
    return str(name).replace("_", " ")


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_told(item) for item in value)
    return str(value)

"""`petalveil classify`: photos in, what a recogniser sees in them out, as a table or as one JSON array."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_app.cli.console import Console
from mobile_app.cli.explained import Explainer
from mobile_app.cli.models import open_bundle
from mobile_app.cli.report import as_json
from mobile_app.core.bundle import Bundle
from mobile_app.core.classify import Classification
from mobile_app.core.errors import PetalveilError, PhotoError
from mobile_app.core.photo import decode
from mobile_app.core.recogniser import FLOWERS, OBJECTS, Recogniser, classifiers, load_recogniser
from mobile_app.core.shield import behind_shield

AUTO = "auto"


def run(options: argparse.Namespace) -> int:
    """Look at every photo, in the order given.

    Returns: 0, or 1 if a photo could not be looked at.
    Raises: BundleError, GraphError; OutputError if the pictures of --explain cannot go where they were asked for.
    """
    console = Console()
    bundle = open_bundle(options.bundle)
    recognisers = [load_recogniser(bundle, name, threads=options.threads) for name in to_ask(bundle, options.model)]
    if options.shield:
        recognisers = [behind_shield(recogniser, bundle, threads=options.threads) for recogniser in recognisers]
    explainer = None
    if options.explain is not None:
        explainer = Explainer(options.explain, options.photos, bundle, force=options.force, threads=options.threads)
    answers = []
    for photo in options.photos:
        answer = _answer(photo, recognisers, options.top, explainer)
        if options.shield and "error" not in answer:
            answer["shield"] = True
        answers.append(answer)
        if not options.json:
            console.say(_text(answer, recognisers))
    if options.json:
        console.say(as_json(answers))
    for answer in answers:
        if "error" in answer and not options.json:
            console.complain(answer["error"])
    return 1 if any("error" in answer for answer in answers) else 0


def to_ask(bundle: Bundle, model: str) -> list[str]:
    """The classifiers behind a --model, in the order in which they are asked.

    `auto` asks the flower network first, and objects where that is not sure of a flower; see `look`.
    """
    if model != AUTO:
        return [model]
    flowers = [name for name in (FLOWERS, f"{FLOWERS}.int8") if name in classifiers(bundle)]
    return [*flowers[:1], OBJECTS]


def look(rgb_hwc: NDArray[np.uint8], recognisers: Sequence[Recogniser], top: int) -> tuple[Recogniser, Classification]:
    """Ask one after the other until one is sure.

    If none is, the first has the word that does not find it likelier than not that the photo shows none of its classes:
    a poor photo of a flower is still answered with flowers, and marked as unsure.
    """
    answers = []
    for recogniser in recognisers:
        found = recogniser.look(rgb_hwc, top)
        if not found.unsure:
            return recogniser, found
        answers.append((recogniser, found))
    return next((answer for answer in answers if answer[1].none_of_them < 0.5), answers[-1])


def _answer(photo: Path, recognisers: Sequence[Recogniser], top: int, explainer: Explainer | None) -> dict[str, Any]:
    try:
        if photo.is_dir():
            raise PhotoError(f"{photo}: a folder, where a photo was expected; name the photos in it")
        rgb_hwc = decode(photo, name=str(photo)).rgb_hwc
        recogniser, found = look(rgb_hwc, recognisers, top)
        drawn = {} if explainer is None else {"explained": str(explainer.write(photo, rgb_hwc, recogniser, found))}
    except PetalveilError as error:
        return {"photo": str(photo), "error": str(error)}
    guesses = []
    for guess in found.top:
        row: dict[str, Any] = {"label": guess.label, "probability": round(guess.probability, 6)}
        if recogniser.species:
            one = recogniser.species[guess.index]
            row |= {"id": one.id, "latin": one.latin, "zh": one.zh}
        guesses.append(row)
    return {"photo": str(photo), "model": recogniser.name, "top": guesses, "unsure": found.unsure, **drawn}


def _text(answer: dict[str, Any], recognisers: Sequence[Recogniser]) -> str:
    if "error" in answer:
        return f"{answer['photo']}\n  not looked at"
    (by,) = (recogniser for recogniser in recognisers if recogniser.name == answer["model"])
    doubt = "not sure"
    if by.species:
        doubt = f"not sure: none of the {len(by.species)} flowers I know, or a poor photo"
    seen = f"{by.name}, through the shield" if answer.get("shield") else by.name
    lines = [f"{answer['photo']}  ({seen}{'; ' + doubt if answer['unsure'] else ''})"]
    for guess in answer["top"]:
        names = ", ".join(guess[name] for name in ("latin", "zh") if guess.get(name))
        lines.append(f"  {guess['probability']:6.1%}  {guess['label']}{f' ({names})' if names else ''}")
    if "explained" in answer:
        lines.append(f"  drawn: {answer['explained']}")
    return "\n".join(lines)

"""`petalveil classify`: photos in, what a recogniser sees in them out, as a table or as one JSON array."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mobile_app.cli.console import Console
from mobile_app.cli.models import Recogniser, load_recogniser, open_bundle
from mobile_app.cli.report import as_json
from mobile_app.core.errors import PetalveilError, PhotoError
from mobile_app.core.photo import decode


def run(options: argparse.Namespace) -> int:
    """Look at every photo, in the order given.

    Returns: 0, or 1 if a photo could not be looked at.
    Raises: BundleError, GraphError.
    """
    console = Console()
    recogniser = load_recogniser(open_bundle(options.bundle), options.model, threads=options.threads)
    answers = []
    for photo in options.photos:
        answer = _answer(photo, recogniser, options.top)
        answers.append(answer)
        if not options.json:
            console.say(_text(answer))
    if options.json:
        console.say(as_json(answers))
    for answer in answers:
        if "error" in answer and not options.json:
            console.complain(answer["error"])
    return 1 if any("error" in answer for answer in answers) else 0


def _answer(photo: Path, recogniser: Recogniser, top: int) -> dict[str, Any]:
    try:
        if photo.is_dir():
            raise PhotoError(f"{photo}: a folder, where a photo was expected; name the photos in it")
        found = recogniser.look(decode(photo, name=str(photo)).rgb_hwc, top)
    except PetalveilError as error:
        return {"photo": str(photo), "error": str(error)}
    guesses = [{"label": guess.label, "probability": round(guess.probability, 6)} for guess in found.top]
    return {"photo": str(photo), "top": guesses, "unsure": found.unsure}


def _text(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{answer['photo']}\n  not looked at"
    rows = [f"  {guess['probability']:6.1%}  {guess['label']}" for guess in answer["top"]]
    return "\n".join([answer["photo"] + ("  (not sure)" if answer["unsure"] else ""), *rows])

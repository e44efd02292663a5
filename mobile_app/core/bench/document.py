"""Rows and their circumstances in, the document that `--json` and the app's history hold out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mobile_app.core.bench.schema import SCHEMA
from mobile_app.core.bench.steady import BenchConfig

_NUMBERS = re.compile(r"\[\s+([-+.0-9eE,\s]+?)\s+\]")


def document(
    environment: Mapping[str, Any],
    config: BenchConfig,
    rows: Sequence[Mapping[str, Any]],
    ratios: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A result of the bench, as bench.schema.json has it."""
    return {
        "schema": SCHEMA,
        "environment": dict(environment),
        "settings": {"seconds": config.seconds, "precision": config.precision},
        "rows": [dict(row) for row in rows],
        "gradient_by_forward": [dict(ratio) for ratio in ratios],
    }


def as_text(content: Mapping[str, Any]) -> str:
    """JSON that is indented, with a list of numbers on one line: there are hundreds of times in a row."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text)


def as_bytes(content: Mapping[str, Any]) -> bytes:
    """As the content of a file."""
    return (as_text(content) + "\n").encode("utf-8", "backslashreplace")

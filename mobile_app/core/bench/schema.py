"""A result of the bench against bench.schema.json: a value in, sentences about what does not fit out.

Of JSON Schema (draft 2020-12) it knows the words that the file uses, and refuses others, so that no rule is passed
over in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = 2
_FILE = Path(__file__).with_name("bench.schema.json")
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_SAID_ELSEWHERE = {"$schema", "$defs", "title"}


@cache
def schema() -> dict[str, Any]:
    """The content of bench.schema.json."""
    return json.loads(_FILE.read_text(encoding="utf-8"))


def misfits(value: Any, rules: dict[str, Any] | None = None, *, at: str = "") -> Iterator[str]:
    """Each place where a value breaks the rules, as "rows[0].threads: expected ..., found ...".

    Args:
        rules: a schema; None takes that of a result of the bench.
        at: the name of the value.
    Raises: ValueError if the rules hold a word that is not known here.
    """
    yield from _misfits(value, schema() if rules is None else rules, at)


def _misfits(value: Any, rules: dict[str, Any], at: str) -> Iterator[str]:
    if "$ref" in rules:
        rules = schema()["$defs"][rules["$ref"].removeprefix("#/$defs/")]
    unknown = rules.keys() - _RULES.keys() - _SAID_ELSEWHERE - {"additionalProperties", "properties"}
    if unknown:
        raise ValueError(f"schema: expected words that are known here, got {', '.join(sorted(unknown))}")
    for word, rule in rules.items():
        if word in _RULES and (fault := _RULES[word](value, rule)):
            yield f"{at or 'the file'}: {fault}"
            return  # what is inside cannot be right either
    if isinstance(value, dict):
        yield from _misfits_of_object(value, rules, at)
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _misfits(item, rules.get("items", {}), f"{at}[{place}]")


def _misfits_of_object(value: dict[str, Any], rules: dict[str, Any], at: str) -> Iterator[str]:
    known, more = rules.get("properties", {}), rules.get("additionalProperties", True)
    for name, item in value.items():
        place = f"{at}.{name}" if at else name
        if name in known:
            yield from _misfits(item, known[name], place)
        elif more is False:
            yield f"{place}: expected no such field"
        elif isinstance(more, dict):
            yield from _misfits(item, more, place)


def _type(value: Any, rule: str | list[str]) -> str | None:
    wanted = [rule] if isinstance(rule, str) else rule
    is_flag = isinstance(value, bool)  # which Python counts among the whole numbers
    fits = any(isinstance(value, _TYPES[name]) and (not is_flag or name == "boolean") for name in wanted)
    return None if fits else f"expected {' or '.join(wanted)}, found {_short(value)}"


def _required(value: Any, rule: list[str]) -> str | None:
    missing = [name for name in rule if name not in value] if isinstance(value, dict) else []
    return f"expected the field{'s' * (len(missing) > 1)} {', '.join(missing)}, found none" if missing else None


def _minimum(value: Any, rule: float) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"expected {rule} or more, found {value}" if is_number and not value >= rule else None


def _items(value: Any, rule: int) -> str | None:
    return (
        f"expected {rule} or more items, found {len(value)}" if isinstance(value, list) and len(value) < rule else None
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


_RULES = {
    "type": _type,
    "const": lambda value, rule: None if value == rule else f"expected {_short(rule)}, found {_short(value)}",
    "enum": lambda value, rule: None if value in rule else f"expected one of {_short(rule)}, found {_short(value)}",
    "required": _required,
    "minimum": _minimum,
    "minItems": _items,
    "items": lambda _value, _rule: None,  # one by one, in _misfits
}

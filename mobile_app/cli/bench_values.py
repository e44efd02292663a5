"""What an argument of `petalveil bench` may be: a text in; a value out, or one sentence."""

from __future__ import annotations

from mobile_app.cli.values import number


def megapixels(text: str) -> tuple[float, ...]:
    """One size or several, each once; none for none."""
    if text.strip() == "none":
        return ()
    one = number(0.1, 100)
    return tuple(dict.fromkeys(one(part.strip()) for part in text.split(",")))

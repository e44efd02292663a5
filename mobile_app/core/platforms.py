"""Presets for posting: the size and compression that a network is said to leave as they are.

They are named by setting and not by network: what is known of networks are reports, which grow old. A file of presets
is JSON:

    {"long-1080-q75": {"long_side_px": 1080, "quality": 75, "subsampling": "4:2:0",
                       "known_from": [{"source": "who says so, of which network", "strength": "how far to trust it"}]}}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_app.core.content import read_object
from mobile_app.core.errors import BundleError

if TYPE_CHECKING:  # so that a command's help needs no NumPy
    from mobile_app.core.photo import Subsampling

DEFAULT_PATH = Path(__file__).parent.parent / "content" / "platforms.json"

_LONG_SIDE_PX = (100, 65_500)  # the latter is where the sides of a JPEG end
_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_FIELDS = ("long_side_px", "quality", "subsampling", "known_from")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What a photo is brought to before it is posted."""

    name: str  # says the settings: long-1080-q75, and -444 or -422 at its end where it is not 4:2:0
    long_side_px: int  # longer photos are brought down to it, shorter ones stay
    quality: int  # of the JPEG, 1 to 100
    subsampling: Subsampling
    note: str  # who says so of which network, and how far to trust it

    def __post_init__(self) -> None:
        _refuse_outside("long_side_px", self.long_side_px, *_LONG_SIDE_PX)
        _refuse_outside("quality", self.quality, 1, 100)
        if self.subsampling not in _SUBSAMPLINGS:
            raise ValueError(f"subsampling: expected one of {', '.join(_SUBSAMPLINGS)}, got {self.subsampling!r}")
        if not self.note.strip():
            raise ValueError("note: expected who says so, got nothing")
        colour = "" if self.subsampling == "4:2:0" else f"-{self.subsampling.replace(':', '')}"
        expected = f"long-{self.long_side_px}-q{self.quality}{colour}"
        if self.name != expected:
            raise ValueError(f"name: expected {expected}, after the settings, got {self.name!r}")


def load_platforms(path: Path = DEFAULT_PATH) -> dict[str, Platform]:
    """Every preset by its name, in the order of the file. Raises: BundleError naming the field that is wrong."""
    return {name: _platform(path.name, name, fields) for name, fields in read_object(path).items()}


def _platform(file: str, name: str, fields: Any) -> Platform:
    if not isinstance(fields, dict) or set(fields) != set(_FIELDS):
        raise BundleError(f"{file}: {name}: expected the fields {', '.join(_FIELDS)}; restore the file")
    settings = {field: fields[field] for field in _FIELDS if field != "known_from"}
    try:
        return Platform(name=name, note=_note(fields["known_from"]), **settings)
    except ValueError as error:
        raise BundleError(f"{file}: {name}: {error}; restore the file") from error


def _note(known_from: Any) -> str:
    if not isinstance(known_from, list) or not known_from:
        raise ValueError(f"known_from: expected a list of reports, got {known_from!r}")
    for report in known_from:
        texts = report.values() if isinstance(report, dict) and set(report) == {"source", "strength"} else [None]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f"known_from: expected a source and a strength in words, got {report!r}")
    return "; ".join(f"{report['source']} ({report['strength']})" for report in known_from)


def _refuse_outside(field: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:  # true and 1080.0 are no numbers of pixels
        raise ValueError(f"{field}: expected a whole number from {low} to {high}, got {value!r}")

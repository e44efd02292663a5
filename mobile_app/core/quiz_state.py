"""What a person knows of the quiz: Leitner boxes, streaks and scores, as values that are kept in one JSON file.

Leitner's scheme (S. Leitner, So lernt man lernen, 1972): what is answered rightly moves one box on and rests for
longer, what is missed goes back to the first box and is due at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from mobile_app.core.settings import read_json, write_json

FILE = "quiz.json"
REST_DAYS = (0, 1, 3, 7, 16, 35)  # of each box, from the first
SCORES_KEPT = 100
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a question lies and when it is due."""

    number: int  # 0 to len(REST_DAYS) - 1
    due: date

    def __post_init__(self) -> None:
        if not 0 <= self.number < len(REST_DAYS):
            raise ValueError(f"number: expected 0 to {len(REST_DAYS) - 1}, got {self.number}")


@dataclass(frozen=True, kw_only=True)
class Score:
    """One finished round."""

    day: date
    level: int
    right: int
    asked: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.asked or self.asked < 1 or self.level < 0:
            raise ValueError(f"score: expected 0 <= right <= asked, got {self.right} of {self.asked}")


@dataclass(frozen=True, kw_only=True)
class QuizState:
    """Everything the quiz remembers; each change is a new one."""

    boxes: Mapping[str, Box] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()  # oldest first
    run: int = 0  # right answers in a row, up to now
    best_run: int = 0
    open_level: int = 0  # the highest that may be played

    def urgency(self, key: str, today: date) -> tuple[int, int]:
        """For sorting: missed and due first, then new, then what rests, the soonest due first."""
        box = self.boxes.get(key)
        if box is None:
            return 1, 0
        days = (box.due - today).days
        return (0, box.number) if days <= 0 else (2, days)

    def due(self, today: date) -> int:
        """How many questions wait for repetition."""
        return sum(box.due <= today for box in self.boxes.values())

    def learned(self) -> int:
        """How many were answered rightly three times and more since they were last missed."""
        return sum(box.number >= 3 for box in self.boxes.values())

    def days_in_row(self, today: date) -> int:
        """Days with a finished round up to today, or up to yesterday if there was none today yet."""
        played = {score.day.toordinal() for score in self.scores}
        last = today.toordinal() if today.toordinal() in played else today.toordinal() - 1
        count = 0
        while last - count in played:
            count += 1
        return count

    def best(self, level: int) -> Score | None:
        """The best round of a level, the latest of equals."""
        rounds = [score for score in self.scores if score.level == level]
        return max(reversed(rounds), key=lambda score: score.right / score.asked, default=None)


def answered(state: QuizState, key: str, *, is_right: bool, today: date) -> QuizState:
    """The state after one answer."""
    before = state.boxes.get(key)
    if is_right:
        number = min((before.number if before else 0) + 1, len(REST_DAYS) - 1)
    else:
        number = 0
    due = date.fromordinal(today.toordinal() + REST_DAYS[number])
    run = state.run + 1 if is_right else 0
    return dataclasses.replace(
        state,
        boxes={**state.boxes, key: Box(number=number, due=due)},
        run=run,
        best_run=max(run, state.best_run),
    )


def finished(state: QuizState, score: Score, *, to_pass: int, levels: int) -> QuizState:
    """The state after a round; a level passed opens the next of `levels`."""
    passed = score.right >= to_pass and score.level >= state.open_level
    return dataclasses.replace(
        state,
        scores=(*state.scores, score)[-SCORES_KEPT:],
        open_level=min(score.level + 1, levels - 1) if passed else state.open_level,
    )


def load_state(folder: Path) -> QuizState:
    """The state in a folder; a new one if the file is missing, damaged or of another schema."""
    content = read_json(folder / FILE)
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        return QuizState()
    try:
        return from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        return QuizState()


def save_state(folder: Path, state: QuizState) -> None:
    """Raises: OutputError if the file cannot be written."""
    write_json(folder / FILE, to_json(state))


def to_json(state: QuizState) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "boxes": {key: [box.number, box.due.isoformat()] for key, box in state.boxes.items()},
        "scores": [[score.day.isoformat(), score.level, score.right, score.asked] for score in state.scores],
        "run": state.run,
        "best_run": state.best_run,
        "open_level": state.open_level,
    }


def from_json(content: dict[str, Any]) -> QuizState:
    """Raises: KeyError, TypeError or ValueError where it is not what to_json wrote."""
    boxes = {key: Box(number=number, due=date.fromisoformat(due)) for key, (number, due) in content["boxes"].items()}
    scores = [
        Score(day=date.fromisoformat(day), level=level, right=right, asked=asked)
        for day, level, right, asked in content["scores"]
    ]
    counts = {name: int(content[name]) for name in ("run", "best_run", "open_level")}
    if min(counts.values()) < 0:
        raise ValueError(f"counts: expected 0 or more, got {counts}")
    return QuizState(boxes=boxes, scores=tuple(scores), **counts)

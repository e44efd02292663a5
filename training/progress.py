"""A progress bar for long work on a terminal; nothing where the output goes to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Go through `items` under a bar with `description`; `total` is for items without a length."""
    with _progress() as progress:
        yield from progress.track(items, total=total, description=description)


@contextmanager
def counting(total: int, description: str) -> Iterator[Callable[[int], None]]:
    """A bar for work that does not come one by one: call what is yielded with how many more are done."""
    with _progress() as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.advance(task, done)


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

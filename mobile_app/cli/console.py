"""What a command shows: lines on stdout, complaints on stderr, and a bar on stderr while a person is watching."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OnStep = Callable[[str, int, int, int], None]  # name of the photo, photos done, steps done, steps in all of the photo


class Console:
    """Lines wait while a bar is shown, so that the two never mix."""

    def __init__(self) -> None:
        self._waiting: list[str] | None = None

    def say(self, line: str) -> None:
        """Print a line of the result."""
        if self._waiting is None:
            print(line, flush=True)
        else:
            self._waiting.append(line)

    def complain(self, sentence: str) -> None:
        """Print what went wrong."""
        print(f"petalveil: {sentence}", file=sys.stderr)

    @contextmanager
    def progress(self, photos: int) -> Iterator[OnStep]:
        """A bar over the steps of every photo; none where nobody watches stderr."""
        if not sys.stderr.isatty():
            yield lambda _name, _done, _step, _steps: None
            return
        self._waiting = []
        try:
            with _bar(photos) as on_step:
                yield on_step
        finally:
            waiting, self._waiting = self._waiting, None
            for line in waiting:
                self.say(line)


@contextmanager
def _bar(photos: int) -> Iterator[OnStep]:
    from rich.console import Console as Screen
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(complete_style="magenta", finished_style="magenta"),
        TextColumn("[dim]{task.fields[place]}"),
        TimeRemainingColumn(),
    )
    # Without the redirections, which would send lines meant for stdout to stderr.
    with Progress(
        *columns, console=Screen(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        task = progress.add_task("", total=photos, place="")
        furthest = 0.0

        def on_step(name: str, done: int, step: int, steps: int) -> None:
            nonlocal furthest
            place = f"photo {done + 1} of {photos}, step {step} of {steps}" if photos > 1 else f"step {step} of {steps}"
            furthest = max(furthest, done + step / steps)  # a photo that gets another round holds the bar, not back
            progress.update(task, description=escape(name), completed=furthest, place=place)

        yield on_step

"""Work off the screen's thread: a job in, its result back on the screen's thread, or a sentence about what went wrong.

    task = worker.run(lambda task: slow(task.should_stop), done=self.show, failed=self.app.complain)
    task.cancel()

One thread does all the work, so that jobs keep their order and two graphs never compete for the cores.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from kivy.clock import Clock

from mobile_app.core.errors import BundleError, GraphError, OutputError, PetalveilError, PhotoError

T = TypeVar("T")
Sentences = Callable[..., str]

# The sentences of core are English; a catalogue of another language puts one of its own before them.
_KINDS = {
    PhotoError: "photo_error",
    OutputError: "output_error",
    BundleError: "bundle_error",
    GraphError: "graph_error",
}
SWITCH_SECONDS = 0.0005  # Python's own is 0.005
# What a job begins with, memory for a large photo say, keeps the interpreter's lock for long, and a page that is being
# made needs it all the time: so jobs begin when the page stands, but they do not wait for ever.
PAGE_SECONDS, LONGEST_WAIT_SECONDS = 0.06, 0.5


class Task(Generic[T]):
    """A job under way, seen from both threads."""

    def __init__(self, on_progress: Callable[..., None] | None = None) -> None:
        self._stop = threading.Event()
        self._on_progress = on_progress
        self._waiting: tuple[Any, ...] | None = None
        self.is_over = False  # on the screen's thread: its result, or its failure, was handed out

    def cancel(self) -> None:
        """Ask the job to stop; neither done nor failed will be called."""
        self._stop.set()

    def should_stop(self) -> bool:
        """For the job: whether it was cancelled."""
        return self._stop.is_set()

    def report(self, *facts: Any) -> None:
        """For the job: hand facts to `progress`, once a frame at most; what came late replaces what waits."""
        is_first = self._waiting is None
        self._waiting = facts
        if is_first and self._on_progress is not None:
            Clock.schedule_once(self._deliver)

    def _deliver(self, _dt: float) -> None:
        facts, self._waiting = self._waiting, None
        if facts is not None and self._on_progress is not None and not self.is_over and not self.should_stop():
            self._on_progress(*facts)


class Worker:
    """The one thread that works.

    Args:
        sentence: a catalogue, for failures that have no sentence of their own: no memory, no space.
        leave: called at the end of every job, on the thread that did it (Android wants threads detached).
    """

    def __init__(self, sentence: Sentences, leave: Callable[[], None] = lambda: None) -> None:
        self.sentence = sentence
        self._leave = leave
        # A frame takes the interpreter's lock several times, and each time the worker may keep it for this long.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")
        self._tasks: set[Task[Any]] = set()
        self.is_closed = False
        self._page_until = 0.0  # by the monotonic clock

    def run(
        self,
        job: Callable[[Task[T]], T],
        *,
        done: Callable[[T], None],
        failed: Callable[[str], None],
        progress: Callable[..., None] | None = None,
    ) -> Task[T]:
        """Do a job on the worker; done(result), or failed(sentence), and progress(*facts) come on the screen's thread.

        An error that is neither ours nor the system's is a fault of the app, and is raised on the screen's thread.
        """
        task: Task[T] = Task(progress)
        self._tasks.add(task)

        def work() -> T:
            try:
                self._let_page_stand(task)
                if task.should_stop():  # before its turn came
                    raise CancelledError
                return job(task)
            finally:
                self._leave()

        def finish(future: Future[T]) -> None:
            self._tasks.discard(task)
            task.is_over = True
            if task.should_stop():
                return
            try:
                result = future.result()
            except (PetalveilError, MemoryError, OSError) as error:
                failed(describe(error, self.sentence))
            except CancelledError:
                return
            else:
                done(result)

        future = self._pool.submit(work)
        future.add_done_callback(lambda over: Clock.schedule_once(lambda _dt: finish(over)))
        return task

    def page_is_made(self) -> None:
        """For whoever makes a page: the next job begins a few frames from now."""
        self._page_until = time.monotonic() + PAGE_SECONDS

    def _let_page_stand(self, task: Task[Any]) -> None:
        end = time.monotonic() + LONGEST_WAIT_SECONDS
        while (now := time.monotonic()) < min(self._page_until, end) and not task.should_stop():
            time.sleep(min(self._page_until - now, 0.01))

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def close(self) -> None:
        """Stop what runs and take no more."""
        self.is_closed = True
        for task in list(self._tasks):
            task.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)


def describe(error: BaseException, sentence: Sentences) -> str:
    """An error as a sentence with a way on."""
    if isinstance(error, PetalveilError):
        kind = next((name for kind, name in _KINDS.items() if isinstance(error, kind)), None)
        return str(error) if kind is None else sentence(f"common.{kind}", reason=str(error))
    if isinstance(error, MemoryError):
        return sentence("common.no_memory")
    if isinstance(error, OSError):
        return sentence("common.system_error", reason=error.strerror or str(error))
    raise error

"""Jobs off the screen's thread: their order, their results, their failures, stopping them."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kivy.clock import Clock

from mobile_app.core.errors import BundleError, GraphError, OutputError, PetalveilError, PhotoError
from mobile_app.ui.background import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(lambda key, **values: f"{key} {values}" if values else key)
    yield made
    made.close()


def test_results_come_in_order_on_the_thread_that_asked(worker: Worker) -> None:
    told: list[tuple[int, threading.Thread]] = []
    for number in range(5):
        worker.run(lambda _task, n=number: n, done=lambda n: told.append((n, threading.current_thread())), failed=no)
    wait(lambda: len(told) == 5)
    assert told == [(number, threading.current_thread()) for number in range(5)]


def test_a_job_begins_when_the_page_that_is_made_stands(worker: Worker) -> None:
    from mobile_app.ui.background import PAGE_SECONDS

    began: list[float] = []
    made = time.monotonic()
    worker.page_is_made()
    worker.run(lambda _task: began.append(time.monotonic()), done=lambda _: None, failed=no)
    wait(lambda: began)
    assert began[0] - made >= PAGE_SECONDS


def test_a_job_does_not_wait_for_pages_without_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.ui import background

    monkeypatch.setattr(background, "PAGE_SECONDS", 60)
    began: list[float] = []
    worker.page_is_made()
    asked = time.monotonic()
    worker.run(lambda _task: began.append(time.monotonic()), done=lambda _: None, failed=no)
    wait(lambda: began)
    assert began[0] - asked >= background.LONGEST_WAIT_SECONDS


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PhotoError("a.jpg: damaged"), "common.photo_error {'reason': 'a.jpg: damaged'}"),
        (OutputError("no space"), "common.output_error {'reason': 'no space'}"),
        (BundleError("a.onnx: missing"), "common.bundle_error {'reason': 'a.onnx: missing'}"),
        (GraphError("a.onnx: bad"), "common.graph_error {'reason': 'a.onnx: bad'}"),
        (PetalveilError("of another kind"), "of another kind"),
        (MemoryError(), "common.no_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "common.system_error {'reason': 'No space left on device'}"),
    ],
)
def test_a_failure_is_a_sentence(worker: Worker, error: Exception, sentence: str) -> None:
    told: list[str] = []

    def job(_task: Any) -> None:
        raise error

    worker.run(job, done=no, failed=told.append)
    wait(lambda: told)
    assert told == [sentence]


def test_a_fault_is_raised_where_it_is_seen(worker: Worker) -> None:
    def job(_task: Any) -> None:
        raise KeyError("ours")

    worker.run(job, done=no, failed=no)
    with pytest.raises(KeyError, match="ours"):
        wait(lambda: False)


def test_a_cancelled_job_hears_of_it_and_says_nothing_more(worker: Worker) -> None:
    started = threading.Event()
    stopped: list[bool] = []

    def job(task: Any) -> str:
        started.set()
        while not task.should_stop():
            time.sleep(0.001)
        stopped.append(True)
        task.report("late")
        return "result"

    task = worker.run(job, done=no, failed=no, progress=no)
    assert started.wait(5)
    task.cancel()
    wait(lambda: not worker.is_busy)
    assert stopped == [True]


def test_a_job_that_is_cancelled_before_its_turn_is_not_begun(worker: Worker) -> None:
    go_on = threading.Event()
    begun: list[str] = []
    worker.run(lambda _task: go_on.wait(5), done=lambda _r: None, failed=no)
    task = worker.run(lambda _task: begun.append("second"), done=no, failed=no)
    task.cancel()
    go_on.set()
    wait(lambda: not worker.is_busy)
    assert begun == []


def test_progress_is_told_at_most_once_a_frame_and_the_last_word_wins(worker: Worker) -> None:
    told: list[int] = []
    reported = threading.Event()

    def job(task: Any) -> None:
        for number in range(100):
            task.report(number)
        reported.set()
        time.sleep(0.05)

    worker.run(job, done=lambda _r: told.append(-1), failed=no, progress=told.append)
    assert reported.wait(5)
    wait(lambda: told and told[-1] == -1)
    assert told == [99, -1]


def test_every_job_ends_with_leaving_its_thread() -> None:
    left: list[str] = []
    worker = Worker(lambda key, **_values: key, lambda: left.append(threading.current_thread().name))
    worker.run(lambda _task: None, done=lambda _r: None, failed=no)
    wait(lambda: not worker.is_busy)
    worker.close()
    assert len(left) == 1
    assert left[0].startswith("worker")


def test_closing_stops_what_runs() -> None:
    worker = Worker(lambda key, **_values: key)
    started = threading.Event()

    def job(task: Any) -> None:
        started.set()
        while not task.should_stop():
            time.sleep(0.001)

    worker.run(job, done=no, failed=no)
    assert started.wait(5)
    worker.close()  # comes back


def no(*_facts: Any) -> None:
    raise AssertionError("this must not be called")


def wait(condition: Any, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        Clock.tick()
        time.sleep(0.001)

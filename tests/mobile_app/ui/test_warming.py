"""What is fetched while Home is looked at, and that no frame takes long while a photo is protected."""

from __future__ import annotations

import gc
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest


def test_pages_are_imported_one_a_frame_after_the_core_was_on_the_worker(
    driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobile_app.ui import warming

    seen: list[str] = []

    def import_core(_task: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        seen.append("core")

    def import_page(name: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        seen.append(name)

    monkeypatch.setattr(warming, "_import_core", import_core)
    monkeypatch.setattr(warming, "screen_class", import_page)
    driver.restart()
    driver.wait(lambda: "settings" in seen, seconds=60)
    assert seen[:3] == ["core", "protect", "protect_result"]
    assert len(seen) == len(set(seen))


def test_an_app_that_ends_at_once_imports_nothing_more(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.ui import warming

    seen: list[str] = []
    monkeypatch.setattr(warming, "_import_core", lambda _task: seen.append("core"))
    monkeypatch.setattr(warming, "AFTER_SECONDS", 3.0)  # longer than a restart takes on a busy machine
    driver.restart()
    driver.stop()
    end = time.monotonic() + warming.AFTER_SECONDS + 0.2
    while time.monotonic() < end:
        driver.frames(1)
        time.sleep(0.01)
    assert seen == []


def test_what_is_fetched_is_left_out_of_full_collections_which_wait_until_no_job_runs(driver: Any) -> None:
    driver.wait(lambda: gc.get_freeze_count() > 50_000 and gc.get_threshold()[2] > 1000)
    full: list[bool] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            full.append(driver.app.worker.is_busy)

    gc.callbacks.append(note)
    try:
        for _ in range(12):
            gc.collect(1)
        driver.wait(lambda: full)
    finally:
        gc.callbacks.remove(note)
    assert full == [False]
    driver.stop()
    driver.wait(lambda: gc.get_threshold()[2] < 1000)  # the process gets its own way back


def test_what_is_fetched_is_there(driver: Any) -> None:
    driver.wait(lambda: not driver.app.worker.is_busy and "mobile_app.ui.screens.quiz_round" in sys.modules)
    assert {"numpy", "PIL.Image", "mobile_app.core.cloak", "mobile_app.core.recogniser"} <= set(sys.modules)


def test_no_frame_does_much_from_the_choice_to_the_result(driver: Any, sample: Path, few_steps: None) -> None:
    """By calls on the screen's thread, which no neighbour adds to. The seconds are measured by `app_frames.py`."""
    from kivy.base import EventLoop
    from kivy.clock import Clock

    from mobile_app.ui.protection import Protection

    driver.wait(lambda: not driver.app.worker.is_busy)
    driver.go("protect")
    model = driver.app.model(Protection)
    calls: list[int] = []

    def count(_frame: Any, event: str, _arg: Any) -> None:
        calls[-1] += event in {"call", "c_call"}

    def frames_until(condition: Any) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            calls.append(0)
            sys.setprofile(count)
            try:
                Clock.tick()
                EventLoop.dispatch_input()
                Clock.tick_draw()
            finally:
                sys.setprofile(None)
            time.sleep(0.002)

    model.pick([sample])
    frames_until(lambda: model.photos[0].thumbnail is not None and model.engines)
    model.start()
    frames_until(lambda: driver.app.navigator.current.name_is("protect_result"))
    frames_until(lambda: driver.app.navigator.current._views is not None and driver.app.navigator.current.is_whole)
    assert max(calls) < 20_000, sorted(calls)[-5:]

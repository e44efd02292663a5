"""The other pages: Home, Benchmark, Settings and what the app is made of; back, and the first run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def test_the_first_run_explains_in_three_lines_and_then_never_again(driver: Any) -> None:
    driver.restart(knows_app=False)
    assert driver.shows("Nothing leaves this device")
    driver.tap("Good to know")
    assert not driver.shows("Nothing leaves this device")
    driver.stop(kill=True)
    driver.restart(keep=True)
    assert not driver.shows("Nothing leaves this device")


def test_back_works_on_every_page(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    for name in ("protect", "benchmark", "settings", "browse"):
        driver.go(name)
        driver.wait(lambda: not driver.app.worker.is_busy)
        driver.back()
        assert driver.app.navigator.names[-1] != name
    driver.go("settings")
    driver.tap("Licences")
    driver.tap("Phosphor icons (a part)")
    assert driver.shows("MIT License")
    for _ in range(5):
        driver.back()
    assert driver.app.navigator.names == ["home"]


def test_back_closes_what_lies_over_the_page_first(driver: Any) -> None:
    driver.go("settings")
    driver.app.complain("Something went wrong.")
    driver.back()
    assert driver.app.shell.overlays.sheet is None
    assert driver.app.navigator.names == ["home", "settings"]


def test_a_tap_beside_a_sheet_closes_it_and_taps_nothing_below(driver: Any) -> None:
    driver.app.complain("Something went wrong.")
    driver.frames()
    driver.touch(200, 880)
    assert driver.app.shell.overlays.sheet is None
    assert driver.app.navigator.names == ["home"]


def test_a_photo_protected_lately_is_opened_from_home(driver: Any, used_data: Path) -> None:
    from mobile_app.ui.widgets import Tappable

    driver.restart(used=used_data)
    assert driver.shows("Protected lately")
    newest = next(widget for widget in driver.widgets(Tappable) if widget.width == widget.height == 104)
    driver.tap(newest)
    assert driver.app.navigator.names[-1] == "protect_result"


def test_the_benchmark_runs_what_is_chosen_and_shows_its_figures(driver: Any) -> None:
    from mobile_app.core.bench.schema import misfits
    from mobile_app.ui.benchmarking import SECONDS, Benchmarking

    model = driver.app.model(Benchmarking)
    driver.tap("Benchmark")
    driver.wait(lambda: driver.shows("flowers.int8"))
    for name in model.graphs:
        if name != "flowers.int8":
            driver.tap(name)
    driver.tap(f"{SECONDS['quick']:g} s")
    driver.tap("Measure")
    driver.wait(lambda: driver.shows("Measuring"))
    driver.wait(lambda: driver.shows("Time of one run"))
    assert driver.shows("Results are right")
    (entry,) = model.history.entries()
    (row,) = entry["rows"]
    assert (row["kind"], row["name"]) == ("graph", "flowers.int8")
    assert row["parity_ok"]
    assert row["latency"]["n"] >= 5
    assert driver.shows("Stopped by")
    assert list(misfits(entry)) == []
    driver.tap("Share the figures")
    assert json.loads(driver.system.shared[0].read_text(encoding="utf-8")) == entry
    driver.tap("Delete this run")
    assert model.history.entries() == []


def test_the_benchmark_measures_a_way_to_protect(driver: Any) -> None:
    from mobile_app.ui.benchmarking import Benchmarking

    model = driver.app.model(Benchmarking)
    driver.go("benchmark")
    driver.wait(lambda: model.engines)
    assert not model.chosen & set(model.engines)
    model.chosen, model.length = {"engine:universal"}, "quick"
    driver.app.navigator.current.refresh()
    driver.tap("Measure")
    driver.wait(lambda: driver.shows("Time of one run"))
    (entry,) = model.history.entries()
    (row,) = entry["rows"]
    assert (row["kind"], row["name"], row["parity_ok"]) == ("engine", "universal", None)
    assert len(row["times_ms"]) <= 100
    assert driver.shows("Instant (engine)")
    assert not driver.shows("Results are right")


def test_a_run_of_an_earlier_version_is_still_shown(driver: Any) -> None:
    from mobile_app.ui.benchmarking import Benchmarking

    latency = {"n": 5, "mean_ms": 2.0, **{f"p{part}_ms": 2.0 for part in (50, 90, 95, 99)}}
    row = {"graph": "objects", "threads": 1, "precision": "float16", "size_px": 224, "load_ms": 9.0, "latency": latency}
    row |= {"first_run_ms": 3.0, "cpu_ms_per_run": 2.0, "memory_peak_mb": None, "drift": None}
    row |= {"parity_ok": True, "faults": ["5 runs, fewer than 20"]}
    entry = {"id": "old", "schema": 1, "time": "2026-01-01 10:00", "environment": {"system": "Linux"}, "rows": [row]}
    driver.app.model(Benchmarking).history.add(entry)
    driver.go("benchmark")
    assert driver.shows("objects")
    driver.go("benchmark_result", id="old")
    assert driver.shows("5 runs, fewer than 20.")


def test_doubts_about_figures_are_in_the_language_of_the_person(driver: Any) -> None:
    from mobile_app.ui.screens.benchmark_result import BenchmarkResultScreen

    driver.restart(language="zh")
    screen = BenchmarkResultScreen(driver.app, {"id": "none"}, {})
    doubts = [{"reason": "busy", "value": 0.345}, {"reason": "few", "value": 3}, {"reason": "hot", "value": None}]
    found = screen._doubts({"doubts": doubts})
    assert found[::2] == ["有 34% 的时间在等待其他程序。", "设备过热。"]
    assert "3 次" in found[1]


def test_the_benchmark_is_stopped_within_a_run(driver: Any) -> None:
    from mobile_app.ui.benchmarking import Benchmarking

    model = driver.app.model(Benchmarking)
    driver.go("benchmark")
    driver.wait(lambda: model.graphs)
    model.length = "long"
    driver.tap("Measure")
    driver.wait(lambda: model.place[2] > 0)
    driver.tap("Cancel")
    assert driver.shows("Networks")
    driver.wait(lambda: not driver.app.worker.is_busy, seconds=5)  # of the 10 s and more that it would have taken
    assert model.history.entries() == []


def test_language_and_theme_change_at_once_and_last(driver: Any) -> None:
    driver.go("settings")
    driver.tap("中文")
    assert driver.shows("设置")
    driver.tap("深色")
    assert driver.app.theme.is_dark
    driver.stop()
    driver.restart(keep=True)
    assert driver.app.t.language == "zh"
    assert driver.app.theme.is_dark


def test_the_system_decides_until_a_person_does(driver: Any) -> None:
    from mobile_app.core.settings import Settings

    driver.app.change(language="system", theme="system")
    assert Settings().language == Settings().theme == "system"
    driver.system.language, driver.system.dark, driver.system.scale = "zh-CN", True, 1.5
    driver.app.dispatch("on_resume")
    assert driver.app.t.language == "zh"
    assert driver.app.theme.is_dark
    assert driver.app.theme.text_scale == 1.5


def test_erasing_leaves_nothing_behind(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    driver.go("settings")
    driver.tap("Erase everything")
    driver.tap("Erase")
    driver.frames()
    assert sorted(path.name for path in driver.app.data.rglob("*") if path.is_file()) == []
    assert driver.app.navigator.names == ["home"]
    assert driver.shows("Nothing leaves this device")
    assert not driver.shows("Protected lately")


def test_erasing_stops_the_work_and_leaves_nothing_of_it(driver: Any, sample: Path) -> None:
    from mobile_app.ui.protection import Protection

    driver.go("protect")
    model = driver.app.model(Protection)
    model.pick([sample])
    model.start()
    driver.wait(lambda: model.progress is not None and model.progress.stage == "change")
    driver.app.erase()
    driver.wait(lambda: not driver.app.worker.is_busy)
    assert driver.app.navigator.names == ["home"]
    assert not (driver.app.data / "recent").exists()
    assert driver.app.model(Protection).photos == []


def test_models_and_hashes_come_from_the_bundle(driver: Any, root: Path) -> None:
    manifest = json.loads((root / "mobile_app" / "bundle" / "manifest.json").read_text(encoding="utf-8"))
    driver.go("document", name="hashes")
    driver.wait(lambda: driver.shows("efficientnet_lite0.weights"))
    assert driver.shows(manifest["files"]["flowers.weights"]["sha256"])
    driver.go("document", name="models")
    driver.wait(lambda: driver.shows("flowers.int8"))
    driver.tap("flowers.int8")
    driver.wait(lambda: driver.shows("Apache-2.0"))


def test_a_fault_of_the_app_is_not_swallowed(driver: Any) -> None:
    def faulty(_task: Any) -> None:
        raise RuntimeError("a fault of ours")

    driver.app.worker.run(faulty, done=lambda _result: None, failed=driver.app.complain)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        driver.wait(lambda: False, seconds=5)


def test_a_fault_is_written_down_told_and_survived_but_not_for_ever(driver: Any) -> None:
    from kivy.base import ExceptionManager

    from mobile_app.ui.faults import MOST, NOTE, Faults

    faults = Faults(driver.app)
    assert faults.handle_exception(KeyError("ours")) == ExceptionManager.PASS
    assert driver.shows("Something in the app is broken")
    assert "KeyError: 'ours'" in (driver.app.data / NOTE).read_text(encoding="utf-8")
    assert faults.handle_exception(KeyboardInterrupt()) == ExceptionManager.RAISE
    for _ in range(MOST):
        last = faults.handle_exception(KeyError("again"))
    assert last == ExceptionManager.RAISE


def test_an_entry_that_was_damaged_is_said_to_be_gone(driver: Any) -> None:
    from mobile_app.ui.protecting import recent_photos

    recent_photos(driver.app.data).add({"id": "half"})
    driver.go("home")
    driver.go("protect_result", id="half")
    assert driver.shows("This photo is no longer here")


def test_memory_stays_flat_over_many_results(driver: Any, used_data: Path) -> None:
    """Pages that were left, and their textures, are let go."""
    import gc
    import weakref

    driver.restart(used=used_data)
    entry = json.loads((used_data / "recent" / "list.json").read_text(encoding="utf-8"))[0]
    pages = []
    for _ in range(5):
        pages.append(weakref.ref(driver.go("protect_result", id=entry["id"])))
        driver.wait(lambda: driver.app.navigator.current._views is not None)
        driver.back()

    def held() -> int:
        gc.collect()
        return sum(page() is not None for page in pages)

    driver.wait(lambda: held() <= 1)  # not at once: a job that a page began holds it until it ends


def test_a_wide_window_has_the_tabs_at_its_side(driver: Any) -> None:
    bar = driver.app.shell.bar
    assert bar.width > bar.height
    driver.resize((800, 1280))
    driver.frames()
    assert bar.height > bar.width
    assert bar.x == 0


def test_photos_dropped_on_the_window_are_on_the_list(driver: Any, sample: Path) -> None:
    from kivy.core.window import Window

    from mobile_app.ui.protection import Protection

    Window.dispatch("on_drop_file", str(sample).encode(), 10, 10)
    driver.frames()
    assert [photo.path for photo in driver.app.model(Protection).photos] == [sample]


def test_a_folder_that_cannot_be_read_is_told_in_a_sentence(driver: Any) -> None:
    folder = driver.system.folder / "album"
    folder.mkdir()
    driver.go("browse")
    driver.wait(lambda: driver.shows("album"))
    shutil.rmtree(folder)
    driver.tap("album")
    driver.wait(lambda: driver.shows("No such file or directory"))

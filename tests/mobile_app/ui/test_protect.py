"""Protecting a photo, as a person does it: real photo, real bundle, taps."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from mobile_app.core.cloak import MEDIUM, ONE_ROUND
from mobile_app.core.errors import OutputError
from mobile_app.core.step import StepConfig

pytestmark = pytest.mark.usefixtures("few_steps")  # for all tests but those that say otherwise


@pytest.fixture
def model(driver: Any) -> Any:
    from mobile_app.ui.protection import Protection

    return driver.app.model(Protection)


def test_three_taps_protect_a_photo_and_one_saves_it(
    driver: Any, model: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobile_app.core.cloak.MEDIUM", ONE_ROUND)  # few steps mislead nobody
    original = sample.read_bytes()
    driver.system.photos = [sample]
    driver.tap("Protect a photo")  # the picker opens at once, and the second tap is in it
    driver.wait(lambda: driver.shows("Protect this photo"))
    driver.tap("Protect this photo")
    driver.wait(lambda: driver.shows("What a recogniser sees"))

    assert driver.app.navigator.names == ["home", "protect", "protect_result"]
    assert driver.shows("espresso")
    assert driver.shows("misled")
    assert driver.shows("The photo had none, and none was added")
    driver.tap("Save")
    driver.wait(lambda: driver.shows("Saved: Pictures/petalveil/coffee.cloaked"))
    driver.tap("Share")
    assert [path.name for path in driver.system.shared] == ["protected.jpeg"]
    assert sample.read_bytes() == original

    from mobile_app.core.photo import decode

    saved = decode(driver.system.folder / "saved-1.jpeg")
    assert saved.size_px == (600, 400)
    assert (saved.rgb_hwc != decode(sample).rgb_hwc).any()


def test_the_engine_is_chosen_in_plain_words_where_the_bundle_has_several(
    driver: Any, model: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = ("gradient", "generator", "universal")
    monkeypatch.setattr("mobile_app.ui.protection.known_engines", lambda _graphs: several)
    driver.go("protect")
    model.pick([sample])
    driver.wait(lambda: driver.shows("How long may it take?"))
    assert model.ways == ("gradient", "within", "generator", "universal")
    assert model.way == "gradient"
    driver.tap("About a second")
    assert driver.app.settings.engine == model.way == "generator"
    model.engines = ("gradient",)  # another bundle, without it
    assert model.way == "gradient"
    model.engines = ("universal",)  # a time is kept to by taking fewer steps, and this one takes none
    assert model.ways == ("universal",)


def test_an_engine_that_is_for_comparisons_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.ui.graphs import Graphs
    from mobile_app.ui.protection import known_engines

    monkeypatch.setattr("mobile_app.core.loading.engines_of", lambda _bundle: ("gradient", "comreadv", "universal"))
    assert known_engines(Graphs(None)) == ("gradient", "universal")  # type: ignore[arg-type]


def test_a_time_is_kept_to_by_taking_as_many_steps_as_fit(
    driver: Any, model: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobile_app.core.cloak.MEDIUM", ONE_ROUND)  # of which so many fit
    monkeypatch.setattr("mobile_app.ui.graphs.seconds_a_call", lambda _engine: 0.31)
    driver.go("protect")
    model.pick([sample])
    driver.wait(lambda: driver.shows("About two seconds"))
    driver.tap("About two seconds")
    driver.tap("Protect this photo")
    # 0.24 megapixels: (2 - 1.5 * 0.31 * 0.24) / 0.31 = 6.09 calls, one of which looks at what the photo shows
    driver.wait(lambda: driver.shows("on this device, 5 steps"))
    assert model.done[0]["steps"] == 5
    assert model.done[0]["engine"] == "gradient"


def test_every_engine_that_the_bundle_has_protects_a_photo(sample: Path, tmp_path: Path) -> None:
    from mobile_app.core.photo import decode
    from mobile_app.ui.graphs import Graphs
    from mobile_app.ui.protecting import protect_one, recent_photos
    from mobile_app.ui.protection import WITHIN, chosen_engine, known_engines
    from mobile_app.ui.seeing import USUAL

    graphs, recent = Graphs(None), recent_photos(tmp_path)  # type: ignore[arg-type]
    for name in (*known_engines(graphs), WITHIN):
        entry, views = protect_one(
            sample,
            graphs,
            recent,
            choose=lambda megapixels, config, name=name: chosen_engine(graphs, name, megapixels, config),
            strength="low",
            posting=USUAL,
            on_stage=lambda *_: None,
            should_stop=lambda: False,
        )
        assert entry["engine"] == ("gradient" if name == WITHIN else name)
        assert (entry["steps"] is None) == (name in ("generator", "universal"))
        assert 1 <= entry["composed_levels"] <= 4
        assert entry["seconds"] > 0
        assert decode(recent.files(entry["id"]) / entry["file"]).size_px == (600, 400)
        assert views.before.shape == views.after.shape == views.difference.shape


def test_a_photo_may_take_as_many_rounds_as_ship_at_the_strength_that_was_chosen(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobile_app.ui.protecting import protect_one, recent_photos
    from mobile_app.ui.seeing import USUAL

    monkeypatch.setattr("mobile_app.core.cloak.MEDIUM", MEDIUM)
    asked: list[StepConfig] = []

    def choose(_megapixels: float, config: StepConfig) -> Any:
        asked.append(config)
        raise OutputError("seen enough")

    with pytest.raises(OutputError, match="seen enough"):
        protect_one(
            sample,
            cast("Any", None),
            recent_photos(tmp_path),
            choose=choose,
            strength="low",
            posting=USUAL,
            on_stage=lambda *_: None,
            should_stop=lambda: False,
        )
    assert asked == [StepConfig(budget_levels=4, rounds=3)]


def test_progress_goes_through_the_stages_and_forward_only(driver: Any, model: Any, sample: Path) -> None:
    seen = []
    driver.go("protect")
    model.pick([sample])
    model.start()
    watch, model.on_progress = model.on_progress, lambda: (seen.append((model.progress.stage, model.share)), watch())
    driver.wait(lambda: model.phase == "done")
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert "change" in {stage for stage, _ in seen}
    assert all(0 <= share <= 1 for share in shares)


def test_cancel_stops_the_work_and_keeps_the_choice(
    driver: Any, model: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobile_app.ui.protecting import recent_photos

    monkeypatch.setattr("mobile_app.core.cloak.MEDIUM", ONE_ROUND)  # few steps might be over before the tap
    driver.go("protect")
    model.pick([sample])
    driver.wait(lambda: model.photos[0].thumbnail is not None)
    driver.tap("Protect this photo")
    driver.wait(lambda: model.progress is not None and model.progress.stage == "change")
    driver.tap("Cancel")
    assert model.phase == "choose"
    assert driver.shows("Protect this photo")
    driver.wait(lambda: not driver.app.worker.is_busy)
    assert recent_photos(driver.app.data).entries() == []
    driver.tap("Protect this photo")  # and it can be started again
    driver.wait(lambda: driver.shows("What a recogniser sees"))


def test_a_photo_that_cannot_be_read_is_named_and_the_others_are_protected(
    driver: Any, model: Any, sample: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(sample.read_bytes()[:2000])
    driver.go("protect")
    driver.system.photos = [broken, sample]
    driver.tap("Choose photos")
    driver.wait(lambda: driver.shows("broken.jpg: damaged or cut short"))
    driver.tap("Protect this photo")
    driver.wait(lambda: driver.shows("What a recogniser sees"))


def test_a_photo_that_vanishes_before_the_start_is_told_in_a_sentence(
    driver: Any, model: Any, sample: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(sample, tmp_path / "gone.jpg"))
    driver.go("protect")
    model.pick([copy])
    driver.wait(lambda: model.photos[0].thumbnail is not None)
    copy.unlink()
    driver.tap("Protect this photo")
    driver.wait(lambda: driver.shows("gone.jpg: no such file"))
    assert model.phase == "choose"
    driver.tap("OK")
    assert driver.app.shell.overlays.sheet is None


def test_a_missing_bundle_is_told_in_a_sentence(
    driver: Any, model: Any, sample: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mobile_app.core.bundle import load_bundle

    monkeypatch.setattr("mobile_app.ui.graphs.load_bundle", lambda: load_bundle(tmp_path))
    driver.go("protect")
    model.pick([sample])
    driver.wait(lambda: model.photos[0].thumbnail is not None)
    driver.tap("Protect this photo")
    driver.wait(lambda: driver.shows("manifest.json: expected a bundle"))


def test_a_full_disk_at_saving_is_told_in_a_sentence(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    open_first(driver)
    driver.system.save_error = OutputError("coffee.jpg: the disk is full; make room or choose another place")
    driver.tap("Save")
    driver.wait(lambda: driver.shows("the disk is full; make room"))
    driver.back()
    driver.system.save_error = OSError(errno.EIO, "Input/output error")
    driver.tap("Save")
    driver.wait(lambda: driver.shows("The system refused this (Input/output error)"))


def test_a_camera_that_is_refused_is_told_in_a_sentence(driver: Any, model: Any) -> None:
    driver.go("protect")
    driver.system.failure = "platform.no_camera"
    driver.tap("Take a photo")
    assert driver.shows("There is no camera that the app can use here")


def test_several_photos_are_listed_when_done_and_saved_together(
    driver: Any, model: Any, sample: Path, tmp_path: Path
) -> None:
    photos = [Path(shutil.copy(sample, tmp_path / f"{name}.jpg")) for name in "ab"]
    driver.go("protect")
    model.pick([*photos, photos[0]])  # twice the same is once
    driver.wait(lambda: all(photo.thumbnail is not None for photo in model.photos))
    driver.tap("Protect 2 photos")
    driver.wait(lambda: model.phase == "done")
    assert driver.shows("2 photos are protected")
    driver.tap("Save all")
    driver.wait(lambda: driver.shows("2 photos saved"))
    assert driver.system.saved == ["a.cloaked", "b.cloaked"]
    driver.tap("b")
    driver.wait(lambda: driver.shows("What a recogniser sees"))
    driver.back()
    driver.back()
    assert driver.shows("Which photo will you post?")


def test_work_goes_on_while_another_page_is_looked_at(driver: Any, model: Any, sample: Path) -> None:
    driver.go("protect")
    model.pick([sample])
    model.start()
    driver.go("settings")
    driver.wait(lambda: model.phase == "done")
    assert driver.app.navigator.names[-1] == "settings"
    driver.go("protect")
    assert driver.shows("Your photo is protected")


def test_a_change_of_language_and_theme_loses_nothing(driver: Any, model: Any, sample: Path) -> None:
    driver.go("protect")
    model.pick([sample])
    driver.wait(lambda: model.photos[0].thumbnail is not None)
    driver.app.change(language="zh", theme="dark")
    driver.frames()
    assert driver.shows("保护这张照片")
    driver.resize((915, 412))  # turned on its side
    driver.frames()
    assert driver.shows("保护这张照片")


def test_being_killed_in_the_background_loses_nothing(driver: Any, model: Any, sample: Path) -> None:
    driver.go("protect")
    model.pick([sample])
    driver.go("settings")
    driver.stop(kill=True)
    driver.restart(keep=True)
    assert driver.app.navigator.names == ["home", "protect", "settings"]
    driver.back()
    assert driver.shows("Protect this photo")


def test_a_result_is_still_there_after_being_killed(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    screen = open_first(driver)
    screen.switch.choose("difference")
    driver.stop(kill=True)
    driver.restart(keep=True)
    screen = driver.app.navigator.current
    assert screen.name_is("protect_result")
    assert screen.shown == "difference"
    driver.wait(lambda: screen._views is not None)


def test_damaged_notes_of_the_last_run_do_not_keep_the_app_from_starting(driver: Any) -> None:
    for name in ("session.json", "settings.json", "recent/list.json"):
        path = driver.app.data / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"pages": [1, {"name": "nowhere"}], "models": 7', encoding="utf-8")
    driver.stop(kill=True)
    (driver.system.folder / "session.json").write_text('{"pages": [{"name": 3}], "models": {}}', encoding="utf-8")
    driver.restart(keep=True)
    assert driver.app.navigator.names == ["home"]


def test_another_posting_is_simulated_when_it_is_chosen(driver: Any, used_data: Path) -> None:
    from mobile_app.ui.seeing import postings

    first, *_, last = postings()
    driver.restart(used=used_data)
    screen = open_first(driver)
    driver.tap(f"Long side {first.long_side_px} px, JPEG {first.quality}")
    driver.tap(f"Long side {last.long_side_px} px, JPEG {last.quality}")
    driver.wait(lambda: last.name in screen.entry["seen"][0]["posted"])
    assert driver.app.settings.posting == last.name
    assert last.name in screen.recent.find(screen.entry["id"])["seen"][0]["posted"]


def test_damaged_presets_leave_the_usual_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mobile_app.core.platforms import load_platforms
    from mobile_app.ui import seeing

    monkeypatch.setattr(seeing, "load_platforms", lambda: load_platforms(tmp_path / "missing.json"))
    assert seeing.postings() == [seeing.USUAL]
    assert seeing.find_posting("anything") == seeing.USUAL


def test_zoom_brings_the_photos_own_pixels(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    screen = open_first(driver)
    driver.tap("Enlarge")
    driver.tap("Enlarge")
    assert screen.compare.view.zoom == 4
    compare = screen.compare
    # On a slow machine the part of the first tap may come before that of the second.
    driver.wait(lambda: compare._sharp is not None and compare._sharp[0][2] - compare._sharp[0][0] < 0.4)
    part, before, after = compare._sharp
    assert part[2] - part[0] == pytest.approx(0.25, abs=0.01)
    assert before.size == after.size
    assert before.size[0] == pytest.approx(150, abs=3)
    driver.tap("Whole photo")
    assert screen.compare.view.zoom == 1


def test_the_line_follows_the_finger(driver: Any, used_data: Path) -> None:
    driver.restart(used=used_data)
    compare = open_first(driver).compare
    x, y = compare.to_window(compare.x + compare.width / 2, compare.y + compare.height / 2)
    driver.touch(x, y, to=(x + compare.width / 4, y))
    assert compare.split == pytest.approx(0.75, abs=0.01)


def test_a_result_can_be_forgotten(driver: Any, used_data: Path) -> None:
    from mobile_app.ui.protecting import recent_photos

    driver.restart(used=used_data)
    screen = open_first(driver)
    folder = screen.recent.files(screen.entry["id"])
    driver.tap("Remove from this list")
    driver.tap("Cancel")
    assert folder.is_dir()
    driver.tap("Remove from this list")
    driver.tap("Remove")
    assert not folder.exists()
    assert len(recent_photos(driver.app.data).entries()) == 1


def test_photos_that_another_app_sends_are_on_the_list(driver: Any, model: Any, sample: Path) -> None:
    driver.go("settings")
    driver.system.hand_over([sample])
    driver.frames()
    assert driver.app.navigator.names == ["home", "protect"]
    assert [photo.path for photo in model.photos] == [sample]


def test_without_a_picker_the_list_of_files_gives_the_photos(
    driver: Any, model: Any, sample: Path, tmp_path: Path
) -> None:
    driver.system.has_picker = False
    (driver.system.folder / "album").mkdir()
    shutil.copy(sample, driver.system.folder / "album" / "one.jpg")
    (driver.system.folder / "album" / "notes.txt").write_text("not a photo", encoding="utf-8")
    driver.go("protect")
    driver.tap("Choose photos")
    driver.wait(lambda: driver.shows("album"))
    driver.tap("album")
    driver.wait(lambda: driver.shows("one.jpg"))
    assert not driver.shows("notes.txt")
    driver.tap("one.jpg")
    driver.tap("Take this one")
    driver.wait(lambda: driver.shows("Protect this photo"))


def test_metadata_is_removed_and_said_so(driver: Any, model: Any, sample: Path, tmp_path: Path) -> None:
    from mobile_app.core.photo import decode

    path = tmp_path / "with-place.jpg"
    path.write_bytes(with_comment(sample.read_bytes(), b"at home"))
    driver.go("protect")
    model.pick([path])
    model.start()
    driver.wait(lambda: model.done)
    driver.wait(lambda: driver.shows("Place, camera and date were left out of the copy"))
    folder = driver.app.navigator.current.recent.files(model.done[0]["id"])
    metadata = decode(folder / model.done[0]["file"]).metadata
    assert (metadata.exif, metadata.xmp, metadata.comment) == (None, None, None)


def test_the_worker_runs_one_job_at_a_time(driver: Any) -> None:
    names: list[str] = []

    def job(_task: Any) -> None:
        names.append(threading.current_thread().name)

    for _ in range(3):
        driver.app.worker.run(job, done=lambda _result: None, failed=print)
    driver.wait(lambda: not driver.app.worker.is_busy)
    assert len(names) == 3
    assert len(set(names)) == 1
    assert names[0] != threading.main_thread().name


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (("cup", False), ("pot", False), "fooled"),
        (("cup", False), ("pot", True), "fooled"),
        (("cup", False), ("cup", True), "in_doubt"),
        (("cup", False), ("cup", False), "not_fooled"),
        (("cup", True), ("pot", False), None),  # it was not sure in the first place
    ],
)
def test_misled_is_said_only_of_a_recogniser_that_was_sure(
    before: tuple[str, bool], after: tuple[str, bool], found: str | None
) -> None:
    from mobile_app.ui.result_cards import verdict

    one, other = ({"label": label, "unsure": unsure} for label, unsure in (before, after))
    assert verdict(one, other) == found


def open_first(driver: Any) -> Any:
    from mobile_app.ui.protecting import recent_photos

    screen = driver.go("protect_result", id=recent_photos(driver.app.data).entries()[-1]["id"])
    driver.wait(lambda: screen._views is not None)
    return screen


def with_comment(jpeg: bytes, text: bytes) -> bytes:
    """A JPEG with a comment segment behind its first two bytes."""
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]

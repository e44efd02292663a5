"""The Flowers tab: a photo is named, doubted, explained, corrected; the list of photos is looked through and emptied"""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=UTC)
PICTURES = Path(__file__).parents[3] / "mobile_app" / "content" / "pictures"


@pytest.fixture(scope="session")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dahlia, which passes for a rose, where scikit-learn is there; else a drawn rose."""
    found = importlib.util.find_spec("sklearn")
    if found is not None and found.origin is not None:
        photo = Path(found.origin).parent / "datasets" / "images" / "flower.jpg"
        if photo.is_file():
            return photo
    return _grown("rose", tmp_path_factory.mktemp("photos"))


def model(driver: Any) -> Any:
    from mobile_app.ui.naming import Naming

    return driver.app.model(Naming)


def store(driver: Any) -> Any:
    from mobile_app.ui.herbarium import Herbarium

    herbarium = driver.app.model(Herbarium)
    herbarium.clock = lambda: NOW
    return herbarium.store


def named(driver: Any, photo: Path) -> Any:
    """Stand on the answer for a photo."""
    store(driver)
    driver.system.photos = [photo]
    screen = driver.go("flowers")
    driver.tap(driver.app.t("flowers.choose"))
    driver.wait(lambda: model(driver).phase == "found")
    return screen


def test_a_photo_leaves_no_trace_where_the_settings_say_so(driver: Any, flower: Path) -> None:
    driver.go("settings")
    driver.tap(driver.app.t("settings.keeps_flowers_no"))
    named(driver, flower)
    assert model(driver).found is not None
    assert store(driver).entries() == []


@pytest.mark.parametrize(
    ("language", "theme", "size"),
    [("en", "light", (412, 915)), ("zh", "dark", (320, 640)), ("en", "dark", (800, 1280))],
)
def test_a_photo_is_named_looked_into_and_corrected(
    driver: Any, flower: Path, language: str, theme: str, size: tuple[int, int]
) -> None:
    from mobile_app.ui.herbarium import percent

    driver.restart(language=language, theme=theme, size=size)
    t = driver.app.t
    driver.go("flowers")
    driver.check_layout()
    screen = named(driver, flower)
    found = model(driver).found
    assert len(found.guesses) == 5
    assert driver.shows(percent(found.best[1]))
    driver.check_layout()
    driver.tap(t("flowers.view_heat"))
    assert screen.view == "heat"
    driver.tap(t("flowers.wrong"))
    driver.check_layout()
    daisy = screen.herbarium.name("daisy")
    driver.tap(daisy)
    assert driver.shows(t("flowers.said_other", name=daisy))
    (entry,) = store(driver).entries()
    assert (entry.verdict, entry.said, entry.time) == ("other", "daisy", NOW)
    driver.check_layout()


def test_nothing_is_called_certain_or_impossible(driver: Any) -> None:
    from mobile_app.ui.herbarium import percent

    shares = (0.0, 0.009, 0.01, 0.5, 0.99, 0.991, 1.0)
    assert [percent(share) for share in shares] == ["< 1%", "< 1%", "1%", "50%", "99%", "> 99%", "> 99%"]


def test_a_guess_leads_to_its_article_and_back(driver: Any, flower: Path) -> None:
    named(driver, flower)
    best = model(driver).found.best[0]
    driver.tap("Read the article")
    assert driver.app.navigator.names[-1] == "learn_article"
    assert driver.app.navigator.current.article.id == best
    driver.back()
    assert driver.app.navigator.names[-1] == "flowers"
    assert model(driver).phase == "found"


def test_doubt_is_said_plainly(driver: Any, coffee: Any, tmp_path: Path) -> None:
    photo = tmp_path / "coffee.png"
    Image.fromarray(coffee).save(photo)
    named(driver, photo)
    assert model(driver).found.is_unsure
    assert driver.shows("Not sure")
    assert driver.shows("It is probably none of the 18 flowers that I know.")
    assert not driver.shows("% sure")
    assert store(driver).photos() == {}


def test_a_photo_that_cannot_be_read_is_a_sentence_and_a_way_on(driver: Any, tmp_path: Path) -> None:
    photo = tmp_path / "broken.jpg"
    photo.write_bytes(b"\xff\xd8\xff no photo")
    driver.system.photos = [photo]
    driver.go("flowers")
    driver.tap("Take a photo")
    driver.wait(lambda: driver.shows("broken.jpg"))
    driver.tap("OK")
    assert driver.shows("Which flower is this?")


def test_a_camera_that_does_not_open_is_a_sentence(driver: Any) -> None:
    driver.system.failure = "platform.no_camera"
    driver.go("flowers")
    driver.tap("Take a photo")
    assert driver.shows("There is no camera that the app can use here")


def test_without_a_picker_the_list_of_files_brings_the_photo(driver: Any, flower: Path) -> None:
    driver.system.has_picker = False
    driver.go("flowers")
    driver.tap("Choose a photo")
    assert driver.app.navigator.names[-1] == "browse"
    driver.go("flowers", picked=[str(flower)])
    driver.wait(lambda: model(driver).phase == "found")


def test_back_stops_the_work_and_nothing_is_kept(driver: Any, flower: Path) -> None:
    kept = store(driver)
    driver.go("flowers")
    model(driver).name([flower])
    driver.app.back()
    assert model(driver).phase == "choose"
    driver.wait(lambda: not driver.app.worker.is_busy)
    assert model(driver).phase == "choose"
    assert kept.entries() == []


def test_the_answer_is_there_again_after_the_app_was_killed(driver: Any, flower: Path) -> None:
    named(driver, flower)
    kept = model(driver).entry
    driver.stop(kill=True)
    driver.restart(keep=True)
    driver.wait(lambda: model(driver).phase == "found")
    assert model(driver).entry == kept
    assert len(store(driver).entries()) == 1


def test_a_list_that_cannot_be_written_does_not_keep_the_answer_back(driver: Any, flower: Path) -> None:
    (driver.app.data / "flowers").write_text("a file where a folder was expected", encoding="utf-8")
    named(driver, flower)
    assert model(driver).entry is None
    assert driver.shows("not kept")
    assert not driver.shows("Was that right?")


def test_a_damaged_list_is_put_aside_and_said_so(driver: Any, flower: Path) -> None:
    folder = driver.app.data / "flowers"
    folder.mkdir()
    (folder / "flowers.sqlite").write_bytes(b"damaged" * 1000)
    named(driver, flower)
    assert driver.shows("put aside as flowers.damaged.sqlite")
    assert model(driver).entry is not None


@pytest.mark.parametrize(("language", "size"), [("en", (412, 915)), ("zh", (320, 640))])
def test_the_list_is_looked_through_corrected_exported_and_emptied(
    driver: Any, flower: Path, language: str, size: tuple[int, int]
) -> None:
    driver.restart(language=language, size=size)
    t, kept = driver.app.t, store(driver)
    thumbnail = _jpeg(flower)
    for species, unsure in (("rose", False), ("tulip", True), ("iris", False)):
        kept.add(species=species, confidence=0.7, unsure=unsure, bundle="0.1.0", thumbnail=thumbnail, now=NOW)
    driver.go("flowers_list")
    driver.wait(lambda: not driver.app.worker.is_busy)
    driver.check_layout()

    driver.tap(driver.app.navigator.current.herbarium.name("iris"))
    driver.check_layout()
    driver.tap(t("flowers.wrong"))
    driver.tap(t("flowers.none_of_these"))
    assert kept.entries()[0].verdict == "none"
    driver.tap(driver.app.navigator.current.herbarium.name("rose"))
    driver.tap(t("flowers.delete"))
    assert [entry.species for entry in kept.entries()] == ["iris", "tulip"]

    driver.tap(t("flowers.export"))
    driver.tap(t("flowers.export_do"))
    driver.wait(lambda: driver.system.shared)
    content = json.loads(driver.system.shared[0].read_text(encoding="utf-8"))
    assert [row["verdict"] for row in content["photos"]] == ["none", None]
    assert "thumbnail_jpeg_base64" not in content["photos"][0]

    driver.tap(t("flowers.delete_all"))
    driver.check_layout()
    driver.tap(t("flowers.delete_all"))
    assert kept.entries() == []
    assert driver.shows(t("flowers.list_empty"))
    driver.check_layout()


def _grown(name: str, folder: Path) -> Path:
    path = folder / f"{name}.png"
    with Image.open(PICTURES / f"{name}.jpg") as drawn:
        drawn.convert("RGB").resize((640, 640)).save(path)
    return path


def _jpeg(photo: Path) -> bytes:
    import numpy as np

    from mobile_app.core.flowers import thumbnail

    with Image.open(photo) as image:
        return thumbnail(np.asarray(image.convert("RGB")))

"""Every page at every size, in both languages, light and dark: nothing cut off, targets of 48 dp, contrast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

SIZES = [(412, 915), (320, 640), (800, 1280)]
THEMES = ["light", "dark"]


def every_page(driver: Any, sample: Path) -> list[tuple[str, Callable[[], Any]]]:
    """(name, what leads there) of each page and what lies over it."""
    from mobile_app.ui.protection import Picked, Progress, Protection

    app = driver.app
    model = app.model(Protection)
    first, second = (entry["id"] for entry in model_entries(app))

    def chosen() -> None:
        model.clear()
        model.engines = ("gradient", "generator", "universal")
        model.photos = [Picked(sample), Picked(Path("broken.jpg"), fault="broken.jpg: damaged; get a fresh copy of it")]
        model.changes += 1
        driver.go("protect")
        assert driver.shows(app.t("protect.time_within"))

    def working() -> None:
        model.phase, model.progress = "working", Progress(photo=0, photos=2, stage="change", step=7, steps=10)
        driver.go("home")
        driver.go("protect")
        driver.app.navigator.current.refresh()

    def done() -> None:
        model.done, model.phase = model_entries(app), "done"
        driver.app.navigator.current.refresh()

    def result() -> None:
        driver.go("protect_result", id=first)
        driver.wait(lambda: app.navigator.current._views is not None)

    def zoomed() -> None:
        app.navigator.current.compare.zoom(4)

    def document(name: str, **params: Any) -> None:
        driver.go("document", name=name, **params)
        driver.wait(lambda: not driver.shows(app.t("settings.reading")))

    def benchmark() -> None:
        driver.go("benchmark")
        driver.wait(lambda: driver.shows("flowers.int8"))

    return [
        ("home", lambda: driver.go("home")),
        ("home, first run", lambda: (app.change(knows_app=False), app.navigator.current.refresh())),
        ("protect", lambda: driver.go("protect")),
        ("protect, chosen", chosen),
        ("protect, working", working),
        ("protect, done", done),
        ("result", result),
        ("result, difference", lambda: app.navigator.current.switch.choose("difference")),
        ("result, zoomed", zoomed),
        ("result, posting", lambda: app.navigator.current._choose_posting()),
        ("result, forget", lambda: app.navigator.current._ask_to_forget()),
        ("result that is gone", lambda: driver.go("protect_result", id="gone")),
        ("another result", lambda: driver.go("protect_result", id=second)),
        ("benchmark", benchmark),
        ("benchmark, figures", lambda: driver.go("benchmark_result", id=app_runs(app)[0]["id"])),
        ("settings", lambda: driver.go("settings")),
        ("settings, erase", lambda: app.navigator.current._ask_to_erase()),
        ("models", lambda: document("models")),
        ("a model", lambda: document("model", graph="flowers")),
        ("hashes", lambda: document("hashes")),
        ("licences", lambda: document("licences")),
        ("a licence", lambda: document("licence", file="LICENSE-noto.txt", title="Noto")),
        ("browse", lambda: (driver.go("browse"), driver.wait(lambda: app.navigator.current.found))),
        ("a complaint", lambda: app.complain("coffee.jpg: damaged or cut short; get a fresh copy of the photo")),
        ("a word in passing", lambda: app.snack(app.t("protect.saved", place="Pictures/petalveil/a.jpg"), "OK")),
    ]


def model_entries(app: Any) -> list[dict[str, Any]]:
    from mobile_app.ui.protecting import recent_photos

    return recent_photos(app.data).entries()


def app_runs(app: Any) -> list[dict[str, Any]]:
    from mobile_app.ui.benchmarking import Benchmarking

    return app.model(Benchmarking).history.entries()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_fits_at_every_size_light_and_dark(
    driver: Any, used_data: Path, sample: Path, language: str
) -> None:
    driver.restart(language=language, used=used_data)
    check(driver, sample, SIZES, THEMES)


@pytest.mark.parametrize("scale", [1.3, 2.0])
def test_every_page_fits_with_large_text(driver: Any, used_data: Path, sample: Path, scale: float) -> None:
    driver.restart(scale=scale, used=used_data)
    check(driver, sample, [(412, 915)], ["light"])


def test_every_page_fits_from_right_to_left(
    driver: Any, used_data: Path, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such language is spoken yet: English is laid out as one."""
    monkeypatch.setattr("mobile_app.ui.language.RIGHT_TO_LEFT", {"en"})
    driver.restart(used=used_data)
    assert driver.app.theme.is_rtl
    check(driver, sample, [(320, 640)], ["light"])


def check(driver: Any, sample: Path, sizes: Sequence[tuple[int, int]], themes: Sequence[str]) -> None:
    faults = []
    for name, lead in every_page(driver, sample):
        for theme in themes:
            driver.app.change(theme=theme)
            driver.frames()  # until the page that is made anew is whole
            lead()
            for size in sizes if theme == "light" else sizes[:1]:  # dark is laid out alike: its colours are looked at
                driver.resize(size)
                driver.frames(3)
                try:
                    driver.check_layout()
                except AssertionError as error:
                    faults.append(f"{name}, {theme}: {error}")
            driver.app.close_sheet()
    assert not faults, "\n\n".join(faults)


def test_a_text_that_is_cut_off_is_found(driver: Any) -> None:
    from kivy.uix.label import Label

    page = driver.app.navigator.current
    label = Label(text="far too long for so little room", size_hint=(None, None), size=(40, 20))
    page.scroll.content.add_widget(label)
    driver.frames()
    with pytest.raises(AssertionError, match="cut off: 'far too long"):
        driver.check_layout()


def test_a_small_target_and_a_faint_text_are_found(driver: Any) -> None:
    from mobile_app.ui.widgets import IconButton, Text

    page = driver.app.navigator.current
    page.scroll.content.add_widget(IconButton(driver.app.theme, "x", "tiny", lambda: None, size=30))
    page.scroll.content.add_widget(Text(driver.app.theme, "hardly there", colour="line"))
    driver.frames()
    with pytest.raises(AssertionError, match=r"(?s)small target: tiny.*faint: 'hardly there'"):
        driver.check_layout()

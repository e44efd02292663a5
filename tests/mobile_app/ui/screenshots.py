"""Draw the screens anew: `make screenshots`, or `python -m tests.mobile_app.ui.screenshots [NAME ...]`.

The app runs without a display, with the bundle that ships, on photos that may be shown: scikit-image's own.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.mobile_app.ui import flower_scenes

ROOT = Path(__file__).resolve().parents[3]
OUT = ROOT / "docs" / "screens"
COLOURS = 256
SHOWN_PX = 412  # width of a phone's picture

Scene = Callable[[Any, list[Path]], None]


def main() -> None:
    """Write every screen, or those that are named."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    conftest = importlib.import_module("tests.mobile_app.ui.conftest")
    if (why_not := conftest._why_not()) is not None:
        raise SystemExit(f"the app cannot be drawn: {why_not}")
    from kivy.base import runTouchApp

    runTouchApp(embedded=True)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        driver = conftest.Driver(Path(folder))
        photos = _photos(Path(folder))
        for name, (scene, settings) in SCENES.items():
            if options.names and name not in options.names:
                continue
            driver.restart(**settings)
            driver.system.photos = photos[:1]
            scene(driver, photos)
            path = driver.shot(Path(folder) / f"{name}.png")
            size = _save(path, options.out / f"{name}.png")
            print(f"{name:<22} {size / 1024:5.0f} KB")
        driver.stop()


def protected(driver: Any, photos: list[Path]) -> None:
    """Protect a photo and stand on its result."""
    driver.system.photos = photos[:1]
    driver.tap("Protect a photo" if driver.app.t.language == "en" else "保护一张照片")
    model = _model(driver)
    driver.wait(lambda: model.photos and model.photos[0].thumbnail is not None)
    model.start()
    driver.wait(lambda: model.phase == "done" and driver.app.navigator.current.name_is("protect_result"))
    driver.wait(lambda: driver.app.navigator.current._views is not None)


def _home(driver: Any, photos: list[Path]) -> None:
    from mobile_app.ui.protection import Protection

    model = driver.app.model(Protection)
    for photo in photos[1:]:
        model.clear()
        model.pick([photo])
        model.start()
        driver.wait(lambda: model.phase == "done")
    model.clear()
    driver.go("settings")
    driver.back()


def _chosen(driver: Any, photos: list[Path]) -> None:
    driver.go("protect")
    model = _model(driver)
    model.pick(photos)
    driver.wait(lambda: model.engines and all(photo.thumbnail is not None for photo in model.photos))


def _working(driver: Any, photos: list[Path]) -> None:
    _chosen(driver, photos[:1])
    model = _model(driver)
    model.start()
    driver.wait(lambda: model.progress and model.progress.stage == "change" and model.progress.step == 6)


def _zoomed(driver: Any, photos: list[Path]) -> None:
    protected(driver, photos)
    screen = driver.app.navigator.current
    screen.compare.zoom(6, (screen.compare.width * 0.55, screen.compare.height * 0.6))
    driver.wait(lambda: screen.compare._sharp is not None)


def _difference(driver: Any, photos: list[Path]) -> None:
    protected(driver, photos)
    driver.app.navigator.current.switch.choose("difference")


def _report(driver: Any, photos: list[Path]) -> None:
    protected(driver, photos)
    screen = driver.app.navigator.current
    driver.frames()  # until the page is whole
    screen.scroll.scroll_y = 1 - (screen.compare.height + 70) / (screen.scroll.content.height - screen.scroll.height)


def _benchmark(driver: Any, _photos: list[Path]) -> None:
    from mobile_app.ui.benchmarking import Benchmarking

    driver.go("benchmark")
    model = driver.app.model(Benchmarking)
    driver.wait(lambda: model.graphs)
    model.length = "quick"
    model.chosen = {name for name in model.graphs if name in ("objects", "objects.gradient", "flowers", "flowers.int8")}
    model.start()
    driver.wait(lambda: model.phase == "choose" and driver.app.navigator.current.name_is("benchmark_result"), 60)


def _settings(driver: Any, _photos: list[Path]) -> None:
    driver.go("settings")


def _model(driver: Any) -> Any:
    from mobile_app.ui.protection import Protection

    return driver.app.model(Protection)


def _photos(folder: Path) -> list[Path]:
    """Three photos as files: coffee and chelsea (CC0) and a rocket (NASA, public domain)."""
    from skimage import data

    photos = []
    for name in ("coffee", "chelsea", "rocket"):
        path = folder / f"{name}.jpg"
        Image.fromarray(getattr(data, name)()).save(path, quality=95)
        photos.append(path)
    return photos


def _save(source: Path, target: Path) -> int:
    """A screen with few colours becomes a small PNG; one with a photo in it keeps 256."""
    with Image.open(source) as image:
        picture = image.convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    return target.stat().st_size


ZH_DARK = {"language": "zh", "theme": "dark"}
SCENES: dict[str, tuple[Scene, dict[str, Any]]] = {
    "benchmark": (_benchmark, {}),  # first: it tells of memory
    "first-run": (lambda _driver, _photos: None, {"knows_app": False}),
    "home": (_home, {}),
    "home-zh-dark": (_home, ZH_DARK),
    "home-tablet": (_home, {"size": (800, 1280)}),
    "protect-chosen": (_chosen, {}),
    "protect-working": (_working, {}),
    "protect-result": (protected, {}),
    "protect-zoomed": (_zoomed, {}),
    "protect-difference": (_difference, {"theme": "dark"}),
    "protect-report": (_report, ZH_DARK),
    "settings": (_settings, {}),
    **flower_scenes.SCENES,
}


if __name__ == "__main__":
    main()

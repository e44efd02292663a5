"""The flower pages for `make screenshots`: scenes as in screenshots.py, on drawn flowers."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=UTC)
PICTURES = Path(__file__).parents[3] / "mobile_app" / "content" / "pictures"


def _herbarium(driver: Any) -> Any:
    from mobile_app.ui.herbarium import Herbarium

    found = driver.app.model(Herbarium)
    found.clock = lambda: NOW
    return found


def _start(driver: Any, _photos: list[Path]) -> None:
    driver.go("flowers")


def _found(driver: Any, _photos: list[Path], species: str = "tigerlily") -> Any:
    from mobile_app.ui.naming import Naming

    _herbarium(driver)
    path = driver.app.data / f"{species}.png"
    with Image.open(PICTURES / f"{species}.jpg") as drawn:
        drawn.convert("RGB").resize((960, 960), Image.Resampling.BICUBIC).save(path)
    screen = driver.go("flowers")
    model = driver.app.model(Naming)
    model.name([path])
    driver.wait(lambda: model.phase == "found")
    driver.frames(12)
    return screen


def _heat(driver: Any, photos: list[Path]) -> None:
    _found(driver, photos).views.choose("heat")


def _unsure(driver: Any, photos: list[Path]) -> None:
    _found(driver, photos, "sunflower")


def _learn(driver: Any, _photos: list[Path]) -> None:
    _herbarium(driver)
    driver.go("learn")
    driver.frames(30)


def _article(driver: Any, _photos: list[Path]) -> None:
    _herbarium(driver)
    driver.go("learn_article", id="lily_of_the_valley")
    driver.frames(20)


def _alikes(driver: Any, photos: list[Path]) -> None:
    _herbarium(driver)
    screen = driver.go("learn_article", id="coltsfoot")
    driver.frames(20)
    screen.scroll.scroll_y = 0.62


def _quiz(driver: Any, _photos: list[Path]) -> Any:
    from mobile_app.core.quiz_state import QuizState, Score
    from mobile_app.ui.quizzing import Quizzing

    herbarium = _herbarium(driver)
    model = driver.app.model(Quizzing)
    model.new_rng = lambda: random.Random(3)
    days = [date(2026, 5, 20) - timedelta(n) for n in range(8, -1, -1)]
    rounds = zip(days, (0, 0, 0, 1, 1, 1, 2, 2, 2), (4, 6, 9, 5, 7, 8, 6, 7, 7), strict=True)
    scores = tuple(Score(day=day, level=level, right=right, asked=10) for day, level, right in rounds)
    model._learn(QuizState(scores=scores, run=4, best_run=17, open_level=2))
    assert herbarium is model.herbarium
    driver.go("quiz")
    driver.frames(12)
    return model


def _asked(driver: Any, photos: list[Path]) -> Any:
    model = _quiz(driver, photos)
    driver.app.navigator.current.start(1)
    driver.frames(12)
    return model


def _explained(driver: Any, photos: list[Path]) -> None:
    model = _asked(driver, photos)
    question = model.question
    driver.app.navigator.current.choose(next(name for name in question.options if name != question.answer))
    driver.frames(12)


ZH_DARK = {"language": "zh", "theme": "dark"}
SCENES: dict[str, tuple[Callable[[Any, list[Path]], Any], dict[str, Any]]] = {
    "flowers": (_start, {}),
    "flowers-found": (_found, {}),
    "flowers-looked-at": (_heat, ZH_DARK),
    "flowers-unsure": (_unsure, {}),
    "learn": (_learn, {}),
    "learn-zh-dark": (_learn, ZH_DARK),
    "learn-tablet": (_learn, {"size": (800, 1280)}),
    "learn-article": (_article, {}),
    "learn-look-alikes": (_alikes, {}),
    "quiz": (_quiz, {}),
    "quiz-question": (_asked, {}),
    "quiz-explained": (_explained, ZH_DARK),
}

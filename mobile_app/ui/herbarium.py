"""What the flower pages share: articles, favourites, recognised photos, pictures. `app.model(Herbarium)`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kivy.clock import Clock
from kivy.metrics import dp

from mobile_app.core.articles import Article, Library
from mobile_app.core.browse import load_favourites, save_favourites, toggled
from mobile_app.core.errors import BundleError, OutputError
from mobile_app.core.feedback import FILE, FeedbackStore
from mobile_app.core.flowers import pixels_of
from mobile_app.core.library import DEFAULT_ROOT, load_library
from mobile_app.ui.background import Task
from mobile_app.ui.widgets import Picture, texture_of

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

FOLDER = "flowers"  # under the app's data

_Key = tuple[str, float, int]  # species, ratio, pixels
_SIZES_PX = (128, 256, 512)  # of the drawn pictures as textures
_MOST_TEXTURES = 48


class Herbarium:
    """Everything that is known of flowers, and what the person did with it."""

    def __init__(self, app: PetalveilApp) -> None:
        self.app = app
        self.clock: Callable[[], datetime] = lambda: datetime.now().astimezone()
        self.store = FeedbackStore(self.folder / FILE)
        self.fault = ""  # a sentence, once the articles were asked for and could not be read
        self._textures: dict[_Key, Any] = {}
        self._waiting: list[tuple[_Key, Picture]] = []

    @property
    def folder(self) -> Path:
        """Where favourites, photos and the quiz are kept."""
        return self.app.data / FOLDER

    @cached_property
    def library(self) -> Library:
        """Read when first asked for. If it cannot be read it is empty, and `fault` says why."""
        try:
            return load_library()
        except BundleError as error:
            self.fault = str(error)
            return Library(articles={}, sources={}, advice={}, root=DEFAULT_ROOT)

    @cached_property
    def favourites(self) -> tuple[str, ...]:
        return load_favourites(self.folder, self.library)

    def toggle(self, name: str) -> bool:
        """Mark a flower or take the mark away. Returns: whether it is marked now."""
        self.favourites = toggled(self.favourites, name)
        try:
            save_favourites(self.folder, self.favourites)
        except OutputError as error:
            self.app.snack(str(error))
        return name in self.favourites

    def today(self) -> date:
        return self.clock().date()

    def name(self, species: str) -> str:
        """What a flower is called in the language of the app, as the start of a line."""
        article = self.library.articles.get(species)
        if article is None:
            return species.replace("_", " ").capitalize()
        spoken = article.name.of(self.app.t.language)
        return spoken[:1].upper() + spoken[1:]

    def other_names(self, species: str) -> str:
        """Its Latin name, and its name in the other language."""
        article = self.library.articles.get(species)
        if article is None:
            return ""
        return f"{article.latin} · {article.name.of('en' if self.app.t.language == 'zh' else 'zh')}"

    def article(self, species: str) -> Article | None:
        return self.library.articles.get(species)

    # Pictures

    # Cropped before they become textures: a round-cornered rectangle of Kivy's shows all of a texture, also where it
    # is given a region of one.

    def picture(self, species: str, *, ratio: float = 1.0, wide: float = 0, **options: Any) -> Picture:
        """The drawn picture of a flower, of that ratio of height to width, or square with `size`.

        It appears a frame or two later if it has to be read.

        Args:
            wide: about how wide it will be, in dp, where that is less than the page.
        """
        picture = Picture(self.app.theme, **_sized(ratio, options))
        need = dp(options.get("size", wide)) or _SIZES_PX[-1]
        key = species, ratio, next((size for size in _SIZES_PX if size >= need), _SIZES_PX[-1])
        if key in self._textures:
            picture.show(self._textures[key])
        else:
            self._waiting.append((key, picture))
            Clock.schedule_once(self._read_one)
        return picture

    def photo(self, entry_id: int, *, ratio: float = 1.0, **options: Any) -> Picture:
        """A recognised photo, read by the worker."""
        picture = Picture(self.app.theme, **_sized(ratio, options))

        def read(_task: Task[Any]) -> Any:
            data = self.store.thumbnail(entry_id)
            return None if data is None else pixels_of(data, ratio)

        def show(pixels: Any) -> None:
            picture.show(None if pixels is None else texture_of(pixels))

        # The app may end while a page is still being made; its worker takes nothing more then, and says so.
        with contextlib.suppress(RuntimeError):
            self.app.worker.run(read, done=show, failed=lambda _sentence: None)
        return picture

    def _read_one(self, _dt: float) -> None:
        """One file a frame, so that a list of all flowers does not hold up the screen."""
        if not self._waiting:
            return
        key, picture = self._waiting.pop(0)
        if key not in self._textures:
            while len(self._textures) >= _MOST_TEXTURES:
                del self._textures[next(iter(self._textures))]  # the oldest; a page that shows it keeps it alive
            self._textures[key] = self._read(key)
        picture.show(self._textures[key])
        if self._waiting:
            Clock.schedule_once(self._read_one)

    def _read(self, key: _Key) -> Any | None:
        species, ratio, longest_px = key
        try:
            data = self.library.picture(species).read_bytes()
        except OSError:
            return None
        pixels = pixels_of(data, ratio, lift=0.1, longest_px=longest_px)  # flowers stand above their leaves
        return None if pixels is None else texture_of(pixels)


def percent(share: float) -> str:
    """A probability in whole percent; never all, and never nothing."""
    if share > 0.99:
        return "> 99%"
    return "< 1%" if share < 0.01 else f"{share:.0%}"


def _sized(ratio: float, options: dict[str, Any]) -> dict[str, Any]:
    return options if "size" in options else {"ratio": ratio, **options}

"""Compare: a photo before and after under a line that is dragged, with zoom and pan, or a third picture instead.

Two fingers, a double tap or the buttons enlarge; then one finger moves the picture. Where the picture stays enlarged,
`on_rest` is called with the part that is seen, so that the page can hand over sharper pixels of it (`sharpen`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, InstructionGroup, Line, Mesh, Rectangle, RoundedRectangle, SmoothEllipse
from kivy.metrics import dp
from kivy.uix.label import Label
from kivy.uix.widget import Widget

from mobile_app.ui.icons import glyph
from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets.touch import IconButton
from mobile_app.ui.widgets.viewport import Box, Viewport, cut

_GRIP = 32  # dp to each side of the line
_DOUBLE_TAP_ZOOM = 4.0
_REST_SECONDS = 0.25
_VEIL = (0.05, 0.09, 0.07, 0.66)  # under white words on a photo: 4.5 and more even on white


class Compare(Widget):
    """Args: names: of the two sides; ratio: width by height of the photo; zoom_names: of the two buttons."""

    def __init__(
        self,
        theme: Theme,
        names: tuple[str, str],
        *,
        ratio: float,
        zoom_names: tuple[str, str] = ("+", "-"),
        on_rest: Callable[[Box], Any] | None = None,
        page: str = "ground",
        **options: Any,
    ) -> None:
        super().__init__(**{"size_hint_y": None} | options)
        self.theme, self._on_rest, self._page = theme, on_rest, page
        self.view = Viewport(ratio=ratio)
        self.split = 0.5  # of the width
        self._textures: dict[str, Any] = {}
        self._sharp: tuple[Box, Any, Any] | None = None
        self._single: str | None = None
        self._fingers: list[Any] = []
        self._pinch: tuple[float, float] | None = None  # distance and zoom at its start
        self._rest = Clock.create_trigger(self._rested, _REST_SECONDS)
        self._drawing = InstructionGroup()
        self.canvas.add(self._drawing)
        self.words = [_Word(theme, name) for name in names]
        self.grip = Label(text=glyph("arrows-horizontal"), font_name=theme.icon_font(), font_size=dp(22))
        self.grip.color = (0.1, 0.2, 0.15, 1)
        self.zoom_in = self._zoom_button("magnifying-glass-plus", zoom_names[0], lambda: self.zoom(2))
        self.zoom_out = self._zoom_button("arrows-out", zoom_names[1], lambda: self.zoom(0))
        for part in (*self.words, self.grip, self.zoom_in, self.zoom_out):
            self.add_widget(part)
        self.bind(pos=self._resized, size=self._resized)

    def show(self, **textures: Any) -> None:
        """Give textures by name: before, after, and others for `alone`."""
        self._textures |= textures
        self._draw()

    def has(self, name: str) -> bool:
        """Whether a texture of this name was given."""
        return name in self._textures

    def clear(self) -> None:
        """Let go of all textures."""
        self._textures, self._sharp = {}, None
        self._draw()

    def alone(self, name: str | None) -> None:
        """Show one picture in place of the two; None brings the two back."""
        self._single = name
        self._draw()

    def sharpen(self, part: Box, before: Any, after: Any) -> None:
        """Show these pixels of a part of the photo instead of the enlarged ones, for as long as they fit."""
        self._sharp = (part, before, after)
        self._draw()

    def slide(self, share: float) -> None:
        """Put the line at a share of the width."""
        self.split = min(max(share, 0.0), 1.0)
        self._draw()

    def zoom(self, factor: float, at: tuple[float, float] | None = None) -> None:
        """Enlarge by a factor around a point of the widget; 0 shows the whole photo."""
        x, y = at or (self.view.size[0] / 2, self.view.size[1] / 2)
        self._look(self.view.zoomed(self.view.zoom * factor, x, y))

    # Fingers

    def claims(self, touch: Any) -> bool:
        """Whether this touch is for the picture and not for the page around it."""
        self._fingers = [finger for finger in self._fingers if not finger.is_gone]
        if not self.collide_point(*touch.pos) or touch.is_mouse_scrolling:
            return False
        if any(button.collide_point(*touch.pos) for button in self._buttons()):
            return False
        self._fingers.append(_Finger(touch))
        return len(self._fingers) > 1 or self.view.zoom > 1 or touch.is_double_tap or self._is_at_line(touch)

    def on_touch_down(self, touch: Any) -> bool:
        if any(button.on_touch_down(touch) for button in self._buttons()):
            return True
        if not self.collide_point(*touch.pos) or touch.is_mouse_scrolling:
            return False
        if touch.is_double_tap:
            local = (touch.x - self.x, touch.y - self.y)
            self.zoom(0 if self.view.zoom > 1 else _DOUBLE_TAP_ZOOM, local)
            return True
        two = [finger for finger in self._fingers if not finger.is_gone]
        if len(two) == 2:
            self._pinch = (max(_distance(two), 1.0), self.view.zoom)
        elif not (self._is_at_line(touch) or self.view.zoom > 1):
            return False
        touch.ud[self] = "line" if self._is_at_line(touch) and len(two) < 2 else "move"
        touch.grab(self)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        if touch.grab_current is not self:
            return False
        two = [finger for finger in self._fingers if not finger.is_gone]
        if self._pinch is not None and len(two) == 2:
            distance, zoom = self._pinch
            x, y = self.to_widget(*(sum(axis) / 2 for axis in zip(*(f.window_pos for f in two), strict=True)))
            self._look(self.view.zoomed(zoom * _distance(two) / distance, x - self.x, y - self.y))
        elif touch.ud.get(self) == "line":
            self.slide((touch.x - self.x) / max(self.width, 1))
        else:
            self._look(self.view.moved(touch.dx, touch.dy))
        return True

    def on_touch_up(self, touch: Any) -> bool:
        for finger in self._fingers:
            finger.is_gone = finger.is_gone or finger.touch is touch
        if touch.grab_current is not self:
            return any(button.on_touch_up(touch) for button in self._buttons())
        touch.ungrab(self)
        self._pinch = None
        return True

    def _is_at_line(self, touch: Any) -> bool:
        return self._single is None and abs(touch.x - self.x - self.split * self.width) <= dp(_GRIP)

    def _buttons(self) -> tuple[IconButton, ...]:
        return (self.zoom_in, self.zoom_out) if self.view.zoom > 1 else (self.zoom_in,)

    # Drawing

    def _look(self, view: Viewport) -> None:
        self.view = view
        self._draw()
        if view.zoom > 1:
            self._rest()

    def _rested(self, _dt: float) -> None:
        if self._on_rest is not None and self.view.zoom > 1:
            self._on_rest(self.view.seen)

    def _resized(self, *_: Any) -> None:
        self.view = replace(self.view, size=(max(self.width, 1), max(self.height, 1))).inside()
        self._draw()

    def _draw(self, *_: Any) -> None:
        self._drawing.clear()
        width, height = self.view.size
        line = self.split * width
        before, after = self._textures.get("before"), self._textures.get("after")
        self._drawing.add(Color(1, 1, 1, 1))
        if self._single is not None:
            self._lay(self._textures.get(self._single), (0, 0, 1, 1), (0, 0, width, height))
        else:
            self._lay(after, (0, 0, 1, 1), (line, 0, width, height))
            self._lay(before, (0, 0, 1, 1), (0, 0, line, height))
            if self._sharp is not None and self.view.zoom > 1:
                part, sharp_before, sharp_after = self._sharp
                self._lay(sharp_after, part, (line, 0, width, height))
                self._lay(sharp_before, part, (0, 0, line, height))
        self._round_corners()
        self._place_parts(line if self._single is None and before is not None else None)

    def _lay(self, texture: Any | None, part: Box, limits: Box) -> None:
        """Draw a texture that shows `part` of the photo, as far as it is inside the limits."""
        if texture is None:
            return
        whole = self.view.place(part)
        seen = cut(whole, limits)
        if seen is None:
            return
        width, height = whole[2] - whole[0], whole[3] - whole[1]
        left, right = (seen[0] - whole[0]) / width, (seen[2] - whole[0]) / width
        low, high = (seen[1] - whole[1]) / height, (seen[3] - whole[1]) / height
        self._drawing.add(
            Rectangle(
                texture=texture,
                pos=(self.x + seen[0], self.y + seen[1]),
                size=(seen[2] - seen[0], seen[3] - seen[1]),
                tex_coords=_tex_coords(texture, left, low, right, high),
            )
        )

    def _round_corners(self) -> None:
        """Cover the corners of the photo with the ground of the page: a texture in pieces has no round corners."""
        radius, (width, height) = dp(20), self.view.size
        left, bottom, right, top = cut(self.view.picture, (0, 0, width, height)) or (0, 0, width, height)
        self._drawing.add(Color(*self.theme.colour(self._page)))
        for x, y, turn in ((right, top, 0), (left, top, 90), (left, bottom, 180), (right, bottom, 270)):
            corner_x, corner_y = self.x + x, self.y + y
            vertices = [corner_x, corner_y, 0, 0]
            for step in range(9):
                angle = math.radians(turn + step * 90 / 8)
                inner_x = corner_x - radius * (1 if turn in (0, 270) else -1)
                inner_y = corner_y - radius * (1 if turn in (0, 90) else -1)
                vertices += [inner_x + radius * math.cos(angle), inner_y + radius * math.sin(angle), 0, 0]
            self._drawing.add(Mesh(vertices=vertices, indices=list(range(10)), mode="triangle_fan"))

    def _place_parts(self, line: float | None) -> None:
        _, height = self.view.size
        knob = dp(40)
        if line is not None:
            x, middle = self.x + line, self.y + height / 2
            self._drawing.add(Color(1, 1, 1, 0.95))
            self._drawing.add(Line(points=[x, self.y, x, self.y + height], width=dp(1.2)))
            self._drawing.add(SmoothEllipse(pos=(x - knob / 2, middle - knob / 2), size=(knob, knob)))
            self.grip.size, self.grip.pos = (knob, knob), (x - knob / 2, middle - knob / 2)
        self.grip.opacity = 0 if line is None else 1
        gap = dp(10)
        for word, is_first in zip(self.words, (True, False), strict=True):
            word.opacity = 0 if line is None else 1
            left = self.x + gap if is_first else self.x + self.width - gap - word.width
            word.pos = (left, self.y + height - gap - word.height)
        self.zoom_in.pos = (self.x + self.width - gap - self.zoom_in.width, self.y + gap)
        self.zoom_out.pos = (self.zoom_in.x - gap / 2 - self.zoom_out.width, self.y + gap)
        self.zoom_out.opacity = 1 if self.view.zoom > 1 else 0

    def _zoom_button(self, icon: str, name: str, on_tap: Callable[[], Any]) -> IconButton:
        button = IconButton(self.theme, icon, name, on_tap)
        button.icon.color, button.icon.token = (1, 1, 1, 1), None
        with button.canvas.before:
            Color(*_VEIL)
            disc = SmoothEllipse()
        button.bind(pos=lambda _w, pos: setattr(disc, "pos", pos), size=lambda _w, size: setattr(disc, "size", size))
        disc.size = button.size
        return button


class _Word(Label):
    """A word on a veil, readable on any photo."""

    def __init__(self, theme: Theme, text: str) -> None:
        super().__init__(text=text, font_name=theme.font("small"), font_size=theme.font_size("small"))
        self.size_hint = (None, None)
        self.texture_update()
        self.size = (self.texture_size[0] + dp(20), self.texture_size[1] + dp(8))
        with self.canvas.before:
            Color(*_VEIL)
            self._veil = RoundedRectangle(radius=[dp(12)] * 4, size=self.size)
        self.bind(pos=lambda _w, pos: setattr(self._veil, "pos", pos))


class _Finger:
    """A touch that began on the picture, whoever follows it."""

    def __init__(self, touch: Any) -> None:
        self.touch, self.is_gone = touch, False

    @property
    def window_pos(self) -> tuple[float, float]:
        from kivy.core.window import Window

        return self.touch.sx * Window.width, self.touch.sy * Window.height


def _distance(two: list[_Finger]) -> float:
    (x1, y1), (x2, y2) = (finger.window_pos for finger in two)
    return ((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5


def _tex_coords(texture: Any, left: float, low: float, right: float, high: float) -> list[float]:
    """The corners of a part of a texture, in shares from its lower left, as Rectangle takes them."""
    u0, v0, u1, _, _, v1 = texture.tex_coords[:6]

    def u(share: float) -> float:
        return u0 + (u1 - u0) * share

    def v(share: float) -> float:
        return v0 + (v1 - v0) * share

    return [u(left), v(low), u(right), v(low), u(right), v(high), u(left), v(high)]

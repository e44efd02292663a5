"""Which part of a picture is seen where: the arithmetic of zoom and pan, without a widget.

Positions in the picture are shares of its sides, (0, 0) its upper left; positions on the screen are pixels from the
lower left of the place that it is shown in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LARGEST_ZOOM = 16.0

Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels; or left, top, right, bottom, in shares


@dataclass(frozen=True, kw_only=True)
class Viewport:
    """A place of `size` pixels in which a picture with this ratio, width by height, is fitted, then enlarged."""

    size: tuple[float, float] = (1.0, 1.0)
    ratio: float = 1.0
    zoom: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)  # what is in the middle of the place

    @property
    def shown_px(self) -> tuple[float, float]:
        """The size of the whole picture at this zoom."""
        width, height = self.size
        fitted = min(width, height * self.ratio)
        return fitted * self.zoom, fitted / self.ratio * self.zoom

    @property
    def picture(self) -> Box:
        """Where the whole picture would lie, in pixels; parts of it may be outside."""
        width, height = self.shown_px
        left = self.size[0] / 2 - self.centre[0] * width
        bottom = self.size[1] / 2 - (1 - self.centre[1]) * height
        return left, bottom, left + width, bottom + height

    @property
    def seen(self) -> Box:
        """The part of the picture that is seen, in shares."""
        left, bottom, right, top = self.picture
        width, height = right - left, top - bottom
        return (
            max(0.0, -left / width),
            max(0.0, (top - self.size[1]) / height),
            min(1.0, (self.size[0] - left) / width),
            min(1.0, top / height),
        )

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The position in the picture of a point of the screen."""
        left, bottom, right, top = self.picture
        return (x - left) / (right - left), (top - y) / (top - bottom)

    def place(self, part: Box) -> Box:
        """Where a part of the picture, in shares, lies on the screen."""
        left, bottom, right, top = self.picture
        width, height = right - left, top - bottom
        return left + part[0] * width, top - part[3] * height, left + part[2] * width, top - part[1] * height

    def zoomed(self, zoom: float, x: float, y: float) -> Viewport:
        """Enlarged so that what is at (x, y) stays there, as far as the picture goes."""
        zoom = min(max(zoom, 1.0), LARGEST_ZOOM)
        held = self.at(x, y)
        found = replace(self, zoom=zoom)
        width, height = found.shown_px
        centre = held[0] + (self.size[0] / 2 - x) / width, held[1] + (y - self.size[1] / 2) / height
        return replace(found, centre=centre).inside()

    def moved(self, dx: float, dy: float) -> Viewport:
        """Pulled by so many pixels."""
        width, height = self.shown_px
        return replace(self, centre=(self.centre[0] - dx / width, self.centre[1] + dy / height)).inside()

    def inside(self) -> Viewport:
        """With a centre that leaves no gap beside the picture where it is larger than the place."""
        centre = []
        for share, shown, size in zip(self.centre, self.shown_px, self.size, strict=True):
            half = size / shown / 2
            centre.append(0.5 if half >= 0.5 else min(max(share, half), 1 - half))
        return replace(self, centre=(centre[0], centre[1]))


def cut(box: Box, limits: Box) -> Box | None:
    """What two boxes (left, bottom, right, top) share; None if nothing."""
    left, bottom = max(box[0], limits[0]), max(box[1], limits[1])
    right, top = min(box[2], limits[2]), min(box[3], limits[3])
    return (left, bottom, right, top) if right > left and top > bottom else None

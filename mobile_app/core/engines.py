"""Engines: what turns a photo at working size into a perturbation. `gradient` follows an exported gradient graph.

The working image has the network's size as its shorter side and the photo's proportions. A network sees a square of
it; where the photo is longer, the squares wander over it step by step, so that no part of the photo stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from mobile_app.core.errors import PetalveilError
from mobile_app.core.posting import recompress
from mobile_app.core.preprocess import from_uint8, to_uint8
from mobile_app.core.runtime import Graph
from mobile_app.core.step import Array, StepConfig, take_step

OnStep = Callable[[int, int], None]  # steps done, steps in all
ShouldStop = Callable[[], bool]


class Cancelled(PetalveilError):
    """The user stopped the work; nothing was written."""


class Engine(Protocol):
    """What every engine offers to `cloak`."""

    name: str
    size_px: int  # shorter side of the working image

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        """A change of the image that a recogniser minds and the eye does not.

        Args:
            image: (1, 3, H, W) in [0, 1] with min(H, W) = size_px.
            bound: (1, 1, H, W), largest change of each pixel in the same unit.
        Returns: delta, (1, 3, H, W), or (1, 1, H, W) where it is the same for all channels; |delta| <= bound.
        Raises: Cancelled as soon as should_stop() is true.
        """
        ...


class GradientEngine:
    """Follows the input gradient of a network, exported as a plain inference graph, away from what it sees.

    Every second step the network is shown the photo as it comes back from a site, through a real JPEG round trip, and
    the gradient found there is used as it is (the straight-through estimate of Athalye et al. 2018, arXiv:1802.00420,
    section 4.1): what the codec removes is then made up for, at the price of a small JPEG and no graph call.

    The change is one of brightness alone, equal in the three channels: coloured noise is what people see first, and
    colour is what recompression halves first.

    Args:
        graph: inputs `image` (1, 3, S, S) and `label` (1,); outputs `loss`, `grad` and `logits`.
        posting_quality: of that JPEG, 1 to 100; None never shows it.
    """

    name = "gradient"

    def __init__(self, graph: Graph, *, posting_quality: int | None = 75) -> None:
        self.size_px = graph.inputs["image"].shape[-1]
        self._graph = graph
        self._posting_quality = posting_quality

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        squares = square_views(image.shape[-2:], self.size_px)
        label = self._seen_in(image, squares[len(squares) // 2])
        delta, velocity = np.zeros_like(image), np.zeros_like(image)
        visits = -(-len(squares) // config.steps)  # in a step: more than one where the steps alone miss a square
        for visit in range(config.steps * visits):
            if should_stop():
                raise Cancelled("stopped before the photo was finished; nothing was written")
            step = visit // visits
            view = squares[_visiting_order(visit, len(squares))]
            changed = np.ascontiguousarray((image + delta)[view])
            if step % 2 and self._posting_quality is not None:
                changed = _as_posted(changed, self._posting_quality)
            grad = _of_brightness(self._graph.run({"image": changed, "label": label})["grad"])
            delta[view], velocity[view] = take_step(
                delta[view], grad, velocity[view], image=image[view], bound=bound[view], config=config
            )
            if (visit + 1) % visits == 0:
                on_step(step + 1, config.steps)
        return _of_one_channel(delta)

    def _seen_in(self, image: Array, view: View) -> np.ndarray:
        """(1,) int64: the class that the network gives to the unchanged photo."""
        inputs = {"image": np.ascontiguousarray(image[view]), "label": np.zeros(1, np.int64)}
        return self._graph.run(inputs)["logits"].argmax(1)


def _of_one_channel(delta: Array) -> Array:
    """(1, 3, H, W) -> (1, 1, H, W): channels differ only where black or white held some back; the freest counts."""
    rises, falls = delta.max(1, keepdims=True), delta.min(1, keepdims=True)
    return np.where(rises > -falls, rises, falls)


def _as_posted(image: Array, quality: int) -> Array:
    return from_uint8(recompress(to_uint8(image), quality=quality))


def _of_brightness(grad: Array) -> Array:
    """The gradient with respect to a change that is equal in all channels, repeated for each of them."""
    return np.repeat(grad.mean(1, keepdims=True), grad.shape[1], axis=1)


View = tuple[slice, slice, slice, slice]


def square_views(size: tuple[int, ...], side_px: int) -> list[View]:
    """Squares of side_px that cover an image (H, W) with min(H, W) = side_px: an odd number, the middle one centred.

    Neighbours overlap by half or more.
    """
    height, width = size
    spare = max(height, width) - side_px
    count = 1 if spare == 0 else 2 * -(-spare // side_px) + 1
    starts = [0] if count == 1 else [round(spare * i / (count - 1)) for i in range(count)]
    whole, channels = slice(0, side_px), slice(None)
    if width >= height:
        return [(channels, channels, whole, slice(start, start + side_px)) for start in starts]
    return [(channels, channels, slice(start, start + side_px), whole) for start in starts]


def _visiting_order(step: int, count: int) -> int:
    """From the middle outwards and again: the centre is what most recognisers look at."""
    middle, position = count // 2, step % count
    return middle + (position + 1) // 2 * (1 if position % 2 else -1)

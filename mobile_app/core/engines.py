"""Engines: what turns a photo at working size into a perturbation.

`gradient` follows exported gradient graphs, `generator` lets a graph write the perturbation in one call, `universal`
has one for all photos. The working image has the networks' size as its shorter side and the photo's proportions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from mobile_app.core.errors import PetalveilError
from mobile_app.core.looks import Look, draw_look, plain_look
from mobile_app.core.posting import recompress
from mobile_app.core.preprocess import from_uint8, to_uint8
from mobile_app.core.runtime import Graph
from mobile_app.core.squares import laid_over, spread, square_views, visiting_order
from mobile_app.core.step import Array, StepConfig, of_round, smoothed, take_step

_UNIVERSAL_SHARE = np.float32(0.9)
_SEEN_MARGIN = -2.5  # in logits, of the label before the best other class; docs/cloaks.md says how it was found

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
            bound: (1, 3, H, W), largest change of each value in the same unit.
        Returns: the change as a share of the bound, in [-1, 1]: (1, 3, H, W), or (1, 1, H, W) for all channels alike.
        Raises: Cancelled as soon as should_stop() is true.
        """
        ...


class GradientEngine:
    """Follows the input gradients of networks, exported as plain inference graphs, away from what they see.

    Each step asks one network, in turn, under a look of its own (mobile_app.core.looks). Every second step it is shown
    the photo as it comes back from a site, through a real JPEG round trip, and the gradient found there is used as it
    is (the straight-through estimate of Athalye et al. 2018, arXiv:1802.00420, section 4.1): what the codec removes is
    then made up for, at the price of a small JPEG and no graph call.

    One photo in seven resists: after a round of steps a network that was followed still sees, or nearly sees, what it
    shows. It gets another round, and a third (config.rounds), since those are the photos that others recognise, too.

    The change is one of brightness, of the same share of what each channel bears: coloured noise is what people see
    first, and colour is what recompression halves first. Chance is drawn from a fixed seed, so a photo always becomes
    the same.

    Args:
        graphs: inputs `image` (1, 3, S, S) and `label` (1,); outputs `loss`, `grad` and `logits`, all for the same
            classes and of one size.
        recogniser: of that size and for those classes, with the output `logits`; says what the photo shows, of which
            networks that are good to follow know less than others. None: the first of the graphs.
        posting_quality: of that JPEG, 1 to 100; None never shows it.
        name: under which it is asked for. The engine `comreadv` is this one along a single network that looks through
            a stand-in for compression: ComReAdv, Wang et al., MobiHoc 2020.
    Raises: ValueError for no graphs, or graphs of several sizes.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        *,
        recogniser: Graph | None = None,
        posting_quality: int | None = 75,
        seed: int = 0,
        name: str = "gradient",
    ) -> None:
        asked = () if recogniser is None else (recogniser,)
        sizes = {graph.inputs["image"].shape[-1] for graph in (*graphs, *asked)}
        if not graphs or len(sizes) != 1:
            raise ValueError(
                f"graphs: expected one or more of one size, got sizes {sorted(sizes) if graphs else 'of none'}"
            )
        self.name = name
        self.size_px = sizes.pop()
        self._graphs = tuple(graphs)
        self._recogniser = recogniser or self._graphs[0]
        self._posting_quality = posting_quality
        self._seed = seed

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        rng = np.random.default_rng(self._seed)
        size = image.shape[-2:]
        squares = square_views(size, self.size_px)
        label = self._seen_in(image)
        delta, velocity = np.zeros_like(image), np.zeros_like(image)
        weights = bound / bound.max(1, keepdims=True)  # a channel that bears less of the change counts less for it
        visits = -(-len(squares) // config.steps)  # in a step: more than one where the steps alone miss a square
        a_round = config.steps * visits
        margins: list[list[float]] = [[] for _ in self._graphs]
        for visit in range(a_round * config.rounds):
            number, within = divmod(visit, a_round)
            if number and not within and not _is_still_seen(margins):
                break
            if should_stop():
                raise Cancelled("stopped before the photo was finished; nothing was written")
            step = visit // visits
            square = squares[visiting_order(visit, len(squares))]
            look = draw_look(size, self.size_px, square.centre, rng)
            changed = image + delta
            if self._is_posted(step) and self._posting_quality is not None:
                changed = _as_posted(changed, self._posting_quality)
            turn = whose_turn(visit, len(squares), len(self._graphs))
            grad, margin = self._gradient(self._graphs[turn], changed, look, label)
            if square is squares[len(squares) // 2]:  # where the label was found
                margins[turn].append(margin)
            # All channels change by the same share: one is blurred, and then stands for each of them.
            grad = smoothed((grad * weights).mean(1, keepdims=True), config.smoothing_px)
            grad = np.repeat(grad, image.shape[1], axis=1)
            progress = _progress(within, a_round, len(squares))
            delta, velocity = take_step(
                delta, grad, velocity, image=image, bound=bound, config=of_round(config, number), progress=progress
            )
            if (visit + 1) % visits == 0:
                on_step(step + 1, config.steps * (number + 1))
        return _of_one_channel(delta / bound)

    def _is_posted(self, step: int) -> bool:
        """Every second step; of an even number of networks each has to have its turn at both."""
        rounds = step // len(self._graphs) if len(self._graphs) % 2 == 0 else 0
        return (step + rounds) % 2 == 1

    def _seen_in(self, image: Array) -> np.ndarray:
        """(1,) int64: the class that the recogniser gives to the unchanged photo."""
        middle = plain_look(image.shape[-2:], self.size_px).at(image)
        label = {"label": np.zeros(1, np.int64)} if "label" in self._recogniser.inputs else {}
        return self._recogniser.run({"image": middle, **label})["logits"].argmax(1)

    def _gradient(self, graph: Graph, image: Array, look: Look, label: np.ndarray) -> tuple[Array, float]:
        """The gradient of a look, and by how much the graph's network prefers the label to all others, in logits."""
        shown = np.clip(look.at(image), 0, 1)  # rounding of the resampling aside, it is inside
        answer = graph.run({"image": shown, "label": label})
        logits = answer["logits"][0]
        return look.back(answer["grad"]), float(logits[label[0]] - np.delete(logits, label[0]).max())


class GeneratorEngine:
    """Lets a graph write the perturbation: one pass a square of the photo (training.models.generator).

    Args:
        graph: input `image` (1, 3, S, S) in [0, 1]; output `unit` (1, 1, S, S) in [-1, 1], the change as a share of
            each pixel's bound.
    """

    name = "generator"

    def __init__(self, graph: Graph) -> None:
        self.size_px = graph.inputs["image"].shape[-1]
        self._graph = graph

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        squares = spread(image.shape[-2:], self.size_px)
        units = []
        for number, square in enumerate(squares):
            if should_stop():
                raise Cancelled("stopped before the photo was finished; nothing was written")
            units.append(self._graph.run({"image": np.ascontiguousarray(image[square.view])})["unit"])
            on_step(number + 1, len(squares))
        return np.clip(laid_over(image.shape[-2:], squares, units), -1, 1)


class UnrolledEngine:
    """Lets a graph take several steps of the engine `gradient` in one call (export.unroll).

    The same looks at the same networks, but never at the photo as it comes back from a site, and no second round. A
    panorama that is longer than its steps can cover is cut, and each part takes a call.

    Args:
        graph: inputs `image` (1, 3, H, W) and `bound`, as `perturb` has them, and `visits` (rounds, networks, 3), of
            each step row and column of what it looks at, and its progress; output `unit` (1, 1, H, W).
        size_px: of its networks.
    """

    name = "generator"

    def __init__(self, graph: Graph, *, size_px: int) -> None:
        self.size_px = size_px
        self._graph = graph

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        axis = int(np.argmax(image.shape[-2:])) - 2
        rounds, networks, _ = self._graph.inputs["visits"].shape
        calls = -(-image.shape[axis] // (rounds * networks * self.size_px))  # its steps cover no longer a panorama
        units = []
        for part, part_bound in zip(
            np.array_split(image, calls, axis), np.array_split(bound, calls, axis), strict=True
        ):
            if should_stop():
                raise Cancelled("stopped before the photo was finished; nothing was written")
            given = {"image": part, "bound": part_bound, "visits": self._visits(part.shape[-2:])}
            given = {name: np.ascontiguousarray(array) for name, array in given.items()}
            units.append(self._graph.run(given)["unit"])
            on_step(len(units), calls)
        return np.concatenate(units, axis)

    def _visits(self, size: tuple[int, ...]) -> Array:
        rounds, networks, of_each = self._graph.inputs["visits"].shape
        steps = rounds * networks
        squares = square_views(size, self.size_px)
        if len(squares) > steps:  # of a long panorama; squares that hardly overlap are fewer
            squares = spread(size, self.size_px)
        visits = []
        for step in range(steps):
            square = visiting_order(_each_by_each(step, len(squares), networks), len(squares))
            visits.append((*squares[square].centre, _progress(step, steps, len(squares))))
        return np.array(visits, np.float32).reshape(rounds, networks, of_each)


class UniversalEngine:
    """Has one perturbation for all photos, which is repeated along a photo that is longer than it.

    Where every pixel uses its bound a photo falls below an SSIM of 0.95, so it is laid on at nine tenths of it.

    Args:
        pattern: (1, 1, S, S) in [-1, 1], the change as a share of each pixel's bound.
    """

    name = "universal"

    def __init__(self, pattern: Array) -> None:
        self.size_px = pattern.shape[-1]
        self._pattern = np.clip(pattern, -1, 1)

    def perturb(
        self, image: Array, bound: Array, config: StepConfig, *, on_step: OnStep, should_stop: ShouldStop
    ) -> Array:
        if should_stop():
            raise Cancelled("stopped before the photo was finished; nothing was written")
        on_step(1, 1)
        return _UNIVERSAL_SHARE * self._tiled(image.shape[-2:])

    def _tiled(self, size: tuple[int, ...]) -> Array:
        """(1, 1, H, W): the pattern in the middle, where recognisers look, and again on each side of it."""
        side = self.size_px
        rows, columns = ((np.arange(length) - (length - side) // 2) % side for length in size)
        return self._pattern[:, :, rows[:, None], columns]


def takes_steps(graph: Graph) -> bool:
    """Whether a graph is one for UnrolledEngine."""
    return "visits" in graph.inputs


def whose_turn(visit: int, squares: int, networks: int) -> int:
    """Which network looks at a visit: each in turn, and each at every square, of which there are often three, too."""
    return _each_by_each(visit, squares, networks) % networks


def _each_by_each(visit: int, squares: int, networks: int) -> int:
    """Counts on by one more whenever squares and networks would begin to meet the same ones again."""
    return visit + (visit // math.lcm(squares, networks) if math.gcd(squares, networks) > 1 else 0)


def _progress(visit: int, visits: int, squares: int) -> float:
    """From 0 to 1, the same in a whole circuit of the photo: strides shrink in each part of it alike."""
    circuits = -(-visits // squares)
    return visit // squares / max(circuits - 1, 1)


def _is_still_seen(margins: Sequence[Sequence[float]]) -> bool:
    """Whether a network, in its last two looks, came near to what the photo shows: then others may see it as well."""
    return max(float(np.mean(of_network[-2:])) for of_network in margins if of_network) > _SEEN_MARGIN


def _of_one_channel(unit: Array) -> Array:
    """(1, 3, H, W) -> (1, 1, H, W): channels differ only where black or white held some back; the freest counts."""
    rises, falls = unit.max(1, keepdims=True), unit.min(1, keepdims=True)
    return np.where(rises > -falls, rises, falls)


def _as_posted(image: Array, quality: int) -> Array:
    return from_uint8(recompress(to_uint8(image), quality=quality))

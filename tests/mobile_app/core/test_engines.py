"""Engines: what they ask of their graphs, and that whatever those answer the change stays inside the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mobile_app.core.engines import (
    Cancelled,
    Engine,
    GeneratorEngine,
    GradientEngine,
    UniversalEngine,
    UnrolledEngine,
    whose_turn,
)
from mobile_app.core.looks import draw_look
from mobile_app.core.runtime import Port
from mobile_app.core.runtime.graph import ANY_LENGTH
from mobile_app.core.squares import spread
from mobile_app.core.step import StepConfig

SIDE_PX = 16
SQUARE = (1, 3, SIDE_PX, SIDE_PX)


class GradientGraph:
    """Writes down what it is asked, and answers with a gradient and logits that are known."""

    def __init__(
        self, name: str, calls: list[str], *, grad: np.ndarray | float, seen: int = 0, logits: Sequence[float] = ()
    ) -> None:
        self.name = name
        self.inputs = {"image": Port(SQUARE, "float32"), "label": Port((1,), "int64")}
        self.outputs = {"loss": Port((), "float32"), "grad": Port(SQUARE, "float32")}
        self.images: list[np.ndarray] = []
        self.labels: list[int] = []
        self._calls = calls
        self._grad = np.broadcast_to(np.float32(grad), SQUARE)
        self.logits = np.float32([logits]) if logits else np.eye(5, dtype=np.float32)[[seen]]

    def run(self, inputs, /):
        assert inputs["image"].shape == SQUARE
        assert inputs["image"].dtype == np.float32
        assert 0 <= inputs["image"].min() <= inputs["image"].max() <= 1
        self._calls.append(self.name)
        self.images.append(inputs["image"])
        self.labels += [int(label) for label in inputs.get("label", ())]
        return {"loss": np.float32(0), "grad": self._grad, "logits": self.logits}


class UnitGraph:
    """A generator whose answer is a function of the image."""

    name = "unit"

    def __init__(self, function: Callable[[np.ndarray], np.ndarray | float]) -> None:
        self.inputs = {"image": Port(SQUARE, "float32")}
        self.outputs = {"unit": Port((1, 1, SIDE_PX, SIDE_PX), "float32")}
        self.images: list[np.ndarray] = []
        self._function = function

    def run(self, inputs, /):
        assert inputs["image"].shape == SQUARE
        assert inputs["image"].flags.c_contiguous
        self.images.append(inputs["image"])
        return {"unit": np.broadcast_to(np.float32(self._function(inputs["image"])), (1, 1, SIDE_PX, SIDE_PX))}


class StepsGraph:
    """A graph that takes its steps inside, which are written down; answers with a share of each pixel's bound."""

    name = "steps"

    def __init__(self, rounds: int = 2, networks: int = 3, share: float = 0.8) -> None:
        open_ = (1, 3, ANY_LENGTH, ANY_LENGTH)
        self.inputs = {"image": Port(open_, "float32"), "bound": Port(open_, "float32")}
        self.inputs["visits"] = Port((rounds, networks, 3), "float32")
        self.outputs = {"unit": Port((1, 1, ANY_LENGTH, ANY_LENGTH), "float32")}
        self.given: list[dict[str, np.ndarray]] = []
        self._share = share

    def run(self, inputs, /):
        assert {array.dtype.name for array in inputs.values()} == {"float32"}
        self.given.append(inputs)
        return {"unit": np.full_like(inputs["image"][:, :1], self._share)}


def gradient_engine(count: int = 1, **options) -> tuple[GradientEngine, list[GradientGraph], list[str]]:
    calls: list[str] = []
    rng = np.random.default_rng(7)
    graphs = [GradientGraph("abc"[i], calls, grad=rng.normal(size=SQUARE), seen=i + 2) for i in range(count)]
    return GradientEngine(graphs, **options), graphs, calls


def perturb(engine: Engine, image: np.ndarray, bound: np.ndarray | None = None, steps: int = 4, **given) -> np.ndarray:
    """The change in units of the image: what the engine gives, times the bound."""
    if bound is None:
        bound = np.full((1, 1, *image.shape[2:]), 0.03, np.float32)
    quiet = {"on_step": lambda _done, _steps: None, "should_stop": lambda: False}
    return bound * engine.perturb(image, bound, given.pop("config", StepConfig(steps=steps)), **{**quiet, **given})


def photo(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 3, *size), np.float32)


ENGINES: dict[str, Callable[[], Engine]] = {
    "gradient": lambda: gradient_engine(2)[0],
    "generator": lambda: GeneratorEngine(UnitGraph(lambda image: 3 * np.sin(40 * image[:, :1]))),  # beyond [-1, 1]
    "unrolled": lambda: UnrolledEngine(StepsGraph(), size_px=SIDE_PX),
    "universal": lambda: UniversalEngine(np.random.default_rng(1).normal(size=(1, 1, SIDE_PX, SIDE_PX))),
}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("size", [(16, 16), (16, 23), (50, 16), (16, 160)])
def test_no_engine_leaves_the_budget_of_any_pixel(name, size):
    engine = ENGINES[name]()
    bound = np.random.default_rng(2).uniform(0.002, 0.05, (1, 1, *size)).astype(np.float32)
    delta = perturb(engine, photo(*size), bound, steps=19)
    assert engine.name == ("generator" if name == "unrolled" else name)
    assert engine.size_px == SIDE_PX
    assert delta.shape == (1, 1, *size)
    assert (np.abs(delta) <= bound * (1 + 1e-6)).all()
    assert (np.abs(delta) > 0.5 * bound).mean() > 0.2  # and it is made use of


@pytest.mark.parametrize("name", ENGINES)
def test_the_same_photo_gives_the_same_result_whatever_came_between(name):
    engine = ENGINES[name]()
    first = perturb(engine, photo(16, 40))
    perturb(engine, photo(33, 16, seed=1))
    np.testing.assert_array_equal(perturb(engine, photo(16, 40)), first)
    np.testing.assert_array_equal(perturb(ENGINES[name](), photo(16, 40)), first)


@pytest.mark.parametrize("name", ENGINES)
def test_a_stop_is_heard_before_anything_is_done(name):
    done: list[int] = []
    with pytest.raises(Cancelled, match="nothing was written"):
        perturb(
            ENGINES[name](), photo(16, 16), should_stop=lambda: True, on_step=lambda step, _steps: done.append(step)
        )
    assert not done


@pytest.mark.parametrize("name", ENGINES)
def test_steps_are_counted_to_their_end(name):
    seen: list[tuple[int, int]] = []
    perturb(ENGINES[name](), photo(16, 60), steps=3, on_step=lambda done, steps: seen.append((done, steps)))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert len({steps for _, steps in seen}) == 1
    assert seen[-1][1] == {"gradient": 3, "generator": len(spread((16, 60), 16)), "unrolled": 1, "universal": 1}[name]


# Following gradients


def test_graphs_take_turns_in_their_order_and_the_first_says_what_is_seen():
    engine, graphs, calls = gradient_engine(3)
    perturb(engine, photo(16, 16), steps=7)
    assert calls == ["a", *"abcabca"]  # one look, then a step each
    assert [label for graph in graphs for label in graph.labels] == [0, *[2] * 7]  # class 2 is what `a` sees


def test_a_recogniser_says_what_is_seen_and_is_followed_by_none():
    recogniser = GradientGraph("r", calls := [], grad=np.nan, seen=4)
    del recogniser.inputs["label"]  # a classifier takes none
    engine, graphs, _ = gradient_engine(2, recogniser=recogniser)
    perturb(engine, photo(16, 16), steps=4)
    assert calls == ["r"]
    assert [label for graph in graphs for label in graph.labels] == [4] * 4


def test_twenty_calls_are_all_that_the_plan_takes():
    engine, _, calls = gradient_engine(3)
    perturb(engine, photo(16, 24), config=StepConfig())
    assert len(calls) == 20


def test_the_first_look_is_at_the_middle_square_as_it_is():
    engine, (graph,), _ = gradient_engine()
    image = photo(16, 30)
    perturb(engine, image, steps=1)
    np.testing.assert_array_equal(graph.images[0], image[..., 7:23])


def test_every_step_has_a_look_of_its_own_drawn_from_the_seed():
    engine, (graph,), _ = gradient_engine(posting_quality=None)
    image = photo(16, 16)
    perturb(engine, image, steps=5)
    assert len({shown.tobytes() for shown in graph.images}) == 6
    first = draw_look((16, 16), SIDE_PX, (8.0, 8.0), np.random.default_rng(0)).at(image)
    np.testing.assert_allclose(graph.images[1], np.clip(first, 0, 1), atol=1e-6)
    other, (elsewhere,), _ = gradient_engine(posting_quality=None, seed=1)
    perturb(other, image, steps=1)
    assert np.abs(elsewhere.images[1] - graph.images[1]).max() > 0.01


def test_every_second_step_is_shown_the_photo_as_posted():
    posting, (graph,), _ = gradient_engine(posting_quality=5)
    plain, (unposted,), _ = gradient_engine(posting_quality=None)
    image = photo(16, 16)
    for engine in (posting, plain):  # with no room to move in, all that differs is the JPEG
        perturb(engine, image, np.full((1, 1, 16, 16), 1e-9, np.float32), steps=4)
    differs = [np.abs(a - b).max() > 0.05 for a, b in zip(graph.images, unposted.images, strict=True)]
    assert differs == [False, False, True, False, True]


@pytest.mark.parametrize(("squares", "networks"), [(1, 3), (3, 3), (9, 3), (3, 2), (3, 6), (5, 3)])
def test_every_network_looks_at_every_square_equally_often(squares, networks):
    visits = range(squares * networks)
    assert len({(visit % squares, whose_turn(visit, squares, networks)) for visit in visits}) == squares * networks


def test_a_square_photo_is_seen_by_each_network_in_turn():
    assert [whose_turn(visit, 1, 3) for visit in range(7)] == [0, 1, 2, 0, 1, 2, 0]


# Photos that resist


def resisting(*margins: float) -> tuple[GradientEngine, list[GradientGraph]]:
    """An engine whose networks prefer the label, class 0, by these margins."""
    graphs = [GradientGraph("abc"[i], [], grad=1, logits=(margin, 0)) for i, margin in enumerate(margins)]
    recogniser = GradientGraph("r", [], grad=np.nan, seen=0)
    return GradientEngine(graphs, recogniser=recogniser, posting_quality=None), graphs


@pytest.mark.parametrize(
    ("margins", "steps"),
    [
        ((-9, -9, -9), 6),  # nobody sees it: one round
        ((2, 2, 2), 18),  # all do, to the end: as many as may be
        ((-9, -9, -2), 18),  # one network that nearly sees it is enough
        ((-9, -9, -3), 6),
    ],
)
def test_a_photo_gets_further_rounds_while_a_network_nearly_sees_what_it_shows(margins, steps):
    engine, graphs = resisting(*margins)
    seen: list[tuple[int, int]] = []
    config = StepConfig(steps=6, rounds=3)
    perturb(engine, photo(16, 16), config=config, on_step=lambda done, of: seen.append((done, of)))
    assert sum(len(graph.images) for graph in graphs) == steps
    assert seen == [(step, 6 * -(-step // 6)) for step in range(1, steps + 1)]  # 6 in all, then 12, then 18


def test_no_further_round_follows_once_no_network_sees_it():
    engine, (graph,) = resisting(2)

    def give_in(done: int, _steps: int) -> None:
        if done == 7:
            graph.logits = np.float32([[-9, 0]])

    perturb(engine, photo(16, 16), config=StepConfig(steps=4, rounds=5), on_step=give_in)
    assert len(graph.images) == 8


def test_what_a_side_square_shows_says_nothing_of_the_label():
    engine, (graph,) = resisting(-9)

    def at_the_sides(done: int, _steps: int) -> None:  # of 3 squares each third is the middle one
        graph.logits = np.float32([[-9 if done % 3 == 0 else 9, 0]])

    perturb(engine, photo(16, 24), config=StepConfig(steps=6, rounds=2), on_step=at_the_sides)
    assert len(graph.images) == 6


@pytest.mark.parametrize("sign", [1, -1])
def test_one_step_goes_up_the_gradient_by_its_stride(sign):
    engine = GradientEngine([GradientGraph("a", [], grad=sign)], posting_quality=None)
    image = np.full((1, 3, 16, 16), 0.5, np.float32)
    delta = perturb(engine, image, config=StepConfig(rule="mi_fgsm", steps=1, stride=0.25))
    np.testing.assert_allclose(delta, sign * 0.25 * 0.03, rtol=1e-5)


def test_strides_shrink_from_the_first_step_to_the_last():
    engine = GradientEngine([GradientGraph("a", [], grad=1)], posting_quality=None)
    image, bound = np.full((1, 3, 16, 16), 0.5, np.float32), np.full((1, 1, 16, 16), 0.5, np.float32)
    three = perturb(engine, image, bound, config=StepConfig(rule="mi_fgsm", steps=3, stride=0.3, last_stride=0.1))
    np.testing.assert_allclose(three, (0.3 + 0.2 + 0.1) * 0.5, rtol=1e-5)
    one = perturb(engine, image, bound, config=StepConfig(rule="mi_fgsm", steps=1, stride=0.3, last_stride=0.1))
    np.testing.assert_allclose(one, 0.3 * 0.5, rtol=1e-5)


def test_a_gradient_of_colour_alone_moves_nothing():
    colours = np.float32([1, -0.5, -0.5]).reshape(1, 3, 1, 1)  # their mean is 0
    assert not perturb(GradientEngine([GradientGraph("a", [], grad=colours)]), photo(16, 16), steps=5).any()


def test_a_channel_that_bears_less_counts_less():
    # Red would have it darker, green and blue lighter. All bear alike: their mean is lighter. Red bears most: darker.
    colours = np.float32([-1, 0.6, 0.6]).reshape(1, 3, 1, 1)
    engine = GradientEngine([GradientGraph("a", [], grad=colours)], posting_quality=None)
    image = np.full((1, 3, 16, 16), 0.5, np.float32)
    config = StepConfig(rule="mi_fgsm", steps=1, stride=0.5)
    np.testing.assert_allclose(perturb(engine, image, config=config), 0.5 * 0.03, rtol=1e-5)
    bound = np.float32([0.03, 0.01, 0.01]).reshape(1, 3, 1, 1) * np.ones((1, 1, 16, 16), np.float32)
    delta = perturb(engine, image, bound, config=config)
    np.testing.assert_allclose(delta, -0.5 * bound, rtol=1e-5)


@pytest.mark.parametrize(("grad", "expected"), [(1, 0.02), (-1, -0.03)])
def test_where_white_holds_one_channel_back_the_freest_counts(grad, expected):
    image = np.full((1, 3, 16, 16), 0.98, np.float32)
    image[:, 0] = 1.0  # red has no room above
    image[:, 1] = 0.995
    delta = perturb(GradientEngine([GradientGraph("a", [], grad=grad)], posting_quality=None), image, steps=10)
    np.testing.assert_allclose(delta, expected, rtol=1e-4)


def test_a_long_photo_is_looked_at_from_the_middle_outwards_to_its_ends():
    engine, (graph,), _ = gradient_engine(posting_quality=None)
    image = np.linspace(0, 1, 80, dtype=np.float32).reshape(1, 1, 1, 80) * np.ones((1, 3, 16, 1), np.float32)
    perturb(engine, image, np.full((1, 1, 16, 80), 1e-9, np.float32), steps=9)
    places = [float(shown.mean()) for shown in graph.images[1:]]  # 9 squares, centred 8 px apart from 8 to 72
    wanted = np.array([40, 48, 32, 56, 24, 64, 16, 72, 8]) / 80
    np.testing.assert_allclose(places, wanted, atol=0.07)


def test_more_looks_a_step_are_taken_where_steps_alone_would_miss_a_square():
    engine, _, calls = gradient_engine()
    done: list[int] = []
    perturb(engine, photo(16, 80), steps=4, on_step=lambda step, _steps: done.append(step))
    assert len(calls) == 1 + 4 * 3  # 9 squares in 4 steps: 3 looks in each
    assert done == [1, 2, 3, 4]


def test_a_stop_is_heard_between_two_steps():
    engine, _, calls = gradient_engine()
    with pytest.raises(Cancelled):
        perturb(engine, photo(16, 16), steps=19, should_stop=lambda: len(calls) == 4)
    assert len(calls) == 4


def test_without_a_graph_or_with_graphs_of_two_sizes_there_is_no_engine():
    with pytest.raises(ValueError, match="graphs: expected one or more of one size, got sizes of none"):
        GradientEngine([])
    small, large = GradientGraph("a", [], grad=1), GradientGraph("b", [], grad=1)
    large.inputs["image"] = Port((1, 3, 24, 24), "float32")
    with pytest.raises(ValueError, match=r"got sizes \[16, 24\]"):
        GradientEngine([small, large])


# Steps inside a graph


def test_a_graph_that_steps_by_itself_is_called_once_with_photo_and_bound_as_they_are():
    graph, image = StepsGraph(), photo(16, 40)
    bound = np.random.default_rng(2).uniform(0.01, 0.05, image.shape).astype(np.float32)
    perturb(UnrolledEngine(graph, size_px=SIDE_PX), image, bound)
    (given,) = graph.given
    np.testing.assert_array_equal(given["image"], image)
    np.testing.assert_array_equal(given["bound"], bound)


def test_its_steps_at_a_square_photo_look_at_the_middle_and_shrink_evenly():
    graph = StepsGraph(rounds=2, networks=2)
    perturb(UnrolledEngine(graph, size_px=SIDE_PX), photo(16, 16))
    wanted = [[[8, 8, 0], [8, 8, 1 / 3]], [[8, 8, 2 / 3], [8, 8, 1]]]
    np.testing.assert_allclose(graph.given[0]["visits"], wanted, rtol=1e-6)


def test_its_steps_at_a_long_photo_go_from_the_middle_outwards_and_shrink_by_circuits():
    graph = StepsGraph(rounds=3, networks=2)
    perturb(UnrolledEngine(graph, size_px=SIDE_PX), photo(16, 24))  # squares at 0, 4 and 8
    wanted = [[[8, 12, 0], [8, 16, 0]], [[8, 8, 0], [8, 12, 1]], [[8, 16, 1], [8, 8, 1]]]
    np.testing.assert_array_equal(graph.given[0]["visits"], wanted)


def test_each_of_its_networks_looks_at_each_of_as_many_squares():
    graph = StepsGraph(rounds=3, networks=3)
    perturb(UnrolledEngine(graph, size_px=SIDE_PX), photo(16, 24))
    for network in range(3):
        assert sorted(graph.given[0]["visits"][:, network, 1]) == [8, 12, 16]


def test_its_steps_reach_both_ends_of_a_photo_that_has_more_views_than_there_are_steps():
    graph = StepsGraph(rounds=3, networks=3)
    perturb(UnrolledEngine(graph, size_px=SIDE_PX), photo(16, 144))
    along = graph.given[0]["visits"][..., 1]
    assert (along.min(), along.max()) == (8, 136)


def test_a_panorama_that_is_longer_than_its_steps_reach_is_changed_to_both_ends_a_part_a_call():
    graph = StepsGraph(rounds=3, networks=3)
    unit = UnrolledEngine(graph, size_px=SIDE_PX).perturb(
        photo(400, 16),
        np.full((1, 3, 400, 16), 0.03, np.float32),
        StepConfig(),
        on_step=lambda _done, _steps: None,
        should_stop=lambda: False,
    )
    np.testing.assert_array_equal(unit, np.full((1, 1, 400, 16), 0.8, np.float32))
    assert [given["image"].shape for given in graph.given] == [(1, 3, 134, 16), (1, 3, 133, 16), (1, 3, 133, 16)]
    for given in graph.given:
        along = given["visits"][..., 0]
        assert (along.min(), along.max()) == (8, given["image"].shape[2] - 8)


# Writing it in one pass


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (100, 16)])
def test_a_constant_answer_stays_constant_over_a_long_photo(size):
    graph = UnitGraph(lambda _image: 0.5)
    bound = np.random.default_rng(0).uniform(0.01, 0.05, (1, 1, *size)).astype(np.float32)
    delta = perturb(GeneratorEngine(graph), photo(*size), bound)
    np.testing.assert_allclose(delta, bound / 2, rtol=1e-5)
    assert len(graph.images) == len(spread(size, SIDE_PX))


def test_each_square_is_shown_as_it_is_and_answers_for_its_place():
    graph = UnitGraph(lambda image: 2 * image[:, :1] - 1)  # the same at a pixel whichever square it is in
    image = photo(16, 40)
    delta = perturb(GeneratorEngine(graph), image, np.ones((1, 1, 16, 40), np.float32))
    np.testing.assert_allclose(delta, 2 * image[:, :1] - 1, atol=1e-5)
    for shown, square in zip(graph.images, spread((16, 40), SIDE_PX), strict=True):
        np.testing.assert_array_equal(shown, image[square.view])


def test_squares_that_disagree_fade_into_each_other():
    answers = iter([-1.0, 1.0, -1.0])
    delta = perturb(GeneratorEngine(UnitGraph(lambda _image: next(answers))), photo(16, 32)) / 0.03
    along = delta[0, 0, 0]
    np.testing.assert_allclose([along[0], along[31]], -1, rtol=1e-5)
    assert np.abs(np.diff(along)).max() < 0.3  # no seam of 2
    assert along[15:17].min() > 0.8


def test_a_stop_is_heard_between_two_squares():
    graph = UnitGraph(lambda _image: 0.5)
    with pytest.raises(Cancelled):
        perturb(GeneratorEngine(graph), photo(16, 80), should_stop=lambda: len(graph.images) == 2)
    assert len(graph.images) == 2


# One for all photos


def test_a_universal_perturbation_takes_nine_tenths_of_the_bound_and_asks_nothing_of_the_photo():
    pattern = np.random.default_rng(3).uniform(-1, 1, (1, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
    bound = np.random.default_rng(4).uniform(0.01, 0.05, (1, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
    engine = UniversalEngine(pattern)
    first, second = (perturb(engine, photo(16, 16, seed=seed), bound) for seed in (0, 1))
    np.testing.assert_allclose(first, 0.9 * pattern * bound, rtol=1e-5)
    np.testing.assert_array_equal(first, second)


def test_a_universal_perturbation_is_repeated_along_a_long_photo():
    pattern = np.random.default_rng(3).uniform(-1, 1, (1, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
    delta = perturb(UniversalEngine(pattern), photo(16, 48)) / (0.9 * 0.03)  # three squares side by side
    np.testing.assert_allclose(delta, np.tile(pattern, 3), rtol=1e-4, atol=1e-6)


def test_a_pattern_beyond_the_whole_budget_is_brought_back():
    delta = perturb(UniversalEngine(np.full((1, 1, SIDE_PX, SIDE_PX), -7, np.float32)), photo(16, 16))
    np.testing.assert_allclose(delta, -0.9 * 0.03, rtol=1e-6)

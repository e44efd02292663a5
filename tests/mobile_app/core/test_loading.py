"""Which engine a bundle gives for a name, or for a time. Graphs are stand-ins, and so is the clock."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core import loading
from mobile_app.core.bundle import Bundle, GraphEntry
from mobile_app.core.engines import GeneratorEngine, GradientEngine, UniversalEngine, UnrolledEngine
from mobile_app.core.errors import BundleError
from mobile_app.core.loading import engine_within, engines_of, keeping, load_engine
from mobile_app.core.runtime import Port
from mobile_app.core.step import StepConfig, with_steps

SIDE_PX = 32
CONFIG = StepConfig(steps=20, budget_levels=4)


class StandIn:
    """Gradients of ones, and a perturbation of ones."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs = {"image": Port((1, 3, SIDE_PX, SIDE_PX), "float32")}
        self.outputs = {}

    def run(self, inputs):
        grad = np.ones(inputs["image"].shape, np.float32)
        return {"grad": grad, "unit": grad[:, :1], "logits": np.float32([[0, 1]]), "loss": np.float32(0)}


def entry(name: str, engine: str | None) -> GraphEntry:
    facts = {"source": "", "licence": "", "command": "", "opset": 18, "precision": "float32", "size_px": SIDE_PX}
    return GraphEntry(name=name, file=f"{name}.onnx", task="gradient", engine=engine, **facts)


@pytest.fixture
def make_bundle(tmp_path: Path):
    """`make_bundle({"a": "gradient"}, universal=True)`: graphs by name, with the engine that runs each."""

    def make(graphs: dict[str, str | None], *, universal: bool = False) -> Bundle:
        if universal:
            levels = np.tile(np.uint8([1, 128, 255, 0]), (4, 1))
            Image.fromarray(levels).save(tmp_path / "universal.png")
        entries = {name: entry(name, engine) for name, engine in graphs.items()}
        name = "universal.png" if universal else None
        return Bundle(root=tmp_path, version="0", graphs=entries, sha256={}, universal=name)

    return make


@pytest.fixture
def whole(make_bundle) -> Bundle:
    graphs = {"b": "gradient", "shown": None, "writer": "generator", "a": "gradient"}
    return make_bundle(graphs, universal=True)


@pytest.fixture(autouse=True)
def _graphs_are_stand_ins(monkeypatch) -> None:
    monkeypatch.setattr(loading, "load_graph", lambda path, *, name, threads: StandIn(name))


def clock(step_s: float):
    """A clock that goes on by step_s each time it is asked."""
    counter = itertools.count()
    return lambda: next(counter) * step_s


def names(engine) -> list[str]:
    return [graph.name for graph in engine._graphs]


# By name


def test_engines_are_named_from_the_strongest_to_the_quickest(whole, make_bundle):
    assert engines_of(whole) == ("gradient", "generator", "universal")
    assert engines_of(make_bundle({"writer": "generator", "shown": None})) == ("generator",)
    assert engines_of(make_bundle({"shown": None})) == ()


def test_the_gradient_engine_has_all_its_graphs_in_the_order_of_the_manifest(whole):
    engine = load_engine(whole)
    assert isinstance(engine, GradientEngine)
    assert names(engine) == ["b", "a"]


def test_what_a_photo_shows_is_asked_of_the_recogniser_where_there_is_one(make_bundle, whole):
    engine = load_engine(make_bundle({"a": "gradient", "objects": None}))
    assert isinstance(engine, GradientEngine)
    assert (names(engine), engine._recogniser.name) == (["a"], "objects")
    alone = load_engine(whole)
    assert isinstance(alone, GradientEngine)
    assert alone._recogniser.name == "b"


def test_the_others_are_loaded_by_name(whole):
    writer, pattern = load_engine(whole, "generator"), load_engine(whole, "universal")
    assert isinstance(writer, GeneratorEngine)
    assert isinstance(pattern, UniversalEngine)
    assert (writer.size_px, pattern.size_px) == (SIDE_PX, 4)


def test_comreadv_follows_its_own_graph_alone_and_leaves_what_a_site_does_to_that(make_bundle):
    bundle = make_bundle({"a": "gradient", "through": "comreadv", "objects": None})
    assert engines_of(bundle) == ("gradient", "comreadv")
    engine = load_engine(bundle, "comreadv")
    assert isinstance(engine, GradientEngine)
    assert (engine.name, names(engine), engine._recogniser.name) == ("comreadv", ["through"], "objects")
    assert engine._posting_quality is None
    assert names(load_engine(bundle)) == ["a"]


def test_a_generator_that_steps_by_itself_has_the_size_that_the_manifest_says(whole, monkeypatch):
    class Steps(StandIn):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.inputs = {"image": Port((1, 3, -1, -1), "float32"), "visits": Port((3, 3, 3), "float32")}

    monkeypatch.setattr(loading, "load_graph", lambda path, *, name, threads: Steps(name))
    engine = load_engine(whole, "generator")
    assert isinstance(engine, UnrolledEngine)
    assert engine.size_px == SIDE_PX


def test_the_universal_pattern_is_that_of_the_file(whole):
    engine = load_engine(whole, "universal")
    image, bound = np.full((1, 3, 4, 4), 0.5, np.float32), np.full((1, 3, 4, 4), 0.25, np.float32)
    unit = engine.perturb(image, bound, CONFIG, on_step=lambda *_: None, should_stop=lambda: False)
    shares = 0.9 * np.float32([-1, 0, 1, -1])  # grey 0 counts as 1
    np.testing.assert_allclose(unit[0, 0], np.tile(shares, (4, 1)), rtol=1e-6)


def test_graphs_can_come_from_those_that_keep_them(whole):
    asked: list[str] = []

    def load(name: str) -> StandIn:
        asked.append(name)
        return StandIn(name)

    load_engine(whole, "gradient", load=load)
    assert asked == ["b", "a"]


def test_a_graph_that_is_kept_is_loaded_once(whole):
    load = keeping(whole)
    assert load("b") is load("b")
    assert load("a") is not load("b")


@pytest.mark.parametrize("name", ["gradient", "universal", "none"])
def test_an_engine_that_the_bundle_lacks_is_refused_and_the_others_are_named(make_bundle, name):
    with pytest.raises(BundleError, match=rf"engine {name}: expected one that the bundle has \(generator\)"):
        load_engine(make_bundle({"writer": "generator"}), name)


def test_a_bundle_without_engines_is_refused(make_bundle):
    with pytest.raises(BundleError, match=r"\(none\)"):
        engine_within(make_bundle({"shown": None}), 1, 1, CONFIG)


# By time: a call of a gradient graph takes a tenth of a second here, and a megapixel's other work 1.5 calls


@pytest.mark.parametrize(
    ("seconds", "megapixels", "steps"),
    [
        (60, 1, 20),  # never more than the config has
        (1.86, 1, 16),  # (1.86 - 0.15) / 0.1 = 17 calls, one of which looks at the photo
        (1.86, 4, 11),  # (1.86 - 0.6) / 0.1 = 12
        (0.36, 1, 1),  # (0.36 - 0.15) / 0.1 = 2
    ],
)
def test_the_gradient_engine_takes_the_steps_that_it_has_time_for(whole, seconds, megapixels, steps):
    engine, config = engine_within(whole, seconds, megapixels, CONFIG, now=clock(0.1))
    assert engine.name == "gradient"
    assert config.steps == steps
    assert config == with_steps(CONFIG, steps)
    assert config.budget_levels == 4


@pytest.mark.parametrize(("seconds", "rounds"), [(60, 3), (4.26, 2), (4.16, 1), (2.26, 1)])  # 401, 40, 39 and 20 steps
def test_further_rounds_are_those_that_there_is_time_for(whole, seconds, rounds):
    config = replace(CONFIG, rounds=3)
    assert engine_within(whole, seconds, 1, config, now=clock(0.1))[1] == replace(config, rounds=rounds)


def test_where_not_even_one_call_fits_the_universal_perturbation_is_laid_over(whole):
    engine, config = engine_within(whole, 0.1, 1, CONFIG, now=clock(0.1))
    assert (engine.name, config) == ("universal", CONFIG)


def test_the_gradient_engine_alone_takes_what_few_steps_there_are(make_bundle):
    engine, config = engine_within(make_bundle({"a": "gradient"}), 0.1, 1, CONFIG, now=clock(0.1))
    assert (engine.name, config) == ("gradient", with_steps(CONFIG, 1))


def test_a_bundle_without_gradients_gives_the_next_strongest(make_bundle):
    bundle = make_bundle({"writer": "generator"}, universal=True)
    engine, config = engine_within(bundle, 60, 1, CONFIG, now=clock(0.1))
    assert (engine.name, config) == ("generator", CONFIG)

"""Photo in, protected photo out: the promises, on a graph whose gradient is known, and a few on the real bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mobile_app.core.bundle import DEFAULT_ROOT, Bundle, load_bundle
from mobile_app.core.classify import classify
from mobile_app.core.cloak import STRENGTHS, cloak
from mobile_app.core.engines import Cancelled, GradientEngine, UniversalEngine
from mobile_app.core.errors import GraphError
from mobile_app.core.photo import EncodeConfig, Photo, decode, encode
from mobile_app.core.posting import recompress
from mobile_app.core.quality import largest_change_levels
from mobile_app.core.runtime import Port, load_graph
from mobile_app.core.step import StepConfig

SIZE_PX = 32


class KnownGraph:
    """loss = sum(weights * image), so that grad = weights, whatever the image."""

    name = "known"

    def __init__(self, weights: np.ndarray) -> None:
        self.inputs = {"image": Port((1, 3, SIZE_PX, SIZE_PX), "float32"), "label": Port((1,), "int64")}
        self.outputs = {"loss": Port((), "float32"), "grad": Port((1, 3, SIZE_PX, SIZE_PX), "float32")}
        self.images: list[np.ndarray] = []
        self.labels: list[int] = []
        self._weights = np.broadcast_to(weights.astype(np.float32), (1, 3, SIZE_PX, SIZE_PX))

    def run(self, inputs):
        assert inputs["image"].shape == self.inputs["image"].shape
        assert inputs["image"].dtype == np.float32
        self.images.append(inputs["image"])
        self.labels.append(int(inputs["label"][0]))
        loss = np.float32((inputs["image"] * self._weights).sum())
        return {"loss": loss, "grad": self._weights, "logits": np.float32([[0.0, 2.0, 1.0]])}


def noise_graph(seed: int = 0) -> KnownGraph:
    return KnownGraph(np.random.default_rng(seed).normal(size=(1, 3, SIZE_PX, SIZE_PX)))


@pytest.fixture
def engine() -> GradientEngine:
    return GradientEngine([noise_graph()])


@pytest.mark.parametrize("budget_levels", [1.0, 4.0, 7.6, 12.0, 64.0])
def test_cloak_never_leaves_the_budget(engine, photo, budget_levels):
    result = cloak(Photo(rgb_hwc=photo), engine, StepConfig(budget_levels=budget_levels))
    assert 0 < largest_change_levels(photo, result.photo.rgb_hwc) <= int(budget_levels)


def test_the_budget_holds_after_a_file_that_loses_nothing(engine, photo):
    result = cloak(Photo(rgb_hwc=photo), engine, StepConfig(budget_levels=8))
    saved = decode(encode(result.photo, EncodeConfig(format="png")))
    np.testing.assert_array_equal(saved.rgb_hwc, result.photo.rgb_hwc)
    assert largest_change_levels(photo, saved.rgb_hwc) <= 8


def test_the_change_climbs_the_loss(photo):
    up = cloak(Photo(rgb_hwc=photo), GradientEngine([KnownGraph(np.ones(1))]), StepConfig(budget_levels=8))
    down = cloak(Photo(rgb_hwc=photo), GradientEngine([KnownGraph(-np.ones(1))]), StepConfig(budget_levels=8))
    assert (up.photo.rgb_hwc >= photo).all()
    assert (down.photo.rgb_hwc <= photo).all()
    assert np.mean(up.photo.rgb_hwc.astype(int) - photo) > 1.5


def test_a_grey_photo_stays_grey(engine, photo):
    level = photo.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    result = cloak(Photo(rgb_hwc=level, is_grey=True), engine, StepConfig())
    assert np.ptp(result.photo.rgb_hwc, axis=2).max() == 0
    assert largest_change_levels(level, result.photo.rgb_hwc) > 0


def test_the_same_photo_gives_the_same_result(photo):
    first, second = (cloak(Photo(rgb_hwc=photo), GradientEngine([noise_graph()]), StepConfig()) for _ in range(2))
    np.testing.assert_array_equal(first.photo.rgb_hwc, second.photo.rgb_hwc)


def test_an_engine_remembers_nothing_of_the_photo_before(engine, photo, coffee):
    first = cloak(Photo(rgb_hwc=photo), engine, StepConfig())
    cloak(Photo(rgb_hwc=coffee), engine, StepConfig())
    again = cloak(Photo(rgb_hwc=photo), engine, StepConfig())
    np.testing.assert_array_equal(first.photo.rgb_hwc, again.photo.rgb_hwc)


def test_the_original_and_all_beside_the_pixels_stay(engine, photo):
    copy, alpha = photo.copy(), np.full(photo.shape[:2], 77, np.uint8)
    before = Photo(rgb_hwc=photo, alpha_hw=alpha, icc_profile=b"profile", name="x")
    result = cloak(before, engine, StepConfig())
    np.testing.assert_array_equal(photo, copy)
    assert result.photo.alpha_hw is alpha
    assert (result.photo.icc_profile, result.photo.name) == (b"profile", "x")


def test_on_step_counts_every_step(engine, photo):
    seen: list[tuple[int, int]] = []
    cloak(Photo(rgb_hwc=photo), engine, StepConfig(steps=4), on_step=lambda done, steps: seen.append((done, steps)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_result_says_how_many_steps_were_taken(engine, photo):
    config = StepConfig(steps=4, rounds=3)  # noise that is named 0 whatever it shows: all rounds are needed
    assert cloak(Photo(rgb_hwc=photo), engine, config).steps == 12
    assert cloak(Photo(rgb_hwc=photo), engine, replace(config, rounds=1)).steps == 4


def test_on_step_counts_steps_where_a_panorama_takes_several_looks_a_step(rng):
    seen: list[int] = []
    panorama = rng.integers(0, 256, (32, 640, 3), dtype=np.uint8)
    graph = noise_graph()
    cloak(
        Photo(rgb_hwc=panorama), GradientEngine([graph]), StepConfig(steps=4), on_step=lambda done, _: seen.append(done)
    )
    assert seen == [1, 2, 3, 4]
    assert len(graph.images) > 30


def test_should_stop_cancels_between_steps(photo):
    graph, done = noise_graph(), []
    with pytest.raises(Cancelled, match="nothing was written"):
        cloak(
            Photo(rgb_hwc=photo),
            GradientEngine([graph]),
            StepConfig(steps=9),
            on_step=lambda step, _steps: done.append(step),
            should_stop=lambda: len(done) == 3,
        )
    assert done == [1, 2, 3]


def test_the_seconds_are_those_of_the_clock(engine, photo):
    times = iter([10.0, 12.5])
    assert cloak(Photo(rgb_hwc=photo), engine, StepConfig(steps=1), now=lambda: next(times)).seconds == 2.5


def test_the_loss_leaves_the_class_that_the_network_sees(photo):
    graph = noise_graph()
    cloak(Photo(rgb_hwc=photo), GradientEngine([graph]), StepConfig(steps=3))
    assert graph.labels[-3:] == [1, 1, 1]  # the largest of its logits


def test_every_second_step_looks_at_the_photo_as_it_is_posted(photo):
    posting, plain = noise_graph(), noise_graph()
    cloak(Photo(rgb_hwc=photo[:, :300]), GradientEngine([posting], posting_quality=10), StepConfig(steps=2))
    cloak(Photo(rgb_hwc=photo[:, :300]), GradientEngine([plain], posting_quality=None), StepConfig(steps=2))
    np.testing.assert_array_equal(posting.images[-2], plain.images[-2])
    assert np.abs(posting.images[-1] - plain.images[-1]).max() > 0.02


@pytest.mark.parametrize(
    ("shape", "steps"), [((64, 200), 10), ((200, 64), 10), ((64, 640), 10), ((64, 640), 2), ((64, 320), 1)]
)
def test_no_part_of_a_panorama_stays_as_it_was(rng, shape, steps):
    photo = rng.integers(60, 200, (*shape, 3), dtype=np.uint8)
    after = cloak(
        Photo(rgb_hwc=photo), GradientEngine([KnownGraph(np.ones(1))]), StepConfig(steps=steps, stride=0.5)
    ).photo.rgb_hwc
    changed = (after != photo).any(axis=2)
    along = changed.mean(axis=int(np.argmin(shape))).reshape(-1, 8).mean(1)  # looks may miss a column or two at the rim
    assert along.min() > 0.5


@pytest.mark.parametrize("shape", [(16, 16), (16, 500), (400, 17), (31, 33)])
def test_small_and_thin_photos_keep_their_size_and_budget(engine, rng, shape):
    photo = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    after = cloak(Photo(rgb_hwc=photo), engine, StepConfig()).photo.rgb_hwc
    assert after.shape == photo.shape
    assert largest_change_levels(photo, after) <= 8


def test_twelve_megapixels_come_out_as_twelve_megapixels(engine):
    block = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    photo = Photo(rgb_hwc=block.repeat(10, axis=0).repeat(10, axis=1))
    result = cloak(photo, engine, StepConfig(steps=2))
    assert result.photo.size_px == (4000, 3000)
    assert 0 < largest_change_levels(photo.rgb_hwc, result.photo.rgb_hwc) <= 8


def assert_of_brightness(change: np.ndarray) -> None:
    """Nowhere is a channel raised and another lowered."""
    assert (change.min(axis=2) * change.max(axis=2)).min() == 0
    assert np.abs(change.sum(axis=2)).max() > 6


def test_a_universal_perturbation_keeps_the_budget_and_the_colours(photo):
    pattern = np.random.default_rng(0).choice(np.float32([-1, 1]), (1, 1, SIZE_PX, SIZE_PX))
    middle = photo // 2 + 64  # far from black and white, where a channel may be held back
    result = cloak(Photo(rgb_hwc=middle), UniversalEngine(pattern), StepConfig(budget_levels=7.6))
    change = result.photo.rgb_hwc.astype(int) - middle
    assert result.engine == "universal"
    assert_of_brightness(change)
    assert 2 <= np.abs(change).max() <= 7


def test_the_gradients_change_is_of_brightness_alone(engine, photo):
    middle = photo // 2 + 64
    change = cloak(Photo(rgb_hwc=middle), engine, StepConfig()).photo.rgb_hwc.astype(int) - middle
    assert_of_brightness(change)
    assert np.abs(change).max() > 2


def test_a_graph_that_fails_stops_the_cloak(photo):
    class Broken(KnownGraph):
        def run(self, inputs):
            raise GraphError("known: expected finite numbers in output grad, found NaN or infinity")

    with pytest.raises(GraphError, match="grad"):
        cloak(Photo(rgb_hwc=photo), GradientEngine([Broken(np.ones(1))]), StepConfig())


# On the bundle that ships


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    return load_bundle()


def test_the_shipped_bundle_fools_its_own_classifier_and_survives_a_jpeg(bundle, coffee):
    engine = GradientEngine([load_graph(bundle.path("objects.gradient"))])
    classifier, labels = load_graph(bundle.path("objects")), bundle.labels("objects")
    result = cloak(Photo(rgb_hwc=coffee), engine, StepConfig(budget_levels=STRENGTHS["medium"]))
    before = classify(coffee, classifier, labels).best
    after = classify(recompress(result.photo.rgb_hwc, quality=75), classifier, labels).best
    assert "espresso" in before.label or "cup" in before.label
    assert after.index != before.index
    assert largest_change_levels(coffee, result.photo.rgb_hwc) <= 8

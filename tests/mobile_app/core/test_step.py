"""Update rules against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.step import Array, StepConfig, momentum, of_round, project, smoothed, take_step, with_steps


def row(*values: float) -> Array:
    """(1, 3, 1, n): the same values in each channel."""
    return np.broadcast_to(np.float32(values), (1, 3, 1, len(values))).copy()


def bound(*values: float) -> Array:
    return np.float32(values).reshape(1, 1, 1, -1)


def step(
    config: StepConfig,
    grad: Array,
    delta: Array | None = None,
    velocity: Array | None = None,
    progress: float = 0.0,
    **given: Array,
):
    zeros = np.zeros_like(grad)
    image = given.get("image", zeros + np.float32(0.5))
    limit = given.get("bound", bound(*[0.1] * grad.shape[-1]))
    return take_step(
        zeros if delta is None else delta,
        grad,
        zeros if velocity is None else velocity,
        image=image,
        bound=limit,
        config=config,
        progress=progress,
    )


def test_fgsm_takes_the_whole_budget_along_the_sign():
    delta, _ = step(StepConfig(rule="fgsm", steps=1), row(3.0, -0.001, 0.0))
    np.testing.assert_allclose(delta, row(0.1, -0.1, 0.0), rtol=1e-6)


def test_bim_takes_a_quarter_of_the_budget_each_time_and_stays_inside_it():
    config = StepConfig(rule="bim", steps=10, stride=0.25)
    delta = velocity = row(0, 0)
    for expected in (0.025, 0.05, 0.075, 0.1, 0.1):
        delta, velocity = step(config, row(5.0, -5.0), delta, velocity)
        np.testing.assert_allclose(delta, row(expected, -expected), rtol=1e-5)
    np.testing.assert_array_equal(velocity, row(0, 0))


def test_a_step_is_a_share_of_each_pixels_own_budget():
    delta, _ = step(StepConfig(rule="bim", stride=0.5), row(1.0, 1.0), bound=bound(0.02, 0.1))
    np.testing.assert_allclose(delta, row(0.01, 0.05), rtol=1e-6)


def test_two_momentum_steps_are_those_of_the_paper():
    # ||(2, -1, 1) in 3 channels||_1 = 12 and ||(-1, -1, 0)||_1 = 6: the accumulated gradients are
    # v1 = (2, -1, 1) / 12 = (1/6, -1/12, 1/12) and v2 = v1 + (-1, -1, 0) / 6 = (0, -1/4, 1/12).
    config = StepConfig(rule="mi_fgsm", steps=2, stride=0.25, decay=1.0)
    delta, velocity = step(config, row(2.0, -1.0, 1.0))
    np.testing.assert_allclose(velocity, row(1 / 6, -1 / 12, 1 / 12), rtol=1e-6)
    np.testing.assert_allclose(delta, row(0.025, -0.025, 0.025), rtol=1e-6)
    # A power of two of the first gradient's scale, so that the first value cancels exactly.
    delta, velocity = step(config, row(-1.0, -1.0, 0.0), delta, velocity)
    np.testing.assert_allclose(velocity, row(0, -1 / 4, 1 / 12), atol=1e-7)
    np.testing.assert_allclose(delta[..., 1:], row(-0.05, 0.05), rtol=1e-6)


def test_momentum_accumulates_the_normalised_gradient_and_not_its_sign():
    velocity = momentum(row(0.0, 0.0), row(3.0, 1.0), decay=1.0)
    np.testing.assert_allclose(velocity, row(0.25, 1 / 12), rtol=1e-6)  # a sum of signs would be equal in both


def test_momentum_forgets_by_its_decay():
    np.testing.assert_allclose(momentum(row(0.8, 0.4), row(0.0, 0.0), decay=0.5), row(0.4, 0.2), rtol=1e-6)


def test_a_gradient_of_zeros_moves_nothing():
    delta, velocity = step(StepConfig(), row(0.0, 0.0))
    np.testing.assert_array_equal(delta, row(0.0, 0.0))
    np.testing.assert_array_equal(velocity, row(0.0, 0.0))


def test_projection_keeps_the_budget_and_the_range_of_a_pixel():
    image = row(0.5, 0.0, 1.0, 0.98)
    found = project(row(0.3, -0.3, 0.3, 0.05), image=image, bound=bound(0.1, 0.1, 0.1, 0.1))
    np.testing.assert_allclose(found, row(0.1, 0.0, 0.0, 0.02), atol=1e-7)


def test_a_step_changes_no_array_of_its_caller():
    delta, grad, velocity = row(0.01, 0.02), row(1.0, -1.0), row(0.5, 0.5)
    copies = [array.copy() for array in (delta, grad, velocity)]
    step(StepConfig(), grad, delta, velocity)
    for array, copy in zip((delta, grad, velocity), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_arrays_stay_float32():
    delta, velocity = step(StepConfig(), row(1.0, -1.0))
    assert delta.dtype == velocity.dtype == np.float32


def test_a_gradient_of_two_pixels_is_smoothed_as_by_hand():
    # A deviation of 0.4 px reaches round(1.2) = 1 px: weights 1 and e = exp(-1 / 0.32) over their sum 1 + 2 e. Beyond
    # the rim each pixel meets itself, so that (1, 0) becomes (1 + e, e) / (1 + 2 e).
    e = np.exp(-1 / 0.32)
    np.testing.assert_allclose(smoothed(row(1.0, 0.0), 0.4), row((1 + e) / (1 + 2 * e), e / (1 + 2 * e)), rtol=1e-6)


def test_a_point_becomes_a_gaussian():
    point = np.zeros((1, 1, 15, 15), np.float32)
    point[0, 0, 7, 7] = 1
    found = smoothed(point, 1.0)[0, 0]
    assert found[7, 8] / found[7, 7] == pytest.approx(np.exp(-1 / 2), rel=1e-5)
    assert found[9, 8] / found[7, 7] == pytest.approx(np.exp(-(4 + 1) / 2), rel=1e-5)
    assert found[7, 10] > 0 == found[7, 11]  # three deviations, and no farther
    assert found.sum() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("size", [(9, 14), (1, 1), (2, 30), (3, 4)])  # smaller than the kernel, too
@pytest.mark.parametrize("deviation_px", [0.4, 1.0, 2.5])
def test_smoothing_keeps_a_constant_up_to_the_rim_and_the_sum_of_all_else(rng, size, deviation_px):
    np.testing.assert_allclose(smoothed(np.full((1, 3, *size), 0.25, np.float32), deviation_px), 0.25, rtol=1e-5)
    grad = rng.normal(size=(1, 3, *size)).astype(np.float32)
    found = smoothed(grad, deviation_px)
    assert found.shape == grad.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum((2, 3)), grad.sum((2, 3)), atol=1e-4)


def test_smoothing_is_its_own_adjoint(rng):
    a, b = (rng.normal(size=(1, 3, 17, 12)).astype(np.float32) for _ in range(2))
    assert np.vdot(smoothed(a, 1.0), b) == pytest.approx(np.vdot(a, smoothed(b, 1.0)), abs=1e-4)
    assert abs(np.vdot(smoothed(a, 1.0), b)) > 0.1  # it is no identity of zeros


def test_no_smoothing_is_the_gradient_itself(rng):
    grad = rng.normal(size=(1, 3, 5, 5)).astype(np.float32)
    np.testing.assert_array_equal(smoothed(grad, 0), grad)


def test_a_proportional_step_follows_the_size_of_the_velocity_up_to_a_multiple_of_its_mean():
    # The velocity is the gradient over a norm, so only proportions count: of mean |(6, -1.5, 0, 0.5)| = 2, half is the
    # whole from 1 up and 0.5 is half the way.
    config = StepConfig(rule="proportional", stride=0.5, whole_at=0.5)
    delta, velocity = step(config, row(6.0, -1.5, 0.0, 0.5))
    np.testing.assert_allclose(delta, row(0.05, -0.05, 0.0, 0.025), rtol=1e-6)
    np.testing.assert_allclose(velocity, row(6 / 24, -1.5 / 24, 0, 0.5 / 24), rtol=1e-6)


def test_a_proportional_step_is_the_same_for_a_gradient_of_any_scale(rng):
    grad = rng.normal(size=(1, 3, 4, 4)).astype(np.float32)
    limit = np.full((1, 1, 4, 4), 0.1, np.float32)
    found = [step(StepConfig(), grad * np.float32(scale), bound=limit)[0] for scale in (1e-6, 1, 1e6)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
    np.testing.assert_allclose(found[2], found[1], rtol=1e-4)


def test_where_every_pixel_goes_whole_it_is_momentum_iteration(rng):
    grad = rng.normal(size=(1, 3, 4, 4)).astype(np.float32)
    limit = np.full((1, 1, 4, 4), 0.1, np.float32)
    whole, _ = step(StepConfig(whole_at=1e-6), grad, bound=limit)
    signs, _ = step(StepConfig(rule="mi_fgsm"), grad, bound=limit)
    np.testing.assert_array_equal(whole, signs)


def test_strides_go_down_evenly_from_the_first_step_to_the_last():
    config = StepConfig(rule="bim", stride=0.5, last_stride=0.1)
    found = [step(config, row(1.0), progress=progress)[0].max() for progress in (0.0, 0.25, 0.5, 1.0)]
    np.testing.assert_allclose(found, [0.05, 0.04, 0.03, 0.01], rtol=1e-6)


def test_fewer_steps_take_more_pixels_the_whole_way():
    config = StepConfig(steps=20, whole_at=3.0)
    assert with_steps(config, 10) == StepConfig(steps=10, whole_at=1.5)
    assert with_steps(config, 1).whole_at == 0.5  # and not 0.15
    assert with_steps(StepConfig(steps=20, whole_at=0.2), 1).whole_at == 0.2
    assert with_steps(config, 40) == StepConfig(steps=40, whole_at=3.0)
    assert with_steps(StepConfig(rounds=3), 19).rounds == 1  # exactly so many


def test_a_later_round_begins_with_half_the_stride_and_ends_as_the_first():
    config = StepConfig(stride=0.8, last_stride=0.1)
    assert of_round(config, 0) == config
    assert of_round(config, 1) == of_round(config, 2) == StepConfig(stride=0.4, last_stride=0.1)
    assert of_round(StepConfig(stride=0.15, last_stride=0.1), 1).stride == 0.1  # never less than at its end


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        step(StepConfig(), row(1.0, value))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        step(StepConfig(), row(1.0, 1.0), delta=row(0.0))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rule", "adam"),
        ("steps", 0),
        ("steps", 1001),
        ("rounds", 0),
        ("rounds", 101),
        ("budget_levels", 0),
        ("budget_levels", 256),
        ("budget_levels", float("nan")),
        ("decay", -0.1),
        ("decay", 1.1),
        ("stride", 0),
        ("stride", float("nan")),
        ("last_stride", 0),
        ("last_stride", 1.1),
        ("whole_at", 0),
        ("whole_at", float("nan")),
        ("smoothing_px", -0.1),
        ("smoothing_px", 10.1),
        ("smoothing_px", float("nan")),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        StepConfig(**{field: value})


def test_fgsm_is_one_step():
    with pytest.raises(ValueError, match="steps: expected 1 for fgsm"):
        StepConfig(rule="fgsm", steps=2)
    with pytest.raises(ValueError, match="rounds: expected 1 for fgsm"):
        StepConfig(rule="fgsm", steps=1, rounds=2)

"""Photo in, protected photo out, at the photo's own size.

result = cloak(photo, engine, StepConfig(budget_levels=8))
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mobile_app.core.compose import budget_map, compose, resized
from mobile_app.core.engines import Engine, OnStep, ShouldStop
from mobile_app.core.photo import Photo
from mobile_app.core.preprocess import fit_short_side, from_uint8
from mobile_app.core.step import StepConfig

STRENGTHS = {"low": 4.0, "medium": 8.0, "high": 12.0}  # budget in levels
MEDIUM = StepConfig(budget_levels=STRENGTHS["medium"], rounds=3)
ONE_ROUND = replace(MEDIUM, rounds=1)  # for comparisons: how many rounds there are is otherwise for the photo to say


@dataclass(frozen=True, kw_only=True, eq=False)
class CloakResult:
    """A protected photo and what it took."""

    photo: Photo
    config: StepConfig
    engine: str
    steps: int  # that the engine counted
    seconds: float


def cloak(
    photo: Photo,
    engine: Engine,
    config: StepConfig = MEDIUM,
    *,
    on_step: OnStep = lambda _done, _steps: None,
    should_stop: ShouldStop = lambda: False,
    now: Callable[[], float] = time.perf_counter,
) -> CloakResult:
    """Change a photo within the budget so that recognisers no longer see what it shows.

    The perturbation is computed at the engine's size and composed at the photo's own. A grey photo stays grey.

    Raises: Cancelled if should_stop() became true, GraphError if the engine's graph fails.
    """
    started = now()
    with ThreadPoolExecutor(max_workers=1) as pool:  # both read a large photo whole, and hold no lock while they do
        map_to_come = pool.submit(budget_map, photo.rgb_hwc, config.budget_levels)
        small = from_uint8(fit_short_side(photo.rgb_hwc, engine.size_px))
        bound_levels = map_to_come.result()
    bound = resized(bound_levels, small.shape[-2:], Image.Resampling.BILINEAR)[None] / np.float32(255)
    taken = 0

    def count(done: int, steps: int) -> None:
        nonlocal taken
        taken = done
        on_step(done, steps)

    unit = engine.perturb(small, bound, config, on_step=count, should_stop=should_stop)
    if photo.is_grey:
        unit = unit.mean(1, keepdims=True)
    rgb_hwc = compose(photo.rgb_hwc, unit[0], bound_levels, config.budget_levels)
    return CloakResult(
        photo=photo.with_pixels(rgb_hwc), config=config, engine=engine.name, steps=taken, seconds=now() - started
    )

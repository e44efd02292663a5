"""A bundle and a name, or a time, in; an engine that cloaks out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from mobile_app.core.bundle import Bundle
from mobile_app.core.engines import (
    Engine,
    GeneratorEngine,
    GradientEngine,
    UniversalEngine,
    UnrolledEngine,
    takes_steps,
)
from mobile_app.core.errors import BundleError
from mobile_app.core.recogniser import OBJECTS
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.step import StepConfig, with_steps

ENGINES = ("gradient", "generator", "comreadv", "universal")  # the strongest first, the quickest last
IN_STEPS = ("gradient", "comreadv")  # those that follow gradients, and of which steps can be counted
_REST = 1.5  # calls of a gradient graph that a megapixel's decoding, composing and encoding takes as long as


def engines_of(bundle: Bundle) -> tuple[str, ...]:
    """The names of the engines that a bundle has all parts of."""
    here = {entry.engine for entry in bundle.graphs.values()} | ({"universal"} if bundle.universal else set())
    return tuple(name for name in ENGINES if name in here)


def keeping(bundle: Bundle, *, threads: int | None = None) -> Callable[[str], Graph]:
    """Gives the bundle's graph of a name, and the same one when asked again: engine and recogniser share theirs.

    Raises, when called: GraphError if it does not load.
    """
    return cache(lambda name: load_graph(bundle.path(name), name=name, threads=threads))


def load_engine(
    bundle: Bundle,
    name: str = "gradient",
    *,
    threads: int | None = None,
    load: Callable[[str], Graph] | None = None,
) -> Engine:
    """The engine of a name.

    Args:
        load: gives the bundle's graph of a name, for those who keep graphs; None loads it.
    Raises: BundleError if the bundle lacks a part of it, GraphError if a graph does not load.
    """
    if name not in engines_of(bundle):
        here = ", ".join(engines_of(bundle)) or "none"
        raise BundleError(
            f"engine {name}: expected one that the bundle has ({here}); choose another or restore the bundle"
        )
    if name == "universal":
        return UniversalEngine(bundle.universal_pattern())
    load = load or keeping(bundle, threads=threads)
    entries = [entry for entry in bundle.graphs.values() if entry.engine == name]
    graphs = [load(entry.name) for entry in entries]
    if name == "generator":
        if takes_steps(graphs[0]):
            return UnrolledEngine(graphs[0], size_px=entries[0].size_px)
        return GeneratorEngine(graphs[0])
    recogniser = load(OBJECTS) if OBJECTS in bundle.graphs else None
    if name == "comreadv":  # what a site does to the photo is in its graph
        return GradientEngine(graphs, recogniser=recogniser, posting_quality=None, name=name)
    return GradientEngine(graphs, recogniser=recogniser)


def engine_within(
    bundle: Bundle,
    seconds: float,
    megapixels: float,
    config: StepConfig,
    *,
    threads: int | None = None,
    load: Callable[[str], Graph] | None = None,
    call_seconds: float | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> tuple[Engine, StepConfig]:
    """The strongest engine that is expected to be done with a photo in `seconds`, loading apart.

    One gradient is timed here; the rest of the work is taken to grow with the photo. Where there is time for more than
    a round of steps, further ones may follow. Where it does not suffice for all steps of the first, fewer are taken,
    each as much longer: even one step deceives more recognisers than the other engines do (docs/cloaks.md). Where not
    even one fits, it is the quickest engine that there is.

    Args:
        load: as in load_engine.
        call_seconds: what `seconds_a_call` found before, for those who keep it; None measures it.
    Returns: the engine, and the config with the steps that it has time for.
    Raises: BundleError if the bundle has no engine, GraphError if a graph does not load.
    """
    here = engines_of(bundle)
    if "gradient" in here:
        engine = load_engine(bundle, "gradient", threads=threads, load=load)
        call = seconds_a_call(engine, now) if call_seconds is None else call_seconds
        steps = int((seconds - _REST * call * megapixels) / call) - 1  # one more call looks at what the photo shows
        if steps >= config.steps:
            return engine, replace(config, rounds=min(config.rounds, steps // config.steps))
        if steps >= 1 or len(here) == 1:
            return engine, with_steps(config, max(1, steps))
        return load_engine(bundle, here[-1], threads=threads, load=load), config
    return load_engine(bundle, here[0] if here else "gradient", threads=threads, load=load), config


def seconds_a_call(engine: Engine, now: Callable[[], float] = time.perf_counter) -> float:
    """How long one step of the gradient engine takes here: the mean of the last three of six, since graphs take turns
    and each sets its memory up at its first."""
    size = (1, 3, engine.size_px, engine.size_px)
    times: list[float] = []
    config = StepConfig(steps=6)
    engine.perturb(
        np.full(size, 0.5, np.float32),
        np.full(size, 0.01, np.float32),
        config,
        on_step=lambda _done, _steps: times.append(now()),
        should_stop=lambda: False,
    )
    return max(1e-6, (times[-1] - times[2]) / 3)

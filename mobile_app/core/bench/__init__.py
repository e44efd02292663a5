"""The bench: how fast a thing runs here, what it takes, and how sure that is. `measure` does one graph, `rows` all."""

from mobile_app.core.bench.figures import Latency, drift, latency
from mobile_app.core.bench.measuring import Doubt, Measurement, measure, measure_job
from mobile_app.core.bench.steady import BenchConfig

__all__ = ["BenchConfig", "Doubt", "Latency", "Measurement", "drift", "latency", "measure", "measure_job"]

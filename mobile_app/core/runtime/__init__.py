"""A graph file in, a graph out that maps named arrays to named arrays: `load_graph(path).run(inputs)`.

Several runtimes stand behind it, one module each; docs/runtimes.md says which is taken when. No other package of
petalveil loads one, the export's quantiser apart.

ONNX Runtime sends telemetry by default from release 1.29 on. The variable below stops it for the whole process, and
it works only if it is set before the library loads. Every module of this package is imported after this line.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from mobile_app.core.runtime.choice import BACKENDS, available_backends, load_graph, runtime_label
from mobile_app.core.runtime.graph import Graph, Port

__all__ = ["BACKENDS", "Graph", "Port", "available_backends", "load_graph", "runtime_label"]

"""The bundle: the graphs that ship, with a manifest that says what each one is, and its checks.

A manifest is JSON of schema 1:

    {"schema": 1, "version": "0.1.0",
     "files": {"objects.onnx": {"sha256": "...", "bytes": 1}, ...},
     "graphs": {"objects": {"file": "objects.onnx", "data": ["lite0.weights"], "task": "classify", "size_px": 224,
                            "opset": 18, "precision": "float16", "labels": "imagenet.labels.txt", "unsure_below": 0.3,
                            "source": "...", "licence": "...", "command": "...", "metrics": {...}},
                "flowers": {..., "crop": 0.875, "has_other": true, "species": true, "trained_on": {...}}, ...},
     "reference": "reference.npz", "universal": "universal.png"}

"engine" of a graph names the engine that runs it: those of `gradient` in the order in which they take turns.

A graph's fields from `data` on may be left out, and then have the value given in GraphEntry.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobile_app.core.errors import BundleError
from mobile_app.core.preprocess import CROP

SCHEMA = 1
MANIFEST = "manifest.json"
DEFAULT_ROOT = Path(__file__).parent.parent / "bundle"


@dataclass(frozen=True, kw_only=True)
class GraphEntry:
    """What the manifest says about one graph."""

    name: str
    file: str
    task: str  # "classify", "gradient", "generate", "shield", "measure" or "reconstruct"
    size_px: int
    opset: int
    precision: str  # of the weights on disk
    source: str
    licence: str
    command: str
    data: tuple[str, ...] = ()  # files with weights, beside the graph
    labels: str | None = None  # a file, one name a line
    unsure_below: float = 0.0  # probability under which an answer is "not sure"
    metrics: dict[str, Any] = field(default_factory=dict)
    engine: str | None = None  # "gradient", "generator" or "comreadv": the engine that runs it
    crop: float = CROP  # share of the short side that is seen
    has_other: bool = False  # one more output than labels, the last: none of these
    species: bool = False  # the labels are ids of mobile_app/content/species.json
    trained_on: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise BundleError(f"{MANIFEST}: graph {self.name}: expected 0 < crop <= 1, found {self.crop}")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose files were checked."""

    root: Path
    version: str
    graphs: dict[str, GraphEntry]
    sha256: dict[str, str]  # of each file
    reference: str | None = None  # what each graph gave at export; see selftest
    universal: str | None = None  # a grey PNG: the perturbation of the engine `universal`

    def entry(self, name: str) -> GraphEntry:
        """Raises: BundleError naming the graphs that are there."""
        if name not in self.graphs:
            raise BundleError(f"graph {name}: expected one of {', '.join(sorted(self.graphs))}")
        return self.graphs[name]

    def path(self, name: str) -> Path:
        """The .onnx file of a graph."""
        return self.root / self.entry(name).file

    def labels(self, name: str) -> list[str]:
        """The class names of a classifier, in the order of its outputs; empty where it has none."""
        labels = self.entry(name).labels
        return [] if labels is None else (self.root / labels).read_text(encoding="utf-8").splitlines()

    def universal_pattern(self) -> np.ndarray:
        """(1, 1, S, S) float32 in [-1, 1]. Raises: BundleError if there is none or it cannot be read."""
        if self.universal is None:
            raise BundleError("expected a universal perturbation in the bundle, found none; restore the bundle")
        try:
            with Image.open(self.root / self.universal, formats=["PNG"]) as image:
                grey = np.asarray(image.convert("L"), np.float32)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.universal}: cannot be read ({error}); restore the bundle") from error
        return ((grey - 128) / 127).clip(-1, 1)[None, None]

    def reference_outputs(self) -> dict[str, np.ndarray]:
        """Arrays named `graph/output`, sampled as `sample` does, that every machine has to come close to."""
        if self.reference is None:
            return {}
        with np.load(self.root / self.reference, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def load_bundle(root: Path = DEFAULT_ROOT) -> Bundle:
    """Read the manifest and check every file against it.

    Raises: BundleError naming the file that is missing or changed, the field that is wrong, or a later schema.
    """
    content = _read_manifest(root / MANIFEST)
    files = content["files"]
    for name, facts in files.items():
        _check_file(root, name, facts["sha256"])
    graphs = {name: _entry(name, fields) for name, fields in content["graphs"].items()}
    if content.get("universal") is not None and content["universal"] not in files:
        raise BundleError(f"{MANIFEST}: universal names {content['universal']}, which `files` does not list")
    for entry in graphs.values():
        for name in (entry.file, *entry.data, *([entry.labels] if entry.labels else [])):
            if name not in files:
                raise BundleError(f"{MANIFEST}: graph {entry.name} needs {name}, which `files` does not list")
    return Bundle(
        root=root,
        version=content["version"],
        graphs=graphs,
        sha256={name: facts["sha256"] for name, facts in files.items()},
        reference=content.get("reference"),
        universal=content.get("universal"),
    )


def reference_image(size_px: int) -> np.ndarray:
    """(1, 3, S, S) float32: a smooth colour pattern of whole 8-bit levels, the same on every machine."""
    rows, columns = np.mgrid[0:size_px, 0:size_px] / size_px
    waves = [np.sin(2 * np.pi * (a * rows + b * columns) + c) for a, b, c in ((3, 1, 0), (-2, 4, 1), (5, 2, 2))]
    return (np.rint(127.5 + 90 * np.stack(waves)) / 255).astype(np.float32)[None]


def sample(array: np.ndarray, count: int = 4096) -> np.ndarray:
    """At most `count` elements, evenly spread: what is kept of an output for later comparison."""
    flat = array.reshape(-1)
    return flat[:: max(1, -(-flat.size // count))]


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path.name}: expected a bundle at {path.parent}, found none; restore it") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: the manifest cannot be read ({error}); restore the bundle") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        remedy = "update petalveil" if isinstance(schema, int) and schema > SCHEMA else "restore the bundle"
        raise BundleError(f"{path.name}: expected schema {SCHEMA}, found {schema}; {remedy}")
    for name in ("version", "files", "graphs"):
        if name not in content:
            raise BundleError(f"{path.name}: expected the field `{name}`, found none; restore the bundle")
    return content


def _check_file(root: Path, name: str, sha256: str) -> None:
    try:
        with open(root / name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{name}: listed in the manifest but not readable ({error.strerror}); restore it") from error
    if found != sha256:
        raise BundleError(f"{name}: expected sha256 {sha256[:12]}…, found {found[:12]}…; restore the bundle")


def _entry(name: str, fields: dict[str, Any]) -> GraphEntry:
    try:
        return GraphEntry(name=name, **{**fields, "data": tuple(fields.get("data", ()))})
    except TypeError as error:
        raise BundleError(f"{MANIFEST}: graph {name} has missing or unknown fields ({error})") from error

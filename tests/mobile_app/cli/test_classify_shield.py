"""`petalveil classify --shield` with a shield made by hand that turns every photo into its negative."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.bundle import DEFAULT_ROOT, load_bundle

onnx = pytest.importorskip("onnx", reason="needs onnx, which `make test` installs")


def negative(size_px: int) -> bytes:
    """(1, 3, S, S) -> 1 - image."""
    helper = onnx.helper
    one = onnx.numpy_helper.from_array(np.float32(1), "one")
    node = helper.make_node("Sub", ["one", "image"], ["shielded"])
    ports = [helper.make_tensor_value_info(name, 1, (1, 3, size_px, size_px)) for name in ("image", "shielded")]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [one])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def copied(tmp_path: Path, shields: dict[str, int]) -> Path:
    """The bundle that ships with these shields and no other."""
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "bundle"))
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    graphs = manifest["graphs"]
    graphs = {name: fields for name, fields in graphs.items() if fields["task"] != "shield"}
    for name, size_px in shields.items():
        data = negative(size_px)
        (root / f"{name}.onnx").write_bytes(data)
        manifest["files"][f"{name}.onnx"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        graphs[name] = {**graphs["objects"], "file": f"{name}.onnx", "task": "shield", "size_px": size_px,
                        "data": [], "labels": None}  # fmt: skip
    manifest["graphs"] = graphs
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


def test_the_shield_stands_before_the_recogniser_and_the_answer_says_so(run, root, tmp_path: Path) -> None:
    bundle = copied(tmp_path, {"shield": 224})
    photo = root / "mobile_app" / "samples" / "coffee.jpg"
    words = ("classify", photo, "--model", "objects", "--json", "--bundle", bundle)
    (plain,), (behind,) = run(*words).json, run(*words, "--shield").json
    assert "shield" not in plain
    assert behind["shield"] is True
    assert plain["top"][0]["probability"] != behind["top"][0]["probability"]
    text = run("classify", photo, "--model", "objects", "--bundle", bundle, "--shield")
    assert "(objects, through the shield" in text.out


def test_recognisers_of_other_sizes_go_through_it_in_tiles(run, root, tmp_path: Path) -> None:
    sizes = {entry.size_px for entry in load_bundle().graphs.values() if entry.task == "classify"}
    bundle = copied(tmp_path, {"shield": 96})
    assert 96 not in sizes
    result = run("classify", root / "mobile_app" / "samples" / "coffee.jpg", "--shield", "--json", "--bundle", bundle)
    assert (result.code, result.json[0]["shield"]) == (0, True)


def test_a_bundle_without_a_shield_says_so(run, root, tmp_path: Path) -> None:
    bundle = copied(tmp_path, {})
    result = run("classify", root / "mobile_app" / "samples" / "coffee.jpg", "--shield", "--bundle", bundle)
    assert (result.code, result.out) == (1, "")
    assert "shield: expected a graph of the task shield in the bundle, found none" in result.err
    assert len(result.err.splitlines()) == 1


def test_a_shielded_answer_cannot_be_explained(run) -> None:
    result = run("classify", "a.jpg", "--shield", "--explain", "b.png")
    assert result.code == 2
    assert "not allowed with argument" in result.err


def test_a_photo_that_cannot_be_read_is_not_said_to_have_been_shielded(run, tmp_path: Path) -> None:
    bundle = copied(tmp_path, {"shield": 224})
    (answer,) = run("classify", "no.jpg", "--shield", "--json", "--bundle", bundle).json
    assert set(answer) == {"photo", "error"}

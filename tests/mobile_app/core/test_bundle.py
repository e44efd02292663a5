"""A bundle is what its manifest says, or it is refused by the name of what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.bundle import DEFAULT_ROOT, load_bundle, reference_image, sample
from mobile_app.core.errors import BundleError

FILES = {
    "objects.onnx": b"a graph",
    "lite0.weights": b"weights",
    "names.txt": b"rose\ntulip\n",
}


@pytest.fixture
def manifest() -> dict[str, Any]:
    facts = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in FILES.items()}
    graph = {
        "file": "objects.onnx",
        "data": ["lite0.weights"],
        "task": "classify",
        "size_px": 224,
        "opset": 18,
        "precision": "float16",
        "labels": "names.txt",
        "unsure_below": 0.3,
        "source": "somewhere",
        "licence": "Apache-2.0",
        "command": "python -m export bundle",
        "metrics": {"parity": []},
    }
    return {"schema": 1, "version": "0.1.0", "files": facts, "graphs": {"objects": graph}}


@pytest.fixture
def bundle_dir(tmp_path: Path, manifest: dict[str, Any]) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    write(tmp_path, manifest)
    return tmp_path


def write(folder: Path, manifest: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_whole_bundle_says_what_it_holds(bundle_dir):
    bundle = load_bundle(bundle_dir)
    assert bundle.path("objects") == bundle_dir / "objects.onnx"
    assert bundle.labels("objects") == ["rose", "tulip"]
    assert bundle.entry("objects").data == ("lite0.weights",)
    assert bundle.sha256["names.txt"] == hashlib.sha256(FILES["names.txt"]).hexdigest()
    assert bundle.reference_outputs() == {}


@pytest.mark.parametrize("name", FILES)
def test_bundle_with_one_changed_byte_is_refused_by_name(bundle_dir, name):
    data = bytearray(FILES[name])
    data[-1] ^= 1
    (bundle_dir / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"^{name}: expected sha256 .* found .*; restore"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(bundle_dir, name):
    (bundle_dir / name).unlink()
    with pytest.raises(BundleError, match=f"^{name}: "):
        load_bundle(bundle_dir)


def test_a_missing_graph_names_those_that_are_there(bundle_dir):
    with pytest.raises(BundleError, match="graph flowers: expected one of objects"):
        load_bundle(bundle_dir).path("flowers")


def test_a_later_schema_asks_for_an_update(bundle_dir, manifest):
    write(bundle_dir, manifest | {"schema": 2})
    with pytest.raises(BundleError, match="expected schema 1, found 2; update petalveil"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("content", [[], {}, {"schema": None}, {"schema": "1"}, {"schema": 0}, "text", None])
def test_what_is_no_manifest_is_refused(bundle_dir, content):
    write(bundle_dir, content)
    with pytest.raises(BundleError, match="expected schema 1"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00"])
def test_a_manifest_that_is_not_json_is_refused(bundle_dir, text):
    (bundle_dir / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(bundle_dir)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(BundleError, match="expected a bundle at"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("field", ["version", "files", "graphs"])
def test_a_missing_field_is_refused_by_name(bundle_dir, manifest, field):
    del manifest[field]
    write(bundle_dir, manifest)
    with pytest.raises(BundleError, match=f"`{field}`"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("field", ["file", "task", "size_px", "opset", "precision", "source", "licence", "command"])
def test_a_missing_field_of_a_graph_is_refused_by_name(bundle_dir, manifest, field):
    del manifest["graphs"]["objects"][field]
    write(bundle_dir, manifest)
    with pytest.raises(BundleError, match=f"graph objects has missing or unknown fields.*{field}"):
        load_bundle(bundle_dir)


def test_an_unknown_field_of_a_graph_is_refused_by_name(bundle_dir, manifest):
    manifest["graphs"]["objects"]["colour"] = "red"
    write(bundle_dir, manifest)
    with pytest.raises(BundleError, match="colour"):
        load_bundle(bundle_dir)


def test_what_later_graphs_say_more_of_has_a_value_where_it_is_left_out(bundle_dir, manifest):
    entry = load_bundle(bundle_dir).entry("objects")
    assert (entry.crop, entry.has_other, entry.species, entry.trained_on) == (0.875, False, False, {})
    manifest["graphs"]["objects"] |= {"crop": 0.9, "has_other": True, "species": True, "trained_on": {"photos": 3}}
    write(bundle_dir, manifest)
    entry = load_bundle(bundle_dir).entry("objects")
    assert (entry.crop, entry.has_other, entry.species, entry.trained_on) == (0.9, True, True, {"photos": 3})


@pytest.mark.parametrize("crop", [0, 1.1, -1])
def test_a_crop_out_of_range_is_refused(bundle_dir, manifest, crop):
    manifest["graphs"]["objects"]["crop"] = crop
    write(bundle_dir, manifest)
    with pytest.raises(BundleError, match="graph objects: expected 0 < crop <= 1"):
        load_bundle(bundle_dir)


@pytest.mark.parametrize("field", ["file", "labels"])
def test_a_graph_that_needs_an_unlisted_file_is_refused(bundle_dir, manifest, field):
    manifest["graphs"]["objects"][field] = "other.bin"
    write(bundle_dir, manifest)
    with pytest.raises(BundleError, match=r"needs other\.bin"):
        load_bundle(bundle_dir)


def test_a_graph_without_labels_has_none(bundle_dir, manifest):
    manifest["graphs"]["objects"]["labels"] = None
    write(bundle_dir, manifest)
    assert load_bundle(bundle_dir).labels("objects") == []


def with_universal(folder: Path, manifest: dict[str, Any], data: bytes) -> dict[str, Any]:
    (folder / "universal.png").write_bytes(data)
    listed = {"universal.png": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}}
    changed = manifest | {"files": manifest["files"] | listed, "universal": "universal.png"}
    write(folder, changed)
    return changed


def grey_png(levels: list[list[int]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.array(levels, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_universal_perturbation_is_read_from_grey_levels(bundle_dir, manifest):
    with_universal(bundle_dir, manifest, grey_png([[128, 255, 1], [0, 192, 64], [127, 129, 128]]))
    pattern = load_bundle(bundle_dir).universal_pattern()
    assert pattern.shape == (1, 1, 3, 3)
    assert pattern.dtype == np.float32
    wanted = np.array([[0, 1, -1], [-1, 64 / 127, -64 / 127], [-1 / 127, 1 / 127, 0]], np.float32)
    np.testing.assert_allclose(pattern[0, 0], wanted, rtol=1e-6)


def test_a_bundle_without_a_universal_perturbation_says_so(bundle_dir):
    bundle = load_bundle(bundle_dir)
    assert bundle.universal is None
    with pytest.raises(BundleError, match="expected a universal perturbation in the bundle, found none"):
        bundle.universal_pattern()


@pytest.mark.parametrize("data", [b"no picture", b"", grey_png([[128] * 64] * 64)[:60], b"\xff\xd8\xff\xe0"])
def test_a_universal_perturbation_that_cannot_be_read_is_refused_by_name(bundle_dir, manifest, data):
    with_universal(bundle_dir, manifest, data)
    with pytest.raises(BundleError, match=r"^universal\.png: cannot be read .*; restore the bundle"):
        load_bundle(bundle_dir).universal_pattern()


def test_a_universal_perturbation_with_one_changed_byte_is_refused(bundle_dir, manifest):
    data = grey_png([[128, 255], [0, 1]])
    with_universal(bundle_dir, manifest, data)
    (bundle_dir / "universal.png").write_bytes(data[:-1] + b"x")
    with pytest.raises(BundleError, match=r"^universal\.png: expected sha256"):
        load_bundle(bundle_dir)


def test_a_universal_perturbation_that_is_not_listed_is_refused(bundle_dir, manifest):
    write(bundle_dir, manifest | {"universal": "other.png"})
    with pytest.raises(BundleError, match=r"universal names other\.png, which `files` does not list"):
        load_bundle(bundle_dir)


def test_a_graph_names_the_engine_that_runs_it(bundle_dir, manifest):
    assert load_bundle(bundle_dir).entry("objects").engine is None
    manifest["graphs"]["objects"]["engine"] = "gradient"
    write(bundle_dir, manifest)
    assert load_bundle(bundle_dir).entry("objects").engine == "gradient"


def test_the_reference_image_is_whole_levels_and_the_same_everywhere():
    image = reference_image(224)
    assert image.shape == (1, 3, 224, 224)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image * 255, np.rint(image * 255), atol=1e-4)
    assert float(image[0, 0, 0, 0]) == np.float32(128 / 255)  # 127.5 + 90 sin 0 is 127.5, rounded to even
    assert image.std() > 0.2


@pytest.mark.parametrize(("size", "kept"), [(1, 1), (4096, 4096), (4097, 2049), (150528, 4069)])
def test_a_sample_is_small_and_evenly_spread(size, kept):
    array = np.arange(size)
    assert sample(array).size == kept <= 4096
    assert len(set(np.diff(sample(array)))) <= 1


def test_the_shipped_bundle_is_whole():
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    bundle = load_bundle()
    assert {"objects", "objects.gradient"} <= set(bundle.graphs)
    assert len(bundle.labels("objects")) == 1000
    assert bundle.reference_outputs()["objects/logits"].shape == (1000,)

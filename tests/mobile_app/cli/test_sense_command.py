"""`petalveil sense` and `reconstruct` on a real photo, with the bundle's codec or, where it has none, one made here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.bundle import DEFAULT_ROOT, load_bundle
from mobile_app.core.quality import psnr_db
from mobile_app.core.sensing import DECODER, MEASURED_BY

SAMPLE = Path(__file__).parents[3] / "mobile_app" / "samples" / "coffee.jpg"
Run = Callable[..., Any]  # see conftest.py


@pytest.fixture(scope="session")
def sensing_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that comes along, if it has the codec; else one of a codec without training."""
    if DECODER in load_bundle(DEFAULT_ROOT).graphs:
        return DEFAULT_ROOT
    torch = pytest.importorskip("torch")
    from export.contract import sensing_specs
    from export.shipped import Photos, write_graph
    from training.models.sensing_photo import SensingCodec

    root = tmp_path_factory.mktemp("bundle")
    codec = SensingCodec().eval()
    with Image.open(SAMPLE) as image:
        pixels = np.asarray(image.convert("RGB").resize((576, 384)), np.float32).transpose(2, 0, 1)[None] / 255
    codec.encoder.start_at_principal_components(torch.from_numpy(pixels))
    codec.decoder.start_at(codec.encoder)
    graphs = {}
    for spec in sensing_specs(codec, {}):
        write_graph(spec, root, {}, Photos())
        facts = {"source": "", "licence": "", "command": "", "opset": 18, "precision": spec.precision}
        graphs[spec.name] = {"file": f"{spec.name}.onnx", "task": spec.task, "size_px": spec.size_px, **facts}
        graphs[spec.name]["trained_on"] = {MEASURED_BY: spec.trained_on[MEASURED_BY]}
    files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in root.glob("*.onnx")}
    manifest = {"schema": 1, "version": "0", "files": files, "graphs": graphs}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


@pytest.fixture
def sensed(run: Run, sensing_bundle: Path, tmp_path: Path) -> Path:
    result = run("sense", SAMPLE, "-o", "coffee.pvs", "--bundle", sensing_bundle, "--threads", 1)
    assert result.code == 0, result.err
    assert "600 x 400, rate 0.2" in result.out
    return tmp_path / "coffee.pvs"


def test_a_real_photo_becomes_small_and_comes_back(
    run: Run, sensed: Path, sensing_bundle: Path, tmp_path: Path
) -> None:
    assert 1000 < sensed.stat().st_size < 30_000
    result = run("reconstruct", sensed, "-o", "back.png", "--bundle", sensing_bundle)
    assert result.code == 0, result.err
    with Image.open(tmp_path / "back.png") as back, Image.open(SAMPLE) as photo:
        assert psnr_db(np.asarray(back.convert("RGB")), np.asarray(photo.convert("RGB"))) > 20


def test_orientation_is_applied_and_metadata_removed(run: Run, sensing_bundle: Path, tmp_path: Path) -> None:
    with Image.open(SAMPLE) as photo:
        exif = Image.Exif()
        exif[0x0112] = 6  # turn it to the right
        exif[0x010E] = "my garden"
        photo.resize((96, 64)).save(tmp_path / "turned.jpg", exif=exif, comment=b"private")
    assert run("sense", "turned.jpg", "-o", "t.pvs", "--bundle", sensing_bundle).code == 0
    assert b"garden" not in (tmp_path / "t.pvs").read_bytes()
    assert run("reconstruct", "t.pvs", "-o", "t.jpg", "--bundle", sensing_bundle).code == 0
    with Image.open(tmp_path / "t.jpg") as back:
        assert back.size == (64, 96)
        assert not back.getexif()
        assert "comment" not in back.info


def test_a_larger_photo_can_be_brought_down_first(run: Run, sensing_bundle: Path) -> None:
    result = run("sense", SAMPLE, "-o", "s.pvs", "--long-side", 150, "--rate", 0.1, "--bundle", sensing_bundle)
    assert result.code == 0
    assert "150 x 100, rate 0.1" in result.out


def test_nothing_is_overwritten_and_never_the_original(
    run: Run, sensed: Path, sensing_bundle: Path, tmp_path: Path
) -> None:
    before = sensed.read_bytes()
    result = run("sense", SAMPLE, "-o", sensed, "--rate", 0.1, "--bundle", sensing_bundle)
    assert (result.code, sensed.read_bytes()) == (1, before)
    assert "already exists and was left as it is" in result.err
    assert run("sense", SAMPLE, "-o", sensed, "--rate", 0.1, "--force", "--bundle", sensing_bundle).code == 0
    assert sensed.read_bytes() != before
    original = tmp_path / "photo.pvs"  # a photo by another name
    original.write_bytes(SAMPLE.read_bytes())
    result = run("sense", original, "-o", original, "--force", "--bundle", sensing_bundle)
    assert result.code == 1
    assert "is the original" in result.err
    assert original.read_bytes() == SAMPLE.read_bytes()


def test_damaged_cut_and_foreign_files_are_one_sentence_and_write_nothing(
    run: Run, sensed: Path, sensing_bundle: Path, tmp_path: Path
) -> None:
    data = sensed.read_bytes()
    (tmp_path / "cut.pvs").write_bytes(data[:-5])
    (tmp_path / "damaged.pvs").write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    (tmp_path / "photo.pvs").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "empty.pvs").write_bytes(b"")
    sentences = {"cut": "cut short", "damaged": "damaged", "photo": "not a file of measurements", "empty": "not a file"}
    sentences["none"] = "no such file"
    for name, sentence in sentences.items():
        result = run("reconstruct", f"{name}.pvs", "-o", f"{name}.jpg", "--bundle", sensing_bundle)
        assert result.code == 1
        assert sentence in result.err
        assert result.err.count("\n") == 1
        assert not (tmp_path / f"{name}.jpg").exists()


def test_of_several_files_the_good_ones_are_done(run: Run, sensed: Path, sensing_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pvs").write_bytes(b"PVS\x01")
    result = run("reconstruct", "bad.pvs", sensed, "-o", "out/", "--bundle", sensing_bundle)
    assert result.code == 1
    assert (tmp_path / "out" / "coffee.jpg").is_file()
    assert "bad.pvs: cut short in its header" in result.err


def test_two_photos_of_one_name_are_refused(run: Run, sensing_bundle: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_bytes(SAMPLE.read_bytes())
    result = run("sense", "a/x.jpg", "b/x.jpg", "-o", "out", "--bundle", sensing_bundle)
    assert result.code == 1
    assert "as another does" in result.err


def test_outputs_of_the_wrong_kind_are_refused(run: Run, sensed: Path, sensing_bundle: Path) -> None:
    assert "give it the suffix .pvs" in run("sense", SAMPLE, "-o", "x.jpg", "--bundle", sensing_bundle).err
    assert "give it the suffix .jpg" in run("reconstruct", sensed, "-o", "x.gif", "--bundle", sensing_bundle).err


def test_a_rate_that_is_none_is_wrong_usage(run: Run) -> None:
    result = run("sense", SAMPLE, "-o", "x.pvs", "--rate", 0.5)
    assert result.code == 2
    assert "invalid choice" in result.err

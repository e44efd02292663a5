"""Rows of the real bundle, the picture that photos are made of, and the circumstances that are written down."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.bench import BenchConfig, rows
from mobile_app.core.bench.document import document
from mobile_app.core.bench.environment import bundle_sha256, commit, environment
from mobile_app.core.bench.picture import photo_file, photo_like, size_of
from mobile_app.core.bench.rows import engine_row, gradient_ratios, graph_row
from mobile_app.core.bench.schema import misfits
from mobile_app.core.bundle import DEFAULT_ROOT, Bundle, load_bundle
from mobile_app.core.cloak import MEDIUM
from mobile_app.core.compose import budget_map
from mobile_app.core.engines import Cancelled
from mobile_app.core.errors import BundleError
from mobile_app.core.step import with_steps

QUICK = BenchConfig(seconds=0.1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    return load_bundle()


def test_rows_of_a_bundle_fit_the_schema(bundle: Bundle):
    found = [graph_row(bundle, name, 1, QUICK) for name in ("objects", "objects.gradient", "flowers.int8")]
    found.append(engine_row(bundle, "universal", 1, QUICK))
    ratios = gradient_ratios(bundle, found)
    content = document(environment(bundle), QUICK, found, ratios)
    assert list(misfits(content)) == []
    assert [row["parity_ok"] for row in found] == [True, True, True, None]
    assert found[0]["runtime"].startswith("onnxruntime")
    assert (found[-1]["runtime"], found[-1]["precision"], found[-1]["steps"]) == (None, None, None)
    (ratio,) = ratios
    assert ratio["ratio"] == round(found[1]["latency"]["p50_ms"] / found[0]["latency"]["p50_ms"], 3)
    assert content["environment"]["bundle"]["sha256"] == bundle_sha256(bundle)


def test_the_gradient_engine_takes_three_runs_at_least(bundle: Bundle, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rows, "ONE_ROUND", with_steps(MEDIUM, 3))  # 19 take a second each time
    row = engine_row(bundle, "gradient", 1, BenchConfig(seconds=0.05))
    assert (row["latency"]["n"], row["steps"], row["size_px"]) == (3, 3, 224)
    assert row["latency"]["p50_low_ms"] is None  # three runs do not say
    assert row["valid"] is (row["faults"] == [])


def test_an_engine_is_stopped_within_a_run(bundle: Bundle):
    with pytest.raises(Cancelled):
        engine_row(bundle, "gradient", 1, QUICK, should_stop=lambda: True)


def test_an_engine_that_the_bundle_lacks_is_refused(bundle: Bundle):
    with pytest.raises(BundleError, match="universal"):
        engine_row(replace(bundle, universal=None), "universal", 1, QUICK)


def test_the_hash_of_a_bundle_is_that_of_its_files(bundle: Bundle):
    assert len(bundle_sha256(bundle)) == 64
    shuffled = replace(bundle, sha256=dict(reversed(bundle.sha256.items())))
    assert bundle_sha256(shuffled) == bundle_sha256(bundle)
    changed = replace(bundle, sha256={**bundle.sha256, "reference.npz": "0" * 64})
    assert bundle_sha256(changed) != bundle_sha256(bundle)


def test_the_commit_is_that_of_a_checkout_alone(tmp_path: Path):
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        command = ["git", *who, "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert commit(tmp_path) is None
    git("init", "-q")
    assert commit(tmp_path) is None  # nothing is in it
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "a")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + "+"
    (tmp_path / "inner").mkdir()
    assert commit(tmp_path / "inner") is None  # a package that lies in somebody's checkout is not of it


@pytest.mark.parametrize(("megapixels", "size_px"), [(1, (1152, 864)), (12, (4000, 3000)), (48, (8000, 6000))])
def test_sizes_are_those_of_phones(megapixels: float, size_px: tuple[int, int]):
    assert size_of(megapixels) == size_px


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(ValueError, match="megapixels"):
        size_of(0)


def test_the_picture_is_always_the_same_and_has_plain_and_rough_places():
    picture = photo_like((320, 240))
    assert picture.shape == (240, 320, 3)
    assert np.array_equal(picture, photo_like((320, 240)))
    assert not np.array_equal(picture, photo_like((320, 240), seed=1))
    levels = budget_map(picture, 8)
    assert levels[:, :20].mean() + 1 < levels[:, -20:].mean()  # the sky bears less than the foreground


def test_the_file_is_a_jpeg_of_a_phone_s_size_and_weight():
    data = photo_file(1)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (1152, 864))
    assert 0.1e6 < len(data) < 1e6

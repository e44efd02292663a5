"""`petalveil classify` with a flower network: who answers, under which names, and what it looked at.

The flower network here is a graph made by hand, which goes by colour: red is a rose, yellow a sunflower, blue a
bluebell, and grey none of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.cli.classify_command import look
from mobile_app.core.bundle import DEFAULT_ROOT, load_bundle
from mobile_app.core.classify import Classification, Guess
from mobile_app.core.recogniser import load_recogniser

onnx = pytest.importorskip("onnx", reason="needs onnx, which `make test` installs")

RED, YELLOW, BLUE, GREY = (255, 0, 0), (255, 255, 0), (0, 0, 255), (128, 128, 128)
LABELS = ("rose", "sunflower", "bluebell")
# Of red, green and blue; the logit is 20 times the mean of this sum, and 10 for "none of them".
_WEIGHTS = ((1, -1, -1), (0.5, 0.5, -1), (-1, -1, 1), (0, 0, 0))


def by_colour() -> bytes:
    """(1, 3, 32, 32) -> logits (1, 4) and evidence (1, 4, 4, 4)."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = 20 * np.float32(_WEIGHTS).reshape(4, 3, 1, 1)
    constants = {"w": weights, "b": np.float32([0, 0, 0, 10]), "axes": np.int64([2, 3])}
    nodes = [
        helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["cells", "w"], ["evidence"]),
        helper.make_node("ReduceMean", ["evidence", "axes"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "b"], ["logits"]),
    ]
    shapes = {"image": (1, 3, 32, 32), "logits": (1, 4), "evidence": (1, 4, 4, 4)}
    ports = {name: helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()}
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [ports["image"]], [ports["logits"], ports["evidence"]], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The bundle that ships with another flower network, which stands before all other graphs."""
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "bundle"))
    files = {"colour.onnx": by_colour(), "colour.labels.txt": ("\n".join(LABELS) + "\n").encode()}
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    for name, data in files.items():
        (root / name).write_bytes(data)
        manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    objects = {name: entry for name, entry in manifest["graphs"].items() if name.startswith("objects")}
    flowers = {**objects["objects"], "file": "colour.onnx", "data": [], "labels": "colour.labels.txt", "size_px": 32}
    flowers |= {"has_other": True, "species": True, "unsure_below": 0.5, "crop": 1.0}
    gradient = {**objects["objects.gradient"]}
    manifest["graphs"] = {"flowers.gradient": gradient, "flowers": flowers, **objects}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


@pytest.fixture
def coloured(tmp_path: Path):
    """`coloured("a.png", RED)`: one colour, or two side by side."""

    def make(name: str, *colours: tuple[int, int, int]) -> Path:
        halves = [np.full((64, 64 // len(colours), 3), colour, np.uint8) for colour in colours]
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.concatenate(halves, 1)).save(path)
        return path

    return make


def answers(run, bundle, *words):
    result = run("classify", *words, "--bundle", bundle, "--json")
    assert (result.code, result.err) == (0, "")
    return result.json


def test_a_flower_is_answered_by_the_flower_network_with_all_its_names(run, bundle, coloured):
    (answer,) = answers(run, bundle, coloured("a.png", YELLOW))
    assert set(answer) == {"photo", "model", "top", "unsure"}
    assert (answer["model"], answer["unsure"]) == ("flowers", False)
    first = answer["top"][0]
    # logits 0, 20, -40 and 10: 1 / (1 + e^-20 + e^-60 + e^-10)
    assert first == {
        "label": "sunflower",
        "probability": pytest.approx(1 / (1 + np.exp(-20) + np.exp(-10)), abs=1e-6),
        "id": "sunflower",
        "latin": "Helianthus annuus",
        "zh": "向日葵",
    }
    assert [guess["id"] for guess in answer["top"]] == ["sunflower", "rose", "bluebell"]


def test_what_is_no_flower_is_answered_by_objects(run, bundle, coloured, root):
    grey, coffee = answers(run, bundle, coloured("a.png", GREY), root / "mobile_app" / "samples" / "coffee.jpg")
    assert grey["model"] == coffee["model"] == "objects"
    assert "espresso" in coffee["top"][0]["label"]
    assert set(coffee["top"][0]) == {"label", "probability"}


def test_a_refusal_of_the_flower_network_shows_its_guesses(run, bundle, coloured):
    (answer,) = answers(run, bundle, coloured("a.png", GREY), "--model", "flowers")
    # grey of 128 / 255: logits -10.04, 0, -10.04 and 10; "none of them" takes nearly all and is no guess
    assert answer["model"] == "flowers"
    assert answer["unsure"]
    assert [guess["id"] for guess in answer["top"]] == ["sunflower", "rose", "bluebell"]
    assert answer["top"][0]["probability"] == pytest.approx(np.exp(-10), rel=0.02)


def test_objects_can_be_asked_alone(run, bundle, coloured):
    (answer,) = answers(run, bundle, coloured("a.png", YELLOW), "--model", "objects")
    assert answer["model"] == "objects"


def test_a_bundle_without_flowers_asks_objects(run, bundle, coloured):
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    del manifest["graphs"]["flowers"]
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (answer,) = answers(run, bundle, coloured("a.png", YELLOW))
    assert answer["model"] == "objects"
    result = run("classify", "a.png", "--bundle", bundle, "--model", "flowers")
    assert result.code == 1
    assert "flowers: no classifier of this bundle; expected one of objects" in result.err


def test_the_small_flower_network_answers_where_it_is_the_only_one(run, bundle, coloured):
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["graphs"]["flowers.int8"] = manifest["graphs"].pop("flowers")
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (answer,) = answers(run, bundle, coloured("a.png", YELLOW))
    assert answer["model"] == "flowers.int8"


def test_the_table_gives_latin_and_chinese_names(run, bundle, coloured):
    lines = run("classify", coloured("a.png", RED), "--bundle", bundle, "--top", 1).out.splitlines()
    assert lines[0].endswith("a.png  (flowers)")
    assert lines[1] == "  100.0%  rose (Rosa, 蔷薇属)"


def test_the_table_says_what_not_sure_means(run, bundle, coloured):
    out = run("classify", coloured("a.png", GREY), "--bundle", bundle, "--model", "flowers").out
    assert "(flowers; not sure: none of the 3 flowers I know, or a poor photo)" in out.splitlines()[0]
    assert len(out.splitlines()) == 4


def test_a_network_with_more_classes_than_labels_is_refused(run, bundle, coloured):
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["graphs"]["flowers"]["has_other"] = False
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = run("classify", coloured("a.png", GREY), "--bundle", bundle)
    assert result.code == 1
    assert "flowers: expected a label for each of 4 classes, found 3" in result.err


# What the other commands use


def test_a_report_is_by_the_objects_network_even_where_another_stands_first(bundle):
    found = load_bundle(bundle)
    assert next(iter(found.graphs)) == "flowers.gradient"
    assert load_recogniser(found).name == "objects"


# --explain


def glow(path: Path) -> np.ndarray:
    """(520,): how much colour each column of the right photo has."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture)[24:544, 560:1080].astype(int)
    return (pixels.max(2) - pixels.min(2)).mean(0)


def test_explain_shows_where_the_flower_is(run, bundle, coloured, tmp_path):
    for name, colours, bright in (("l", (RED, GREY), slice(0, 200)), ("r", (GREY, RED), slice(320, 520))):
        words = ("classify", coloured(f"{name}.png", *colours), "--model", "flowers", "--bundle", bundle)
        result = run(*words, "--explain", f"{name}.explained.png")
        assert result.code == 0
        assert f"drawn: {name}.explained.png" in result.out
        columns = glow(tmp_path / f"{name}.explained.png")
        dark = slice(320, 520) if bright.start == 0 else slice(0, 200)
        assert columns[bright].mean() > 10 * columns[dark].mean()


def test_explain_of_objects_follows_the_gradient(run, bundle, make_photo, tmp_path):
    result = run("classify", make_photo("a.jpg"), "--model", "objects", "--bundle", bundle, "--explain", "e.png")
    assert result.code == 0
    with Image.open(tmp_path / "e.png") as picture:
        assert picture.width > 1000


def test_explain_of_a_network_with_neither_maps_nor_gradient_is_a_sentence(run, bundle, make_photo):
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["graphs"]["birds"] = manifest["graphs"]["objects"]
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    result = run("classify", make_photo("a.jpg"), "--model", "birds", "--bundle", bundle, "--explain", "e.png")
    assert result.code == 1
    assert "birds: has no maps of its evidence, and the bundle no graph birds.gradient" in result.err
    assert not Path("e.png").exists()


def test_explain_of_several_photos_is_a_folder(run, bundle, coloured, tmp_path):
    photos = coloured("a.png", RED), coloured("b.png", GREY)
    found = answers(run, bundle, *photos, "--explain", "drawn")
    assert [answer["explained"] for answer in found] == ["drawn/a.explained.png", "drawn/b.explained.png"]
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a.explained.png", "b.explained.png"]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_explain_never_replaces_a_photo(run, bundle, coloured, force):
    photo = coloured("a.png", RED)
    before = photo.read_bytes()
    result = run("classify", photo, "--bundle", bundle, "--explain", photo, *force)
    assert result.code == 1
    assert "never overwritten" in result.err
    assert photo.read_bytes() == before


def test_explain_replaces_a_picture_only_if_told_to(run, bundle, coloured, tmp_path):
    (tmp_path / "e.png").write_bytes(b"mine")
    words = ("classify", coloured("a.png", RED), "--bundle", bundle, "--explain", "e.png")
    result = run(*words)
    assert result.code == 1
    assert result.out == ""
    assert "use --force" in result.err
    assert (tmp_path / "e.png").read_bytes() == b"mine"
    assert run(*words, "--force").code == 0
    assert (tmp_path / "e.png").read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("out", "photos", "words"),
    [
        ("e.jpg", ["a.png"], "give it the suffix .png"),
        ("d", ["a/x.png", "b/x.png"], "both would become x.explained.png"),
        ("a.png", ["a.png", "b.png"], "a file, where a folder for 2 pictures was expected"),
    ],
)
def test_explain_refuses_before_it_looks(run, bundle, coloured, out, photos, words):
    result = run("classify", *(coloured(name, RED) for name in photos), "--bundle", bundle, "--explain", out)
    assert (result.code, result.out) == (1, "")
    assert words in result.err


@dataclass
class Stub:
    """A recogniser with an answer of its own."""

    name: str
    unsure: bool
    none_of_them: float = 0.0

    def look(self, _rgb_hwc: np.ndarray, _top: int) -> Classification:
        return Classification((Guess(self.name, 0.5, 0),), unsure=self.unsure, none_of_them=self.none_of_them)


@pytest.mark.parametrize(
    ("flowers_unsure", "none_of_them", "objects_unsure", "answers"),
    [
        (False, 0.1, False, "flowers"),
        (True, 0.1, False, "objects"),
        (True, 0.1, True, "flowers"),  # a poor photo of a flower
        (True, 0.9, True, "objects"),
    ],
)
def test_the_surer_of_two_answers_and_a_poor_flower_stays_a_flower(
    photo: np.ndarray, flowers_unsure: bool, none_of_them: float, objects_unsure: bool, answers: str
) -> None:
    asked = [Stub("flowers", flowers_unsure, none_of_them), Stub("objects", objects_unsure)]
    by, found = look(photo, asked, 5)  # pyright: ignore[reportArgumentType]
    assert by.name == answers == found.best.label

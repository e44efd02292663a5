"""Graphs against stored outputs: what passes, and what has to fail."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mobile_app.core.bundle import DEFAULT_ROOT, Bundle, GraphEntry, load_bundle
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Port, load_graph
from mobile_app.core.selftest import compare, reference_inputs, selftest

LOGITS = np.float32([[1.0, -2.0, 3.0, 0.5]])


def one(found, stored=LOGITS[0], output="logits"):
    (row,) = compare("objects", {output: np.asarray(found, np.float32)}, {f"objects/{output}": np.asarray(stored)})
    return row


def test_equal_outputs_pass():
    row = one(LOGITS)
    assert row.ok
    assert (row.relative, row.cosine) == (0, pytest.approx(1))


def test_the_figures_by_hand():
    row = one([[3.0, 4.0]], np.float32([4.0, 3.0]), "grad")
    assert row.cosine == pytest.approx(24 / 25)
    assert row.relative == pytest.approx(1 / 4)
    assert not row.ok


@pytest.mark.parametrize(("change", "ok"), [(0.03, True), (0.09, False)])
def test_logits_may_differ_by_two_per_cent_of_the_largest(change, ok):
    assert one(LOGITS + np.float32([[0, 0, change, 0]])).ok is ok


@pytest.mark.parametrize(("change", "ok"), [(0.03, True), (0.2, True), (0.4, False)])
def test_a_graph_in_int8_may_differ_by_a_tenth(change, ok):
    found = {"logits": LOGITS + np.float32([[0, 0, change, 0]])}
    (row,) = compare("flowers.int8", found, {"flowers.int8/logits": LOGITS[0]}, precision="int8")
    assert row.ok is ok


def test_nan_fails():
    row = one([[1.0, np.nan, 3.0, 0.5]])
    assert not row.ok
    assert np.isnan(row.cosine)


@pytest.mark.parametrize("found", [np.zeros((1, 4)), -LOGITS])
def test_zeros_and_the_opposite_sign_fail(found):
    assert not one(found).ok


def test_stored_zeros_are_nothing_to_agree_with():
    assert not one(np.zeros((1, 4)), np.zeros(4, np.float32)).ok


def test_another_number_of_values_fails_with_a_note():
    row = one(np.zeros((1, 5)))
    assert not row.ok
    assert "expected 4 values, found 5" in row.note


def test_an_output_with_nothing_stored_fails():
    (row,) = compare("objects", {"logits": LOGITS}, {})
    assert not row.ok
    assert "nothing stored" in row.note


def test_a_stored_output_that_is_gone_fails():
    rows = compare("objects", {"logits": LOGITS}, {"objects/logits": LOGITS[0], "objects/loss": LOGITS[0]})
    assert [(row.output, row.ok) for row in rows] == [("logits", True), ("loss", False)]


def test_the_stored_outputs_of_another_graph_do_not_count():
    stored = {"objects/logits": LOGITS[0], "objects.gradient/grad": LOGITS[0]}
    assert [row.output for row in compare("objects", {"logits": LOGITS}, stored)] == ["logits"]


class Fixed:
    name = "objects"

    def __init__(self, *inputs: str) -> None:
        self.outputs = {"logits": Port((1, 4), "float32")}
        self.inputs = {name: Port((1,), "float32") for name in inputs}

    def run(self, inputs):
        return {"logits": LOGITS}


def test_a_label_is_given_to_a_graph_that_takes_one():
    assert set(reference_inputs(Fixed("image"), 32)) == {"image"}
    inputs = reference_inputs(Fixed("image", "label"), 32)
    assert inputs["image"].shape == (1, 3, 32, 32)
    assert inputs["label"].tolist() == [0]


def small_bundle(tmp_path) -> Bundle:
    facts = {"task": "classify", "size_px": 32, "opset": 18, "precision": "float32"}
    texts = {"source": "", "licence": "", "command": ""}
    names = ("objects", "flowers")
    np.savez(tmp_path / "reference.npz", **{"objects/logits": LOGITS[0]})  # pyright: ignore[reportArgumentType]
    graphs = {name: GraphEntry(name=name, file=f"{name}.onnx", **facts, **texts) for name in names}
    return Bundle(root=tmp_path, version="0", graphs=graphs, sha256={}, reference="reference.npz")


def test_one_graph_that_does_not_load_leaves_the_others_to_be_checked(tmp_path):
    def load(name: str) -> Fixed:
        if name == "objects":
            return Fixed("image")
        raise GraphError("flowers.onnx: the runtime cannot load this graph")

    rows = selftest(small_bundle(tmp_path), load)
    assert [(row.graph, row.ok) for row in rows] == [("objects", True), ("flowers", False)]
    assert "cannot load" in rows[1].note


def test_the_shipped_bundle_passes_here():
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    bundle = load_bundle()
    rows = selftest(bundle, lambda name: load_graph(bundle.path(name), name=name))
    assert {(row.graph, row.output) for row in rows} >= {("objects", "logits"), ("objects.gradient", "grad")}
    assert all(row.ok for row in rows), json.dumps([vars(row) for row in rows])

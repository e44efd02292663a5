"""Logits to named guesses."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.classify import classify, softmax
from mobile_app.core.runtime import Port


class Fixed:
    """Gives the same logits for every image."""

    name = "fixed"

    def __init__(self, *logits: float) -> None:
        self.inputs = {"image": Port((1, 3, 24, 24), "float32")}
        self.outputs = {"logits": Port((1, 3), "float32")}
        self._logits = np.float32([logits])

    def run(self, inputs):
        assert inputs["image"].shape == (1, 3, 24, 24)
        return {"logits": self._logits}


LABELS = ["rose", "tulip", "daisy"]


def test_guesses_come_best_first_with_their_probabilities(photo):
    found = classify(photo, Fixed(0.0, np.log(3), np.log(4)), LABELS)
    assert [guess.label for guess in found.top] == ["daisy", "tulip", "rose"]
    assert [guess.index for guess in found.top] == [2, 1, 0]
    np.testing.assert_allclose([guess.probability for guess in found.top], [0.5, 0.375, 0.125], rtol=1e-6)
    assert found.best == found.top[0]


def test_no_more_guesses_than_asked_for_or_there_are(photo):
    assert len(classify(photo, Fixed(1, 2, 3), LABELS, top=2).top) == 2
    assert len(classify(photo, Fixed(1, 2, 3), LABELS, top=9).top) == 3


def test_equal_logits_keep_the_order_of_the_classes(photo):
    assert [guess.index for guess in classify(photo, Fixed(1, 1, 1), LABELS).top] == [0, 1, 2]


@pytest.mark.parametrize(("unsure_below", "unsure"), [(0.0, False), (0.49, False), (0.51, True)])
def test_a_best_guess_below_the_limit_is_unsure(photo, unsure_below, unsure):
    assert classify(photo, Fixed(0.0, np.log(3), np.log(4)), LABELS, unsure_below=unsure_below).unsure is unsure


def test_labels_that_do_not_fit_are_refused(photo):
    with pytest.raises(ValueError, match="expected 3"):
        classify(photo, Fixed(1, 2, 3), ["rose"])


def test_top_below_one_is_refused(photo):
    with pytest.raises(ValueError, match="top"):
        classify(photo, Fixed(1, 2, 3), LABELS, top=0)


def test_the_output_for_none_of_these_takes_its_share_and_is_never_a_guess(photo):
    found = classify(photo, Fixed(np.log(2), 0.0, np.log(5)), LABELS[:2], has_other=True, unsure_below=0.3)
    assert [guess.label for guess in found.top] == ["rose", "tulip"]
    np.testing.assert_allclose([guess.probability for guess in found.top], [0.25, 0.125], rtol=1e-6)
    assert found.unsure
    assert not classify(photo, Fixed(np.log(2), 0.0, np.log(5)), LABELS[:2], has_other=True, unsure_below=0.2).unsure


def test_with_an_output_for_none_of_these_there_is_a_label_less(photo):
    with pytest.raises(ValueError, match="expected 2"):
        classify(photo, Fixed(1, 2, 3), LABELS, has_other=True)


class WithMaps(Fixed):
    def run(self, inputs):
        maps = np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1) * np.ones((1, 3, 2, 2), np.float32)
        return {**super().run(inputs), "evidence": maps}


def test_evidence_is_that_of_the_best_guess(photo):
    found = classify(photo, WithMaps(1, 9, 3), LABELS)
    np.testing.assert_array_equal(found.evidence, np.ones((2, 2)))
    assert classify(photo, Fixed(1, 9, 3), LABELS).evidence is None


def test_evidence_is_never_that_of_none_of_these(photo):
    np.testing.assert_array_equal(classify(photo, WithMaps(1, 2, 9), LABELS[:2], has_other=True).evidence, [[1, 1]] * 2)


def test_softmax_by_hand():
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625], rtol=1e-12)


def test_softmax_bears_large_logits():
    np.testing.assert_allclose(softmax(np.float32([1e30, 0, -1e30])), [1, 0, 0])
    np.testing.assert_allclose(softmax(np.float32([1000, 1000])), [0.5, 0.5])

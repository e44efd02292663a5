"""What a full name of an augmentation says, and which are none."""

from __future__ import annotations

import pytest

from training.augment.augmentation import NEEDS_POINTS
from training.augment.names import NAMES, Variant, full_names, parse_name


def test_a_method_alone_is_the_published_form():
    assert [parse_name(name) for name in NAMES] == [
        Variant(method=name, fill="mean", points_from="base") for name in NAMES
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("grid_mask+blur", Variant(method="grid_mask", fill="blur")),
        ("advmask+renewed", Variant(method="advmask", points_from="renewed")),
        ("advmask+noise+several", Variant(method="advmask", fill="noise", points_from="several")),
    ],
)
def test_fill_and_points_follow_the_method(text, wanted):
    assert parse_name(text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mixup", "one of none, cutout"),
        ("", "one of none"),
        ("none+blur", "expected none, got"),  # it clears nothing
        ("cutout+renewed", r"cutout\[\+zero\|blur\|noise\], got"),  # it has no points
        ("advmask+renewed+blur", "got 'advmask"),  # one order, so that a run has one name
        ("advmask+mean", "got 'advmask"),
        ("advmask+blur+blur", "got 'advmask"),
    ],
)
def test_another_text_is_refused_with_what_is_possible(text, words):
    with pytest.raises(ValueError, match=words):
        parse_name(text)


def test_every_full_name_is_read_back_once():
    assert full_names(["none"]) == ("none",)
    assert full_names(["cutout"]) == ("cutout", "cutout+zero", "cutout+blur", "cutout+noise")
    names = full_names(NAMES)
    assert len({parse_name(name) for name in names}) == len(names) == 1 + 2 * 4 * 3 + 6 * 4


def test_all_forms_of_advmask_need_points():
    assert {"advmask", "advmask+blur", "advmask+zero+renewed", "adv"} <= set(NEEDS_POINTS)
    assert "grid_mask+blur" not in NEEDS_POINTS

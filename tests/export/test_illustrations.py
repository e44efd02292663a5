"""The drawn flowers: one for every species, and those that ship are those that the code draws."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.illustrations.__main__ import FLOWERS, FOLDER, SIZE_PX, draw, encoded, main
from export.illustrations.canvas import along, ellipse, petal, placed
from mobile_app.core.species import load_species


def test_every_species_is_drawn() -> None:
    assert set(FLOWERS) == set(load_species())


@pytest.mark.parametrize("name", ["snowdrop", "dandelion"])
def test_a_picture_that_ships_is_the_one_that_is_drawn(name: str) -> None:
    with Image.open(FOLDER / f"{name}.jpg") as shipped, Image.open(io.BytesIO(encoded(draw(name)))) as drawn:
        assert shipped.size == (SIZE_PX, SIZE_PX)
        difference = np.abs(np.asarray(shipped, np.float32) - np.asarray(drawn, np.float32))
    assert difference.mean() < 1  # of 255: another Pillow may round otherwise


def test_the_command_draws_what_is_named_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["illustrations", "tulip", "--out", str(tmp_path)])
    main()
    assert [path.name for path in tmp_path.iterdir()] == ["tulip.jpg"]


def test_a_flower_that_is_not_known_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["illustrations", "orchid"])
    with pytest.raises(SystemExit):
        main()
    assert "orchid: expected one of bluebell" in capsys.readouterr().err


@pytest.mark.parametrize(("angle", "end"), [(0, (0.5, 0.3)), (90, (0.7, 0.5)), (180, (0.5, 0.7)), (-90, (0.3, 0.5))])
def test_angles_point_up_and_grow_clockwise(angle: float, end: tuple[float, float]) -> None:
    np.testing.assert_allclose(along((0.5, 0.5), angle, 0.2), end, atol=1e-12)
    outline = np.array(petal((0.5, 0.5), angle, 0.2, 0.1))
    assert np.abs(outline - end).sum(1).min() < 1e-9  # its tip


def test_a_petal_is_as_wide_as_it_is_asked_to_be() -> None:
    outline = np.array(petal((0.5, 0.9), 0, 0.6, 0.2))
    assert np.ptp(outline[:, 0]) == pytest.approx(0.2, rel=0.02)
    assert np.ptp(outline[:, 1]) == pytest.approx(0.6, rel=0.02)


def test_what_is_placed_is_turned_clockwise_and_moved() -> None:
    np.testing.assert_allclose(placed([(1, 0)], (0.5, 0.5), 90, 0.1), [(0.5, 0.6)], atol=1e-12)
    assert len(ellipse((0, 0), 1, 2)) == 40

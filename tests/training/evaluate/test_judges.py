"""Judges: the order of their answers, one sentence for what fails, and which can be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.errors import TrainingError
from training.evaluate.judges import SHARED, SHIPPED, Judge, ask, open_judges, torch_judge

PHOTO = np.full((20, 30, 3), 51, np.uint8)


def _judge(scores) -> Judge:
    return Judge(name="tiny", size_px=8, scores=scores, digest="0")


def test_answers_are_the_five_likeliest_best_first() -> None:
    seen = []

    def scores(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.tile(np.float32([0, 5, 1, 4, 2, 3]), (len(images), 1))

    assert ask(_judge(scores), [PHOTO] * 9, 1.0) == [(1, 3, 5, 4, 2)] * 9
    assert [images.shape for images in seen] == [(8, 3, 8, 8), (1, 3, 8, 8)]
    np.testing.assert_allclose(seen[0], 0.2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda images: np.zeros((len(images), 4)), r"expected finite scores of shape \(1, classes\), found \(1, 4\)"),
        (lambda images: np.full((len(images), 9), np.nan), "NaN or infinity"),
        (lambda images: np.zeros(9), r"found \(9,\)"),
    ],
)
def test_a_judge_without_usable_scores_gives_one_sentence(answer, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        ask(_judge(answer), [PHOTO], 1.0)


def test_a_judge_that_fails_gives_one_sentence() -> None:
    def scores(_images: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of order\nwith a second line")

    with pytest.raises(TrainingError, match=r"^judge tiny: failed \(out of order\); leave it out with --judges$"):
        ask(_judge(scores), [PHOTO], 1.0)


def test_a_network_becomes_a_judge_known_by_its_weights() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 6)).eval()
    judge = torch_judge("tiny", network, 8)
    assert ask(judge, [PHOTO], 1.0)[0][0] == int(network(torch.full((1, 3, 8, 8), 0.2)).argmax())
    with torch.no_grad():
        network[1].bias += 1
    assert torch_judge("tiny", network, 8).digest != judge.digest


@pytest.mark.parametrize("name", SHIPPED)
def test_a_graph_of_the_bundle_is_a_judge_that_knows_a_cat(name: str, chelsea: np.ndarray) -> None:
    ((judge,), _) = open_judges([name], Path("none"))
    (answer,) = ask(judge, [chelsea], 0.875)
    assert {281, 282, 285} & set(answer[:2])  # tabby, tiger cat, Egyptian cat


def test_without_the_shared_folder_a_named_judge_says_so_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"judge squeezenet: .*squeezenet.py: missing; put the folder") as raised:
        open_judges(["squeezenet"], tmp_path / "shared")
    assert "\n" not in str(raised.value)


def test_an_unknown_judge_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="judges: expected some of lite0_shipped, lite0_robust, lite1_robust, lite0"
    ):
        open_judges(["resnet9000"], tmp_path)


def test_a_loader_of_the_shared_folder_is_called_and_leaves_no_module(tmp_path: Path) -> None:
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "common.py").write_text("CLASSES = 6\n", encoding="utf-8")
    (tmp_path / "judges" / "darknet_tiny.py").write_text(
        "import torch\nfrom common import CLASSES\n\n\nclass Net:\n    size = 8\n\n    def __call__(self, x):\n"
        "        return torch.arange(CLASSES).float().repeat(len(x), 1)\n\n\ndef load():\n    return Net()\n",
        encoding="utf-8",
    )
    (judge,), reasons = open_judges(["darknet_tiny"], tmp_path)
    assert ask(judge, [PHOTO], 1.0) == [(5, 4, 3, 2, 1)]
    assert reasons == []
    first = judge.digest
    (tmp_path / "weights" / SHARED["darknet_tiny"]).mkdir(parents=True)
    (tmp_path / "weights" / SHARED["darknet_tiny"] / "w.bin").write_bytes(b"1")
    (judge,), _ = open_judges(["darknet_tiny"], tmp_path)
    assert judge.digest != first

"""What more than one folder of tests uses: photos, the data folder beside the repo, the list of the project's files."""

from __future__ import annotations

import csv
import importlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of this repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder `shared` beside the repo; a test that needs it is skipped where it is not there."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the data folder beside the repo")
    return folder


@pytest.fixture(scope="session")
def nips17(shared_dir: Path) -> list[tuple[Path, int]]:
    """(photo, ImageNet class) of every photo of the NIPS 2017 set, in the order of its table."""
    folder = shared_dir / "data" / "nips17"
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as table:
        return [(folder / row["file"], int(row["class_index"])) for row in csv.DictReader(table)]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread: several are slower for tiny networks, and wait for minutes where others want the cores."""
    import torch  # most tests that read this file do without

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def chelsea() -> np.ndarray:
    """A cat, (300, 451, 3) uint8."""
    return _photo("chelsea")


@pytest.fixture
def coffee() -> np.ndarray:
    """A cup on a table, (400, 600, 3) uint8."""
    return _photo("coffee")


@pytest.fixture
def astronaut() -> np.ndarray:
    """A portrait, (512, 512, 3) uint8."""
    return _photo("astronaut")


@pytest.fixture
def photo(chelsea: np.ndarray) -> np.ndarray:
    """One real photo, for tests that do not care which."""
    return chelsea


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def project_files() -> list[Path]:
    """Every file that git tracks or would track: neither ignored files nor anything outside the repo."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout: the archive of a release has no list of its files")
    return [path for name in listing.decode().split("\0") if name and (path := ROOT / name).is_file()]


def _photo(name: str) -> np.ndarray:
    return getattr(importlib.import_module("skimage.data"), name)()  # imported late: most tests need no photo

"""write_whole: the whole file, or what was there before, and nothing beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mobile_app.core import files
from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "IMG_1.cloaked.jpg"


@pytest.fixture
def taken(target: Path) -> Path:
    target.write_bytes(b"old")
    return target


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing_with(error: BaseException):
    def fail(*_args, **_kwargs):
        raise error

    return fail


def test_file_holds_what_was_written_and_nothing_lies_beside_it(target):
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == [target.name]


def test_name_in_the_current_folder_is_enough(target, monkeypatch):
    monkeypatch.chdir(target.parent)
    write_whole(Path("a.jpg"), b"new")
    assert names_in(target.parent) == ["a.jpg"]


@pytest.mark.skipif(os.name != "posix", reason="other systems have no file modes")
def test_file_gets_the_permissions_of_an_ordinary_one(target):
    write_whole(target, b"new")
    (target.parent / "ordinary").touch()
    assert target.stat().st_mode == (target.parent / "ordinary").stat().st_mode


def test_file_that_exists_is_left_alone(taken):
    with pytest.raises(OutputError, match=r"IMG_1\.cloaked\.jpg: already exists.*--force"):
        write_whole(taken, b"new")
    assert taken.read_bytes() == b"old"
    assert names_in(taken.parent) == [taken.name]


def test_force_replaces_a_file(taken):
    write_whole(taken, b"new", force=True)
    assert taken.read_bytes() == b"new"
    assert names_in(taken.parent) == [taken.name]


@pytest.mark.parametrize("has_links", [True, False])
def test_file_that_appears_during_the_write_is_left_alone(target, monkeypatch, has_links):
    def write_while_another_program_takes_the_name(temporary: Path, data: bytes) -> None:
        temporary.write_bytes(data)
        target.write_bytes(b"other")

    if not has_links:
        monkeypatch.setattr(os, "link", failing_with(PermissionError(errno.EPERM, "not here")))
    monkeypatch.setattr(files, "_write_flushed", write_while_another_program_takes_the_name)
    with pytest.raises(OutputError, match="already exists"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"other"
    assert names_in(target.parent) == [target.name]


def test_disk_without_links_is_written_all_the_same(target, monkeypatch):
    monkeypatch.setattr(os, "link", failing_with(OSError(errno.ENOTSUP, "not here")))
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"
    assert names_in(target.parent) == [target.name]


def test_system_without_links_is_written_all_the_same(target, monkeypatch):
    monkeypatch.delattr(os, "link")
    write_whole(target, b"new")
    assert target.read_bytes() == b"new"


def test_name_is_given_up_when_the_move_fails_on_a_disk_without_links(target, monkeypatch):
    monkeypatch.delattr(os, "link")
    monkeypatch.setattr(os, "replace", failing_with(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(target, b"new")
    assert names_in(target.parent) == []


def test_missing_folder_is_named_with_the_remedy(tmp_path):
    with pytest.raises(OutputError, match=r"the folder .*out does not exist; create it or choose another"):
        write_whole(tmp_path / "out" / "a.jpg", b"new")


@pytest.mark.parametrize("force", [False, True])
def test_folder_of_that_name_is_refused(tmp_path, force):
    with pytest.raises(OutputError, match="a folder has this name"):
        write_whole(tmp_path, b"new", force=force)


def test_folder_without_write_permission_is_refused(target, monkeypatch):
    monkeypatch.setattr("builtins.open", failing_with(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(OutputError, match=r"IMG_1\.cloaked\.jpg: no permission to write there"):
        write_whole(target, b"new")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_really_without_write_permission_is_refused(target):
    target.parent.chmod(0o500)
    with pytest.raises(OutputError, match="no permission to write there"):
        write_whole(target, b"new")


def test_name_too_long_is_refused(tmp_path):
    with pytest.raises(OutputError, match="the name is too long"):
        write_whole(tmp_path / ("a" * 300), b"new")


@pytest.mark.parametrize("force", [False, True])
def test_full_disk_leaves_what_was_there(target, monkeypatch, force):
    if force:
        target.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing_with(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OutputError, match="the disk is full"):
        write_whole(target, b"new", force=force)
    assert names_in(target.parent) == ([target.name] if force else [])
    assert not force or target.read_bytes() == b"old"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_interruption_leaves_what_was_there(taken, monkeypatch, step):
    monkeypatch.setattr(os, step, failing_with(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_whole(taken, b"new", force=True)
    assert taken.read_bytes() == b"old"
    assert names_in(taken.parent) == [taken.name]


@pytest.mark.parametrize("missing", ["link", "replace"])
def test_interruption_of_a_new_file_leaves_nothing(target, monkeypatch, missing):
    if missing == "replace":
        monkeypatch.delattr(os, "link")
    monkeypatch.setattr(os, missing, failing_with(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_whole(target, b"new")
    assert names_in(target.parent) == []

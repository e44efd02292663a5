"""Bytes in, a file that is there whole or not at all: written beside its place, flushed, then moved into it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from mobile_app.core.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; make room or choose another place",
    errno.EDQUOT: "the disk quota is used up; make room or choose another place",
    errno.EACCES: "no permission to write there; choose another place or change its permissions",
    errno.EPERM: "no permission to write there; choose another place or change its permissions",
    errno.EROFS: "that disk is read-only; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def write_whole(path: Path, data: bytes, *, force: bool = False) -> None:
    """Write a file so that no reader, crash or full disk ever leaves half of it under its name.

    Args:
        force: replace a file that is there. Without it, one that appears even during the write is left alone.
    Raises: OutputError if the folder is missing or not writable, the file exists, or the disk is full; then, as after
        an interruption, what was there stays as it was and no temporary file is left.
    """
    _refuse_unfit(path, force)
    temporary = path.parent / f".petalveil-{secrets.token_hex(8)}.part"
    try:
        _write_flushed(temporary, data)
        if force:
            os.replace(temporary, path)
        else:
            _move_if_free(temporary, path)
        _flush_folder(path.parent)
    except FileExistsError as error:
        raise OutputError(_taken(path)) from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, f"cannot be written ({error.strerror or error})")
        raise OutputError(f"{path}: {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _refuse_unfit(path: Path, force: bool) -> None:
    if not os.path.isdir(path.parent):
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it or choose another")
    if os.path.isdir(path):
        raise OutputError(f"{path}: a folder has this name; choose another name")
    if not force and os.path.lexists(path):
        raise OutputError(_taken(path))


def _taken(path: Path) -> str:
    return f"{path}: already exists and was left as it is; use --force to replace it or choose another name"


def _write_flushed(temporary: Path, data: bytes) -> None:
    with open(temporary, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move_if_free(temporary: Path, path: Path) -> None:
    """Give the file its name unless the name is taken: a hard link decides that in one step."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except (OSError, AttributeError):  # FAT, some network disks, Android
        _claim_and_replace(temporary, path)


def _claim_and_replace(temporary: Path, path: Path) -> None:
    """Take the name with an empty file, which fails if it is taken, then replace that; give it up on failure."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(temporary, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    """Make the new name survive a power cut; systems where a folder cannot be opened do without."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

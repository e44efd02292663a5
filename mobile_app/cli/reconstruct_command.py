"""`petalveil reconstruct`: files of measurements in, pictures out that people can see and recognisers cannot."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from mobile_app.cli.console import Console
from mobile_app.cli.models import open_bundle
from mobile_app.cli.sense_command import OnStep, each, outputs
from mobile_app.cli.targets import SUFFIXES, Originals
from mobile_app.core.errors import OutputError, SensingError
from mobile_app.core.files import write_whole
from mobile_app.core.photo import EncodeConfig, Photo, encode
from mobile_app.core.sensing import Codec, load_codec, reconstruct
from mobile_app.core.sensing_format import LARGEST_FILE_BYTES, unpack


def run(options: argparse.Namespace) -> int:
    """Rebuild every picture of the command line.

    Returns: 0; 1 if a file failed, though the others were done.
    Raises: PetalveilError for what stops all of it, before anything is written.
    """
    console = Console()
    targets = outputs(options.photos, options.out, ".jpg")
    originals = Originals(options.photos)
    codec = load_codec(open_bundle(options.bundle), threads=options.threads)
    return each(
        options,
        targets,
        console,
        lambda source, target, on_part: _rebuild(source, target, originals, codec, options, on_part),
    )


def _rebuild(
    source: Path, target: Path, originals: Originals, codec: Codec, options: argparse.Namespace, on_part: OnStep
) -> str:
    originals.refuse(target)
    chosen = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}.get(target.suffix.lower())
    if chosen is None:
        raise OutputError(f"{target}: would hold a picture; give it the suffix .jpg, .png or .webp")
    started = time.perf_counter()
    measured = unpack(_read(source), name=str(source))
    rgb_hwc = reconstruct(measured, codec, name=str(source), on_part=on_part)
    config = EncodeConfig(format=chosen.lower(), quality=options.quality)  # pyright: ignore[reportArgumentType]
    data = encode(Photo(rgb_hwc=rgb_hwc, name=str(source)), config)
    write_whole(target, data, force=options.force)
    seconds = time.perf_counter() - started
    size = f"{measured.width_px} x {measured.height_px}"
    return f"{source} -> {target}  {size}, rate {measured.rate:g}, {len(data):,} bytes, {seconds:.1f} s"


def _read(path: Path) -> bytes:
    """The bytes of a file, which is not read if it is too large to be one of measurements. Raises: SensingError."""
    try:
        if not path.is_file():
            there = "a folder or device" if path.exists() else "no such file"
            raise SensingError(f"{path}: {there}, where a file of measurements was expected")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SensingError(f"{path}: {path.stat().st_size:,} bytes are too many for a file of measurements")
        return path.read_bytes()
    except OSError as error:
        raise SensingError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error

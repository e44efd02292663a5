"""`petalveil sense`: photos in, files of measurements out."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mobile_app.cli.console import Console
from mobile_app.cli.models import open_bundle
from mobile_app.cli.targets import Originals, make_folder
from mobile_app.core.errors import OutputError, PetalveilError
from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.resize import brought_down
from mobile_app.core.sensing import Codec, SensingConfig, load_codec, measure
from mobile_app.core.sensing_format import pack

SUFFIX = ".pvs"
OnStep = Callable[[int, int], None]


def run(options: argparse.Namespace) -> int:
    """Measure every photo of the command line.

    Returns: 0; 1 if a photo failed, though the others were done.
    Raises: PetalveilError for what stops all of it, before anything is written.
    """
    console = Console()
    targets = outputs(options.photos, options.out, SUFFIX)
    originals = Originals(options.photos)
    codec = load_codec(open_bundle(options.bundle), threads=options.threads)
    config = SensingConfig(rate=options.rate, step_levels=options.step)
    return each(
        options,
        targets,
        console,
        lambda source, target, on_part: _sense(source, target, originals, codec, config, options, on_part),
    )


def each(
    options: argparse.Namespace,
    targets: list[Path],
    console: Console,
    do: Callable[[Path, Path, OnStep], str],
) -> int:
    """`do` for each file of the command line; one that fails is told at the end, and the others go on."""
    failed: list[str] = []
    with console.progress(len(targets)) as on_step:
        for done, (source, target) in enumerate(zip(options.photos, targets, strict=True)):
            try:
                console.say(do(source, target, partial(on_step, source.name, done)))
            except PetalveilError as error:
                failed.append(str(error))
            except MemoryError:
                failed.append(f"{source}: not enough memory; close other programs or choose --long-side")
    for sentence in failed:
        console.complain(sentence)
    return 1 if failed else 0


def outputs(sources: list[Path], out: Path | str, suffix: str) -> list[Path]:
    """Where each file goes: OUT itself for one, unless it is a folder, ends in a slash or has no suffix; else into it.

    Raises: OutputError if two would become one, or the folder cannot be made.
    """
    folder = Path(out)
    if len(sources) == 1 and not folder.is_dir() and not str(out).endswith("/") and folder.suffix:
        return [folder]
    make_folder(folder)
    targets = [folder / f"{source.stem}{suffix}" for source in sources]
    for index, target in enumerate(targets):
        if str(target).casefold() in (str(other).casefold() for other in targets[:index]):
            raise OutputError(f"{sources[index]}: would become {target}, as another does; use two folders")
    return targets


def _sense(
    source: Path,
    target: Path,
    originals: Originals,
    codec: Codec,
    config: SensingConfig,
    options: argparse.Namespace,
    on_part: OnStep,
) -> str:
    originals.refuse(target)
    if target.suffix.lower() != SUFFIX:
        raise OutputError(f"{target}: would hold measurements; give it the suffix {SUFFIX}")
    started = time.perf_counter()
    photo = decode(source, name=str(source))
    if options.long_side:
        photo = brought_down(photo, options.long_side)
    notes = ["transparency left out"] if photo.is_transparent else []
    notes += ["colour profile left out"] if photo.icc_profile else []
    data = pack(measure(photo.rgb_hwc, codec, config, on_part=on_part))
    write_whole(target, data, force=options.force)
    width, height = photo.size_px
    bits = 8 * len(data) / (width * height)
    seconds = time.perf_counter() - started
    facts = [f"{width} x {height}", f"rate {config.rate:g}", f"{len(data):,} bytes, {bits:.2f} bit a pixel"]
    return f"{source} -> {target}  {', '.join(facts)}, {seconds:.1f} s{''.join(f'; {note}' for note in notes)}"

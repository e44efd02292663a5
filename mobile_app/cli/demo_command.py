"""`petalveil demo`: cloak a photo that comes along, and show what a recogniser sees before and after."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mobile_app.cli import preview, report
from mobile_app.cli.console import Console
from mobile_app.cli.journal import Journal, sha256_of_file, sha256_of_json
from mobile_app.cli.models import open_bundle
from mobile_app.cli.protect import Settings, captions, choose, measured, protect
from mobile_app.cli.targets import CLOAKED, make_folder
from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole
from mobile_app.core.loading import keeping
from mobile_app.core.memory import peak_mb
from mobile_app.core.photo import decode
from mobile_app.core.recogniser import load_recogniser

SAMPLE = Path(__file__).parent.parent / "samples" / "coffee.jpg"
_POSTED = {  # rows of the table
    "before": "before",
    "after": "after",
    "jpeg75": "after, JPEG 75",
    "jpeg50": "after, JPEG 50",
    "smaller_jpeg75": "after, {long_side_px} px, JPEG 75",
}


def run(options: argparse.Namespace) -> int:
    """Write the cloaked photo, a preview and a report into a folder, and sum them up.

    Returns: 0.
    Raises: PetalveilError; OutputError if a file of the folder is in the way that no demo wrote.
    """
    started = time.perf_counter()
    console = Console()
    out: Path = options.out
    make_folder(out)
    files = {name: out / name for name in (f"{SAMPLE.stem}{CLOAKED}.jpg", "preview.png", "report.json")}
    journal = Journal(out)
    _refuse_others(files.values(), journal)
    bundle = open_bundle(options.bundle)
    settings = Settings()
    load = keeping(bundle, threads=options.threads)
    chosen = choose(bundle, settings, 0, load=load)
    with console.progress(1) as on_step:
        result = protect(SAMPLE, lambda _: chosen, settings, on_step=partial(on_step, SAMPLE.name, 0))
    recogniser = load_recogniser(bundle, load=load)
    photo_path, preview_path, report_path = files.values()
    after = decode(result.data, name=str(photo_path))
    facts = measured(result.before.rgb_hwc, result.composed, after.rgb_hwc, recogniser)
    row = {**result.row, "source": SAMPLE.name, "output": str(photo_path), "skipped": False, **facts}
    picture = preview.draw([preview.make_row(result.before.rgb_hwc, after.rgb_hwc, captions(row))])
    content = report.document({**settings.as_row(), "threads": options.threads}, bundle, [row], [])
    settings_sha256, source_sha256 = sha256_of_json(settings.with_bundle(bundle)), sha256_of_file(SAMPLE) or ""
    contents = (result.data, picture, report.as_bytes(content))
    for path, data in zip(files.values(), contents, strict=True):
        journal.remember(path.name, data, SAMPLE, source_sha256, settings_sha256, {"by": "demo"})
        write_whole(path, data, force=True)
    _show(row, time.perf_counter() - started, (photo_path, preview_path, report_path))
    return 0


def _refuse_others(paths: Sequence[Path] | Any, journal: Journal) -> None:
    for path in paths:
        if os.path.lexists(path) and not journal.is_own(path):
            raise OutputError(f"{path}: was not written by the demo and is left as it is; choose another --out")


def _show(row: Mapping[str, Any], seconds: float, paths: Sequence[Path]) -> None:
    from rich import box
    from rich.console import Console as Screen
    from rich.table import Table
    from rich.text import Text

    screen = Screen(highlight=False)
    seen, change = row["seen"], row["change"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what the recogniser sees", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right")
    table.add_column("", no_wrap=True)
    for key, name in _POSTED.items():
        guess = seen[key]
        verdict = Text("")
        if "changed" in guess:
            verdict = Text("fooled", "bold green") if guess["changed"] else Text("not fooled", "yellow")
        table.add_row(
            Text(name.format_map(guess), "dim" if key != "before" else ""),
            Text(guess["label"], "bold"),
            f"{guess['probability']:.0%}",
            verdict,
        )
    peak = peak_mb()
    width, height = row["size_px"]
    psnr = "equal" if change["psnr_db"] is None else f"{change['psnr_db']:.1f} dB"
    steps = f"{row['steps']} steps of the gradient engine, {row['seconds']['cloak']:.1f} s"
    lines = {
        "photo": f"{row['source']}, {width} x {height}",
        "cloaked": f"{steps}; {seconds:.1f} s in all" + ("" if peak is None else f", {peak:.0f} MB at most"),
        "change": f"{row['composed_largest_levels']} levels of 255 at most before the file was compressed, "
        f"{change['largest_levels']} in the file",
        "": f"{change['mean_levels']:.1f} levels on average, PSNR {psnr}, SSIM {change['ssim']:.3f}",
    }
    screen.print()
    for name, text in lines.items():
        screen.print(Text.assemble((f"{name:<9}", "magenta"), text), soft_wrap=True)
    screen.print(table)
    for name, path in zip(("photo", "picture", "report"), paths, strict=True):
        screen.print(Text.assemble((f"{name:<9}", "magenta"), str(path)), soft_wrap=True)
    screen.print()

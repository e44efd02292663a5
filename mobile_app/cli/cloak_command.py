"""`petalveil cloak`: photos and folders in, protected photos out; goes on where it stopped."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_app.cli import preview, report
from mobile_app.cli.console import Console
from mobile_app.cli.journal import Entry, Journal, sha256_of_file, sha256_of_json
from mobile_app.cli.models import open_bundle
from mobile_app.cli.protect import Protected, Settings, captions, choose, measured, opened, protect
from mobile_app.cli.targets import Job, Originals, Plan, make_folder, plan
from mobile_app.core.bundle import Bundle
from mobile_app.core.cloak import MEDIUM, STRENGTHS
from mobile_app.core.engines import Engine
from mobile_app.core.errors import BundleError, OutputError, PetalveilError
from mobile_app.core.files import write_whole
from mobile_app.core.loading import engines_of, keeping
from mobile_app.core.photo import EncodeConfig, decode
from mobile_app.core.recogniser import Recogniser, load_recogniser
from mobile_app.core.step import StepConfig, with_steps

_FEW = 20  # photos that get a line each


def run(options: argparse.Namespace) -> int:
    """Cloak every photo of the command line.

    Returns: 0; 1 if a photo failed, though the others were done; 130 after Ctrl-C.
    Raises: PetalveilError for what stops all of it, before anything is written.
    """
    console = Console()
    settings = _settings(options)
    work = plan(options.photos, options.out, written_format=settings.encode.format)
    originals = Originals(job.source for job in work.jobs)
    _check_extras(options, work, originals)
    bundle = open_bundle(options.bundle)
    _check_engine(settings, bundle)
    make_folder(work.folder)
    batch = _Batch(work, originals, settings, bundle, options)
    try:
        with console.progress(len(work.jobs)) as on_step:
            for done, job in enumerate(work.jobs):
                line = batch.do(job, partial(on_step, job.source.name, done))
                if line and len(work.jobs) <= _FEW:
                    console.say(line)
    except KeyboardInterrupt:
        console.complain(_interrupted(work, batch.finished))
        return 130
    batch.write_extras()
    if len(work.jobs) > _FEW:
        console.say(f"{batch.cloaked} cloaked, {batch.skipped} done before, {len(batch.failed)} failed: {work.folder}")
    for failure in batch.failed:
        console.complain(failure["error"])
    return 1 if batch.failed else 0


def _settings(options: argparse.Namespace) -> Settings:
    strength = None if options.budget else options.strength
    step = replace(MEDIUM, budget_levels=options.budget or STRENGTHS[options.strength])
    platform = options.target_platform
    return Settings(
        engine=None if options.time_budget else options.engine or "gradient",
        time_budget_s=options.time_budget,
        strength=strength,
        step=with_steps(step, options.steps) if options.steps else step,
        encode=EncodeConfig(
            format="jpeg" if platform else options.format,
            quality=platform.quality if platform else options.quality,
            subsampling=platform.subsampling if platform else None,
            keep_metadata=options.keep_metadata,
        ),
        platform=platform,
    )


class _Batch:
    """The photos of one command line, one after the other; a bad one is remembered and the others go on."""

    def __init__(
        self, work: Plan, originals: Originals, settings: Settings, bundle: Bundle, options: argparse.Namespace
    ) -> None:
        self._work, self._originals, self._settings = work, originals, settings
        self._bundle, self._options = bundle, options
        self._load = keeping(bundle, threads=options.threads)
        self._settings_sha256 = sha256_of_json(settings.with_bundle(bundle))
        self._journal = None if work.single else Journal(work.folder)
        self._chosen: tuple[Engine, StepConfig] | None = None
        self._written: dict[str, Path] = {}
        self._rows: list[dict[str, Any]] = []
        self._preview_rows: list[preview.Row] = []
        self.failed: list[dict[str, str]] = []
        self.cloaked = self.skipped = 0

    @property
    def finished(self) -> int:
        return self.cloaked + self.skipped

    @cached_property
    def _recogniser(self) -> Recogniser:
        return load_recogniser(self._bundle, load=self._load)

    def do(self, job: Job, on_step: Callable[[int, int], None]) -> str | None:
        """Returns: a line that says what became of the photo, None if it failed."""
        try:
            entry = self._finished_before(job)
            return self._pass_over(job, entry) if entry else self._cloak(job, on_step)
        except PetalveilError as error:
            self.failed.append({"source": str(job.source), "error": str(error)})
        except MemoryError:
            sentence = f"{job.source}: not enough memory; close other programs or shrink the photo"
            self.failed.append({"source": str(job.source), "error": sentence})
        return None

    def write_extras(self) -> None:
        """The report and the preview. Raises: OutputError."""
        options = self._options
        if options.report:
            settings = {**self._settings.as_row(), "threads": options.threads}
            content = report.document(settings, self._bundle, self._rows, self.failed)
            report.write_json(options.report, content, force=options.force)
        if options.preview and self._preview_rows:
            write_whole(options.preview, preview.draw(self._preview_rows), force=options.force)

    def _finished_before(self, job: Job) -> Entry | None:
        if self._journal is None or (source_sha256 := sha256_of_file(job.source)) is None:
            return None
        return self._journal.finished(job.stem, source_sha256, self._settings_sha256)

    def _pass_over(self, job: Job, entry: Entry) -> str:
        output = self._work.folder / entry.output
        self._originals.refuse(output)
        self._claim(output, job)
        row = {**entry.row, "source": str(job.source), "output": str(output), "skipped": True}
        if self._measures:
            (before, _), after = opened(job.source, self._settings), decode(output, name=str(output))
            row |= measured(before.rgb_hwc, None, after.rgb_hwc, self._recogniser)
            self._add_preview(before.rgb_hwc, after.rgb_hwc, row)
        self._rows.append(row)
        self.skipped += 1
        return f"{job.source}: done before, see {output}"

    def _cloak(self, job: Job, on_step: Callable[[int, int], None]) -> str:
        target = self._work.folder

        def check(written_format: str) -> None:
            nonlocal target
            target = self._work.target(job, written_format)
            self._refuse_taken(target, job)

        result = protect(job.source, self._choose, self._settings, check=check, on_step=on_step)
        row = {**result.row, "output": str(target), "skipped": False}
        self._write(job, target, result)
        self._claim(target, job)
        self.cloaked += 1
        if self._measures:
            after = decode(result.data, name=str(target))
            row |= measured(result.before.rgb_hwc, result.composed, after.rgb_hwc, self._recogniser)
            self._add_preview(result.before.rgb_hwc, after.rgb_hwc, row)
        self._rows.append(row)
        return _line(row, self._settings.time_budget_s)

    def _choose(self, megapixels: float) -> tuple[Engine, StepConfig]:
        """By the first photo that is cloaked, for all: measuring again would take longer than it saves."""
        if self._chosen is None:
            self._chosen = choose(self._bundle, self._settings, megapixels, load=self._load)
        return self._chosen

    @property
    def _measures(self) -> bool:
        return bool(self._options.report or self._options.preview)

    def _refuse_taken(self, target: Path, job: Job) -> None:
        self._originals.refuse(target)
        other = self._written.get(str(target).casefold())
        if other is not None:
            raise OutputError(f"{job.source}: would become {target}, as {other} did; cloak them into two folders")
        if os.path.lexists(target) and not self._options.force:
            raise OutputError(
                f"{target}: already exists and was left as it is; use --force to replace it or choose another name"
            )

    def _claim(self, target: Path, job: Job) -> None:
        self._written[str(target).casefold()] = job.source

    def _write(self, job: Job, target: Path, result: Protected) -> None:
        source_sha256 = sha256_of_file(job.source)
        if self._journal is not None and source_sha256 is not None:
            make_folder(target.parent)
            output = target.relative_to(self._work.folder).as_posix()
            self._journal.remember(output, result.data, job.source, source_sha256, self._settings_sha256, result.row)
        write_whole(target, result.data, force=self._options.force)

    def _add_preview(self, before: NDArray[np.uint8], after: NDArray[np.uint8], row: dict[str, Any]) -> None:
        rows = min(len(self._work.jobs), preview.MOST_ROWS)
        if self._options.preview and len(self._preview_rows) < rows:
            self._preview_rows.append(preview.make_row(before, after, captions(row), rows=rows))


def _check_engine(settings: Settings, bundle: Bundle) -> None:
    """Find out now, and not at every photo, that the bundle lacks it."""
    here = engines_of(bundle)
    if not here:
        raise BundleError("expected an engine in the bundle, found none; restore the bundle")
    if settings.engine is not None and settings.engine not in here:
        raise BundleError(
            f"engine {settings.engine}: expected one that the bundle has, which is {' or '.join(here)}; "
            "choose another or restore the bundle"
        )


def _check_extras(options: argparse.Namespace, work: Plan, originals: Originals) -> None:
    """Find out now, and not after an hour, that a report or preview cannot be written."""
    extras = [path for path in (options.report, options.preview) if path is not None]
    if len(extras) == 2 and os.path.realpath(extras[0]) == os.path.realpath(extras[1]):
        raise OutputError(f"{extras[0]}: named for the report and for the preview; choose two names")
    for path in extras:
        originals.refuse(path)
        if work.single is not None and os.path.realpath(path) == os.path.realpath(work.single):
            raise OutputError(f"{path}: named for the photo and for something else; choose two names")
        if path.is_dir():
            raise OutputError(f"{path}: a folder has this name; choose another name")
        if not path.parent.is_dir() and path.parent != work.folder:
            raise OutputError(f"{path}: the folder {path.parent} does not exist; create it or choose another")
        if os.path.lexists(path) and not options.force:
            raise OutputError(f"{path}: already exists and was left as it is; use --force to replace it")
    if options.preview and options.preview.suffix.lower() != ".png":
        raise OutputError(f"{options.preview}: would hold a PNG; give it the suffix .png")


def _interrupted(work: Plan, finished: int) -> str:
    if work.single is not None:
        return "stopped before the photo was finished; nothing was written"
    return f"stopped: {finished} of {len(work.jobs)} photos are done; the same command goes on from there"


def _line(row: dict[str, Any], time_budget_s: float | None) -> str:
    size, source_size = (" x ".join(str(side) for side in row[key]) for key in ("size_px", "source_size_px"))
    if size != source_size:
        size = f"{source_size} to {size}"
    steps = row["steps"]
    engine = row["engine"] if steps is None else f"{row['engine']}, {steps} step{'s' if steps > 1 else ''}"
    seconds = sum(row["seconds"].values())
    late = time_budget_s is not None and seconds > time_budget_s
    notes = "".join(f"; {note}" for note in (*row["notes"], *(["over the time budget"] if late else [])))
    return (
        f"{row['source']} -> {row['output']}  {size}, {row['budget_levels']:g} levels, {engine}, {seconds:.1f} s{notes}"
    )

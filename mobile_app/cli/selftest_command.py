"""`petalveil selftest`: the files of a bundle against its manifest, each graph against its stored outputs."""

from __future__ import annotations

import argparse

from mobile_app.cli.console import Console
from mobile_app.cli.models import open_bundle
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import Row, selftest


def run(options: argparse.Namespace) -> int:
    """Returns: 0 if all is well, else 1. Raises: BundleError if a file is missing or changed."""
    console = Console()
    bundle = open_bundle(options.bundle)
    console.say(f"bundle {bundle.version}: {len(bundle.sha256)} files as the manifest has them")
    rows = selftest(bundle, lambda name: load_graph(bundle.path(name), name=name, threads=options.threads))
    console.say(f"{'graph':<21} {'output':<12} {'cosine':>10} {'relative':>10}")
    for row in rows:
        console.say(_text(row))
    failed = [row for row in rows if not row.ok]
    if failed or not rows:
        console.complain("this machine computes something else than the bundle's; see the rows above")
        return 1
    console.say("all is well")
    return 0


def _text(row: Row) -> str:
    verdict = "ok" if row.ok else "FAILED"
    text = f"{row.graph:<21} {row.output:<12} {row.cosine:>10.6f} {row.relative:>10.2e}  {verdict}"
    return f"{text}: {row.note}" if row.note else text

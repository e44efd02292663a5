"""EfficientNet-Lite0 and its input gradient here and in other runtimes, in turn within one run.

    python tests/benchmarks/bench_peers.py [--threads 1,2] [--rounds 20] [--executorch PYTHON] [--out docs/bench.md]

Every peer runs in a process of its own, so that no pool of threads meets another; one works at a time. In each round
each of them makes some runs, and its figure is the median over the rounds of its time divided by petalveil's in the
same round: a slow moment of the machine meets all. What is not installed is left out by name. --executorch names the
Python of an environment that has ExecuTorch, where that is not this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from peer_process import EXECUTORCH, MAKERS, TEST_TOOL

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
LOWEST_COSINE = 0.9999
RUNS_A_ROUND = 6
GRADIENT = "gradient"


class Peer:
    """A process that answers."""

    def __init__(self, python: str, name: str, threads: int, folder: Path) -> None:
        self.name, self.missing, self.runtime = name, "", ""
        self.ms: list[float] = []
        self.cpu_ms: list[float] = []
        words = [python, str(HERE / "peer_process.py"), name, str(threads), str(folder)]
        self._log = (folder / f"{len(list(folder.glob('*.log')))}.log").open("w+")
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            # Another Python has not installed this project. Threads of OpenMP that wait are to sleep, as the Makefile
            # has it: spinning, torch takes many times as long with two threads on a machine that others use.
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_WAIT_POLICY": "passive"},
        )
        facts = self._answer()
        self.missing, self.runtime = facts.get("missing", ""), facts.get("ready", "")
        cosine = facts.get("cosine")
        if not self.missing and cosine is not None and not cosine >= LOWEST_COSINE:
            raise SystemExit(f"{name}: expected what torch gives, found a cosine of {cosine}")

    def measure(self, runs: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{runs}\n")
        self._process.stdin.flush()
        facts = self._answer()
        self.ms.append(float(np.median(facts["ms"])))
        self.cpu_ms.append(facts["cpu_ms"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._log.seek(0)
        said = self._log.read().strip().splitlines()
        return {"missing": f"the process ended: {said[-1] if said else 'without a word'}"}


@dataclass
class Table:
    """The peers of one number of threads."""

    threads: int
    peers: list[Peer] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield from (f"### {self.threads} thread{'s' * (self.threads > 1)}", "")
        yield "| | by | time against petalveil | median, ms | lowest, ms | CPU, ms a run |"
        yield "|---|---|---|---|---|---|"
        for peer in self.peers:
            if peer.missing:
                yield f"| {peer.name} | not measured: {peer.missing} | | | | |"
                continue
            ratios = np.array(peer.ms) / np.array(self._base(peer).ms)
            low, middle, high = np.percentile(ratios, [25, 50, 75])
            ratio = "1" if peer is self._base(peer) else f"{middle:.2f} ({low:.2f} to {high:.2f})"
            # The tool makes its session anew each time, so its processor time is not that of its runs.
            cpu = "" if peer.name == TEST_TOOL else f"{np.median(peer.cpu_ms):.1f}"
            figures = f"{np.median(peer.ms):.1f} | {min(peer.ms):.1f} | {cpu}"
            yield f"| {peer.name} | {peer.runtime} | {ratio} | {figures} |"
        yield ""

    def _base(self, peer: Peer) -> Peer:
        name = "petalveil, gradient" if GRADIENT in peer.name else "petalveil"
        return next(one for one in self.peers if one.name == name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--executorch", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--out", type=Path, help="a document; what is between its two comments is replaced")
    options = parser.parse_args()
    lines = [
        f"EfficientNet-Lite0, 224 px, batch 1, float32. Machine: {machine()}. Date: {date.today().isoformat()}.",
        f"Command: `python tests/benchmarks/bench_peers.py --threads {options.threads} --rounds {options.rounds}`;",
        f"each round {RUNS_A_ROUND} runs of each peer, in turn; quartiles in brackets; each checked against torch on",
        f"the reference image (cosine of at least {LOWEST_COSINE}).",
        "",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare = [sys.executable, str(HERE / "peer_process.py"), "prepare", "1", name]
        subprocess.run(prepare, check=True, stdout=subprocess.DEVNULL)
        for threads in (int(count) for count in options.threads.split(",")):
            lines += _measured(threads, folder, options).lines()
    text = "\n".join(lines)
    print(text)
    if options.out:
        before, _, rest = options.out.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        options.out.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return 0


def _measured(threads: int, folder: Path, options: argparse.Namespace) -> Table:
    table = Table(threads)
    for name in MAKERS:
        python = options.executorch if name == EXECUTORCH else sys.executable
        table.peers.append(Peer(python, name, threads, folder))
    present = [peer for peer in table.peers if not peer.missing]
    for number in range(options.rounds):
        first = number % len(present)  # so that nobody always comes first
        for peer in present[first:] + present[:first]:
            peer.measure(RUNS_A_ROUND)
    for peer in table.peers:
        peer.close()
    return table


if __name__ == "__main__":
    sys.exit(main())

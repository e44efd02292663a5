"""The command `petalveil`: cloak, classify, bench, demo, selftest."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from mobile_app.cli.arguments import parse
from mobile_app.core.errors import PetalveilError

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; 2, for wrong usage, comes as SystemExit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may hold what the screen's encoding cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        code = options.run(options)
        sys.stdout.flush()  # so that a closed pipe or a full disk shows here
    except PetalveilError as error:
        return _say(str(error), FAILED)
    except KeyboardInterrupt:
        return _say("stopped", INTERRUPTED)
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except MemoryError:
        return _say("not enough memory; close other programs or use a smaller photo", FAILED)
    except OSError as error:  # of printing: files have sentences of their own
        _silence_stdout()
        return _say(error.strerror or str(error), FAILED)
    return code


def _say(sentence: str, code: int) -> int:
    print(f"petalveil: {sentence}", file=sys.stderr)
    return code


def _silence_stdout() -> None:
    """Send what is still buffered nowhere: Python flushes once more when it ends, and would complain."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

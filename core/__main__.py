"""Answer what agents ask, prove what happened, copy a pattern: `python -m core --help`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from .approvers.account import account_name, at
from .commands.desk import Desk, Missing, Misused, Otherwise
from .commands.grammar import parser
from .commands.ink import line
from .model import NotCounted, StoreError, Unencodable, utc_now

OTHERWISE, MISUSED, MISSING, INTERRUPTED = 1, 2, 3, 130
CODES: Mapping[type[Exception], int] = {
    Otherwise: OTHERWISE,
    NotCounted: OTHERWISE,
    Missing: MISSING,
    Misused: MISUSED,
    StoreError: MISUSED,
    Unencodable: MISUSED,
}


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code; what is wrong goes to standard error.

    Args:
        words: What stands on the command line after the program.
        environ: Where `GATE_STORE` may name the store.
    """
    try:
        return _run(words, environ)
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _close_pipe()
        return OTHERWISE
    except tuple(CODES) as error:
        return _failed(error, next(code for kind, code in CODES.items() if isinstance(error, kind)))
    except Exception as error:  # a store can hold anything once others have written into it
        return _failed(f"this cannot be done ({type(error).__name__}: {error})", MISUSED)


def _run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    known = parser(f"python -m {__package__}")
    options = known.parse_args(words)
    if options.run is None:
        raise Misused(f"say what to do; see {known.prog} --help")
    attended = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    desk = Desk(
        store_name=options.store or environ.get("GATE_STORE", ""),
        by=options.by or account_name(),
        window=at("command line"),
        as_json=options.json,
        out=sys.stdout,
        ask=_ask if attended else None,
        now=utc_now,
    )
    code: int = options.run(desk, options)
    sys.stdout.flush()
    return code


def _ask(question: str) -> str:
    """Put a question; what was typed before it was put is no answer to it."""
    import termios

    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return input(question)
    except EOFError:
        return ""


def _failed(why: object, code: int) -> int:
    sys.stderr.write(f"{line(why)}\n")
    return code


def _close_pipe() -> None:
    """Nobody reads on; without this, closing the interpreter would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # a terminal without UTF-8 gets codes, not a crash
    sys.exit(main(sys.argv[1:], os.environ))

"""A program around an agent: an exit code, and one sentence when something goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ..display import safe
from ..model import Unencodable

DONE, FAILED, INTERRUPTED = 0, 1, 130


def ended(
    command: Callable[[], object],
    *problems: type[Exception],
    interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,),
) -> int:
    """Run a command and return the exit code; what goes wrong is told on standard error.

    Args:
        problems: What may be raised with a sentence for the person, beside the errors of core and
            of the operating system. Anything else is a mistake of ours, and passes through.
        interrupts: What is raised when the person has pressed Ctrl-C.
    """
    known: tuple[type[Exception], ...] = (OSError, RuntimeError, Unencodable, *problems)
    try:
        command()
    except interrupts as interrupt:
        tell(str(interrupt) or "Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads on; closing the interpreter must not complain again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except known as problem:
        tell(str(problem))
        return FAILED
    return DONE


def show(text: str, *, end: str = "\n") -> None:
    """Print a result; what could move the cursor or hide is written out."""
    print(safe(text, newlines=True), end=end, flush=True)


def tell(sentence: str) -> None:
    """Say something to the person that is no result."""
    print(safe(sentence, newlines=True), file=sys.stderr, flush=True)

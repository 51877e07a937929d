"""Run a command without a shell, hand on what it prints, and leave nothing of it behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from ..errors import CommandFailed
from ..model import Command
from .minded import GRACE, in_words, minded
from .printed import Printed

MARGIN = 10.0  # seconds after which whoever minds a command should have ended it


def run(
    command: Command,
    folder: Path,
    log: Callable[[bytes], object],
    *,
    kept: Sequence[int] = (),
    grace: float = GRACE,
) -> None:
    """Run a command in `folder`; when this returns or raises, nothing of it runs any more.

    It finds `PATH`, `HOME`, `LANG` and its own `env` in its environment, nothing to read on its
    standard input, and gets neither a terminal nor an open file of ours. What it leaves running
    when it ends is killed. After 10 MB its output is left out, but for the end.

    Args:
        log: Gets what it prints, as it comes; an error of it ends the command.
        kept: Open files to hold until the command and all it has started have ended.
        grace: Seconds between being asked to end and being killed.

    Raises:
        CommandFailed: It could not be started, did not end with 0, or not in time.
    """
    printed = Printed(log)
    until = monotonic() + command.seconds + grace + MARGIN
    with minded(command, folder, kept=kept, grace=grace) as one:
        while not one.is_over and monotonic() < until:
            one.listen(printed.take, seconds=until - monotonic())
    printed.close()
    if one.how != "exit 0":
        never = one.how.startswith("failed")
        raise CommandFailed(in_words(command, one.how) + ("." if never else printed.quoted()))

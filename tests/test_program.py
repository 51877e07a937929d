"""A program around an agent ends with a code and a sentence, never with a traceback of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import StoreError, Unencodable
from core.runners.program import DONE, FAILED, INTERRUPTED, ended, show, tell


class Trouble(Exception):
    """An application's own."""


def raising(error):
    """A command that raises it."""

    def command():
        raise error

    return command


@pytest.mark.parametrize(
    "error", [Trouble("no"), OSError("no"), StoreError("no"), Unencodable("no"), TimeoutError("no")]
)
def test_what_is_known_to_go_wrong_is_one_sentence(capsys, error):
    """On standard error, with the exit code of a failure."""
    assert ended(raising(error), Trouble) == FAILED
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "no\n")


@pytest.mark.parametrize(("said", "told"), [("", "Interrupted.\n"), ("not again", "not again\n")])
def test_ctrl_c_is_told_apart(capsys, said, told):
    """130, and a sentence in every case."""
    assert ended(raising(KeyboardInterrupt(said))) == INTERRUPTED
    assert capsys.readouterr().err == told


def test_a_mistake_of_ours_is_not_hidden():
    """Whatever nobody has foreseen passes through, with its traceback."""
    with pytest.raises(ZeroDivisionError):
        ended(lambda: 1 // 0, Trouble)
    with pytest.raises(Trouble):
        ended(raising(Trouble("no")))


def test_what_is_shown_cannot_move_the_cursor(capsys):
    """Escape codes and reversed text are written out; lines stay lines."""
    assert ended(lambda: show("one\ntwo\x1b[2J\u202e")) == DONE
    tell("\x1b[31mred")
    told = capsys.readouterr()
    assert told.out.startswith("one\ntwo")
    assert "\x1b" not in told.out + told.err
    assert "\u202e" not in told.out


def test_nobody_who_reads_on_is_no_traceback():
    """`program | head -1` ends quietly."""
    code = (
        "import sys; from core.runners.program import ended, show;"
        " sys.exit(ended(lambda: [show('line') for _ in range(100_000)]))"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ},
    )
    assert program.stdout.readline() == b"line\n"
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait(30) == FAILED

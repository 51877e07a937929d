"""Lend the terminal to the person's own editor, and get it back whatever happens."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from .teletype import CalledAway, Teletype

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_TO_LEAVE = 2.0


class NoEditor(Exception):
    """The editor is not there, failed, or left something that is not text."""


def in_editor(tty: Teletype, text: str, suffix: str = ".txt") -> str:
    """Return what the person makes of `text` in `$VISUAL`, `$EDITOR` or vi.

    Editors end the last line of a file; that line feed is taken off again when `text` had none.

    Raises:
        NoEditor: In one sentence; nothing was changed.
        CalledAway: Nobody needs it any more; the editor has been ended.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    if not command or shutil.which(command[0]) is None:
        raise NoEditor(f"there is no editor {' '.join(command)}; set EDITOR")
    with tempfile.TemporaryDirectory(prefix="edit-") as folder:
        file = Path(folder) / f"value{suffix}"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        if status := _run(tty, [*command, str(file)]):
            raise NoEditor(f"{command[0]} ended with status {status}")
        try:
            edited = file.read_bytes().decode("utf-8", "surrogatepass")
        except (OSError, UnicodeDecodeError) as error:
            raise NoEditor(f"what {command[0]} left cannot be read: {error}") from None
    return edited if text.endswith("\n") else edited.removesuffix("\n")


def _run(tty: Teletype, command: list[str]) -> int:
    """Run in the foreground, in a group of its own: its Ctrl-C is not ours."""
    device = tty.lend()
    try:
        with open(device, "r+b", buffering=0) as window:  # noqa: PTH123 - a device, not a file
            editor = subprocess.Popen(
                command, stdin=window, stdout=window, stderr=window, process_group=0
            )
            try:
                _bring_forward(window.fileno(), editor.pid)
                _to_the_end(tty, editor)
            finally:
                _end(editor)
                _bring_forward(window.fileno(), os.getpgrp())
    except OSError as error:
        raise NoEditor(f"{command[0]} could not be started: {error.strerror}") from None
    finally:
        tty.take()
    return editor.returncode


def _bring_forward(fd: int, group: int) -> None:
    """Make `group` the one the keyboard belongs to. The kernel stops whoever asks unprepared."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with suppress(OSError):  # not the terminal that controls us: then no group is in front
            os.tcsetpgrp(fd, group)
            os.killpg(group, signal.SIGCONT)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _to_the_end(tty: Teletype, editor: subprocess.Popen[bytes]) -> None:
    while editor.returncode is None:
        if tty.is_called_away():
            raise CalledAway
        with suppress(subprocess.TimeoutExpired):
            editor.wait(SECONDS_BETWEEN_LOOKS)
        with suppress(ChildProcessError):
            if os.waitid(os.P_PID, editor.pid, os.WSTOPPED | os.WNOHANG):
                os.killpg(editor.pid, signal.SIGCONT)  # there is no shell to bring it back


def _end(editor: subprocess.Popen[bytes]) -> None:
    for order in (editor.terminate, editor.kill):
        if editor.poll() is None:
            order()
            with suppress(subprocess.TimeoutExpired):
                editor.wait(SECONDS_TO_LEAVE)

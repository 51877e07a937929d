"""A terminal that one thread talks to, and that any other thread can call it away from.

Reading waits for the keyboard and for a pipe at once, so nothing is ever stuck in a read that
cannot be ended. Keys come one by one and unechoed; Ctrl-C is a key like any other while a request
is on the screen, because it is about that request and not about the program.
"""

from __future__ import annotations

import atexit
import codecs
import os
import select
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, TypeVar

A = TypeVar("A")
R = TypeVar("R")

BEGIN_PASTE, END_PASTE = "\x1b[200~", "\x1b[201~"
PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
SECONDS_WITHIN_A_KEY = 0.05
NAMES = {
    "\r": "enter",
    "\n": "enter",
    "\x03": "interrupt",
    "\x04": "end",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x15": "clear",
    "\x01": "home",
    "\x05": "last",
    "\x1b": "escape",
    "\x1b[D": "left",
    "\x1b[C": "right",
    "\x1b[H": "home",
    "\x1b[F": "last",
    "\x1b[3~": "delete",
}


class NoTerminal(Exception):
    """There is no terminal, or this process may not talk to it now. Says which."""


class Interrupted(Exception):
    """The person pressed Ctrl-C or Ctrl-D, or is gone with the terminal."""


class CalledAway(Exception):
    """Another thread said that this is no longer needed."""


class Key(NamedTuple):
    """One key, or one paste. `text` is what it would write, empty for keys that write nothing."""

    name: str
    text: str = ""


class Teletype:
    """A terminal, opened by path and given back as it was.

    Raises:
        NoTerminal: It cannot be opened, or this process runs in the background.
    """

    def __init__(self, path: str = "/dev/tty") -> None:
        self.path = path
        self._fd = _opened(path)
        self._woken, self._wake = os.pipe()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._read = ""
        self._closing = threading.Lock()
        self._before = termios.tcgetattr(self._fd)

    def __enter__(self) -> Teletype:
        atexit.register(self._restore)  # a daemon thread may be cut off before it leaves
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.last_words(PASTE_OFF if _has_paste_marks() else "")
        self.flush()
        self._restore()
        atexit.unregister(self._restore)
        with self._closing:
            for fd in (self._fd, self._woken, self._wake):
                os.close(fd)
            self._wake = -1

    def take(self) -> None:
        """Make the keyboard send single keys, unechoed; after an editor had it, once more."""
        mode = termios.tcgetattr(self._fd)
        mode[0] &= ~(termios.IXON | termios.ISTRIP)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        if _has_paste_marks():
            self.write(PASTE_ON)

    def lend(self) -> str:
        """Put the terminal back as it was, for another program, and return its path."""
        if _has_paste_marks():
            self.write(PASTE_OFF)
        self._restore()
        return self.path

    def _restore(self) -> None:
        with suppress(termios.error, OSError):  # the terminal may be gone
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)

    def call_away(self) -> None:
        """Make whatever the talking thread waits for raise `CalledAway`. From any thread."""
        with self._closing:  # a closed descriptor's number may be somebody's file by now
            if self._wake >= 0:
                os.write(self._wake, b"!")

    def is_called_away(self) -> bool:
        """Whether another thread has said so."""
        return bool(select.select([self._woken], [], [], 0)[0])

    def size(self) -> tuple[int, int]:
        """Return columns and rows; 80 and 24 where the terminal does not know."""
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self._fd)
            return columns or 80, rows or 24
        return 80, 24

    def flush(self) -> None:
        """Forget what was typed before now: it was not an answer to what comes next."""
        self._read = ""
        self._decoder.reset()
        with suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIFLUSH)

    def write(self, text: str) -> None:
        """Write `text`, which must be safe to print."""
        data = text.encode("utf-8", "backslashreplace")
        while data:
            self._wait(write=True)
            with suppress(BlockingIOError):
                data = data[_attempted(os.write, self._fd, data[:1024]) :]

    def last_words(self, text: str) -> None:
        """Write `text` if that is possible at once, though nobody waits here any more."""
        with suppress(OSError):
            os.write(self._fd, text.encode("utf-8", "backslashreplace"))

    def key(self) -> Key:
        """Return the next key or paste.

        Raises:
            CalledAway: Instead of waiting on.
            Interrupted: The terminal is gone.
        """
        text = self._character()
        if text == "\x1b":
            text = self._sequence()
        if text == BEGIN_PASTE:
            return Key("paste", self._paste())
        if name := NAMES.get(text):
            return Key(name)
        return Key(text, text) if len(text) == 1 and text >= " " else Key("unknown")

    def _sequence(self) -> str:
        """Read what a special key sends after its escape character."""
        text = "\x1b"
        while self._comes_soon():
            text += self._character()
            if text[1:2] not in "[O" or (len(text) > 2 and "@" <= text[-1] <= "~"):
                break
        return text.replace("\x1bO", "\x1b[")

    def _paste(self) -> str:
        text = ""
        while not text.endswith(END_PASTE):
            text += self._character()
        return text.removesuffix(END_PASTE).replace("\r\n", "\n").replace("\r", "\n")

    def _comes_soon(self) -> bool:
        return bool(self._read or select.select([self._fd], [], [], SECONDS_WITHIN_A_KEY)[0])

    def _character(self) -> str:
        while not self._read:
            self._wait(write=False)
            with suppress(BlockingIOError):
                data = _attempted(os.read, self._fd, 4096)
                if not data:
                    raise Interrupted("the terminal was closed")
                self._read = self._decoder.decode(data)
        first, self._read = self._read[0], self._read[1:]
        return first

    def _wait(self, *, write: bool) -> None:
        readers = [self._woken] if write else [self._woken, self._fd]
        ready = select.select(readers, [self._fd] if write else [], [])
        if self._woken in ready[0]:
            raise CalledAway


def _has_paste_marks() -> bool:
    return os.environ.get("TERM", "dumb") != "dumb"


def _opened(path: str) -> int:
    """Return a descriptor of our own: not blocking, and nobody else's standard input."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NoTerminal(f"no one is at a terminal ({path}: {error.strerror})") from None
    if not os.isatty(fd):
        os.close(fd)
        raise NoTerminal(f"no one is at a terminal ({path} is not one)")
    if _is_in_background(fd):
        os.close(fd)
        raise NoTerminal("no one is at the terminal: this process runs in the background")
    return fd


def _is_in_background(fd: int) -> bool:
    """Talking to the terminal from the background would stop the whole process."""
    with suppress(OSError):  # a terminal that does not control this process has no foreground
        return os.tcgetpgrp(fd) != os.getpgrp()
    return False


def _attempted(call: Callable[[int, A], R], fd: int, what: A) -> R:
    """Read or write; a terminal that hung up is a person who left."""
    try:
        return call(fd, what)
    except BlockingIOError:
        raise
    except OSError as error:
        raise Interrupted(f"the terminal was closed ({error.strerror})") from None

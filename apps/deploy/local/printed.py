"""Hand on what a command prints, but no more than anybody wants to keep."""

from __future__ import annotations

import re
from collections.abc import Callable

MOST = 10_000_000  # bytes that are handed on
TAIL = 4_000  # bytes that are kept for the end of what was cut
LAST = 3  # lines that a failure quotes
WIDEST = 200  # characters of each of them
ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])")


class Printed:
    """What a command prints: the beginning and the end of it."""

    def __init__(self, log: Callable[[bytes], object], *, most: int = MOST) -> None:
        self._log, self._left = log, most
        self._tail, self._cut = b"", 0

    def take(self, chunk: bytes) -> None:
        """Hand on a piece, or only remember its end when there has been too much."""
        whole, rest = chunk[: self._left], chunk[self._left :]
        self._left -= len(whole)
        self._cut += len(rest)
        self._tail = (self._tail + chunk)[-TAIL:]
        if whole:
            self._log(whole)

    def close(self) -> None:
        """Say how much was left out, and hand on the end."""
        if self._cut:
            end = self._tail[-min(self._cut, TAIL) :]
            self._log(f"\n[{self._cut - len(end):,} bytes are left out here]\n".encode())
            self._log(end)

    def quoted(self) -> str:
        """Return the last lines as the end of a sentence."""
        lines = [line for line in map(str.strip, readable(self._tail).splitlines()) if line]
        if not lines:
            return ", and printed nothing."
        return f"; it printed last: {' | '.join(line[-WIDEST:] for line in lines[-LAST:])}"


def readable(content: bytes) -> str:
    r"""Return what was printed as text: no colours, odd bytes as `\xNN`, tabs as spaces."""
    text = ESCAPES.sub("", content.decode("utf-8", "backslashreplace")).expandtabs()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(
        "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines
    )

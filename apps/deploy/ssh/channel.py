"""One program that runs on a host: what goes in, what comes out, and how it ends.

An SSH library calls the first half from its event loop; whoever waits for the program calls the
second half from an ordinary thread, where Ctrl-C reaches it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event
from typing import Protocol, TypeAlias

MOST_WAITING = 1 << 20  # bytes that came and that nobody has read yet
MOST_SAID = 1 << 16  # bytes of a script's own words that are kept
SECONDS_STUCK = 120.0
SECONDS_AFTER = 1.0  # for output that is still on its way when the end is known already
STDERR = 1


class ChannelLost(ConnectionError):
    """The program's end will never be known here: the connection is gone."""


Came: TypeAlias = bytes | int | None  # what it printed; how it ended; nothing more will come


class Wire(Protocol):
    """What the library's channel can do, as far as it is needed here."""

    def write(self, data: bytes, /) -> None: ...
    def write_eof(self) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Channel:
    """A program on the other side.

    Attributes:
        said: What it wrote as errors, up to a limit: our own scripts speak there.
    """

    STILL_RUNS = -1

    def __init__(self, loop: asyncio.AbstractEventLoop, *, beat: float = 0.0) -> None:
        """Make one for an event loop.

        Args:
            beat: Write a dot to the program so often, in seconds, so that it knows somebody is
                there; 0 for never.
        """
        self.said = b""
        self._loop = loop
        self._beat = beat
        self._came: SimpleQueue[Came] = SimpleQueue()
        self._waiting = 0
        self._may_write = Event()
        self._may_write.set()
        self._is_over = Event()
        self._channel: Wire | None = None
        self._beating: asyncio.TimerHandle | None = None

    # What the library calls, in its event loop.

    def connection_made(self, chan: Wire) -> None:
        """Take the channel; nothing runs yet."""
        self._channel = chan

    def session_started(self) -> None:
        """The program runs; its script comes before the first dot."""
        if self._beat:
            self._beating = self._loop.call_later(self._beat, self._dot)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep what came; stop listening when nobody reads it."""
        if datatype == STDERR:
            self.said = (self.said + data)[:MOST_SAID]
            return
        self._waiting += len(data)
        self._came.put(data)
        if self._waiting > MOST_WAITING and self._channel:
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        """It will print no more; it may still read."""
        return True

    def exit_status_received(self, status: int) -> None:
        """It ended."""
        self._came.put(status)

    def exit_signal_received(self, signal: str, _core: bool, _text: str, _lang: str) -> None:
        """It was killed; the connection's end follows."""
        self.said += f"killed by SIG{signal}".encode()

    def connection_lost(self, _error: Exception | None) -> None:
        """Nothing more will come."""
        self._channel = None
        if self._beating:
            self._beating.cancel()
        self._is_over.set()
        self._may_write.set()
        self._came.put(None)

    def pause_writing(self) -> None:
        """The other side reads slowly."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """The other side has read."""
        self._may_write.set()

    def _dot(self) -> None:
        if self._channel and not self._channel.is_closing():
            self._channel.write(b".")
            self._beating = self._loop.call_later(self._beat, self._dot)

    # What whoever waits calls, in a thread of its own.

    @property
    def is_over(self) -> bool:
        """Whether the program has ended, or the way to it is gone."""
        return self._is_over.is_set()

    def send(self, data: bytes) -> bool:
        """Give the program something to read; say whether it still takes any."""
        if not self._may_write.wait(SECONDS_STUCK):
            raise TimeoutError
        if self.is_over:
            return False
        asyncio.run_coroutine_threadsafe(self._written(data), self._loop).result(SECONDS_STUCK)
        return True

    async def _written(self, data: bytes) -> None:
        if self._channel and not self._channel.is_closing():
            self._channel.write(data)

    def end_input(self) -> None:
        """Let the program see the end of what it can read."""
        self._soon(self._eof)

    def _eof(self) -> None:
        if self._channel:
            self._channel.write_eof()

    def _receive(self, seconds: float) -> Came:
        """Return the next thing that came.

        Raises:
            TimeoutError: Nothing came in so many seconds.
        """
        try:
            came = self._came.get(timeout=max(seconds, 0.0))
        except Empty:
            raise TimeoutError from None
        if isinstance(came, bytes):
            self._soon(lambda: self._read(len(came)))
        return came

    def _soon(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and so is the channel
            self._loop.call_soon_threadsafe(work)

    def _read(self, size: int) -> None:
        self._waiting -= size
        if self._waiting <= MOST_WAITING and self._channel:
            self._channel.resume_reading()

    def wait(
        self,
        log: Callable[[bytes], object],
        *,
        seconds: float,
        enough: Callable[[], bool] = lambda: False,
    ) -> int:
        """Hand on what the program prints until it ends; return its status.

        Something that it leaves behind may hold its output open; that is not waited for.

        Args:
            enough: Asked after each piece; `STILL_RUNS` is returned when it says so.

        Raises:
            ChannelLost: The connection is gone.
            TimeoutError: It still runs after so many seconds.
        """
        until = time.monotonic() + seconds
        status: int | None = None
        while True:
            try:
                came = self._receive(until - time.monotonic())
            except TimeoutError:
                if status is None:
                    raise
                return status
            match came:
                case bytes():
                    log(came)
                    if enough():
                        return self.STILL_RUNS
                case int():
                    status, until = came, time.monotonic() + SECONDS_AFTER
                case None:
                    if status is None:
                        raise ChannelLost
                    return status

    def close(self) -> None:
        """End it; a program that listens to us learns that we are gone."""
        self._soon(self._abort)

    def _abort(self) -> None:
        if self._channel:
            self._channel.abort()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_over:
            self.close()

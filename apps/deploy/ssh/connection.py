"""One connection to one host, kept open in a thread of its own and asked from any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Unreachable
from .channel import Channel, ChannelLost
from .reaching import Address, reach

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

SECONDS_TO_CLOSE = 5.0

T = TypeVar("T")


class Connection:
    """The way to a host; opened when it is first needed, and again when it was lost meanwhile."""

    def __init__(
        self, address: Address, *, greeting: bytes, greet: Callable[[Channel], None]
    ) -> None:
        """Name the host; nothing is opened yet.

        Args:
            greeting: A script that is run first whenever the host was reached anew.
            greet: Reads what it says; raises `Unreachable` when this host will not do.
        """
        self._address = address
        self._greeting = greeting
        self._greet = greet
        self._turn = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._open: SSHClientConnection | None = None

    def start(self, script: bytes, *, beat: float = 0.0) -> Channel:
        """Start a script on the host; a connection that was lost meanwhile is opened again.

        Args:
            beat: See `Channel`.

        Raises:
            Unreachable: The host cannot be reached, or the connection was lost before the script
                was read.
        """
        with self._turn:
            if self._open is None or self._open.is_closed():
                self._reach()
            try:
                return self._started(script, beat)
            except ChannelLost:
                self._reach()  # it had gone without a word
                try:
                    return self._started(script, beat)
                except ChannelLost as error:
                    raise Unreachable(
                        f"{self._address.text} lets us in but starts no programs for us: see what"
                        " its sshd logged about it. Nothing was changed there."
                    ) from error

    def _reach(self) -> None:
        self._open = self._do(reach(self._address), self._address.seconds + SECONDS_TO_CLOSE)
        with suppress(ChannelLost), self._started(self._greeting, 0.0) as channel:
            self._greet(channel)

    def _started(self, script: bytes, beat: float) -> Channel:
        """Start a shell that reads so many bytes as its script; what follows is for the script.

        On the command line the script would be seen by everybody on the host, with all that its
        commands find in their environment.
        """
        assert self._open is not None
        channel = Channel(self._running(), beat=beat)
        shell = f"exec sh -c 'eval \"$(head -c {len(script)})\"'"
        try:
            self._do(_opened(self._open, channel, shell), self._address.seconds)
            channel.send(script)
        except TimeoutError as error:
            raise ChannelLost from error
        return channel

    def _do(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Do something in the connection's own thread, and wait for it here."""
        doing = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return doing.result(seconds)
        except BaseException:
            doing.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = Thread(target=self._loop.run_forever, name="ssh", daemon=True)
            self._thread.start()
        return self._loop

    def close(self) -> None:
        """Hang up; whoever still waits for the host learns that the connection is gone."""
        with self._turn:
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                return
            with suppress(TimeoutError):
                self._do(_closed(self._open), SECONDS_TO_CLOSE)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            self._loop = self._thread = self._open = None


async def _opened(connection: Any, channel: Channel, command: str) -> None:
    """Start a command; the library's types for this are open, so they say nothing to a checker."""
    import asyncssh

    try:
        await connection.create_session(lambda: channel, command, encoding=None)
    except (OSError, asyncssh.Error) as error:
        raise ChannelLost from error


async def _closed(connection: SSHClientConnection | None) -> None:
    if connection is not None:
        connection.close()
        await connection.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

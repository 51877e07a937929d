"""Ask the person at the keyboard about a whole batch at once: one table, and one answer for all."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

from ..model import ApprovalRequest, Decision, Reject
from .account import account_name, at
from .batch_table import number_of
from .batch_talk import talk
from .teletype import NoTerminal, Teletype
from .terminal import NOT_NEEDED, InTurn, Terminal

QUIET_SECONDS = 0.1


class Together:
    """Gather the requests of a batch, show them as one table, and let a person decide.

    All of them, a range, one by one, or one edited; Enter decides nothing. What a row cannot show
    whole is looked at alone. A request outside of a batch is asked about as `Terminal` asks.

    Args:
        by: Name of the person; the account of this process when empty.
        device: The terminal; standard input and output are left alone.
        quiet: Seconds without another request after which the batch is taken to be complete.
    """

    def __init__(
        self, *, by: str = "", device: str = "/dev/tty", quiet: float = QUIET_SECONDS
    ) -> None:
        self._by, self._device, self._quiet = by, device, quiet
        self._gathering: dict[tuple[int, str], Gathering] = {}

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        if request.batch is None:
            return await Terminal(by=self._by, device=self._device)(request)
        place = (id(asyncio.get_running_loop()), request.batch.id)
        gathering = self._gathering.get(place)
        if gathering is None or gathering.is_closed:
            gathering = self._gathering[place] = Gathering(self._by or account_name(), self._device)
            gathering.begin(self._quiet)
        try:
            decision = await gathering.answer(request)
        finally:
            if gathering.is_over and self._gathering.get(place) is gathering:
                del self._gathering[place]
        return replace(decision, window=at("terminal"))


class Gathering:
    """The requests that are shown in one table.

    Attributes:
        is_closed: Whether it is on the screen, so that no other request can come into it.
    """

    def __init__(self, by: str, device: str) -> None:
        self._by, self._device = by, device
        self._lock = threading.Lock()
        self._open: dict[str, tuple[ApprovalRequest, Future[Decision]]] = {}
        self._news = asyncio.Event()
        self._tty: Teletype | None = None
        self._work: asyncio.Task[None] | None = None
        self.is_closed = False

    @property
    def is_over(self) -> bool:
        """Whether nobody waits in it any more."""
        with self._lock:
            return not self._open

    def begin(self, quiet: float) -> None:
        """Wait for the other requests of the batch, then ask."""
        self._work = asyncio.create_task(self._asked(quiet))

    async def answer(self, request: ApprovalRequest) -> Decision:
        """Return what the person says of one request; leave the table when it is withdrawn."""
        answer: Future[Decision] = Future()
        with self._lock:
            self._open[request.id] = (request, answer)
        self._news.set()
        try:
            return await asyncio.wrap_future(answer)
        finally:
            await self._left(request)

    async def _left(self, request: ApprovalRequest) -> None:
        with self._lock:
            self._open.pop(request.id, None)
            is_last = not self._open
        if is_last and self._work is not None:
            if self._tty is not None:
                self._tty.call_away()
            elif not self.is_closed:
                self._work.cancel()
            await _quietly(self._work)

    async def _asked(self, quiet: float) -> None:
        """Show the table once no other request comes, when the terminal is free."""
        try:
            with suppress(TimeoutError):
                while True:
                    self._news.clear()
                    async with asyncio.timeout(quiet):
                        await self._news.wait()
            async with InTurn():
                self.is_closed = True
                await self._in_thread()
        except NoTerminal as nobody:
            self._all(Reject(by="terminal", reason=str(nobody)))
        except Exception as error:
            self._all(Reject(by="terminal", reason=f"{type(error).__name__}: {error}"))
        finally:
            self.is_closed = True
            self._all(Reject(by="terminal", reason=NOT_NEEDED))

    async def _in_thread(self) -> None:
        """Talk in a thread, and do not return before it has left the terminal."""
        self._tty = tty = Teletype(self._device)
        done: Future[None] = Future()
        arguments = (done, tty)
        threading.Thread(target=self._talk, args=arguments, daemon=True, name="terminal").start()
        try:
            await asyncio.shield(asyncio.wrap_future(done))
        except asyncio.CancelledError:
            tty.call_away()
            await _quietly(asyncio.wrap_future(done))
            raise

    def _talk(self, done: Future[None], tty: Teletype) -> None:
        try:
            with tty:
                talk(tty, self._waiting, self._decide, self._by)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _waiting(self) -> list[ApprovalRequest]:
        with self._lock:
            found = [request for request, answer in self._open.values() if not answer.done()]
        return sorted(found, key=number_of)

    def _decide(self, request: ApprovalRequest, decision: Decision) -> None:
        with self._lock:
            _, answer = self._open.get(request.id, (request, None))
        if answer is not None and answer.set_running_or_notify_cancel():
            answer.set_result(decision)

    def _all(self, decision: Decision) -> None:
        for request in self._waiting():
            self._decide(request, decision)


async def _quietly(work: asyncio.Future[None]) -> None:
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work])

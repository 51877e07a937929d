"""News as they happen: hints that something has changed; pages then look for themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import ExitStack, suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ...model import StoreError
from .context import Context, context
from .pages import Problem, looked_up
from .tray import Tray, last_seq, tray

MOST_STREAMS = 2_000
MOST_HINTS = 50
SECONDS_BETWEEN_NEWS = 0.2
SECONDS_BETWEEN_HEARTBEATS = 15.0


class Listener:
    """One open stream, and what it has not been told yet."""

    def __init__(self) -> None:
        self.changes: dict[str, str] = {}
        self.more = False
        self.news = asyncio.Event()

    def tell(self, changes: dict[str, str]) -> None:
        """Add news; who reads slowly is told less, never later."""
        self.changes |= changes
        if len(self.changes) > MOST_HINTS:
            self.changes, self.more = {}, True
        self.news.set()

    def take(self) -> tuple[dict[str, str], bool]:
        """Return what is new, and whether there is more than that."""
        found = self.changes, self.more
        self.changes, self.more = {}, False
        self.news.clear()
        return found


class News:
    """One watch on the store for all open streams, as long as there is one."""

    def __init__(self, here: Context, held: Tray) -> None:
        self._store, self._now, self._tray = here.store, here.now, held
        self._listeners = set[Listener]()
        self._teller: asyncio.Task[None] | None = None
        self.waits = 0

    def join(self) -> Listener:
        """Begin to listen.

        Raises:
            Problem: 503: too many do.
        """
        if len(self._listeners) >= MOST_STREAMS:
            raise Problem(503, "Too many pages listen; this one does without.")
        listener = Listener()
        self._listeners.add(listener)
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())
        return listener

    def leave(self, listener: Listener) -> None:
        """End listening; the last one to leave ends the watch too."""
        self._listeners.discard(listener)
        if not self._listeners and self._teller is not None:
            self._teller.cancel()
            self._teller = None

    async def _tell(self) -> None:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop may have ended while the store was calling
                loop.call_soon_threadsafe(changed.set)

        with ExitStack() as watching:
            watching.enter_context(self._store.watch("", wake))
            seq = await looked_up(last_seq, self._store)
            while True:
                await changed.wait()
                changed.clear()
                with suppress(StoreError):  # it may be usable again by the next time
                    seq = await self._look(seq)
                await asyncio.sleep(SECONDS_BETWEEN_NEWS)

    async def _look(self, seq: int) -> int:
        """Read what came after a record, once for everybody; return the number of the last one."""
        records = await looked_up(lambda: [*self._store.trail(after=seq)])
        if not records:
            return seq
        await looked_up(self._tray.refresh)
        self.waits = len(self._tray.waiting(self._now()))
        changes = {one.request_id: one.event.rpartition(">")[2] for one in records}
        for listener in self._listeners:
            listener.tell(changes)
        return records[-1].seq


async def events(request: Request) -> Response:
    """Tell what changes until the session ends or the page is closed."""
    news = _news(request)
    listener = news.join()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _stream(news, listener), media_type="text/event-stream", headers=headers
    )


def _news(request: Request) -> News:
    state = request.app.state
    if not hasattr(state, "news"):
        state.news = News(context(request), tray(request))
    found: News = state.news
    return found


async def _stream(news: News, listener: Listener) -> AsyncGenerator[str]:
    try:
        yield "retry: 3000\n\n: here\n\n"
        while True:
            try:
                async with asyncio.timeout(SECONDS_BETWEEN_HEARTBEATS):
                    await listener.news.wait()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            changes, more = listener.take()
            yield _event({"changes": changes, "more": more, "waits": news.waits})
    finally:
        news.leave(listener)


def _event(told: dict[str, object]) -> str:
    return f"event: changed\ndata: {json.dumps(told)}\n\n"


routes = [Route("/events", events, methods=["GET"])]

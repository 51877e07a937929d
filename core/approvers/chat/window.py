"""An approver in a chat: it shows requests there, hears what people do, and reminds them."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from typing import Protocol, Self

from ...model import ApprovalRequest, Decision
from .board import Board


class Listener(Protocol):
    """What brings in what people do. It does not wait for the chat when it starts."""

    def start(self) -> None: ...
    def close(self) -> None: ...


class Window:
    """Show the request in the chat, and return what people decide, there or in another window.

    `with Slack(...) as slack:` opens the window at once, so that messages of an earlier run catch
    up, and closes it after the last word. Otherwise it opens with the first question, and closes
    with the process, which may be too late for the last word: then the next start says it.

    Args:
        place: Where people are asked.
        parts: What hears people, and whatever else has to be closed in the end.
    """

    def __init__(self, board: Board, place: str, *parts: Listener) -> None:
        self.board, self.place, self._parts = board, place, parts
        self._lock, self._is_open = threading.Lock(), False

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        self.start()
        return await self.board.ask(request, self.place)

    def elsewhere(self, place: str, /) -> Elsewhere:
        """Return an approver that asks in another place of the same chat."""
        return Elsewhere(self, place)

    def remind(self, request: ApprovalRequest, /) -> None:
        """Remind people under the message, once; those whose votes are missing are called."""
        self.start()
        self.board.remind(request.id, self.place)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Open the window if it is not open yet; what an earlier process has left goes on."""
        with self._lock:
            if not self._is_open:
                self._is_open = True
                self.board.start()
                for part in self._parts:
                    part.start()
                atexit.register(self.close)

    def close(self) -> None:
        """Say the last word in each message and close; what waits goes on waiting."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                atexit.unregister(self.close)
                for part in self._parts:
                    part.close()
            self.board.close()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The same window, asking in another place."""

    window: Window
    place: str

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        self.window.start()
        return await self.window.board.ask(request, self.place)

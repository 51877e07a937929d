"""Ask on the web: an approver that brings its own dashboard, from the first question on."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...model import ApprovalRequest, Decision, Store
from ..account import account_name
from ..inbox import Inbox

if TYPE_CHECKING:
    from .serving import Running

NEEDS = "the dashboard needs more packages: pip install 'gated-agents[dashboard]'"


class Dashboard:
    """Leave the request in the store, show it on the web, and return what people decide.

    The dashboard starts with the first question, in a thread, tells where it is once, and ends
    with the process. Other dashboards, and other windows, may stand on the same store.

    Args:
        by: Who may come in by the link that is printed; the account's name by default.
        users: A file of people who log in instead; needed to listen beyond this machine.
        port: 0 takes one that is free.
        origin: Where browsers find it, when something stands in front of it.
        say: Where the address is told.

    Raises:
        RuntimeError: At the first question, in one sentence: it cannot be started.
    """

    def __init__(
        self,
        store: Store,
        *,
        by: str = "",
        title: str = "Approvals",
        host: str = "127.0.0.1",
        port: int = 0,
        users: Path | None = None,
        origin: str = "",
        say: Callable[[str], object] = print,
    ) -> None:
        self._store, self._by, self._title = store, by, title
        self._host, self._port, self._users, self._origin = host, port, users, origin
        self._say, self._inbox = say, Inbox(store)
        self._running: Running | None = None
        self._lock = threading.Lock()

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        self.start()
        return await self._inbox(request)

    def start(self) -> None:
        """Start the dashboard if it does not run yet."""
        with self._lock:
            if self._running is None:
                self._running = self._started()
                atexit.register(self.close)

    def close(self) -> None:
        """Stop the dashboard; what waits goes on waiting in the store."""
        with self._lock:
            if self._running is not None:
                self._running.stop()
                self._running = None
                atexit.unregister(self.close)

    def _started(self) -> Running:
        try:
            from .serving import Place, Running, announce, dashboard, listening
        except ModuleNotFoundError as error:
            raise RuntimeError(f"{NEEDS} (there is no {error.name})") from None
        place = Place(
            host=self._host,
            port=self._port,
            origin=self._origin,
            users=self._users,
            by=self._by or account_name(),
            title=self._title,
        )
        context = dashboard(self._store, place, self._say)
        heard = listening(place)
        running = Running(context, heard)
        announce(context, heard)
        return running

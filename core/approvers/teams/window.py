"""Ask in Teams: an approver that writes cards into a conversation and hears what people press."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...model import Store
from ..chat.board import Board
from ..chat.listening import Door
from ..chat.notes import Notes
from ..chat.window import Window
from .door import PATH, door
from .hearing import Hearing
from .settings import Settings
from .wire import Adapter, Wire, bot


class Teams(Window):
    """Ask in a channel or chat of Teams.

    Other windows, and other processes with the same window, may stand on the same store.

    Args:
        notes: A file in which it is kept what was posted where; beside the store, because it
            belongs to it.
        say: Told where it listens, and when Teams cannot be reached or refuses something.

    Raises:
        RuntimeError: microsoft-teams-apps is not installed, or nothing can listen at the address.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        notes: Path,
        say: Callable[[str], object] = print,
    ) -> None:
        adapter = Adapter()
        app = bot(settings, adapter)
        wire = Wire(settings, store, app)
        board = Board(store, wire, Notes(notes), dashboard=settings.dashboard, say=say)
        _answered_by(app, Hearing(store, board, settings))
        listener = Door(door(adapter), settings.http)
        say(f"Teams' activities are heard at {listener.url}{PATH}")
        super().__init__(board, settings.conversation, listener)


def _answered_by(app: Any, hearing: Hearing) -> None:
    """Let the library check tokens, and hand on what it believes."""
    from microsoft_teams.api import InvokeResponse

    async def answer(event: Any) -> Any:
        known: dict[str, Any] = event.body.model_extra or {}
        body = await hearing.hear({**known, "type": event.body.type})
        return InvokeResponse[Any](status=200, body=body)

    app.server.on_request = answer
    app.server.initialize(
        credentials=app.credentials,
        cloud=app.cloud,
        dangerously_allow_unauthenticated_requests=False,
    )

"""Ask in Slack: an approver that writes into a channel and hears what people click there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...model import Store
from ..chat.board import Board
from ..chat.listening import Door
from ..chat.notes import Notes
from ..chat.window import Listener, Window
from .door import PATH, door
from .hearing import Hearing
from .settings import Settings
from .socket_mode import SocketMode
from .wire import Wire


class Slack(Window):
    """Ask in a channel of Slack.

    Other windows, and other processes with the same window, may stand on the same store.

    Args:
        notes: A file in which it is kept what was posted where; beside the store, because it
            belongs to it.
        say: Told where it listens, and when Slack cannot be reached or refuses something.

    Raises:
        RuntimeError: slack-sdk is not installed, or nothing can listen at the address.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        notes: Path,
        say: Callable[[str], object] = print,
    ) -> None:
        wire, kept = Wire(settings), Notes(notes)
        board = Board(store, wire, kept, dashboard=settings.dashboard, say=say)
        hearing = Hearing(store, board, wire, settings)
        listener: Listener
        if settings.http is None:
            listener = SocketMode(hearing, settings, say)
        else:
            listener = Door(door(hearing, kept, settings.signing_secret), settings.http)
            say(f"Slack's requests are heard at {listener.url}{PATH}")
        super().__init__(board, settings.channel, listener, hearing)

"""Where Slack's requests come in without any address of ours: a websocket that we open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ..patience import Patience
from .hearing import Hearing
from .settings import Settings
from .wire import SILENT, client, problem

if TYPE_CHECKING:
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

SECONDS_BETWEEN_PINGS = 5.0
SECONDS_TO_CLOSE = 5.0


class SocketMode:
    """The connection. It is opened again whenever it ends, and tried again until it opens.

    Args:
        say: Told when it cannot be opened.
    """

    def __init__(
        self,
        hearing: Hearing,
        settings: Settings,
        say: Callable[[str], object],
        *,
        patience: Patience = Patience(),
    ) -> None:
        self._hearing, self._settings, self._say = hearing, settings, say
        self._patience, self._over = patience, threading.Event()
        self._client: BaseSocketModeClient | None = None
        self._thread = threading.Thread(target=self._open, daemon=True, name="slack socket")

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def close(self) -> None:
        """Close the connection; what was begun is finished, as far as that takes seconds only."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._client is not None:
            # The library waits for its reader, which misses the end of a session that is being
            # replaced just then; it would wait for ever.
            ending = threading.Thread(target=self._client.close, daemon=True, name="slack end")
            ending.start()
            ending.join(SECONDS_TO_CLOSE)

    def _open(self) -> None:
        from slack_sdk.socket_mode import SocketModeClient

        made = SocketModeClient(
            self._settings.app_token,
            logger=SILENT,
            web_client=client(self._settings.app_token, self._settings.api),
            ping_interval=SECONDS_BETWEEN_PINGS,
        )
        made.socket_mode_request_listeners.append(self._heard)
        self._client = made
        failures = 0
        while not self._over.is_set():
            try:
                made.connect()
            except Exception as error:  # the library raises whatever it meets on the way
                failures += 1
                made.wss_uri = None  # a ticket is good for one try
                if failures & (failures - 1) == 0:
                    self._say(f"{_why(error)}; it is tried again")
                self._over.wait(self._patience.wait(failures))
            else:
                return

    def _heard(self, socket: BaseSocketModeClient, request: SocketModeRequest) -> None:
        from slack_sdk.socket_mode.response import SocketModeResponse

        payload = cast("Any", request).payload
        answer = self._hearing.hear(payload) if request.type == "interactive" else {}
        response = SocketModeResponse(request.envelope_id, answer or None)
        socket.send_socket_mode_response(response)


def _why(error: Exception) -> str:
    from slack_sdk.errors import SlackApiError

    said: Any = problem(error) if isinstance(error, SlackApiError) else type(error).__name__
    return f"no clicks are heard, the socket to Slack does not open: {said}"

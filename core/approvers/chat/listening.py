"""Listen for what a chat sends over HTTP: an app at an address of this machine, in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..secret import SettingsError
from .settings import Table

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MOST_BYTES = 1_000_000
SECONDS_TO_FINISH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen; put https in front, so that the chat can reach it.

    Attributes:
        port: 0 takes one that is free.
    """

    host: str = "127.0.0.1"
    port: int = 8322


def address(table: Table) -> Address:
    """Read `[http]`: `host` and `port`.

    Raises:
        SettingsError: One of them is none.
    """
    table.only("host", "port")
    port = table.number("port", Address().port)
    if not port.is_integer() or port > 65_535:
        raise SettingsError(f"{table.where}: port is a whole number up to 65535")
    return Address(host=table.text("host", Address().host), port=int(port))


def app(path: str, answered: Callable[[Request, bytes], Awaitable[Response]]) -> Starlette:
    """Return an app that hands what is posted to `path` on, unless it is too long.

    `GET /healthz` tells that it is there.
    """
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def posted(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                return PlainTextResponse("too long", 413)
        return await answered(request, bytes(body))

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route(path, posted, methods=["POST"]),
            Route("/healthz", healthy, methods=["GET"]),
        ]
    )


class Door:
    """An HTTP server in a thread of its own. It listens from the start, and answers once begun.

    Attributes:
        url: Where it is.

    Raises:
        SettingsError: Nothing can listen there.
    """

    def __init__(self, app: Any, where: Address) -> None:
        import uvicorn

        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        try:
            self._socket = socket.create_server((where.host, where.port), family=family)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            place = f"{where.host}:{where.port}"
            raise SettingsError(f"nothing can listen at {place}: {why}") from None
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=SECONDS_TO_FINISH,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), daemon=True, name="chat door"
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(SECONDS_TO_FINISH + 2)
        self._socket.close()

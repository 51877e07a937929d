"""Serve the sandbox on this machine, beside whatever else the program does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SupportError
from .answering import Answering
from .app import app
from .faults import EVERY, FAULTS, ordered
from .settling import settle
from .state import State
from .turn import KEY, SECRET, Setup
from .webhooks import Delivering

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server

HOST = "127.0.0.1"
SECONDS_TO_START = 10.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is being served.

    Attributes:
        url: What to give to `StripeClient` as `base_addresses={"api": url}`.
    """

    url: str
    state: State
    setup: Setup

    @property
    def key(self) -> str:
        """The API key that it takes."""
        return self.setup.key

    @property
    def secret(self) -> str:
        """What its webhooks are signed with."""
        return self.setup.secret

    def settle(self) -> int:
        """Let every refund become what it will be, now, and return how many did."""
        return settle(self.state, self.setup, everything=True)

    def fail_next(self, kind: str, times: int = 1, *, to: str = EVERY) -> None:
        """Let the next requests meet a fault of `faults.py`; `to` is how they begin."""
        if kind not in FAULTS:
            raise SupportError(f"{kind!r} is no fault; these are: {', '.join(FAULTS)}.")
        with self.state.writing() as rows:
            ordered(rows, kind, times, to)


@contextmanager
def serving(
    state: Path,
    *,
    port: int = 0,
    webhook: str | Iterable[str] | None = None,
    settles: float = 2.0,
    key: str = KEY,
    secret: str = SECRET,
) -> Generator[Sandbox]:
    """Serve a state's file in a thread, and yield where.

    Args:
        state: Made when it is missing; its folder has to be there.
        port: 0 takes one that is free.
        webhook: Addresses that are told of events.
        settles: Seconds until a pending refund succeeds, or one that fails does.

    Raises:
        SupportError: The file or the port cannot be used, or a library is missing.
    """
    told = (webhook,) if isinstance(webhook, str) else tuple(webhook or ())
    setup = Setup(key=key, secret=secret, webhooks=told, settles=settles)
    with prepared(state, setup, port) as (sandbox, server, door):
        thread = threading.Thread(target=server.run, args=([door],), daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield sandbox
        finally:
            server.should_exit = True
            thread.join(SECONDS_TO_START)


@contextmanager
def prepared(
    path: Path, setup: Setup, port: int
) -> Generator[tuple[Sandbox, Server, socket.socket]]:
    """Yield a server that is not running yet, with its open door."""
    with ExitStack() as stack:
        state = State(path)
        stack.callback(state.close)
        door = stack.enter_context(_door(port))
        server = _server(app(Answering(state, setup)))
        stack.enter_context(Delivering(state, setup))
        yield Sandbox(f"http://{HOST}:{door.getsockname()[1]}", state, setup), server, door


def _server(application: ASGIApp) -> Server:
    try:
        import uvicorn
    except ImportError:
        raise SupportError(
            "The sandbox needs uvicorn and starlette: pip install gated-agents[support]."
        ) from None
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _door(port: int) -> socket.socket:
    try:
        door = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise SupportError(f"Port {port} of {HOST} cannot be used ({error}).") from None
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


def _wait(server: Server, thread: threading.Thread) -> None:
    give_up = time.monotonic() + SECONDS_TO_START
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise SupportError("The sandbox does not start.")
        time.sleep(0.005)

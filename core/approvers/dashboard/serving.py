"""Start the dashboard: on this machine only, unless people have to log in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from ...model import Store
from .context import LOOPBACK, Context
from .oidc import OpenID
from .people import FirstOf, OnePerson, People
from .provider import read_provider
from .sessions import IDLE, LONGEST, Links, Sessions
from .users import Users
from .web import web

PORT = 8321
SECONDS_TO_FINISH = 3
BACKLOG = 2048
STREAMS_AND_MORE = 5_000


class NotServed(RuntimeError):
    """The dashboard cannot be started like that; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the dashboard stands, and whom it lets in.

    Attributes:
        host: The address to listen at.
        port: 0 takes one that is free.
        origin: Where browsers find it, when something stands in front of it.
        users: A file of people; made by `python -m core user add`.
        oidc: A TOML file that describes an identity provider.
        by: Who sits at this machine; the one person who comes in when there is neither.
        idle: How long somebody may do nothing and stay in; half an hour, or as long as the
            session lasts for the one person at this machine.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    origin: str = ""
    users: Path | None = None
    oidc: Path | None = None
    by: str = ""
    title: str = "Approvals"
    idle: timedelta | None = None


def dashboard(store: Store, place: Place, say: Callable[[str], object] = print) -> Context:
    """Return the dashboard of a store.

    Raises:
        NotServed: It would stand open, or nobody could come in.
        PeopleError: The users file, or the description of the provider, cannot be used.
    """
    provider = OpenID(read_provider(place.oidc)) if place.oidc else None
    users = Users(place.users) if place.users else None
    if users is not None and not users.everybody() and provider is None:
        raise NotServed(f"{place.users} has nobody in it; `user add` adds somebody")
    origin, alone = _origin(place.origin), users is None and provider is None
    if alone and (origin or not is_loopback(place.host)):
        raise NotServed(
            f"{origin or place.host} can be reached from elsewhere, so people must log in:"
            " add --users FILE or --oidc FILE"
        )
    known: list[People] = [found for found in (users, provider) if found is not None]
    idle = place.idle or (LONGEST if alone else IDLE)
    return Context(
        store=store,
        people=OnePerson(place.by) if alone else FirstOf(tuple(known)),
        sessions=Sessions(idle=idle),
        title=place.title,
        origin=origin,
        hosts=_hosts(place.host, origin),
        passwords=users is not None,
        oidc=provider,
        links=Links(place.by) if alone else None,
        say=say,
    )


def listening(place: Place) -> socket.socket:
    """Return a socket that listens there.

    Raises:
        NotServed: It cannot.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        heard = socket.create_server((place.host, place.port), family=family, backlog=BACKLOG)
        # Otherwise the second half of an answer waits 40 ms for the first to be acknowledged.
        heard.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return heard
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise NotServed(f"nothing can listen at {place.host}:{place.port}: {why}") from None


def announce(context: Context, heard: socket.socket) -> str:
    """Tell where the dashboard is and, to one person, how to come in; return the address."""
    host, port = heard.getsockname()[:2]
    url = context.origin or f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if context.links is None:
        context.say(f"The dashboard is at {url}")
    else:
        context.say(f"The dashboard is at {url}; this link lets you in once:")
        context.say(f"  {url}/login/once/{context.links.new()}")
    if not context.origin.startswith("https:") and not is_loopback(host):
        context.say("Passwords cross the network unencrypted: put https in front, with --origin.")
    return url


def serve(context: Context, heard: socket.socket) -> None:
    """Serve until interrupted; what streams is ended first, what was begun is finished."""
    Server(context).run(sockets=[heard])


class Server(uvicorn.Server):
    """Ends all sessions before it stops, so that no open page holds it up."""

    def __init__(self, context: Context) -> None:
        self._context = context
        super().__init__(
            uvicorn.Config(
                web(context),
                log_config=None,
                log_level="warning",
                access_log=False,
                ws="none",
                lifespan="on",
                proxy_headers=False,
                server_header=False,
                limit_concurrency=STREAMS_AND_MORE,
                timeout_graceful_shutdown=SECONDS_TO_FINISH,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._context.sessions.close_all()
        await super().shutdown(sockets)


class Running:
    """A dashboard in a thread of its own."""

    def __init__(self, context: Context, heard: socket.socket) -> None:
        self._server = Server(context)
        self._thread = threading.Thread(
            target=self._server.run, args=([heard],), daemon=True, name="dashboard"
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until it has."""
        self._server.should_exit = True
        self._thread.join(SECONDS_TO_FINISH + 2)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("a.org")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url.lower())
    plain = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise NotServed(f"{url} is no address of a site: write https://approvals.example.org")
    return f"{parts.scheme}://{parts.netloc}"


def _hosts(host: str, origin: str) -> frozenset[str]:
    """Return the names to answer to."""
    if origin:
        return frozenset({urlsplit(origin).hostname or ""})
    if is_loopback(host):
        return LOOPBACK | {host}
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - asked about, not bound
        raise NotServed(
            f"{host or 'everywhere'} is no address that browsers can ask for: add --origin, e.g."
            " https://approvals.example.org"
        )
    return frozenset({host.lower()})

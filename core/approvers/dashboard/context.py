"""What every page needs: the store, the people who may come in, and who is here now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request

from ...model import Store, utc_now
from .limits import Limits
from .oidc import OpenID
from .people import People, Person
from .sessions import Links, Session, Sessions

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One dashboard.

    Attributes:
        store: Where the requests are. Its calls block: run them through `looked_up`.
        people: Who may come in.
        sessions: Who is in.
        title: Name at the top of every page, for example the name of the app.
        now: Tells the time, for what is left of a deadline.
        origin: Where browsers find the dashboard, e.g. `"https://approvals.example.org"`, when
            that is not where it listens; empty when it is.
        hosts: Names under which it answers; any other name is some other site's trick.
        passwords: Whether the login page asks for name and password.
        oidc: The identity provider that people may come from.
        links: Makes links that let one person in, on this machine.
        say: Tells whoever started the dashboard something.
        limits: How often anybody may ask.
    """

    store: Store
    people: People
    sessions: Sessions
    title: str = "Approvals"
    now: Callable[[], datetime] = utc_now
    origin: str = ""
    hosts: frozenset[str] = LOOPBACK
    passwords: bool = True
    oidc: OpenID | None = None
    links: Links | None = None
    say: Callable[[str], object] = print
    limits: Limits = field(default_factory=Limits)


def context(request: Request) -> Context:
    """Return the dashboard that a request came to."""
    found: Context = request.app.state.context
    return found


def person(request: Request) -> Person:
    """Return who sends the request; the guard has let nobody else through."""
    found: Person = request.state.person
    return found


def session(request: Request) -> Session:
    """Return the session of a request that came from a browser."""
    found: Session = request.state.session
    return found


def origin(request: Request) -> str:
    """Return where the browser finds this dashboard, without a slash at the end."""
    return context(request).origin or f"{request.scope['scheme']}://{request.headers['host']}"


def cookie(request: Request) -> str:
    """Return the name of the session's cookie.

    Browsers keep one jar for all ports of a machine, so two dashboards there must not share a
    name; and on https the prefix keeps other sites of the domain from setting it.
    """
    here = origin(request)
    return "__Host-gate" if here.startswith("https:") else f"gate-{urlsplit(here).port or 80}"

"""Come in by password, by a link for one person, or from an identity provider; and leave."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...model import same
from .context import context, cookie, origin
from .guard import address, too_often
from .oidc import NotLetIn
from .pages import Problem, field, form, inside, looked_up, page, to
from .people import Person

ROUND = "gate-oidc"
"""The cookie that ties a trip to the identity provider to one browser."""
_log = logging.getLogger(__name__)
NOT_KNOWN = "Name and password do not fit."
NO_LINK = "This link has been used or is too old."


async def entrance(request: Request) -> Response:
    """Show how to come in; whoever is in goes on."""
    following = inside(request.query_params.get("next", "/"))
    if getattr(request.state, "person", None) is not None:
        return to(following)
    return _form(request, following)


async def by_password(request: Request) -> Response:
    """Let somebody in who knows the password."""
    if not context(request).passwords:
        raise Problem(404, "Nobody comes in by password here.")
    filled = await form(request)
    name, following = field(filled, "name"), inside(field(filled, "next", "/"))
    if seconds := context(request).limits.wait_to_try(address(request), same(name)):
        raise too_often(seconds)
    found = await looked_up(context(request).people.by_password, name, field(filled, "password"))
    if found is None:
        return _form(request, following, problem=NOT_KNOWN, name=name, status=401)
    return _enter(request, found, following)


async def new_link(request: Request) -> Response:
    """Print a new link where the dashboard was started: only that person can read it there."""
    known = context(request)
    if known.links is None:
        raise Problem(404, "There are no links here.")
    if seconds := known.limits.wait_to_try(address(request), ""):
        raise too_often(seconds)
    known.say(f"Open {origin(request)}/login/once/{known.links.new()}")
    return _form(request, "/", sent=True)


async def by_link(request: Request) -> Response:
    """Let the person of a link in, once."""
    known = context(request)
    # A browser that loads the page ahead of time, or asks about it, must not use the link up.
    ahead = "prefetch" in request.headers.get("sec-purpose", "") or request.method != "GET"
    if known.links is None or ahead:
        raise Problem(404, NO_LINK)
    if seconds := known.limits.wait_to_try(address(request), ""):
        raise too_often(seconds)
    name = known.links.use(request.path_params["token"])
    found = await looked_up(known.people.by_name, name) if name else None
    if found is None:
        raise Problem(403, NO_LINK)
    return _enter(request, found, "/")


async def to_provider(request: Request) -> Response:
    """Send somebody to the identity provider."""
    known = context(request).oidc
    if known is None:
        raise Problem(404, "There is no identity provider here.")
    if seconds := context(request).limits.wait_to_try(address(request), ""):
        raise too_often(seconds)
    back = f"{origin(request)}/login/oidc/back"
    following = inside(request.query_params.get("next", "/"))
    secret, url = await looked_up(known.depart, back, following)
    answer = to(url)
    _set_cookie(request, answer, ROUND, secret, path="/login/oidc")
    return answer


async def from_provider(request: Request) -> Response:
    """Let somebody in whom the identity provider has sent back to the browser that left."""
    known = context(request).oidc
    if known is None:
        raise Problem(404, "There is no identity provider here.")
    secret = request.cookies.get(ROUND, "")
    try:
        name, following = await looked_up(known.arrive, secret, dict(request.query_params))
    except NotLetIn as error:
        _log.warning("%s (%s)", error, error.__cause__)
        raise Problem(403, str(error)) from None
    found = await looked_up(context(request).people.by_name, name)
    if found is None:
        raise Problem(403, "The identity provider knows you, but this dashboard does not.")
    answer = _enter(request, found, following)
    answer.delete_cookie(ROUND, path="/login/oidc")
    return answer


async def leave(request: Request) -> Response:
    """End the session; its cookie is worth nothing from now on."""
    context(request).sessions.close(request.state.session)
    answer = to("/login")
    answer.delete_cookie(cookie(request), secure=_is_https(request), httponly=True)
    return answer


def _form(request: Request, following: str, *, status: int = 200, **values: object) -> Response:
    known = context(request)
    shown: dict[str, object] = {
        "problem": "",
        "name": "",
        "sent": False,
        "following": following,
        "passwords": known.passwords,
        "oidc": known.oidc,
        "links": known.links is not None,
    }
    return page(request, "login.html", status=status, **(shown | values))


def _enter(request: Request, person: Person, following: str) -> Response:
    """Open a session under a new id; the one that this browser had before ends."""
    sessions = context(request).sessions
    if before := getattr(request.state, "session", None):
        sessions.close(before)
    token, _ = sessions.open(person.name)
    answer = to(following)
    _set_cookie(request, answer, cookie(request), token)
    return answer


def _set_cookie(
    request: Request, answer: Response, name: str, value: str, *, path: str = "/"
) -> None:
    answer.set_cookie(
        name, value, path=path, httponly=True, secure=_is_https(request), samesite="lax"
    )


def _is_https(request: Request) -> bool:
    return origin(request).startswith("https:")


routes = [
    Route("/login", entrance),
    Route("/login", by_password, methods=["POST"]),
    Route("/login/link", new_link, methods=["POST"]),
    Route("/login/once/{token}", by_link),
    Route("/login/oidc", to_provider),
    Route("/login/oidc/back", from_provider),
    Route("/logout", leave, methods=["POST"]),
]

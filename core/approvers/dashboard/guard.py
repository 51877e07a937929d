"""Nobody gets past without a session or a token, and nothing is changed from another site.

Every request passes here first, whatever its address: a page cannot forget to be guarded.
"""

from __future__ import annotations

import logging
import re
import secrets
from urllib.parse import quote

from anyio import move_on_after
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...display import safe
from ...model import NotCounted, StoreError
from .context import Context, cookie, origin
from .limits import place
from .pages import Problem, field, form, is_api, looked_up, problem, to
from .people import PeopleError, Person
from .sessions import Session

MOST_BYTES = 1_000_000
SECONDS_BETWEEN_LOOKS = 1.0
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
SENTENCES = {404: "There is no such page.", 405: "This address does not take that."}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; manifest-src 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would take the Origin header from our own forms too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_log = logging.getLogger(__name__)


class Guard:
    """The door of the dashboard, as pure ASGI: what streams is never held up."""

    def __init__(self, app: ASGIApp, *, context: Context) -> None:
        self._app, self._context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, started, ended = Request(scope, receive), False, False

        async def send_with_headers(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                self._add_headers(message, scope["path"])
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            taken = await self._let_in(request)
            if isinstance(taken, Response):
                await taken(scope, receive, send_with_headers)
            else:
                await self._app(scope, taken, send_with_headers)
            if started and not ended:  # a stream that was cut off, as by the end of its session
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientDisconnect:
            pass
        except Exception as error:
            if started:
                raise
            await self._failed(request, error)(scope, receive, send_with_headers)

    async def _let_in(self, request: Request) -> Response | Receive:
        """Return what the app may receive, or the answer to whoever may not come in."""
        self._knows_host(request)
        path: str = request.scope["path"]
        if not path.startswith("/static/") and (
            seconds := self._context.limits.requests.wait(self._whose(request))
        ):
            raise too_often(seconds)
        body = b"" if request.method in SAFE else await _whole(request)
        if is_api(path):
            await self._by_token(request)
        elif (answer := await self._by_session(request, body)) is not None:
            return answer
        return self._receive(request, body)

    def _knows_host(self, request: Request) -> None:
        named = HOST.fullmatch(request.headers.get("host", "").lower())
        if named is None or named["name"].strip("[]") not in self._context.hosts:
            raise Problem(421, "This dashboard does not go by that name.")

    def _whose(self, request: Request) -> str:
        """Return under whom to count a request: whoever has a session, or the address."""
        found = self._session(request, busy=False)
        return found.key if found else address(request)

    def _session(self, request: Request, *, busy: bool) -> Session | None:
        token = request.cookies.get(cookie(request), "")
        return self._context.sessions.find(token, busy=busy) if token else None

    async def _by_token(self, request: Request) -> None:
        """Find the person of a bearer token; cookies count for nothing, so no site can use them."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found: Person | None = None
        if scheme.lower() == "bearer" and token.strip():
            found = await looked_up(self._context.people.by_token, token.strip())
        if found is None:
            if seconds := self._context.limits.address.wait(address(request)):
                raise too_often(seconds)
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "This takes a bearer token of yours.", headers=challenge)
        request.state.person = found

    async def _by_session(self, request: Request, body: bytes) -> Response | None:
        """Find the person of a session, and make sure that it is they who ask for a change."""
        stranger = is_for_strangers(request.scope["path"])
        changes = request.method not in SAFE
        if changes:
            _same_site(request)
        # What a page fetches by itself does not mean that somebody still sits there.
        session = self._session(request, busy=changes or _mode(request) in {"", "navigate"})
        person = await looked_up(self._person, session) if session else None
        if session is None or person is None:
            return None if stranger else _to_login(request)
        request.state.session, request.state.person = session, person
        if stranger:
            return None
        if changes:
            await _meant(request, body, session)
        if request.scope["path"] != "/events":
            request.state.stopped = await looked_up(self._context.store.stopped)
        return None

    def _person(self, session: Session) -> Person | None:
        found = self._context.people.by_name(session.name)
        if found is None or session.opened < found.since:
            self._context.sessions.close(session)
            return None
        return found

    def _receive(self, request: Request, body: bytes) -> Receive:
        """Return what the app listens to: the body once more, and the end of the session."""
        again = [] if request.method in SAFE else [body]
        session: Session | None = getattr(request.state, "session", None)

        async def receive() -> Message:
            if again:
                return {"type": "http.request", "body": again.pop(), "more_body": False}
            while session is None or self._context.sessions.holds(session):
                with move_on_after(SECONDS_BETWEEN_LOOKS):
                    return await request.receive()
            return {"type": "http.disconnect"}

        return receive

    def _failed(self, request: Request, error: Exception) -> Response:
        """Return a page for whatever went wrong; what only the server should know is logged."""
        match error:
            case Problem():
                found = error
            case NotCounted():
                found = Problem(409, f"{safe(str(error))}.")
            case StoreError():
                _log.error("%s", error)
                found = Problem(503, "The store cannot be used at the moment; nothing was done.")
            case PeopleError():
                _log.error("%s", error)
                found = Problem(503, "Nobody can be let in at the moment.")
            case HTTPException():
                sentence = SENTENCES.get(error.status_code, "This cannot be understood.")
                found = Problem(error.status_code, sentence, headers={**(error.headers or {})})
            case _:
                _log.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
                found = Problem(500, "This went wrong here; what you asked may not have been done.")
        return problem(request, found)

    def _add_headers(self, message: Message, path: str) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers[name] = value
        # What nobody may see after logging out is kept nowhere; what everybody may see is checked.
        fixed = path.startswith("/static/")
        headers.setdefault("Cache-Control", "no-cache" if fixed else "no-store")
        if self._context.origin.startswith("https:"):
            headers["Strict-Transport-Security"] = "max-age=31536000"


def is_for_strangers(path: str) -> bool:
    """Whether that address is there for people who are not in yet."""
    return path == "/login" or path.startswith(("/login/", "/static/"))


def address(request: Request) -> str:
    """Return where a request comes from, as far as tries are counted."""
    return place(request.client.host if request.client else "")


def too_often(seconds: int) -> Problem:
    """Return the answer to whoever asks too often."""
    sentence = f"That was too often: try again in {seconds} s."
    return Problem(429, sentence, headers={"Retry-After": str(seconds)})


async def _whole(request: Request) -> bytes:
    """Return what was sent, up to what anybody could mean."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Problem(413, f"That is too long: at most {MOST_BYTES:,} bytes are taken.")
    return bytes(body)


def _same_site(request: Request) -> None:
    """Make sure that a page of ours sends this; an old browser that does not say is refused."""
    site = request.headers.get("sec-fetch-site")
    given = request.headers.get("origin", origin(request) if site == "same-origin" else "")
    if given != origin(request) or site not in {None, "same-origin"}:
        raise Problem(403, "This came from another site, so nothing was changed.")


async def _meant(request: Request, body: bytes, session: Session) -> None:
    """Make sure that it comes from a page that this very session was given."""

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    given = request.headers.get("x-csrf-token", "")
    if not given:
        given = field(await form(Request(request.scope, again)), "csrf")
    if not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise Problem(403, "This page is from another session: load it again, then repeat.")


def _mode(request: Request) -> str:
    return request.headers.get("sec-fetch-mode", "")


def _to_login(request: Request) -> Response:
    """Send a person to the login; tell scripts, and who meant to change something, why not."""
    if request.method not in SAFE:
        raise Problem(401, "You are not logged in, so nothing was changed.")
    if _mode(request) not in {"", "navigate"} or request.scope["path"] == "/events":
        raise Problem(401, "You are not logged in.")
    path = quote(request.scope["path"])
    if query := request.scope["query_string"].decode("latin-1"):
        path += f"?{query}"
    return to("/login" if path == "/" else f"/login?next={quote(path, safe='')}")

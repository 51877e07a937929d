"""Fill in a page. What comes from outside is escaped twice: once for eyes, once for HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from anyio import to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ...display import place_text, safe
from ...model import END_OF_TIME
from .context import context, person
from .people import Person, Role

P = ParamSpec("P")
T = TypeVar("T")
FOLDER = Path(__file__).parent
MOST_FIELDS = 5_000
_BLANK_ENDS = re.compile(r" +$", re.MULTILINE)
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")


class Problem(Exception):
    """Ends a request with a page, or with JSON under /api, that says one sentence.

    Attributes:
        status: 4xx or 5xx.
        sentence: For the person; it never holds what only the server should know.
    """

    def __init__(
        self, status: int, sentence: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a filled-in template.

    Every template also gets `person` and `csrf` (both empty for a stranger), `title`, `stopped`,
    `path` and `now`.
    """
    session = getattr(request.state, "session", None)
    known = {
        "person": getattr(request.state, "person", None),
        "csrf": session.csrf if session else "",
        "stopped": getattr(request.state, "stopped", ""),
        "title": context(request).title,
        "path": request.scope["path"],
        "now": context(request).now(),
        "Role": Role,
    }
    return HTMLResponse(_templates().get_template(template).render(known | values), status)


def problem(request: Request, found: Problem) -> Response:
    """Return the answer to a request that cannot be done."""
    title = HTTPStatus(found.status).phrase
    if is_api(request.scope["path"]):
        body = {"type": "about:blank", "title": title, "status": found.status}
        body["detail"] = found.sentence
        kind = "application/problem+json"
        return JSONResponse(body, found.status, found.headers, media_type=kind)
    answer = page(
        request, "problem.html", status=found.status, heading=title, sentence=found.sentence
    )
    answer.headers.update(found.headers)
    return answer


def is_api(path: str) -> bool:
    """Whether programs call that address, rather than people."""
    return path == "/api" or path.startswith("/api/")


async def looked_up(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call what blocks, a store above all, in a thread, so that others are not held up."""
    return await to_thread.run_sync(lambda: fn(*args, **kwargs))


def needs(request: Request, role: Role) -> Person:
    """Return who sends the request.

    Raises:
        Problem: That person may not do this: 403.
    """
    found = person(request)
    if found.role < role:
        mine, needed = found.role.name.lower(), role.name.lower()
        raise Problem(403, f"This takes the role of {needed}; yours is {mine}.")
    return found


async def form(request: Request) -> FormData:
    """Return the fields of a posted form; files are not among them.

    Raises:
        Problem: It is no form, or too long a one: 400.
    """
    return await request.form(max_files=0, max_fields=MOST_FIELDS)


def field(filled: FormData, name: str, default: str = "") -> str:
    """Return one text field of a form, the last one of that name."""
    value = filled.get(name, default)
    return value if isinstance(value, str) else default


def to(path: str) -> RedirectResponse:
    """Send the browser on to look at another page, after something was done."""
    return RedirectResponse(path, 303)


def inside(path: str) -> str:
    """Return `path` if it leads to a page of this dashboard, otherwise the front page.

    >>> inside("/history?state=FAILED"), inside("//evil.example"), inside("https://evil.example")
    ('/history?state=FAILED', '/', '/')
    """
    return path if _PATH.fullmatch(path) and not path.startswith("/log") else "/"


@cache
def _templates() -> Environment:
    # Escaping by file name would leave out every template that is not called .html.
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ours: dict[str, Any] = {"safe_text": safe_text, "lines": lines, "when": when, "left": left}
    ours["place"] = place_text
    made.filters.update(ours)
    return made


def safe_text(text: object, lines: bool = False) -> str:
    """Return text in which everything shows.

    What `core.display.shown` returns is safe already and must not come here once more.

    Args:
        lines: Keep line feeds, for a place that shows them.
    """
    return _BLANK_ENDS.sub(
        lambda found: "⟨U+0020⟩" * len(found[0]), safe(str(text), newlines=lines)
    )


def lines(text: object) -> str:
    """Return text of several lines in which everything shows."""
    return safe_text(text, lines=True)


def when(instant: datetime) -> Markup:
    """Return an instant for eyes and for programs."""
    if instant == END_OF_TIME:
        return Markup("never")
    utc = instant.astimezone(UTC)
    exact, short = utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(exact, short)


def left(instant: datetime, now: datetime) -> str:
    """Return how much time there is until `instant`, in its two largest units.

    >>> left(datetime(2026, 3, 2, 14, 5, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC))
    '2 h 5 min'
    """
    if instant == END_OF_TIME:
        return "no deadline"
    seconds = int((instant - now).total_seconds())
    if seconds < 1:
        return "expired"
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")]
    first = next(number for number, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)

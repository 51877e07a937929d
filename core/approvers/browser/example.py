"""An application with the dialog in its pages: sessions, the assistant's tool, and its gate."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from ...gate import gate
from ...model import Preview, Quote, Risk
from ...policies.conditional import ApproveIf
from .confirm import BrowserConfirm, Visitor
from .shop import LETTERS, Refund, Shop, answer_letters, money
from .wire import routes

PAGE = Path(__file__).parent / "page"
COOKIE = "shop_session"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
}


@dataclass(slots=True, kw_only=True)
class Session:
    """One browser: its own shop, and an assistant that works for whoever sits there."""

    visitor: Visitor
    shop: Shop = field(default_factory=Shop)
    lines: list[str] = field(default_factory=list[str])
    work: asyncio.Task[None] | None = None

    def is_working(self) -> bool:
        """Whether the assistant is at it."""
        return self.work is not None and not self.work.done()

    def story(self) -> dict[str, Any]:
        """Return what the page shows, as JSON can."""
        return {"lines": self.lines, "till": self.shop.till(), "working": self.is_working()}


def gated(shop: Shop, confirm: BrowserConfirm, you: Visitor) -> Refund:
    """Return the shop's `refund`, asking `you` first.

    ==================== ======== ==========================================
    refund               risk     who decides
    ==================== ======== ==========================================
    up to 20.00          HIGH     nobody, it costs less than asking
    up to 1,000.00       HIGH     you
    beyond               CRITICAL you, with the digest typed
    ==================== ======== ==========================================
    """

    def would(charge: str, amount: int) -> Preview:
        letter = next(letter for letter in LETTERS if letter.charge == charge)
        left = shop.paid[charge] - shop.refunded.get(charge, 0)
        return Preview(
            summary=f"Pays {money(amount)} back to {letter.writer}",
            facts=(("paid", money(shop.paid[charge])), ("stays with you", money(left - amount))),
            warnings=("All of it goes back.",) if amount == left else (),
            quotes=(Quote(who=f"{letter.writer}, a customer", text=letter.text),),
        )

    def how_bad(amount: int) -> Risk:
        return Risk.CRITICAL if amount > 1_000_00 else Risk.HIGH

    def is_small(amount: int) -> bool:
        return amount <= 20_00

    return gate(
        shop.refund,
        store=confirm.store,
        approver=confirm.asking(you),
        panel=you.panel,
        policies=[ApproveIf(is_small, because="at most 20.00")],
        preview=would,
        risk=how_bad,
        requester="your assistant",
        decide_within=timedelta(minutes=15),
    )


def example(confirm: BrowserConfirm) -> Starlette:
    """Return the application: `/`, `/story`, `/work`, and the dialog below `/confirm`."""
    sessions = dict[str, Session]()

    def session(request: Request) -> Session | None:
        return sessions.get(request.cookies.get(COOKIE, ""))

    def who(request: Request) -> Visitor | None:
        known = session(request)
        return known.visitor if known else None

    async def page(request: Request) -> Response:
        answer = FileResponse(PAGE / "index.html", headers=HEADERS)
        if session(request) is None:
            name = secrets.token_urlsafe(32)
            you = Visitor(session=name, name=f"shopkeeper {len(sessions) + 1}")
            sessions[name] = Session(visitor=you)
            answer.set_cookie(COOKIE, name, httponly=True, samesite="strict")
        return answer

    async def story(request: Request) -> Response:
        known = session(request)
        return JSONResponse(known.story() if known else {}, headers=HEADERS)

    async def work(request: Request) -> Response:
        known = session(request)
        if known and not known.is_working():
            known.shop, known.lines = Shop(), []
            known.work = asyncio.create_task(_worked(known, confirm))
        return await story(request)

    def file(name: str) -> Callable[[Request], Response]:
        return lambda _: FileResponse(PAGE / name, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/story", story),
            Route("/work", work, methods=["POST"]),
            Route("/page.js", file("page.js")),
            Route("/page.css", file("page.css")),
            Mount("/confirm", routes=routes(confirm, who)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


async def _worked(session: Session, confirm: BrowserConfirm) -> None:
    """Let the assistant work; it goes on, and waits, while no page is open."""
    async for line in answer_letters(gated(session.shop, confirm, session.visitor)):
        session.lines.append(line)

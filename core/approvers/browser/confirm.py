"""Who is on a page, what they are asked there, and what becomes of what they say."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ...model import (
    ApprovalRequest,
    Approve,
    Decision,
    Edit,
    NotCounted,
    Panel,
    Reject,
    Risk,
    Store,
    StoredRequest,
)
from ..inbox import Inbox
from .question import DIGITS, is_too_large, value_of

WINDOW = "browser"


class NotAsked(RuntimeError):
    """The person on the page may not decide this, so the page does not ask them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody on a page, as the application that serves the page knows them.

    Attributes:
        session: Id of their session. It stays on the server: no page is ever told.
        name: Of the person, as votes and the audit trail are to have it.

    Raises:
        ValueError: One of them is missing.
    """

    session: str = field(repr=False)
    name: str

    def __post_init__(self) -> None:
        if not self.session.strip() or not self.name.strip():
            raise ValueError("a visitor has a session and a name; nobody else can be asked")

    @property
    def panel(self) -> Panel:
        """The panel for calls that are theirs alone to decide, in whatever window."""
        return Panel(members=frozenset({self.name}))


class BrowserConfirm:
    """Ask people about their own agents, each on the page that they have open.

    Whoever asks for a call never approves it, here neither. On such a page the *agent* asks, and
    the person is the one whose yes is wanted: so the wiring names the agent as `requester`, the
    visitor on the `panel`, and nobody as `acting_for`. A request that does name the visitor as
    asking is not shown to them (`NotAsked`), and so not run. This window is somebody's consent to
    what is theirs; where a second pair of eyes is due, give the gate a panel that has them.

    What is said on the page is a vote in the store, like that of every other window. A closed page
    says nothing: the request waits, is shown again when the person comes back, and expires.

    One process holds the pages and the agents that ask them. Where several serve one site, keep a
    session on one of them and give all the same `key`.

    Args:
        store: The one that the gates use.
        elsewhere: Returns the address where a request can be read that is too large for a dialog.
        key: At least 32 secret bytes, from which each session's secret is made; random by default.
    """

    def __init__(
        self,
        store: Store,
        *,
        elsewhere: Callable[[ApprovalRequest], str] | None = None,
        key: bytes | None = None,
    ) -> None:
        self.store = store
        self.elsewhere = elsewhere
        self._key = secrets.token_bytes(32) if key is None else key
        self._lock = threading.Lock()  # agents and pages may live on different event loops
        self._open: dict[Visitor, list[ApprovalRequest]] = {}
        self._pages: dict[Visitor, list[Callable[[], object]]] = {}
        self.is_closed = False

    def close(self) -> None:
        """Tell no page anything more, so that a server can stop; what waits goes on waiting."""
        self.is_closed = True
        with self._lock:
            visitors = list(self._pages)
        for visitor in visitors:
            self._ring(visitor)

    def asking(self, visitor: Visitor) -> Asking:
        """Return the approver that asks `visitor`."""
        return Asking(confirm=self, visitor=visitor)

    def secret(self, visitor: Visitor) -> str:
        """Return what the pages of a session know and others cannot: 64 hex digits."""
        known = f"{len(visitor.session)}:{visitor.session}{visitor.name}".encode()
        return hmac.digest(self._key, known, "sha256").hex()

    def open_for(self, visitor: Visitor) -> list[ApprovalRequest]:
        """Return what waits for a word of `visitor`, in the order of asking."""
        with self._lock:
            return list({r.id: r for r in self._open.get(visitor, ())}.values())

    @contextmanager
    def question(self, visitor: Visitor, request: ApprovalRequest) -> Generator[None]:
        """Show `request` on the pages of `visitor` for as long as the block lasts."""
        with self._lock:
            self._open.setdefault(visitor, []).append(request)
        self._ring(visitor)
        try:
            yield
        finally:
            self._close(visitor, request)

    @contextmanager
    def page(self, visitor: Visitor, changed: Callable[[], object]) -> Generator[None]:
        """Call `changed`, from any thread, when other questions are open for `visitor`."""
        with self._lock:
            self._pages.setdefault(visitor, []).append(changed)
        try:
            yield
        finally:
            with self._lock:
                self._pages[visitor].remove(changed)
                if not self._pages[visitor]:
                    del self._pages[visitor]

    def pages(self, visitor: Visitor) -> int:
        """Return how many pages of `visitor` are open."""
        with self._lock:
            return len(self._pages.get(visitor, ()))

    def approve(
        self, visitor: Visitor, request_id: str, digest: str, typed: str = ""
    ) -> StoredRequest:
        """Vote for a request as it was shown.

        Args:
            typed: For a CRITICAL one, the first characters of the digest, typed by hand.

        Raises:
            NotCounted: It is not open for this visitor, or no longer, or cannot be approved here.
        """
        request = self.asked(visitor, request_id, digest)
        if is_too_large(request):
            raise NotCounted("this is too large to be read here, so it cannot be approved here")
        wanted = request.digest[:DIGITS]
        if request.risk >= Risk.CRITICAL and typed.strip().lower() != wanted:
            raise NotCounted(f"these are not the first {DIGITS} characters of the digest")
        return self._voted(visitor, request, Approve(by=visitor.name))

    def reject(self, visitor: Visitor, request_id: str, digest: str, reason: str) -> StoredRequest:
        """Vote against a request; the reason is for the agent. Raises as `approve` does."""
        request = self.asked(visitor, request_id, digest)
        return self._voted(visitor, request, Reject(by=visitor.name, reason=reason))

    def edit(
        self, visitor: Visitor, request_id: str, digest: str, texts: Mapping[str, str]
    ) -> StoredRequest:
        """Leave other arguments for the gate to check. Raises as `approve` does."""
        request = self.asked(visitor, request_id, digest)
        values = {name: value_of(request, name, text) for name, text in texts.items()}
        edit = Edit(by=visitor.name, arguments=values)
        stored = self.store.propose(request.id, edit, digest=digest, window=WINDOW)
        self._close(visitor, request)
        return stored

    def asked(self, visitor: Visitor, request_id: str, digest: str) -> ApprovalRequest:
        """Return the request that `visitor` is being asked about.

        Raises:
            NotCounted: No such question is open for them.
        """
        for request in self.open_for(visitor):
            if request.id == request_id:
                if hmac.compare_digest(request.digest.encode(), digest.encode()):
                    return request
                raise NotCounted("this has changed since it was shown; look at it again")
        raise NotCounted("you are not being asked this, or not any more; nothing was changed")

    def _voted(
        self, visitor: Visitor, request: ApprovalRequest, vote: Approve | Reject
    ) -> StoredRequest:
        stored = self.store.vote(request.id, vote, digest=request.digest, window=WINDOW)
        self._close(visitor, request)
        return stored

    def _close(self, visitor: Visitor, request: ApprovalRequest) -> None:
        with self._lock, suppress(ValueError, KeyError):  # answered and withdrawn: closed twice
            self._open[visitor].remove(request)
            if not self._open[visitor]:
                del self._open[visitor]
        self._ring(visitor)

    def _ring(self, visitor: Visitor) -> None:
        with self._lock:
            pages = list(self._pages.get(visitor, ()))
        for changed in pages:
            with suppress(RuntimeError):  # the loop that served this page has ended
                changed()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The approver for one visitor: the request stays on their pages until it is decided.

    Raises:
        NotAsked: From a call: the visitor is not on the panel, or asked for it themselves.
    """

    confirm: BrowserConfirm
    visitor: Visitor

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        if not request.panel.admits(self.visitor.name, request.requesters):
            raise NotAsked(f"{self.visitor.name} may not decide what is done here")
        with self.confirm.question(self.visitor, request):
            return await Inbox(self.confirm.store)(request)

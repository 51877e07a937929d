"""Ask the person at the keyboard.

python -m core.approvers.terminal      # try it
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType

from rich.text import Text

from ..display import is_too_large
from ..model import ApprovalRequest, Approve, Decision, Edit, Reject, Risk
from .account import account_name, at
from .asking import ask, choose, say
from .changes import changes
from .drawing import draw, header
from .teletype import CalledAway, Interrupted, NoTerminal, Teletype

MENU = {"a": "approve", "e": "edit", "r": "reject"}
TOO_LARGE = "This is too large to be read here, so it can be rejected here, but not approved."
UNREAD = "Without reading all of it, it can be rejected, but not approved."
NOT_NEEDED = "answered elsewhere, or withdrawn: there is nothing left to decide here"
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Show the request at the terminal of this process and wait for a, e or r.

    Enter decides nothing, nor does what was typed or pasted before the question. Requests of one
    process take turns. Where there is no terminal there is nobody to ask, so the call is
    rejected. Ctrl-C rejects the one call. When the question is withdrawn, because somebody has
    answered elsewhere, the prompt goes away and the terminal is as it was.

    Attributes:
        by: Name of the person; the account of this process when empty. The record names that
            account beside whatever name is given.
        device: The terminal; standard input and output are left alone.
    """

    by: str = ""
    device: str = "/dev/tty"

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        async with InTurn():
            try:
                tty = Teletype(self.device)
            except NoTerminal as nobody:
                return Reject(by="terminal", reason=str(nobody))
            decision = await _in_thread(tty, request, self.by or account_name())
            return replace(decision, window=at("terminal"))


class InTurn:
    """A place in the one line of all who want the terminal, over threads and event loops."""

    _lock = threading.Lock()
    _line: deque[Future[None]] = deque()  # noqa: RUF012 - one line for the whole process is the point

    def __init__(self) -> None:
        self._ticket: Future[None] = Future()

    async def __aenter__(self) -> None:
        with self._lock:
            self._line.append(self._ticket)
            self._call_next()
        try:
            await asyncio.shield(asyncio.wrap_future(self._ticket))
        except asyncio.CancelledError:
            self._leave()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._line.remove(self._ticket)
            self._call_next()

    def _call_next(self) -> None:
        if self._line and not self._line[0].done():
            self._line[0].set_result(None)


async def _in_thread(tty: Teletype, request: ApprovalRequest, by: str) -> Decision:
    """Talk in a thread. When the question is withdrawn, do not return before it has left."""
    talk: Future[Decision] = Future()
    arguments = (talk, tty, request, by)
    threading.Thread(target=_talk, args=arguments, daemon=True, name="terminal").start()
    answer = asyncio.wrap_future(talk)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        tty.call_away()
        while not answer.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([answer])
        raise


def _talk(talk: Future[Decision], tty: Teletype, request: ApprovalRequest, by: str) -> None:
    try:
        with tty:
            decision = review(tty, request, by)
    except BaseException as error:
        talk.set_exception(error)
    else:
        talk.set_result(decision)


def review(tty: Teletype, request: ApprovalRequest, by: str) -> Decision:
    """Show the request and talk until there is a decision. Blocks."""
    try:
        return _decided(tty, request, by)
    except Interrupted as why:
        return Reject(by=by, reason=str(why))
    except CalledAway:
        tty.last_words(f"\n{NOT_NEEDED}\n")
        return Reject(by="terminal", reason=NOT_NEEDED)


def _decided(tty: Teletype, request: ApprovalRequest, by: str) -> Decision:
    menu = MENU
    if is_too_large(request):
        say(tty, *header(request, width=tty.size()[0]), Text(TOO_LARGE, "red"))
        menu = {"r": MENU["r"]}
    elif not say(tty, *draw(request, width=tty.size()[0]), ""):
        say(tty, Text(UNREAD, "yellow"))
        menu = {"r": MENU["r"]}
    while True:
        decision = _attempt(tty, request, by, choose(tty, menu))
        if decision is not None:
            return decision


def _attempt(tty: Teletype, request: ApprovalRequest, by: str, pressed: str) -> Decision | None:
    """Return what comes of one key; `None` when the person stepped back."""
    match pressed:
        case "a":
            return Approve(by=by) if _is_meant(tty, request) else None
        case "e":
            made = changes(tty, request)
            return Edit(by=by, arguments=made) if made else None
        case _:
            why = reason(tty)
            return Reject(by=by, reason=why) if why else None


def _is_meant(tty: Teletype, request: ApprovalRequest) -> bool:
    """Ask once more; for the worst, with something that no finger types by habit."""
    if request.risk < Risk.CRITICAL:
        return choose(tty, {"y": "yes", "n": "no"}, "approve?") == "y"
    wanted = request.digest[:DIGITS]
    typed = ask(tty, f"type the first {DIGITS} characters of the digest to approve: ")
    if typed is not None and len(wanted) == DIGITS and typed.strip().lower() == wanted:
        return True
    say(tty, Text("That is not the digest, so nothing is decided.", "yellow"))
    return False


def reason(tty: Teletype) -> str:
    """Return why not, for the agent; empty when the person stepped back."""
    while (why := ask(tty, "why, and what instead? ")) is not None:
        if why.strip():
            return why.strip()
        say(tty, "The agent needs a reason; Escape goes back.")
    return ""


if __name__ == "__main__":
    from ..canonical import digest, encode
    from ..model import Preview, Quote, Table

    SQL = "DELETE FROM orders\nWHERE customer = 'test'"
    FROZEN = encode({"sql": SQL, "limit": 3})
    DEMO = ApprovalRequest(
        action="shop.tools.delete",
        arguments={"sql": SQL, "limit": 3},
        frozen=FROZEN,
        digest=digest("demo", FROZEN),
        preview=Preview(
            summary="deletes 3 of 12,000 orders",
            facts=(("table", "orders"), ("rows", "3 of 12,000")),
            tables=(Table(title="before", columns=("id", "total"), rows=(("7", "0.00"),)),),
            warnings=("A snapshot is taken first; older ones stay.",),
            quotes=(Quote(who="the agent", text="These are only test orders."),),
        ),
    )
    print(asyncio.run(Terminal()(DEMO)))

"""What a type checker makes of gated functions; nothing here is ever run."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import assert_type

from core import (
    ApprovalRequest,
    Approve,
    Decision,
    MemoryStore,
    Panel,
    Preview,
    Reject,
    Risk,
    SqliteStore,
    Store,
    gate,
    run,
)


def ask(request: ApprovalRequest, /) -> Decision:
    return Approve(by="ana")


async def ask_later(request: ApprovalRequest, /) -> Decision:
    return Reject(by="ana", reason="not today")


class Ask:
    def __call__(self, request: ApprovalRequest, /) -> Approve:
        return Approve(by="ana")


def small(request: ApprovalRequest, /) -> Approve | None:
    return None


def refund(charge: str, /, amount: Decimal, *, note: str = "") -> int:
    return 1


async def refund_later(charge: str, amount: Decimal = Decimal(1)) -> list[str]:
    return [charge]


gated = gate(refund, approver=ask)
assert_type(gated("ch_1", Decimal(1), note="x"), int)
assert_type(gated("ch_1", amount=Decimal(1)), int)
gated(1, Decimal(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - must be text
gated("ch_1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] - the amount is missing
gated("ch_1", Decimal(1), x=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] - no such name

gated_later = gate(refund_later, approver=ask_later, policies=[small], store=MemoryStore())
later: Awaitable[list[str]] = gated_later("ch_1")
gated_later(1)  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine] - must be text


async def uses() -> None:
    assert_type(await gated_later("ch_1", amount=Decimal(2)), list[str])


@gate(approver=Ask(), secret=["token"], risk=Risk.LOW, panel=Panel(votes=2))
def decorated(token: str, *numbers: int) -> dict[str, int]:
    return {}


assert_type(decorated("x", 1, 2), dict[str, int])
decorated("x", "y")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - must be numbers


def look(ticket: int) -> Preview:
    return Preview(summary=f"close {ticket}")


class Desk:
    @gate(approver=ask, preview=look)
    def close(self, ticket: int, *, note: str = "") -> str:
        return note

    @gate(approver=ask)
    async def reopen(self, ticket: int) -> bool:
        return True

    def plain(self, ticket: int) -> str:
        return ""


desk = Desk()
assert_type(desk.close(5, note="done"), str)
assert_type(Desk.close(desk, 5), str)
assert_type(gate(desk.plain, approver=ask)(5), str)
desk.close("5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - must be a number


async def reopens() -> None:
    assert_type(await desk.reopen(5), bool)


gate(refund)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType] - nobody to ask
gate(refund, approver=print)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType] - print decides nothing

store: Store = MemoryStore()
store = SqliteStore("approvals.db")

with run("ticket-17", acting_for="ana") as work:
    assert_type(work.notices, list[str])

takes: Callable[[ApprovalRequest], Decision | Awaitable[Decision]] = ask

"""What the help desk costs: tickets gated and not, a refund next to a bare one, and budgets."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from apps.support.__main__ import word_on_refund, word_on_reply
from apps.support.agent import Tools, work
from apps.support.approvals import gated
from apps.support.desk import Desk
from apps.support.model import Reason
from apps.support.opening import opened
from apps.support.sample import make_sample
from core import Approve, SqliteStore, gate
from core.approvers.scripted import Scripted
from core.model import new_id
from core.policies.budget import Budget
from core.policies.conditional import ApproveIf


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One figure, in seconds.

    Attributes:
        base: The figure it is compared with; 0 without one.
    """

    name: str
    seconds: float
    base: float = 0.0
    to: str = ""


def measure(folder: Path) -> list[Found]:
    """Return seconds for a ticket, for a refund and for a call within budgets."""
    people = Scripted(refund=word_on_refund, reply=word_on_reply)
    with opened(make_sample(folder / "plain"), {}) as desk:
        plain = _worked(Ungated(desk))
    with (
        opened(make_sample(folder / "gated"), {}) as desk,
        SqliteStore(folder / "gated" / "approvals.db") as store,
    ):
        asked = _worked(gated(desk, people, store=store))
    bare, through = _refunds(folder)
    without, within = _budgets(folder)
    return [
        Found(name="a ticket, without gates", seconds=plain),
        Found(name="a ticket, gated", seconds=asked, base=plain, to="without gates"),
        Found(name="a refund at the sandbox", seconds=bare),
        Found(
            name="a small refund through the gate", seconds=through, base=bare, to="the bare one"
        ),
        Found(name="a call that policies approve", seconds=without),
        Found(name="... within four budgets", seconds=within, base=without, to="without budgets"),
    ]


@dataclass(frozen=True, slots=True)
class Ungated:
    """The desk as an agent would have it without anybody in front."""

    desk: Desk

    def __getattr__(self, name: str) -> Callable[..., str]:
        return getattr(self.desk, name)  # type: ignore[no-any-return]  # the desk's tools return text

    def refund(self, charge: str, amount: int, reason: Reason, note: str, ticket: str) -> str:
        return self.desk.refund(charge, amount, reason, note, ticket, key=new_id())

    def reply(self, ticket: str, text: str) -> str:
        return self.desk.reply(ticket, text, key=new_id())

    def close(self, ticket: str) -> str:
        return self.desk.close(ticket, key=new_id())


def _worked(tools: Tools) -> float:
    """Return seconds for each of the sample's sixty tickets."""
    start = time.perf_counter()
    for _ in work(tools):
        pass
    return (time.perf_counter() - start) / 60


def _refunds(folder: Path) -> tuple[float, float]:
    """Return medians over refunds of one cent, each to another customer: bare, and gated."""
    with (
        opened(make_sample(folder / "refunds"), {}) as desk,
        SqliteStore(folder / "refunds.db") as store,
    ):
        tools = gated(desk, Scripted(refund=Approve(by="ana")), store=store)
        wanted: Reason = "requested_by_customer"
        cases = [(desk.payments.charges(t.customer)[0], t.id) for t in desk.helpdesk.tickets()]
        open_ = [
            (p.id, ticket) for p, ticket in cases if p.left.amount and p.left.currency == "eur"
        ]

        def bare() -> None:
            charge, ticket = open_.pop()
            desk.payments.refund(charge, 1, wanted, "x", ticket=ticket, key=new_id())

        def through() -> None:
            charge, ticket = open_.pop()
            tools.refund(charge, 1, wanted, "x", ticket)

        return _median(bare, 20), _median(through, 20)


def _budgets(folder: Path) -> tuple[float, float]:
    """Return medians over calls that policies approve, without budgets and within four of them."""

    def tool(charge: str, amount: int) -> int:
        return amount

    anything = [ApproveIf(lambda: True, because="small")]
    four = [Budget(f"budget {n}", 10**9, of="amount", per="charge") for n in range(4)]
    with SqliteStore(folder / "calls.db", synchronous="NORMAL") as store:
        nobody = Scripted()
        plain = gate(tool, approver=nobody, policies=anything, store=store)
        bounded = gate(tool, approver=nobody, policies=anything, budgets=four, store=store)
        return _median(lambda: plain("ch_1", 1), 500), _median(lambda: bounded("ch_1", 1), 500)


def _median(call: Callable[[], object], times: int) -> float:
    took = list[float]()
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return median(took)

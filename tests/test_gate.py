"""A gated call: every argument arrives as it was given, and nothing runs that nobody approved."""

import asyncio
import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import NO, YES, Background, Says, Silent, eventually, pending
from pydantic import BaseModel, Field

from core import (
    Approve,
    MemoryStore,
    NotAnswered,
    Panel,
    Reject,
    Rejected,
    Risk,
    SqliteStore,
    State,
    Unencodable,
    gate,
)
from core.model import same


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    TOP = 3


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Item:
    name: str
    price: Decimal = Decimal("1.50")
    tags: list[str] = field(default_factory=list)


class Order(BaseModel):
    id: int
    items: list[str] = []
    due: date | None = None


VALUES = [
    None,
    True,
    1,
    -(2**80),
    1.0,
    -0.0,
    "é\u202e\x00 ' \"",
    b"\x00\xff",
    Decimal("1.500"),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 12, 0, 0, 5, tzinfo=UTC),
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    time(23, 59),
    timedelta(days=-1, microseconds=1),
    UUID(int=7),
    Path("/tmp/a b"),
    PurePosixPath("../x"),
    Color.RED,
    Level.TOP,
    Right.READ | Right.WRITE,
    Item("nut", tags=["a"]),
    Order(id=1, items=["x"], due=date(2024, 1, 1)),
    [1, [2.0, ("3", None)], {"k": {4}}],
    {1: "int", "1": "str", (1, 2): frozenset({"x"})},
    {"z": 1, "a": 2},
]


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("policies", [(), (lambda request: Approve(by="policy"),)])
def test_arguments_arrive_as_they_were_given(value, policies, store):
    """An approved call gets the same types and values that the agent gave, whoever approved it."""
    seen = []

    def tool(x):
        seen.append(x)

    gated = gate(tool, approver=Says(YES), policies=policies, store=store)
    gated(value)
    assert seen == [value]
    assert type(seen[0]) is type(value)
    assert repr(seen[0]) == repr(value)


def test_local_classes_arrive_too(store):
    """A class that exists only inside a function is no obstacle."""

    @dataclass
    class Box:
        size: int

    class Shade(enum.Enum):
        DARK = 1

    class Form(BaseModel):
        box: Box
        shade: Shade

    def wrap(form: Form, box: Box) -> Form:
        return form

    looked, weighed = [], []
    gated = gate(
        wrap,
        approver=Says(YES),
        store=store,
        preview=lambda form: looked.append(form.box.size) or str(form.shade),
        panel=lambda box: weighed.append(box.size) or Panel(),
    )
    form = Form(box=Box(2), shade=Shade.DARK)
    assert gated(form, Box(3)) == form
    assert looked == [2, 2], "once for the person, once before the start"
    assert weighed == [3, 3]


def test_every_kind_of_parameter_is_passed_on(store):
    """Positional-only, keyword-only, variable and default parameters all reach the function."""

    def tool(a, /, b, c=3, *rest, d, e=[5], **more):  # noqa: B006 - the mutable default is the point
        e.append(6)
        return a, b, c, rest, d, e, more

    gated = gate(tool, approver=Says(YES, YES, YES), store=store)
    assert gated(1, 2, d=4) == (1, 2, 3, (), 4, [5, 6], {})
    assert gated(1, 2, d=4) == (1, 2, 3, (), 4, [5, 6], {}), "the default itself is not touched"
    assert gated(1, 2, 0, 7, 8, d=4, e=[], a=9, x=10) == (
        1, 2, 0, (7, 8), 4, [6], {"a": 9, "x": 10},
    )  # fmt: skip


def test_a_keyword_that_has_the_name_of_a_positional_only_parameter_stays_apart(store):
    """`f(1, a=2)` with a positional-only `a` keeps both, in what is shown and in what runs."""

    def tool(a, /, **more):
        return a, more

    approver = Says(YES)
    assert gate(tool, approver=approver, store=store)(1, a=2) == (1, {"a": 2})
    assert approver.seen[0].arguments == {"a": 1, "more": {"a": 2}}


def test_methods_partials_and_callable_objects_are_gated(store):
    """Bound methods, decorated methods, partials and objects with `__call__` run as they would."""

    class Shop:
        def __init__(self, name):
            self.name = name

        def sell(self, what: str) -> str:
            return f"{self.name} sells {what}"

        @gate(approver=lambda request: YES, store=store)
        def buy(self, what: str, /, *, cheap: bool = True) -> str:
            return f"{self.name} buys {what} {cheap}"

        @classmethod
        @gate(approver=lambda request: YES, store=store)
        def found(cls, name: str) -> str:
            return cls(name).name

        @staticmethod
        @gate(approver=lambda request: YES, store=store)
        def add(a: int, b: int) -> int:
            return a + b

        def __call__(self, what: str) -> str:
            return f"{self.name} has {what}"

    shop = Shop("corner")
    gated = partial(gate, approver=lambda request: YES, store=store)
    assert gated(shop.sell)("nuts") == "corner sells nuts"
    assert gated(shop)("nuts") == "corner has nuts"
    assert gated(partial(Shop.sell, shop))(what="nuts") == "corner sells nuts"
    assert gated(partial(shop.sell, what="nuts"))() == "corner sells nuts"
    assert shop.buy("nuts", cheap=False) == "corner buys nuts False"
    assert Shop("mall").buy("nuts") == "mall buys nuts True"
    assert (Shop.found("new"), shop.add(1, b=2)) == ("new", 3)


def test_async_functions_and_methods_are_awaited(store):
    """The gated coroutine function is one, and its arguments arrive as well."""

    class Shop:
        @gate(approver=Says(YES), store=store)
        async def buy(self, what: str) -> str:
            await asyncio.sleep(0)
            return f"bought {what}"

    assert asyncio.run(Shop().buy("nuts")) == "bought nuts"


@pytest.mark.parametrize("word", [None, True, "yes", 1, YES.by, Exception, object()])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_only_a_decision_decides(word, colour, store):
    """Whatever else an approver returns is a no, and the agent is told so."""
    ran = []

    async def approver(request):
        return word

    asks = Says(lambda request: word) if colour == "sync" else approver
    with pytest.raises(Rejected, match="was not run"):
        gate(lambda: ran.append(1), approver=asks, store=store)()
    assert ran == []
    assert [stored.state for stored in store.search()] == [State.REJECTED]


def leaves(request):
    raise SystemExit


def has_no_more(request):
    return next(iter(()))


async def is_cancelled(request):
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "approver",
    [
        Says(),
        None,
        lambda: YES,
        lambda request: Approve(by=None),
        leaves,
        has_no_more,
        is_cancelled,
    ],
)
def test_an_approver_that_fails_has_not_approved(approver, store):
    """No approver, a broken one, or one without a name: the call is not run, and the next may."""
    ran = []
    with pytest.raises(Rejected):
        gate(lambda: ran.append(1), approver=approver, store=store)()
    assert ran == []
    assert store.pending() == []
    assert gate(lambda: "next", approver=Says(YES), store=store)() == "next"


def test_a_rejection_is_one_message_that_says_all(store):
    """Who, why, what now, and that nothing ran: in the text, for some frameworks carry no more."""

    def delete(table: str) -> None:
        raise AssertionError("it must not run")

    with pytest.raises(PermissionError) as caught:
        gate(delete, approver=Says(NO), store=store)("orders")
    assert str(caught.value) == "delete was rejected by ana: archive it first. It was not run."
    assert type(caught.value) is Rejected
    assert caught.value.request_id == store.search()[0].request.id


def test_silence_is_told_as_silence(store):
    """Nobody answered is never told as a no."""
    gated = gate(
        lambda: None, approver=Silent(), store=store, decide_within=timedelta(seconds=0.05)
    )
    with pytest.raises(NotAnswered, match=r"nobody answered within 0\.05 seconds") as caught:
        gated()
    assert "rejected" not in str(caught.value)
    assert "denied" not in str(caught.value)
    assert store.search()[0].state is State.EXPIRED
    nobody = gate(lambda: None, approver=Says(Reject(by="nobody", reason="late")), store=store)
    with pytest.raises(NotAnswered, match=r"late\. Silence is not a denial"):
        nobody()


def test_an_approval_that_is_too_old_does_not_run(store):
    """`run_within` counts from the decision; what starts later does not start."""
    ran = []

    def approver(request):
        return YES

    gated = gate(
        lambda: ran.append(1), approver=approver, store=store, run_within=timedelta(microseconds=0)
    )
    with pytest.raises(NotAnswered, match="approved but not started"):
        gated()
    assert ran == []


SPELLINGS = [
    "agent",
    "Agent ",
    "\uff21GENT",
    "ag\u200bent",
    "\u2066agent\u2069",
    "\ufeffagent\u00ad",
]


@pytest.mark.parametrize("by", ["", " ", "\u200b", *SPELLINGS])
def test_nobody_approves_their_own_request(by, store):
    """The requester's approval does not count, in whatever spelling, and the call ends unrun."""
    ran = []
    with pytest.raises(Rejected, match="may not decide"):
        gate(lambda: ran.append(1), approver=lambda request: Approve(by=by), store=store)()
    assert ran == []


@given(
    st.text(), st.text(alphabet="\u200b\u2066\u00ad\U000e0061\ufeff"), st.sampled_from(" \t\u3000")
)
def test_one_person_has_one_name(name, unseen, blank):
    """What nobody can see, capitals, width and the number of spaces make no second person."""
    for text in (name, name.upper(), f"{blank}{name}{blank}"):
        assert same(same(text)) == same(text)
    assert same(unseen.join(f"ana{blank}wu")) == same(f" Ana{blank}{blank}\uff37U") == "ana wu"
    assert same("ana") not in {same("a na"), same("anna"), same("an\u0430")}


def test_a_policy_that_fails_or_babbles_has_said_no(store):
    """A rule that raises, or answers with something else, stops the call before anyone is asked."""
    ran = []

    def broken(request):
        raise ZeroDivisionError("oh")

    for policy in (broken, lambda request: True, lambda request: "approve", lambda: None):
        with pytest.raises(Rejected, match="policy"):
            gate(lambda: ran.append(1), approver=Says(), policies=[policy], store=store)()
    assert ran == []
    assert {stored.state for stored in store.search()} == {State.REJECTED}


def test_the_first_policy_with_an_opinion_decides(store):
    """Policies are asked in order, and what one decides is on record before the call runs."""
    states = []

    def tool() -> str:
        states.append(store.search()[0].state)
        return "done"

    rules = [lambda r: None, lambda r: Approve(by="small"), lambda r: Reject(by="x", reason="x")]
    assert gate(tool, approver=Says(), policies=rules, store=store)() == "done"
    assert states == [State.EXECUTING]
    assert [record.event for record in store.trail()] == [
        "submitted>approved>executing",
        "succeeded",
    ]
    with pytest.raises(Rejected, match="rejected by x: x"):
        gate(tool, approver=Says(), policies=[rules[0], *rules[:1:-1]], store=store)()


def broken(*_, **__):
    raise OSError("no")


@pytest.mark.parametrize(
    "wiring",
    [
        {"preview": broken},
        {"preview": lambda: object().missing},
        {"risk": broken},
        {"panel": broken},
        {"panel": lambda: None},
        {"panel": lambda: Panel(members=frozenset({"agent"}))},
    ],
)
def test_a_question_that_cannot_be_put_is_not_put(wiring, store):
    """Preview, risk or panel fail: nobody is asked, nothing runs, and the agent learns why."""
    ran = []
    with pytest.raises(Rejected, match="was not run"):
        gate(lambda: ran.append(1), approver=Says(), store=store, **wiring)()
    assert ran == []
    assert store.search() == []


@pytest.mark.parametrize("value", [float("nan"), object(), lambda: 1, [[...]], "x" * 1_000_001])
def test_what_cannot_be_frozen_is_refused_before_anyone_is_asked(value, store):
    """Not shown, not asked, not run; the sentence names the tool."""

    def tool(x):
        raise AssertionError("it must not run")

    with pytest.raises(Unencodable, match="tool was not run"):
        gate(tool, approver=Says(), store=store)(value)
    assert store.search() == []


def test_a_cycle_is_refused(store):
    """A list that contains itself has no end to show."""
    value = []
    value.append(value)
    with pytest.raises(Unencodable, match="contains itself"):
        gate(lambda x: None, approver=Says(), store=store)(value)


@pytest.mark.parametrize("asks", ["approver", "policy"])
def test_what_is_changed_after_the_call_does_not_change_what_runs(asks, store):
    """The arguments are frozen when the agent calls, not when a person or a rule answers."""
    rows, seen = [1, 2], []

    def tool(x):
        seen.append(x)

    def meddles(request):
        rows.append(3)
        request.arguments["x"].append(4)
        return YES

    rules = {"policies": [meddles]} if asks == "policy" else {}
    gate(tool, approver=meddles, store=store, **rules)(rows)
    assert seen == [[1, 2]]


def test_risk_panel_and_preview_speak_of_the_tools_own_parameters(store):
    """Functions for them take the parameters that they name."""

    def refund(charge: str, amount: Annotated[int, Field(gt=0)]) -> str:
        return charge

    approver = Says(Approve(by="boss"))
    gated = gate(
        refund,
        approver=approver,
        store=store,
        risk=lambda amount: Risk.CRITICAL if amount > 10 else Risk.LOW,
        panel=lambda amount: Panel(members=frozenset({"boss" if amount > 10 else "clerk"})),
        preview=lambda charge, **rest: f"{charge} {sorted(rest)}",
    )
    assert gated("ch_1", amount=11) == "ch_1"
    request = approver.seen[0]
    assert (request.risk, request.panel.members) == (Risk.CRITICAL, frozenset({"boss"}))
    assert request.preview.summary == "ch_1 ['amount']"


def test_a_panel_nobody_can_fill_is_refused_when_the_gate_is_built():
    """Members who are the requester, or one person twice, cannot make a quorum."""
    for members, votes in [({"agent"}, 1), ({"agent", "ana"}, 2), ({"agent", "ana", "Ana "}, 2)]:
        with pytest.raises(ValueError, match="votes"):
            gate(print, approver=Says(), panel=Panel(members=frozenset(members), votes=votes))


def test_a_quorum_counts_the_approver_and_another_window(store):
    """Two votes: the wired approver's and one through the store; whoever is first."""
    gated = gate(lambda: "done", approver=Says(YES), store=store, panel=Panel(votes=2))
    with Background(gated) as call:
        waiting = eventually(lambda: [s for s in store.pending() if s.votes])[0]
        assert call.running
        store.vote(waiting.request.id, Approve(by="bob"), digest=waiting.request.digest)
    assert call.result == "done"


def test_a_vote_from_elsewhere_does_not_silence_the_approver(store):
    """With two votes needed, the approver who was asked before the other vote still counts."""
    go, asked = [], []

    def slow(request):
        asked.append(request)
        eventually(lambda: go)
        return YES

    with Background(gate(lambda: "done", approver=slow, store=store, panel=Panel(votes=2))) as call:
        waiting = pending(store)
        eventually(lambda: asked)
        store.vote(waiting.request.id, Approve(by="bob"), digest=waiting.request.digest)
        go.append(True)
    assert call.result == "done"
    assert len(asked) == 1, "one question, one prompt"


def test_one_person_has_one_vote(store):
    """The approver who voted already is not asked for the second vote, and cannot give it."""
    approver = Says(YES, YES)
    gated = gate(
        lambda: 1,
        approver=approver,
        store=store,
        panel=Panel(votes=2),
        decide_within=timedelta(seconds=0.2),
    )
    with pytest.raises(NotAnswered):
        gated()
    assert len(approver.seen) == 1


@pytest.mark.parametrize("word", [Approve(by="bob"), Reject(by="bob", reason="no")])
def test_a_vote_from_another_window_decides_while_the_approver_waits(word, store):
    """The first answer wins; the approver is told that it may stop."""
    silent = Silent()
    with Background(gate(lambda: "done", approver=silent, store=store)) as call:
        waiting = pending(store)
        eventually(lambda: silent.seen)
        store.vote(waiting.request.id, word, digest=waiting.request.digest)
    assert silent.withdrawn == 1
    if isinstance(word, Approve):
        assert call.result == "done"
    else:
        assert str(call.error) == "<lambda> was rejected by bob: no. It was not run."


def test_a_decorator_used_twice_gates_both_functions_alike(store):
    """Rules and secrets given as iterators hold for every function, not for the first alone."""
    no = Reject(by="rule", reason="never")
    gated = gate(
        approver=Says(), store=store, policies=iter([lambda request: no]), secret=iter(["token"])
    )

    def first(token):
        return token

    def second(token):
        return token

    for tool in (gated(first), gated(second)):
        with pytest.raises(Rejected, match="never"):
            tool("hunter2")
    assert "hunter2" not in repr(store.search())

"""A person's edit is a new proposal: checked like the agent's, and told to the agent."""

import asyncio
import enum
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from people import YES, Background, Says, eventually, pending
from pydantic import BaseModel, Field

from core import (
    Approve,
    Edit,
    MemoryStore,
    Panel,
    Preview,
    Reject,
    Rejected,
    SqliteStore,
    State,
    gate,
    run,
)
from core.canonical import encode
from core.messages import collected


class Color(enum.Enum):
    RED = "red"
    DEEP = 3


@dataclass
class Item:
    name: str
    price: Decimal = Decimal(1)


class Order(BaseModel):
    id: int
    due: date | None = None


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


def edit(by="ana", **arguments):
    return Edit(by=by, arguments=arguments)


def edited_call(annotation, value, replacement, store):
    """Return what runs after an edit, and what the person was told when it was not taken."""
    seen, problems = [], []

    def tool(x):
        seen.append(x)

    tool.__annotations__ = {} if annotation is None else {"x": annotation}

    def approver(request):
        if request.problem:
            problems.append(request.problem)
            return Reject(by="ana", reason="then not")
        return edit(x=replacement)

    with suppress(Rejected):
        gate(tool, approver=approver, store=store)(value)
    return seen, problems


FITTING = [
    (int, 1, 5, 5),
    (int, 1, "5", 5),
    (float, 1.0, 5, 5.0),
    (float, 1.0, "2.5", 2.5),
    (bool, True, False, False),
    (str, "a", "5", "5"),
    (Decimal, Decimal(1), "1.50", Decimal("1.50")),
    (date, date(2024, 1, 1), "2024-02-29", date(2024, 2, 29)),
    (timedelta, timedelta(1), "PT90S", timedelta(seconds=90)),
    (Color, Color.RED, "red", Color.RED),
    (Color, Color.RED, "3", Color.DEEP),
    (Literal["a", "b"], "a", "b", "b"),
    (int | None, 1, None, None),
    (list[int], [1], [2, 3], [2, 3]),
    (list[int], [1], "[2, 3]", [2, 3]),
    (tuple[int, str], (1, "a"), [2, "b"], (2, "b")),
    (dict[str, Decimal], {}, '{"a": "1.5"}', {"a": Decimal("1.5")}),
    (bytes, b"a", "b", b"b"),
    (Item, Item("a"), {"name": "b", "price": "2.5"}, Item("b", Decimal("2.5"))),
    (Item, Item("a"), '{"name": "b"}', Item("b")),
    (Item, Item("a"), Item("c"), Item("c")),
    (Order, Order(id=1), '{"id": 2, "due": "2024-01-01"}', Order(id=2, due=date(2024, 1, 1))),
    (Annotated[int, Field(gt=0)], 1, "7", 7),
    (str | int, 1, "7", "7"),
    (Any, 1, "7", "7"),
    (None, 1, 7, 7),
    (None, None, "x", "x"),
]


@pytest.mark.parametrize(("annotation", "value", "replacement", "result"), FITTING)
def test_an_edit_that_fits_runs_with_the_annotated_type(
    annotation, value, replacement, result, store
):
    """A value of the type, its JSON or its text becomes the annotated type and nothing else."""
    seen, problems = edited_call(annotation, value, replacement, store)
    assert problems == []
    assert seen == [result]
    assert type(seen[0]) is type(result)


NOT_FITTING = [
    (int, 1, True),
    (int, 1, 1.5),
    (int, 1, "1.5"),
    (int, 1, "one"),
    (int, 1, None),
    (int, 1, "true"),
    (bool, True, 1),
    (float, 1.0, True),
    (float, 1.0, float("nan")),
    (str, "a", 5),
    (str, "a", b"b"),
    (Decimal, Decimal(1), "NaN"),
    (Decimal, Decimal(1), True),
    (date, date(2024, 1, 1), "2024-02-30"),
    (Color, Color.RED, "blue"),
    (Literal["a", "b"], "a", "c"),
    (list[int], [1], ["x"]),
    (list[int], [1], [True]),
    (Item, Item("a"), {"price": 1}),
    (Order, Order(id=1), {"id": "x"}),
    (Annotated[int, Field(gt=0)], 1, 0),
    (None, 1, "1"),
    (None, 1, True),
    (None, "1", 1),
    ("Unknown", 1, 2),
]


@pytest.mark.parametrize(("annotation", "value", "replacement"), NOT_FITTING)
def test_an_edit_that_does_not_fit_goes_back_to_the_person(annotation, value, replacement, store):
    """The person reads what is wrong, and nothing runs."""
    seen, problems = edited_call(annotation, value, replacement, store)
    assert seen == []
    assert [problem.partition(":")[0] for problem in problems] == ["x"]


def test_the_agent_never_hears_of_an_edit_that_did_not_fit(store):
    """The decision that counts is all that the agent is told about."""

    def tool(x: int) -> str:
        return f"did {x}"

    approver = Says(edit(x="many"), edit(y=1), Reject(by="ana", reason="then not"))
    with pytest.raises(Rejected) as caught:
        gate(tool, approver=approver, store=store)(1)
    assert str(caught.value) == "tool was rejected by ana: then not. It was not run."
    assert gate(tool, approver=Says(edit(x="many"), YES), store=store)(1) == "did 1"


def test_parameters_that_are_not_there_or_hidden_cannot_be_edited(store):
    """An unknown name, a secret, and a keyword that is taken are refused, all in one sentence."""
    problems = []

    def tool(a: int, *, token: str, **more: int):
        raise AssertionError("it must not run")

    def approver(request):
        if request.problem:
            problems.append(request.problem)
            return Reject(by="ana", reason="no")
        return edit(b=1, token="x", more={"a": 2})

    with pytest.raises(Rejected):
        gate(tool, approver=approver, store=store, secret=["token"])(1, token="hunter2", c=3)
    assert "b: tool has no such parameter" in problems[0]
    assert "token: a hidden value cannot be edited" in problems[0]
    assert "more: " in problems[0]


def test_variable_parameters_can_be_edited_as_a_whole(store):
    """`*args: int` is edited as a list of them, `**kwargs: int` as an object."""

    def tool(*numbers: int, **named: Decimal):
        return repr((numbers, named))

    approver = Says(edit(numbers=[3, 4], named={"y": "1.5"}))
    told = gate(tool, approver=approver, store=store)(1, 2, x=Decimal(0))
    assert told.startswith("((3, 4), {'y': Decimal('1.5')})\n")


def test_a_person_who_never_fits_is_not_asked_for_ever(store):
    """After a few edits that cannot be taken the call ends, unrun."""
    approver = Says(*[edit(x="one")] * 100)

    def tool(x: int):
        raise AssertionError("it must not run")

    with pytest.raises(Rejected, match="no answer of ana could be taken"):
        gate(tool, approver=approver, store=store)(1)
    assert len(approver.seen) < 10


def test_a_text_result_tells_the_agent_what_was_changed(store):
    """Who changed what from what to what stands in the result."""

    def refund(charge: str, amount: int) -> str:
        return f"refunded {amount}"

    told = gate(refund, approver=Says(edit(amount=40)), store=store)("ch_1", 50)
    assert told == "refunded 40\n[refund ran as edited by ana: amount: 50 -> 40]"


def test_any_other_result_leaves_a_notice_in_the_run(store):
    """A result that cannot carry a sentence stays as it is; the run has the sentence."""

    def refund(amount: int) -> dict[str, int]:
        return {"refunded": amount}

    with run("ticket-1") as work:
        assert gate(refund, approver=Says(edit(amount=40)), store=store)(50) == {"refunded": 40}
    assert work.notices == ["[refund ran as edited by ana: amount: 50 -> 40]"]


NOTE = "[refund ran as edited by ana: amount: 50 -> 40]"


def test_a_notice_can_be_collected_without_a_run(store):
    """Whoever runs a tool hears what its result could not say, from a function of either colour."""

    def refund(amount: int) -> int:
        return amount

    async def later(amount: int) -> int:
        return amount

    later.__qualname__ = "refund"
    wiring = {"approver": lambda request: edit(amount=40), "store": store}
    with collected() as notes:
        assert gate(refund, **wiring)(50) == 40
    assert notes == [NOTE]
    with collected() as notes:
        assert asyncio.run(gate(later, **wiring)(50)) == 40
    assert notes == [NOTE]


def test_notices_reach_from_a_thread_and_stay_apart(store):
    """Of several calls at once each collects its own; whoever stands around them has all."""
    gated = gate(
        lambda amount: amount,
        approver=lambda r: edit(amount=r.arguments["amount"] * 2),
        store=store,
    )

    async def one(amount):
        with collected() as notes:
            await asyncio.to_thread(gated, amount)
        return [note.rpartition(" ")[2] for note in notes]

    async def work():
        return await asyncio.gather(*[one(amount) for amount in (1, 2, 3)])

    with collected() as all_of_them, run("ticket") as ticket:
        assert asyncio.run(work()) == [["2]"], ["4]"], ["6]"]]
    assert len(all_of_them) == 3
    assert sorted(ticket.notices) == sorted(all_of_them)


def test_a_text_that_says_it_itself_and_a_call_as_asked_leave_no_notice(store):
    """Nobody hears of a change twice, or of none."""
    with collected() as notes:
        said = gate(lambda amount: "paid", approver=Says(edit(amount=40)), store=store)(50)
        gate(lambda amount: 1, approver=Says(YES), store=store)(50)
    assert "edited by ana" in said
    assert notes == []


def test_an_error_of_an_edited_call_tells_the_agent_what_was_changed(store):
    """The agent must not wonder about an error over a value that it never gave."""

    def refund(amount: int) -> str:
        raise LookupError(f"cannot refund {amount}")

    with (
        run("ticket-1") as work,
        collected() as notes,
        pytest.raises(LookupError, match="cannot refund 40") as caught,
    ):
        gate(refund, approver=Says(edit(amount=40)), store=store)(50)
    assert caught.value.__notes__ == work.notices == notes == [NOTE]


def test_the_editor_is_told_apart_from_the_one_who_approved(store):
    """When one person edits and another approves, the agent hears of both."""
    approver = Says(edit(x=2), Approve(by="bob"))

    def tool(x: int) -> str:
        return "done"

    told = gate(tool, approver=approver, store=store, preview=lambda x: f"{x} rows")(1)
    assert "edited by ana" in told


def test_an_edit_faces_the_policies_that_reject(store):
    """What the agent may not do, a person cannot do by editing; a policy's yes waves nothing by."""
    problems = []

    def limit(request):
        amount = request.arguments["amount"]
        return Reject(by="limit", reason="too much") if amount > 100 else None

    def approver(request):
        problems.append(request.problem)
        return edit(amount=[500, 80][len(problems) - 1])

    def refund(amount: int) -> str:
        return f"refunded {amount}"

    told = gate(refund, approver=approver, policies=[limit], store=store)(50)
    assert problems == ["", "limit rejects it: too much"]
    assert told.startswith("refunded 80\n")


def test_an_edit_upwards_needs_the_higher_member(store):
    """Who may approve the small sum may not approve the sum they made of it."""

    def panel(amount):
        return Panel(members=frozenset({"boss"} if amount > 100 else {"clerk", "boss"}))

    def refund(amount: int) -> str:
        return f"refunded {amount}"

    asked = []

    def approver(request):
        asked.append((request.arguments["amount"], request.problem, request.revision))
        return [edit("clerk", amount=500), Approve(by="clerk"), Approve(by="boss")][len(asked) - 1]

    told = gate(refund, approver=approver, store=store, panel=panel)(50)
    assert told.startswith("refunded 500\n")
    assert [(amount, revision) for amount, _, revision in asked] == [(50, 0), (500, 1), (500, 1)]
    assert "clerk may not decide this" in asked[2][1]


def test_an_edit_that_changes_the_preview_is_shown_again(store):
    """The person sees what the edited call would do before it counts; the same edit is a yes."""
    approver = Says(edit(x=2), edit(x=2))

    def tool(x: int) -> str:
        return f"did {x}"

    gated = gate(
        tool, approver=approver, store=store, preview=lambda x: Preview(summary=f"{x} rows")
    )
    assert gated(1).startswith("did 2\n")
    first, second = approver.seen
    assert (first.preview.summary, second.preview.summary) == ("1 rows", "2 rows")
    assert (first.revision, second.revision) == (0, 1)
    assert first.digest != second.digest
    assert first.origin == second.origin


def test_an_edit_by_somebody_who_may_not_vote_is_not_taken(store):
    """The requester, or a stranger to the panel, edits nothing."""

    def tool(x: int):
        raise AssertionError("it must not run")

    for by in ("agent", "eve", ""):
        gated = gate(
            tool, approver=Says(edit(by, x=2), Reject(by="ana", reason="no")), store=store,
            panel=Panel(members=frozenset({"ana"})),
        )  # fmt: skip
        with pytest.raises(Rejected, match="rejected by ana: no"):
            gated(1)


def test_an_edit_from_another_window_is_checked_by_the_gate(store):
    """The store keeps it as a proposal; it counts once the gate has found it fitting."""

    def tool(x: int) -> str:
        return f"did {x}"

    def waits(request):
        eventually(lambda: store.get(request.id).state is not State.PENDING)
        return YES

    with Background(gate(tool, approver=waits, store=store), 1) as call:
        asked = pending(store).request
        store.propose(asked.id, edit("bob", x="many"), digest=asked.digest)
        refused = eventually(lambda: store.get(asked.id).request.problem)
        store.propose(asked.id, edit("bob", x="3"), digest=asked.digest)
    assert refused.startswith("x: ")
    assert call.result == "did 3\n[tool ran as edited by bob: x: 1 -> 3]"


def test_an_answer_to_what_was_there_before_an_edit_does_not_count(store):
    """The approver looked at the old version; their yes is not a yes to somebody else's edit."""
    asked = []

    def tool(x: int) -> str:
        return f"did {x}"

    def approver(request):
        asked.append(request)
        if len(asked) == 1:
            store.propose(request.id, edit("bob", x=2), digest=request.digest)
            eventually(lambda: store.get(request.id).request.revision == 1)
            return YES
        return Reject(by="ana", reason=f"not {request.arguments['x']}")

    gated = gate(tool, approver=approver, store=store, preview=lambda x: f"{x} rows")
    with pytest.raises(Rejected, match="rejected by ana: not 2"):
        gated(1)
    votes = store.search()[0].votes
    assert [(vote.by, vote.choice) for vote in votes] == [("ana", "reject")]


@pytest.mark.parametrize("word", [YES, edit(x=3)])
def test_an_answer_that_crosses_an_edit_does_not_count(word, store):
    """Between the question and the answer the request became another; the answer is void."""
    shown = []

    def tool(x: int) -> str:
        return f"did {x}"

    async def approver(request):
        shown.append(request)
        if request.revision:
            return Reject(by="ana", reason=f"not {request.arguments['x']}")
        arguments = {"x": 2}
        frozen, digest = encode(arguments), "0" * 64
        other = replace(request, arguments=arguments, frozen=frozen, digest=digest, revision=1)
        store.revise(other, edit("bob", **arguments), changed="by bob: x: 1 -> 2")
        return word

    with pytest.raises(Rejected, match="rejected by ana: not 2"):
        gate(tool, approver=approver, store=store)(1)
    assert [request.arguments for request in shown] == [{"x": 1}, {"x": 2}]
    assert "again" in shown[1].problem
    assert [vote.choice for vote in store.search()[0].votes] == ["reject"]

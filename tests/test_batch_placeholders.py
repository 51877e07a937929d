"""A placeholder is data: the result of one call of a batch may be an argument of a later one."""

import asyncio
import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import NO, YES, Says, eventually, soon

from core import (
    Approve,
    Batch,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Panel,
    Reject,
    Risk,
    SqliteStore,
    State,
)
from core.audit import details
from core.batches.binding import bound_digest
from core.batches.placeholders import filled, numbers, placeholder
from core.canonical import encode
from core.policies.conditional import ApproveIf, RejectIf
from core.policies.risk import ApproveUpTo


def keeping(ran):
    """Return a tool that does nothing but keep what it is given."""

    def keep(value):
        ran.append(value)

    return keep


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


class Desk:
    """A help desk with money: what really happened is in `done`."""

    def __init__(self):
        self.done = []

    def refund(self, charge: str, amount: int) -> int:
        """Pay back and return what was paid."""
        self.done.append(("refund", charge, amount))
        return amount

    def reply(self, ticket: str, paid: int) -> str:
        """Tell the customer what was paid."""
        self.done.append(("reply", ticket, paid))
        return f"told {paid}"


@pytest.fixture
def desk():
    return Desk()


def everybody(**answers):
    """Approve everything but the tools named."""
    return lambda request: answers.get(request.name, YES)


def test_a_result_flows_into_the_call_that_needs_it(store, desk):
    """It runs with the real value, of its real type, after the call that made it."""
    batch = Batch(approver=everybody(), store=store)
    paid = batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", paid)
    assert batch.review_and_execute() == {1: 60, 2: "told 60"}
    assert desk.done == [("refund", "ch_1", 60), ("reply", "t_1", 60)]


def test_both_are_asked_in_advance_and_people_see_what_stands_for_what(store, desk):
    """Nobody waits for a result to be asked: the placeholder is shown with its meaning."""
    people = Says(YES, YES)
    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    batch.review_and_execute()
    reply = next(one for one in people.seen if one.name == "reply")
    assert reply.arguments["paid"] == "PENDING_APPROVAL_1"
    assert reply.remarks == (
        "PENDING_APPROVAL_1 stands for the result of call 1, refund(charge=ch_1, amount=60)",
    )
    assert (reply.batch.number, reply.batch.of, reply.batch.needs) == (2, 2, (1,))
    assert len(store.search()) == 2


def test_the_audit_trail_holds_the_digest_of_what_was_bound(store, desk):
    """Who knows the real arguments can prove that it ran with them; others have no such line."""
    batch = Batch(approver=everybody(), store=store)
    reply = batch.gate(lambda ticket, paid: ticket)
    batch.gate(desk.refund)("ch_1", 60)
    reply("t_1", "PENDING_APPROVAL_1")
    batch.review_and_execute()
    started = [details(record) for record in store.trail() if record.event == "executing"]
    whole = encode({"ticket": "t_1", "paid": 60})
    assert [one.get("bound") for one in started] == [None, bound_digest(whole)]


@pytest.mark.parametrize(
    ("value", "ran"),
    [
        ("PENDING_APPROVAL_1", "x"),
        (["PENDING_APPROVAL_1", "b"], ["x", "b"]),
        (("a", ("PENDING_APPROVAL_1",)), ("a", ("x",))),
        ({"k": [{"deep": "PENDING_APPROVAL_1"}]}, {"k": [{"deep": "x"}]}),
        ("pending_approval_1", "pending_approval_1"),
        ("PENDING_APPROVAL_", "PENDING_APPROVAL_"),
    ],
)
def test_a_placeholder_is_a_whole_value_at_any_depth(value, ran, store):
    """Alone, in lists, tuples, and behind the keys of a dict; what is none stays as it is."""
    got, batch = [], Batch(approver=everybody(), store=store)
    batch.gate(lambda: "x")()
    batch.gate(keeping(got))(value)
    batch.review_and_execute()
    assert got == [ran]
    assert type(got[0]) is type(ran)


@dataclass(frozen=True)
class Letter:
    text: str


@pytest.mark.parametrize(
    "value",
    [
        "about PENDING_APPROVAL_1",
        "PENDING_APPROVAL_1 ",
        "PENDING_APPROVAL_01",
        "PENDING_APPROVAL_0",
        "PENDING_APPROVAL_2",
        "PENDING_APPROVAL_3",
        {"PENDING_APPROVAL_1": 1},
        {"PENDING_APPROVAL_1"},
        [{1: ("so PENDING_APPROVAL_1",)}],
        Letter("PENDING_APPROVAL_1"),
        b"PENDING_APPROVAL_1",
    ],
    ids=repr,
)
def test_a_misplaced_placeholder_is_told_to_the_agent_at_the_call(value, store):
    """Part of a text, a key, an unknown or its own number: a sentence, and nothing is queued."""
    batch = Batch(approver=everybody(), store=store)
    tool = batch.gate(lambda value: value)
    tool("first")
    with pytest.raises(ValueError, match=r"was not queued, because of value: .*PENDING_APPROVAL"):
        tool(value)
    assert tool("second") == "PENDING_APPROVAL_2"


def test_a_hidden_parameter_takes_no_placeholder(store):
    """What nobody can see cannot be decided before it is there."""
    batch = Batch(approver=everybody(), store=store)
    tool = batch.gate(lambda key: key, secret={"key"})
    tool("hunter2")
    with pytest.raises(ValueError, match="key is hidden"):
        tool("PENDING_APPROVAL_1")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=plain, results=st.dictionaries(st.integers(1, 5), plain, min_size=1))
def test_filling_puts_in_every_result_and_touches_nothing_else(value, results):
    """Whatever is around them; a result that looks like a placeholder is not filled again."""
    marks = [placeholder(number) for number in results]
    assert filled(value, results) == value
    assert filled([value, *marks], results) == [value, *results.values()]
    assert numbers({"a": marks, "b": value}) == set(results)
    again = {number: placeholder(number) for number in results}
    assert filled(marks, again) == marks


REASONS = [
    (everybody(refund=NO), "which was rejected: refund was rejected by ana: archive it first"),
    (everybody(), "which failed: ValueError: closed"),
    (everybody(), "which may or may not have happened: no answer"),
]


@pytest.mark.parametrize(
    ("error", "approver", "why"),
    [
        (None, *REASONS[0]),
        (ValueError("closed"), *REASONS[1]),
        (OutcomeUnknown("no answer"), *REASONS[2]),
    ],
)
def test_without_the_result_nothing_that_needs_it_runs(error, approver, why, store, desk):
    """It is withdrawn with the reason, and so is what needs that in turn; others go on."""

    def refund(charge: str, amount: int) -> int:
        if error:
            raise error
        return amount

    batch = Batch(approver=approver, store=store)
    batch.gate(refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    batch.gate(keeping(desk.done))(["PENDING_APPROVAL_2"])
    batch.gate(desk.reply)("t_2", 5)
    results = batch.review_and_execute()
    assert results[2].startswith("REJECTED: not run, for it needs PENDING_APPROVAL_1, " + why)
    assert results[3].startswith(
        "REJECTED: not run, for it needs PENDING_APPROVAL_2, which was rejected: not run, for it"
    )
    assert desk.done == [("reply", "t_2", 5)]
    states = {stored.request.batch.number: stored.state for stored in store.search()}
    assert states[2] is states[3] is State.CANCELLED


def test_people_are_not_kept_with_what_cannot_run_any_more(store, desk):
    """When a source is rejected, the question about what needs it is taken back at once."""
    asked = threading.Event()

    async def ana(request):
        if request.name == "refund":
            await soon(asked.is_set)
            return NO
        asked.set()
        return await asyncio.Event().wait()

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert "needs PENDING_APPROVAL_1" in batch.review_and_execute()[2]
    assert store.pending() == []


def test_an_edit_flows_on_and_what_was_shown_is_asked_again(store, desk):
    """Who approved the reply saw the refund as it was; now they see the real value."""
    seen = []

    def ana(request):
        seen.append(request)
        if request.name == "refund":
            return Edit(by="ana", arguments={"amount": 45})
        return YES

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2] == "told 45"
    assert desk.done == [("refund", "ch_1", 45), ("reply", "t_1", 45)]
    first, again = [one for one in seen if one.name == "reply"]
    assert (first.arguments["paid"], again.arguments["paid"]) == ("PENDING_APPROVAL_1", 45)
    assert again.remarks == (
        "asked again: call 1 is not any more what was shown here",
        "paid holds the result of call 1, refund(charge=ch_1, amount=45)",
    )
    replies = [s.state.value for s in store.search(action="reply")]
    assert replies == ["SUCCEEDED", "CANCELLED"]


def test_what_a_person_edited_is_still_there_when_it_is_asked_again(store, desk):
    """Only the result is new in the second question, and the agent hears of the edit."""

    def ana(request):
        if request.name == "refund":
            return Edit(by="ana", arguments={"amount": 45})
        if request.arguments["ticket"] == "t_1":
            return Edit(by="ana", arguments={"ticket": "t_9"})
        return YES

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    told = 'told 45\n[reply ran as edited by ana: ticket: "t_1" -> "t_9"]'
    assert batch.review_and_execute()[2] == told
    assert desk.done == [("refund", "ch_1", 45), ("reply", "t_9", 45)]


def test_the_second_question_can_be_answered_otherwise(store, desk):
    """An approval of what was shown is none for what is different."""
    batch = Batch(
        approver=lambda request: (
            Edit(by="ana", arguments={"amount": 45})
            if request.name == "refund"
            else (YES if request.arguments["paid"] == "PENDING_APPROVAL_1" else NO)
        ),
        store=store,
    )
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2].startswith("REJECTED: reply was rejected by ana")
    assert desk.done == [("refund", "ch_1", 45)]


def test_a_question_that_is_still_open_is_replaced_when_its_source_was_edited(store, desk):
    """The person in front of the old question is called back and sees the real value."""
    shown = []

    async def ana(request):
        shown.append(request.arguments.get("paid"))
        if request.name == "refund":
            return Edit(by="ana", arguments={"amount": 45})
        if request.arguments["paid"] == "PENDING_APPROVAL_1":
            await asyncio.Event().wait()
        return YES

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2] == "told 45"
    assert shown[-1] == 45


def test_a_person_may_put_a_value_in_the_place_of_a_result(store, desk):
    """Then it needs nothing any more, and runs though the other call was rejected."""
    batch = Batch(
        approver=everybody(refund=NO, reply=Edit(by="ana", arguments={"paid": 0})), store=store
    )
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    slow = batch.review_and_execute()
    assert slow[2].startswith("told 0") or "needs PENDING_APPROVAL_1" in slow[2]
    assert ("reply", "t_1", 0) in desk.done or store.search(action="reply")[0].state.value in {
        "CANCELLED"
    }


def test_an_edit_of_another_parameter_keeps_the_placeholder(store, desk):
    """The edit counts, and the result still flows in."""
    edit = Edit(by="ana", arguments={"ticket": "t_9"})
    batch = Batch(approver=everybody(reply=edit), store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2].startswith("told 60\n[reply ran as edited by ana")
    assert desk.done[-1] == ("reply", "t_9", 60)
    (reply,) = store.search(action="reply")
    assert len(reply.request.remarks) == 1 and reply.request.batch.needs == (1,)


def test_a_placeholder_that_a_person_makes_up_is_refused_or_asked_again(store, desk):
    """One for a later call is never run; one for an earlier call is shown with its value first."""
    seen = []

    def ana(request):
        seen.append(request.arguments)
        if request.name == "note" and request.arguments["text"] == "a":
            return Edit(by="ana", arguments={"text": "PENDING_APPROVAL_1"})
        if request.name == "note" and request.arguments["text"] == "b":
            return Edit(by="ana", arguments={"text": "PENDING_APPROVAL_3"})
        return YES

    def note(text: str) -> None:
        desk.done.append(text)

    batch = Batch(approver=ana, store=store)
    batch.gate(lambda: "real")()
    batch.gate(note)("a")
    batch.gate(note)("b")
    results = batch.review_and_execute()
    assert desk.done == ["real"]
    assert {"text": "real"} in seen
    assert "PENDING_APPROVAL_3, which is no earlier call" in results[3]


def test_a_result_that_does_not_fit_is_not_run(store, desk):
    """The parameter wants a number and a text comes: the call is refused with both names."""
    batch = Batch(approver=everybody(), store=store)
    batch.gate(lambda: "a lot")()
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    results = batch.review_and_execute()
    assert results[2].startswith("REJECTED: what PENDING_APPROVAL_1 stands for does not fit paid:")
    assert desk.done == []
    assert store.search(action="reply")[0].state is State.CANCELLED


def test_a_result_of_another_kind_than_promised_is_asked_again(store):
    """The function says it returns a number; when it returns none, people see what it was."""
    seen = []

    def pay() -> int:
        return None

    def ana(request):
        seen.append(dict(request.arguments))
        return YES

    ran, batch = [], Batch(approver=ana, store=store)
    batch.gate(pay)()
    batch.gate(keeping(ran))("PENDING_APPROVAL_1")
    batch.review_and_execute()
    assert seen == [{}, {"value": "PENDING_APPROVAL_1"}, {"value": None}]
    assert ran == [None]


def unkept():
    """Return what cannot be written down."""
    return object()


def test_a_result_that_was_not_kept_flows_nowhere(store, desk):
    """What cannot be written down could not be shown or repeated, so it is not passed on."""
    batch = Batch(approver=everybody(), store=store)
    batch.gate(unkept)()
    batch.gate(keeping(desk.done))("PENDING_APPROVAL_1")
    results = batch.review_and_execute()
    assert results[2] == "REJECTED: the result of PENDING_APPROVAL_1 was not kept"
    assert desk.done == []


@pytest.mark.parametrize(
    "rule",
    [
        {"preview": lambda paid: f"tells {paid}"},
        {"risk": lambda paid: Risk.LOW if paid < 100 else Risk.HIGH},
        {"panel": lambda paid: Panel(members=frozenset({"ana", f"lead {paid}"}))},
        {"environment": lambda paid: f"paid {paid}"},
        {"pin": {"paid": lambda paid: paid}},
        {"policies": [RejectIf(lambda paid: paid > 100, because="too much")]},
    ],
    ids=lambda rule: next(iter(rule)),
)
def test_what_needs_the_value_is_asked_once_it_is_there(rule, store, desk):
    """People see the real value, and the first call is told who waits for it."""
    people = Says(YES, YES)
    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply, **rule)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute() == {1: 60, 2: "told 60"}
    refund, reply = people.seen
    assert reply.arguments["paid"] == 60
    assert reply.remarks[-1] == "paid holds the result of call 1, refund(charge=ch_1, amount=60)"
    assert refund.remarks == (
        (
            "call 2, reply(ticket=t_1, paid=PENDING_APPROVAL_1), waits for this result and is"
            " decided then"
        ),
    )


def test_rules_about_other_parameters_do_not_delay_the_question(store, desk):
    """Whatever can be told without the result is asked in advance, with its risk and its panel."""
    people = Says(YES, YES)
    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(
        desk.reply,
        risk=lambda ticket: Risk.CRITICAL,
        panel=lambda ticket: Panel(members=frozenset({"ana"})),
        policies=[ApproveUpTo(Risk.MEDIUM), RejectIf(lambda ticket: False, because="never")],
    )("t_1", "PENDING_APPROVAL_1")
    batch.review_and_execute()
    reply = next(one for one in people.seen if one.name == "reply")
    assert reply.arguments["paid"] == "PENDING_APPROVAL_1"
    assert (reply.risk, reply.panel.members) == (Risk.CRITICAL, frozenset({"ana"}))


def test_policies_see_the_value_before_it_runs(store, desk):
    """What a policy rejects with the real value does not run, though a person had approved it."""

    def hopeful(request):
        if request.name == "reply" and "PENDING" not in str(dict(request.arguments)):
            return Reject(by="policy", reason=f"not with {request.arguments['paid']}")
        return None

    def unaware(request):
        try:
            return hopeful(request)
        except BaseException:  # reads everything, and keeps what it cannot read to itself
            return None

    batch = Batch(approver=everybody(), store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply, policies=[unaware])("t_1", "PENDING_APPROVAL_1")
    results = batch.review_and_execute()
    assert results[2].startswith("REJECTED: reply was rejected by policy: not with 60")
    assert desk.done == [("refund", "ch_1", 60)]
    assert store.search(action="reply")[0].state is not State.SUCCEEDED


def test_a_policy_may_approve_what_it_could_not_see_before(store, desk):
    """Nobody is asked about it: the rule reads the value once it is there."""
    people = Says(YES)
    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    small = ApproveIf(lambda paid: paid < 100, because="small")
    batch.gate(desk.reply, policies=[small])("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute() == {1: 60, 2: "told 60"}
    assert [one.name for one in people.seen] == ["refund"]


def test_a_stricter_panel_asks_again(store, desk):
    """When who decides has changed until the value is there, those who decide now are asked."""
    panels = [Panel(members=frozenset({"ana"}))] * 2 + [Panel(members=frozenset({"mia"}))] * 9
    seen = []

    def people(request):
        seen.append((request.name, sorted(request.panel.members)))
        return Approve(by="mia" if "mia" in request.panel.members else "ana")

    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply, panel=lambda ticket: panels.pop(0))("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2] == "told 60"
    assert ("reply", ["mia"]) in seen
    (last, *_) = store.search(action="reply")
    assert [vote.by for vote in last.votes] == ["mia"]


def test_a_higher_risk_asks_again(store, desk):
    """Who approved something harmless has not approved what is critical by now."""
    risks, seen = [Risk.LOW] * 2 + [Risk.CRITICAL] * 9, []

    def ana(request):
        seen.append((request.name, request.risk))
        return YES

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply, risk=lambda ticket: risks.pop(0))("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute()[2] == "told 60"
    assert ("reply", Risk.LOW) in seen and seen[-1] == ("reply", Risk.CRITICAL)


def test_a_later_review_passes_on_what_an_earlier_one_returned(store, desk):
    """The agent reads its results, queues more, and may still name the first call."""
    people = Says(YES, YES)
    batch = Batch(approver=people, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.review_and_execute()
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    assert batch.review_and_execute() == {1: 60, 2: "told 60"}
    assert people.seen[1].arguments["paid"] == 60


def added(terms):
    """Return the sum."""
    return sum(terms)


def test_one_result_flows_into_many_and_many_into_one(store):
    """Any graph that points backwards runs in the order of the calls."""
    batch = Batch(approver=everybody(), store=store)
    one, add = batch.gate(lambda: 1), batch.gate(added)
    first = one()
    second, third = add([first, 1]), add((first, first, first))
    add({"a": second, "b": third}.values() and [second, third, 10])
    assert batch.review_and_execute() == {1: 1, 2: 2, 3: 3, 4: 15}


def test_a_long_chain_runs_to_its_end(store):
    """Fifty calls, each on the result of the one before."""
    batch = Batch(approver=everybody(), store=store)
    step = batch.gate(lambda x: x + 1)
    value = step(0)
    for _ in range(49):
        value = step(value)
    assert batch.review_and_execute()[50] == 50


def test_async_tools_pass_on_results_too(store):
    """The colour of a tool makes no difference to what flows."""

    async def night():
        async def double(x: int) -> int:
            return 2 * x

        batch = Batch(approver=everybody(), store=store)
        twice = batch.gate(double)
        assert await twice(await twice(1)) == "PENDING_APPROVAL_2"
        return await batch.review_and_execute_async()

    assert asyncio.run(night()) == {1: 2, 2: 4}


def test_a_slow_source_holds_up_only_what_needs_it(store, desk):
    """The others run meanwhile."""

    def ana(request):
        if request.name == "refund":
            eventually(lambda: ("reply", "t_2", 5) in desk.done)
        return YES

    batch = Batch(approver=ana, store=store)
    batch.gate(desk.refund)("ch_1", 60)
    batch.gate(desk.reply)("t_1", "PENDING_APPROVAL_1")
    batch.gate(desk.reply)("t_2", 5)
    batch.review_and_execute()
    assert [paid for _, _, paid in desk.done] == [5, 60, 60]

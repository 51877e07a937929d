"""Approvers that ask other approvers, or a script, or the store."""

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from core import MemoryStore
from core.approvers.any_of import AnyOf
from core.approvers.by_risk import ByRisk
from core.approvers.deadline import Deadline
from core.approvers.inbox import Inbox
from core.approvers.scripted import Scripted
from core.canonical import digest, encode
from core.model import (
    NOBODY,
    ApprovalRequest,
    Approve,
    Edit,
    NotAnswered,
    Panel,
    Reject,
    Rejected,
    Risk,
    State,
    utc_now,
)
from core.waiting import answer

YES = Approve(by="ana")
NO = Reject(by="bo", reason="use the sandbox")


def request(**changes):
    """A request as the gate would hand it over."""
    frozen = encode({"amount": 5})
    made = ApprovalRequest(
        action="shop.tools.refund",
        arguments={"amount": 5},
        frozen=frozen,
        digest=digest("test", frozen),
        origin=digest("origin", frozen),
        expires_at=utc_now() + timedelta(hours=1),
    )
    return replace(made, **changes)


def ask(approver, **changes):
    """Ask once and return the decision."""
    return asyncio.run(approver(request(**changes)))


class Thinking:
    """An approver who never answers, and notices when the question is withdrawn."""

    def __init__(self):
        self.withdrawn = False

    async def __call__(self, request):
        try:
            await asyncio.sleep(60)
        finally:
            self.withdrawn = True


async def fails(request):
    """An approver that cannot be reached."""
    raise ConnectionError("no network")


def saying(decision):
    """An approver that always says the same, without a loop."""
    return lambda request: decision


def test_a_sync_approver_does_not_hold_up_the_loop():
    """While one person thinks in a thread, everything else goes on."""

    def slow(request):
        time.sleep(0.2)
        return YES

    async def both():
        asked = asyncio.create_task(answer(slow, request()))
        ticks = 0
        while not asked.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks, asked.result()

    ticks, decision = asyncio.run(both())
    assert ticks > 5 and decision == YES


def test_many_sync_approvers_think_at_the_same_time():
    """Fifty people who block do not wait for each other."""
    barrier = threading.Barrier(50, timeout=10)

    def together(request):
        barrier.wait()
        return YES

    async def all_of_them():
        return await asyncio.gather(*(answer(together, request()) for _ in range(50)))

    assert asyncio.run(all_of_them()) == [YES] * 50


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), KeyboardInterrupt()], ids=repr)
def test_an_error_in_a_thread_is_an_error_here(error):
    """An approver that fails in its thread is heard, whatever it raised."""

    def failing(request):
        raise error

    with pytest.raises((ValueError, RuntimeError)):
        asyncio.run(asyncio.wait_for(answer(failing, request()), 5))


@pytest.mark.parametrize("nonsense", [None, True, "yes", object()])
def test_what_is_no_decision_decides_nothing(nonsense):
    """Only Approve, Edit and Reject are answers; anything else is an error."""
    with pytest.raises(TypeError):
        asyncio.run(answer(saying(nonsense), request()))


def test_a_script_answers_by_name_whatever_the_order():
    """One call more or less does not shift an approval onto another call."""
    script = Scripted(refund=YES, delete=NO)
    for action, decision in [
        ("a.delete", NO),
        ("b.refund", YES),
        ("refund", YES),
        ("a.delete", NO),
    ]:
        assert ask(script, action=action) == decision
    assert [asked.action for asked in script.requests] == [
        "a.delete",
        "b.refund",
        "refund",
        "a.delete",
    ]


def test_a_script_rejects_what_it_does_not_know():
    """A name that is not in the script is rejected, and the reason names it."""
    decision = ask(Scripted(refund=YES), action="shop.refund_all")
    assert isinstance(decision, Reject) and "refund_all" in decision.reason


def test_a_script_can_look_at_the_arguments():
    """An answer may depend on what is asked."""
    script = Scripted(refund=lambda asked: YES if asked.arguments["amount"] < 10 else NO)
    assert ask(script) == YES
    assert ask(script, arguments={"amount": 10}) == NO


def test_an_answer_in_time_is_taken_as_it_is():
    """A deadline changes nothing for who answers."""
    assert ask(Deadline(Scripted(refund=NO), seconds=5)) == NO
    assert ask(Deadline(saying(YES), seconds=5)) == YES


def test_silence_is_told_apart_from_a_no():
    """Who does not answer in time has not denied anything, and is not left waiting."""
    person = Thinking()
    decision = ask(Deadline(person, seconds=0.05))
    assert decision == Reject(by=NOBODY, reason="nobody answered within 0.05 seconds")
    assert person.withdrawn


def test_silence_reaches_the_agent_as_silence():
    """The gate raises NotAnswered, which says that nobody answered and never that it was denied."""
    from core import gate

    ran = []
    gated = gate(ran.append, approver=Deadline(Thinking(), seconds=0.05))
    with pytest.raises(NotAnswered, match="nobody answered") as raised:
        gated(1)
    assert "denied" not in str(raised.value) and ran == []


def test_a_sync_approver_can_be_late_too():
    """A thread that does not come back does not keep the agent waiting."""
    release = threading.Event()
    begun = time.perf_counter()
    decision = ask(Deadline(lambda request: release.wait(30) and YES, seconds=0.05, otherwise=NO))
    assert decision == NO and time.perf_counter() - begun < 5
    release.set()


def test_after_silence_somebody_else_is_asked():
    """Otherwise may be another approver, asked only then."""
    boss = Scripted(refund=YES)
    assert ask(Deadline(Scripted(refund=NO), seconds=5, otherwise=boss)) == NO
    assert boss.requests == []
    assert ask(Deadline(Thinking(), seconds=0.05, otherwise=boss)) == YES
    assert len(boss.requests) == 1


def test_an_approver_that_fails_was_not_silent():
    """An error of the approver passes through a deadline, a timeout of its own too."""

    async def times_out(request):
        raise TimeoutError("my own")

    with pytest.raises(ConnectionError):
        ask(Deadline(fails, seconds=5))
    with pytest.raises(TimeoutError, match="my own"):
        ask(Deadline(times_out, seconds=5, otherwise=YES))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_deadline_needs_time(seconds):
    """A deadline that nobody could keep is refused when it is wired."""
    with pytest.raises(ValueError, match="no time"):
        Deadline(saying(YES), seconds=seconds)


def test_the_first_answer_wins_and_the_others_are_withdrawn():
    """When one has answered, nobody else is left with the question."""
    others = [Thinking(), Thinking()]
    assert ask(AnyOf(others[0], Scripted(refund=NO), others[1])) == NO
    assert all(other.withdrawn for other in others)


def test_of_two_answers_at_once_the_first_named_counts():
    """The outcome of a tie does not depend on chance."""
    for _ in range(20):
        assert ask(AnyOf(Scripted(refund=NO), Scripted(refund=YES))) == NO


def test_one_that_fails_does_not_decide_for_others():
    """An unreachable channel neither approves nor rejects while another can be asked."""

    async def later(request):
        await asyncio.sleep(0.05)
        return YES

    assert ask(AnyOf(fails, later)) == YES
    assert ask(AnyOf(saying(None), later)) == YES


def test_when_all_fail_nobody_has_decided():
    """If nobody can be asked, that is an error that names each of them, not an answer."""
    with pytest.raises(RuntimeError, match=r"no network.*NoneType"):
        ask(AnyOf(fails, saying(None)))


def test_somebody_has_to_be_asked():
    """An empty choice of approvers is refused when it is wired."""
    with pytest.raises(ValueError, match="at least one"):
        AnyOf()


def test_withdrawing_the_whole_question_withdraws_every_part():
    """Cancelling a choice of approvers leaves nobody behind with the question."""
    people = [Thinking(), Thinking()]

    async def withdrawn():
        asked = asyncio.create_task(Deadline(AnyOf(*people), seconds=30)(request()))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.wait([asked])
        return asked.cancelled()

    assert asyncio.run(withdrawn())
    assert all(person.withdrawn for person in people)


@pytest.mark.parametrize(
    ("risk", "asked"),
    [(Risk.LOW, "low"), (Risk.MEDIUM, "high"), (Risk.HIGH, "high"), (Risk.CRITICAL, None)],
)
def test_the_next_stricter_approver_is_asked(risk, asked):
    """A level without an approver goes to a stricter one, never to a laxer one, or is rejected."""
    low, high = saying(Approve(by="low")), saying(Approve(by="high"))
    for levels in (ByRisk({Risk.HIGH: high, Risk.LOW: low}), ByRisk(low=low, high=high)):
        decision = ask(levels, risk=risk)
        if asked is None:
            assert isinstance(decision, Reject) and "CRITICAL" in decision.reason
        else:
            assert decision == Approve(by=asked)


@pytest.mark.parametrize("risk", ["harmless", 0, None], ids=repr)
def test_a_risk_that_is_none_counts_as_high(risk):
    """What does not say how bad it is goes to the approver for HIGH."""
    assert ask(ByRisk(low=saying(YES), high=saying(NO)), risk=risk) == NO


def test_levels_are_checked_when_wired():
    """No level at all, or two approvers for one, is a mistake that is found at once."""
    with pytest.raises(ValueError, match="at least one"):
        ByRisk()
    with pytest.raises(ValueError, match="HIGH"):
        ByRisk({Risk.HIGH: saying(YES)}, high=saying(NO))


def submitted(**changes):
    """A store with one pending request in it."""
    store, pending = MemoryStore(), request(**changes)
    store.submit(pending)
    return store, pending


async def while_waiting(store, pending, act):
    """Ask the inbox, do `act` while it waits, and return its answer."""
    asked = asyncio.create_task(Inbox(store)(pending))
    await asyncio.sleep(0.05)
    assert not asked.done()
    await asyncio.to_thread(act)
    return await asyncio.wait_for(asked, 5)


@pytest.mark.parametrize("decision", [YES, NO], ids=["approve", "reject"])
def test_a_vote_from_anywhere_answers_the_inbox(decision):
    """Whoever votes in the store, from whatever thread, answers the waiting call."""
    store, pending = submitted()
    act = partial(store.vote, pending.id, decision, digest=pending.digest)
    said = asyncio.run(while_waiting(store, pending, act))
    assert type(said) is type(decision) and said.by == decision.by


def test_an_edit_from_anywhere_answers_the_inbox():
    """A proposed edit is handed to the gate, which alone can check it."""
    store, pending = submitted()
    edit = Edit(by="ana", arguments={"amount": 4})
    act = partial(store.propose, pending.id, edit, digest=pending.digest)
    assert asyncio.run(while_waiting(store, pending, act)) == edit
    assert store.get(pending.id).state is State.PENDING


def test_a_withdrawn_request_is_no_approval():
    """A request that was cancelled answers with who did it."""
    store, pending = submitted()
    act = partial(store.cancel, pending.id, by="cy", because="not needed")
    said = asyncio.run(while_waiting(store, pending, act))
    assert isinstance(said, Reject) and "not needed" in said.reason


def test_an_expired_request_is_answered_by_nobody():
    """When time runs out, nobody has answered."""
    store, pending = submitted(expires_at=utc_now() + timedelta(seconds=0.2))
    said = asyncio.run(asyncio.wait_for(Inbox(store)(pending), 3))
    assert isinstance(said, Reject) and said.by == NOBODY
    assert store.get(pending.id).state is State.EXPIRED


def test_a_lost_hint_only_delays():
    """A store that never wakes anybody is looked at again by itself."""
    store, pending = submitted()

    class Deaf:
        """The same store without its bell."""

        get = store.get

        @contextmanager
        def watch(self, request_id, changed):
            yield

    async def voted():
        asked = asyncio.create_task(Inbox(Deaf(), seconds=0.1)(pending))
        await asyncio.sleep(0.05)
        store.vote(pending.id, YES, digest=pending.digest)
        return await asyncio.wait_for(asked, 5)

    assert asyncio.run(voted()).by == "ana"


def test_a_decision_before_the_wait_is_seen():
    """A vote that came before the inbox looked is not missed."""
    store, pending = submitted()
    store.vote(pending.id, YES, digest=pending.digest)
    assert asyncio.run(asyncio.wait_for(Inbox(store)(pending), 5)).by == "ana"


def test_a_thousand_waiting_calls_need_no_thread():
    """Waiting costs no thread, and each of a thousand is answered with its own decision."""
    store = MemoryStore()
    pending = [request(id=f"r{n:04}", key=f"k{n}", run="many") for n in range(1000)]
    for one in pending:
        store.submit(one)

    async def all_of_them():
        before = threading.active_count()
        asked = [asyncio.create_task(Inbox(store)(one)) for one in pending]
        await asyncio.sleep(0.1)
        assert threading.active_count() == before
        for number, one in enumerate(pending):
            store.vote(one.id, Approve(by=f"p{number}"), digest=one.digest)
        return await asyncio.wait_for(asyncio.gather(*asked), 30)

    assert [said.by for said in asyncio.run(all_of_them())] == [f"p{n}" for n in range(1000)]


def test_a_gate_on_an_inbox_runs_what_was_voted():
    """The vote of another window starts the waiting call, and only an approval does."""
    from core import gate

    store, ran = MemoryStore(), []

    def note(text: str) -> None:
        ran.append(text)

    gated = gate(note, approver=AnyOf(Inbox(store), Thinking()), store=store)

    def vote_soon(decision):
        while not (waiting := store.pending()):
            time.sleep(0.01)
        (one,) = waiting
        store.vote(one.request.id, decision, digest=one.request.digest)

    for text, decision in (("no", NO), ("yes", YES)):
        voter = threading.Thread(target=vote_soon, args=(decision,))
        voter.start()
        if decision is NO:
            with pytest.raises(Rejected, match="use the sandbox"):
                gated(text)
        else:
            gated(text)
        voter.join()
    assert ran == ["yes"]


def test_an_inbox_says_who_is_waited_for_and_how_they_vote():
    """The sentence is a command that works as it stands, also where a path has spaces."""
    store, said = MemoryStore(), []
    inbox = Inbox(store, place="my store.db", say=said.append)
    asked = request(panel=Panel(members=frozenset({"bo", "ana", "chi"}), votes=2))

    async def work():
        store.submit(asked)
        waiting = asyncio.create_task(inbox(asked))
        for by in ("ana", "bo"):
            await asyncio.sleep(0.01)
            store.vote(asked.id, Approve(by=by), digest=asked.digest)
        return await waiting

    assert asyncio.run(work()).by == "bo"
    command = f"python -m core --store 'my store.db' approve {asked.id[:8]} --by NAME"
    assert said == [f"refund waits for 2 of ana, bo, chi: {command}"]

"""When nobody answers, somebody is reminded, and then somebody else is asked: each once."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from asking import NO, NOON, YES, asked, memory
from people import Silent, soon

from core import Approve
from core.approvers.escalate import Ask, Escalate, Remind
from core.approvers.inbox import Inbox
from core.approvers.marks import Marks
from core.model import utc_now


def request(age=0.0):
    """Return a request that the agent asked so many seconds ago."""
    now = utc_now()
    return asked(asked_at=now - timedelta(seconds=age), expires_at=now + timedelta(hours=1))


class Bell:
    """Counts its rings."""

    def __init__(self):
        self.rings = []

    def __call__(self, request):
        self.rings.append(request.id)


def run(approver, question, seconds=5.0):
    """Return what an approver says within that time."""

    async def work():
        return await asyncio.wait_for(approver(question), seconds)

    return asyncio.run(work())


def unanswered(approver, question):
    """Wait for a moment in which nobody answers."""
    with pytest.raises(TimeoutError):
        run(approver, question, 0.25)


def test_an_answer_in_time_disturbs_nobody():
    """Who answers soon is neither reminded nor passed over."""
    bell, boss = Bell(), Silent()
    escalate = Escalate(lambda _: YES, Remind(after=5, by=bell), Ask(after=9, approver=boss))
    assert run(escalate, request()) is YES
    assert not bell.rings and not boss.seen


def test_first_a_reminder_then_somebody_else():
    """The steps come in the order of time, and the first answer withdraws all other questions."""
    bell, first, told = Bell(), Silent(), []

    async def boss(question):
        told.append(len(bell.rings))
        return NO

    steps = [Ask(after=0.1, approver=boss), Remind(after=0.05, by=bell)]
    question = request()
    assert run(Escalate(first, *steps), question) is NO
    assert told == [1] and bell.rings == [question.id] and first.withdrawn == 1


def test_the_first_one_may_still_answer():
    """Whoever was asked before goes on counting after somebody else was asked."""
    boss = Silent()

    async def late(question):
        await soon(lambda: boss.seen)
        return YES

    assert run(Escalate(late, Ask(after=0.02, approver=boss)), request()) is YES
    assert boss.withdrawn == 1


def test_time_counts_from_the_question_and_not_from_the_start():
    """A new start does not begin to count anew: what is due by then is done at once."""
    bell = Bell()
    steps = [Remind(after=60, by=bell), Ask(after=120, approver=lambda _: NO)]
    assert run(Escalate(Silent(), *steps), request(age=121)) is NO
    assert len(bell.rings) == 1
    unanswered(Escalate(Silent(), *steps), request(age=30))


def test_a_reminder_is_sent_once_over_all_starts(tmp_path):
    """Marks in a folder outlive the process; another request has its own."""
    bell, question = Bell(), request(age=100)
    for _ in range(2):
        escalate = Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path / "marks"))
        unanswered(escalate, question)
    assert bell.rings == [question.id]
    other = request(age=100)
    unanswered(
        Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path / "marks")), other
    )
    assert bell.rings == [question.id, other.id]


def test_a_reminder_that_fails_is_tried_after_the_next_start(tmp_path):
    """It is told, it ends no question, and it is not marked as sent."""
    told, question = [], request(age=100)

    def broken(question):
        raise OSError("no network")

    escalate = Escalate(
        Silent(), Remind(after=60, by=broken), marks=Marks(tmp_path), say=told.append
    )
    unanswered(escalate, question)
    assert told == ["a reminder of refund failed (OSError)"]
    bell = Bell()
    unanswered(Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path)), question)
    assert bell.rings == [question.id]


def test_a_slow_reminder_holds_up_no_answer():
    """While a reminder is under way, whoever answers is heard."""

    async def slow(question):
        await asyncio.sleep(60)

    async def soon_after(question):
        await asyncio.sleep(0.1)
        return YES

    assert run(Escalate(soon_after, Remind(after=0.01, by=slow)), request()) is YES


def test_who_fails_is_passed_over_at_once():
    """When all who were asked have failed, nobody waits for the clock."""

    def broken(question):
        raise OSError("no network")

    assert run(Escalate(broken, Ask(after=600, approver=lambda _: NO)), request()) is NO


def test_when_all_fail_nobody_has_decided():
    """It fails with what each of them said, so that the gate rejects."""

    def broken(question):
        raise OSError("no network")

    with pytest.raises(RuntimeError, match="none of the 2 who were asked could answer: OSError"):
        run(Escalate(broken, Ask(after=600, approver=broken)), request())


def test_one_that_fails_does_not_decide_for_the_others():
    """Somebody who was asked too and fails leaves the question with the first."""

    def broken(question):
        raise OSError("no network")

    async def late(question):
        await asyncio.sleep(0.1)
        return Approve(by="bo")

    assert run(Escalate(late, Ask(after=0.01, approver=broken)), request()) == Approve(by="bo")


@pytest.mark.parametrize(
    "steps", [(), (Remind(after=-0.1, by=print),), (Ask(after=-1, approver=print),)]
)
def test_steps_at_no_time_are_refused(steps):
    """Escalation without steps, or before the question, is a mistake."""
    with pytest.raises(ValueError, match="steps"):
        Escalate(lambda _: YES, *steps)


def test_a_clock_that_jumps_skips_no_step():
    """Set forward, everything due is done in order; set back, nothing is done twice."""
    time, bell = [NOON], Bell()
    question = asked(asked_at=NOON)

    async def boss(asked):
        return NO

    escalate = Escalate(
        Silent(),
        Remind(after=60, by=bell),
        Ask(after=120, approver=boss),
        now=lambda: time[0],
    )
    time[0] = NOON + timedelta(minutes=59)
    assert run(escalate, question) is NO and len(bell.rings) == 1
    time[0] = NOON - timedelta(days=1)
    unanswered(escalate, question)
    assert len(bell.rings) == 1


def test_after_an_answer_nobody_is_reminded():
    """When the answer is there at a new start, nobody is disturbed, however late it is."""
    bell, boss, store = Bell(), Silent(), memory(None)
    question = request(age=600)
    store.submit(question)
    store.vote(question.id, YES, digest=question.digest)
    steps = [Remind(after=0, by=bell), Remind(after=60, by=bell), Ask(after=120, approver=boss)]
    assert run(Escalate(Inbox(store), *steps), question) == YES
    assert run(Escalate(lambda _: YES, *steps), question) is YES
    assert not bell.rings and not boss.seen


def test_what_has_expired_disturbs_nobody():
    """Nobody could decide it any more, so nobody is asked or reminded."""
    bell, boss = Bell(), Silent()
    question = asked(asked_at=NOON, expires_at=NOON + timedelta(hours=1))
    escalate = Escalate(
        Silent(),
        Remind(after=60, by=bell),
        Ask(after=120, approver=boss),
        now=lambda: NOON + timedelta(hours=1),
    )
    unanswered(escalate, question)
    assert not bell.rings and not boss.seen


def test_what_is_due_at_once_comes_in_order():
    """After a long stop everything due is done, earliest first, each once."""
    done = []
    steps = [Remind(after=n, by=lambda _, n=n: done.append(n)) for n in (30, 10, 20)]

    async def boss(question):
        await soon(lambda: len(done) == 3)
        return NO

    question = request(age=3_000)
    assert run(Escalate(Silent(), *steps, Ask(after=40, approver=boss)), question) is NO
    assert done == [10, 20, 30]


class Calls:
    """A reminder that is an object with an async call."""

    def __init__(self):
        self.done = 0

    async def __call__(self, question):
        await asyncio.sleep(0)
        self.done += 1


def test_a_reminder_may_be_anything_that_can_be_called():
    """An object, a method and a function that is partly applied are all waited for."""
    one, two, three = Calls(), Calls(), Calls()
    steps = [
        Remind(after=0, by=one),
        Remind(after=0, by=two.__call__),
        Remind(after=0, by=partial(Calls.__call__, three)),
    ]

    async def late(question):
        await soon(lambda: one.done and two.done and three.done)
        return YES

    assert run(Escalate(late, *steps), request()) is YES


def test_an_answer_withdraws_reminders_that_are_under_way():
    """An async reminder is cancelled with the question, and goes out at the next start."""
    marks, withdrawn = Marks(), []

    async def slow(question):
        try:
            await asyncio.sleep(60)
        finally:
            withdrawn.append(question.id)

    async def late(question):
        await asyncio.sleep(0.15)
        return YES

    question, bell = request(), Bell()
    assert run(Escalate(late, Remind(after=0, by=slow), marks=marks), question) is YES
    assert withdrawn == [question.id]
    run(Escalate(late, Remind(after=0, by=bell), marks=marks), question)
    assert bell.rings == [question.id]


def test_a_question_that_is_withdrawn_takes_all_others_along():
    """Cancelling the call withdraws whoever was asked, and no step comes after it."""
    first, boss, bell = Silent(), Silent(), Bell()
    escalate = Escalate(first, Ask(after=0, approver=boss), Remind(after=0.2, by=bell))

    async def work():
        asking = asyncio.create_task(escalate(request()))
        await soon(lambda: boss.seen)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.3)

    asyncio.run(work())
    assert first.withdrawn == boss.withdrawn == 1 and not bell.rings


def test_other_steps_do_not_make_a_reminder_come_twice():
    """A step that is added before another one leaves the marks of that one as they are."""
    marks, bell, other = Marks(), Bell(), Bell()
    question = request(age=600)
    later = Remind(after=60, by=bell)
    for steps in [(later,), (Remind(after=30, by=other), later)]:
        unanswered(Escalate(Silent(), *steps, marks=marks), question)
    assert bell.rings == other.rings == [question.id]


def test_who_fails_is_told_without_its_words():
    """Whoever runs it learns that somebody could not be asked; an error may hold an address."""
    told = []

    def broken(question):
        raise OSError("https://hooks.example.org/s3cret")

    async def late(question):
        await asyncio.sleep(0.1)
        return YES

    steps = [Ask(after=0, approver=broken)]
    assert run(Escalate(late, *steps, say=told.append), request()) is YES
    assert told == ["somebody who was asked about refund failed (OSError)"]

"""When nobody answers, somebody is reminded, and then somebody else is asked: each once."""

import asyncio
from datetime import timedelta

import pytest
from asking import NO, NOON, YES, asked
from people import Silent, soon

from core import Approve
from core.approvers.escalate import Ask, Escalate, Remind
from core.approvers.marks import Marks
from core.model import utc_now


def request(age=0.0):
    """Return a request that the agent asked so many seconds ago."""
    return asked(asked_at=utc_now() - timedelta(seconds=age))


class Bell:
    """Counts its rings."""

    def __init__(self):
        self.rings = []

    def __call__(self, request):
        self.rings.append(request.id)


def run(approver, question):
    """Return what an approver says, or that it is silent for half a second."""

    async def work():
        return await asyncio.wait_for(approver(question), 0.5)

    return asyncio.run(work())


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
    with pytest.raises(TimeoutError):
        run(Escalate(Silent(), *steps), request(age=30))


def test_a_reminder_is_sent_once_over_all_starts(tmp_path):
    """Marks in a folder outlive the process; another request has its own."""
    bell, question = Bell(), request(age=100)
    for _ in range(3):
        escalate = Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path / "marks"))
        with pytest.raises(TimeoutError):
            run(escalate, question)
    assert bell.rings == [question.id]
    other = request(age=100)
    with pytest.raises(TimeoutError):
        run(Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path / "marks")), other)
    assert bell.rings == [question.id, other.id]


def test_a_reminder_that_fails_is_tried_after_the_next_start(tmp_path):
    """It is told, it ends no question, and it is not marked as sent."""
    told, question = [], request(age=100)

    def broken(question):
        raise OSError("no network")

    escalate = Escalate(
        Silent(), Remind(after=60, by=broken), marks=Marks(tmp_path), say=told.append
    )
    with pytest.raises(TimeoutError):
        run(escalate, question)
    assert told == ["a reminder of refund failed (OSError)"]
    bell = Bell()
    with pytest.raises(TimeoutError):
        run(Escalate(Silent(), Remind(after=60, by=bell), marks=Marks(tmp_path)), question)
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
    "steps", [(), (Remind(after=0, by=print),), (Ask(after=-1, approver=print),)]
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
    time[0] = NOON + timedelta(days=365)
    assert run(escalate, question) is NO and len(bell.rings) == 1
    time[0] = NOON - timedelta(days=1)
    with pytest.raises(TimeoutError):
        run(escalate, question)
    assert len(bell.rings) == 1

"""One contract for every store: what may happen to a request, once, and with a record of it."""

import threading
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from asking import (
    ANYBODY,
    EVERYTHING,
    NO,
    NOON,
    STORES,
    YES,
    Clock,
    PowerCut,
    Processes,
    agreed,
    asked,
    edit,
    edited,
    ended,
    failing_at,
    standing,
    started,
    world,
)

from core import audit
from core.model import (
    EDGES,
    ActionChanged,
    Approve,
    NoSuchRequest,
    NotCounted,
    Outcome,
    Panel,
    Reject,
    Rejected,
    State,
    StoreError,
)

HAPPENED, NOT_HAPPENED = State.RESOLVED_HAPPENED, State.RESOLVED_NOT_HAPPENED
TOGETHER = 8


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def processes():
    return Processes()


@pytest.fixture(params=STORES.values(), ids=STORES.keys())
def store(request, tmp_path, clock, processes):
    """A store of each kind; it has to explain all that it holds when the test is over."""
    made = request.param(
        tmp_path, clock=clock, executor=processes.name, gone=processes.is_gone, open_limit=20
    )
    yield made
    assert audit.verify(made.trail())
    assert [*made.unexplained()] == []
    made.close()


OPERATIONS = {
    "approve": lambda store, r: store.vote(r.id, Approve(by="bo"), digest=r.digest),
    "reject": lambda store, r: store.vote(r.id, Reject(by="bo", reason="no"), digest=r.digest),
    "propose": lambda store, r: store.propose(r.id, edit(2, by="bo"), digest=r.digest),
    "refuse": lambda store, r: store.refuse(r.id, problem="too much"),
    "revise": lambda store, r: store.revise(edited(r, 2), edit(2), changed="amount 1 -> 2"),
    "cancel": lambda store, r: store.cancel(r.id, by="bo", because="enough"),
    "claim": lambda store, r: store.claim(r.id, digest=r.digest, panel=ANYBODY),
    "succeed": lambda store, r: store.finish(r.id, Outcome(), State.SUCCEEDED),
    "fail": lambda store, r: store.finish(r.id, Outcome(), State.FAILED),
    "lose": lambda store, r: store.finish(r.id, Outcome(), State.OUTCOME_UNKNOWN),
    "report": lambda store, r: store.report(r.id, finding="no sign of it"),
    "happened": lambda store, r: store.resolve(r.id, by="bo", happened=True),
    "not happened": lambda store, r: store.resolve(r.id, by="bo", happened=False),
}
ALLOWED = {
    State.PENDING: {
        "approve": State.APPROVED,
        "reject": State.REJECTED,
        "propose": State.PENDING,
        "refuse": State.PENDING,
        "revise": State.PENDING,
        "cancel": State.CANCELLED,
    },
    State.APPROVED: {"claim": State.EXECUTING, "cancel": State.CANCELLED},
    State.EXECUTING: {
        "succeed": State.SUCCEEDED,
        "fail": State.FAILED,
        "lose": State.OUTCOME_UNKNOWN,
    },
    State.OUTCOME_UNKNOWN: {
        "report": State.OUTCOME_UNKNOWN,
        "happened": HAPPENED,
        "not happened": NOT_HAPPENED,
    },
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("state", State)
def test_a_request_takes_the_steps_of_the_state_machine_and_no_other(
    store, clock, state, operation
):
    """From every state every operation either takes its one edge, or is refused without a trace."""
    request = standing(store, clock, state).request
    before = world(store)
    to = ALLOWED.get(state, {}).get(operation)
    if to is None:
        with pytest.raises(StoreError):
            OPERATIONS[operation](store, request)
        assert world(store) == before
    else:
        assert OPERATIONS[operation](store, request).state is to is store.get(request.id).state
        assert [*store.trail()][: len(before[1])] == before[1]
        assert len([*store.trail()]) == len(before[1]) + 1


def test_the_steps_tried_here_are_all_the_edges_but_those_of_time():
    """The table above and the state machine name the same edges; time and death take the rest."""
    tried = {(start, to) for start, steps in ALLOWED.items() for to in steps.values()}
    tried = {(start, to) for start, to in tried if start is not to}
    of_time = {(State.PENDING, State.EXPIRED), (State.APPROVED, State.EXPIRED)}
    assert tried | of_time == {(start, to) for start, ends in EDGES.items() for to in ends}


@pytest.mark.parametrize("state", State)
def test_time_and_the_stop_button_end_only_what_has_not_started(store, clock, state):
    """Stop withdraws what is pending or approved, expiry ends it, and neither touches the rest."""
    request, late = standing(store, clock, state).request, standing(store, clock, state).request
    store.stop(by="ana", because="fire drill")
    moving = state in {State.PENDING, State.APPROVED}
    assert store.get(request.id).state is (State.CANCELLED if moving else state)
    store.resume(by="ana")
    late = standing(store, clock, state).request
    clock.now += timedelta(days=1)
    assert store.get(late.id).state is (State.EXPIRED if moving else state)


# Votes


def vote(store, request, *people, window=""):
    for person in people:
        stored = store.vote(request.id, Approve(by=person), digest=request.digest, window=window)
    return stored


def test_a_quorum_is_so_many_different_people(store):
    """With two votes asked for, one leaves it pending and the second approves it."""
    request = store.submit(asked(panel=Panel(votes=2))).request
    assert vote(store, request, "ana").state is State.PENDING
    stored = vote(store, request, "bo", window="dashboard")
    assert stored.state is State.APPROVED
    assert [(v.by, v.window) for v in stored.votes] == [("ana", ""), ("bo", "dashboard")]


@pytest.mark.parametrize(
    "spelling",
    ["ana", "ANA", " Ana ", "\uff41na", unicodedata.normalize("NFD", "ana"), "An\u1d43"],
)
def test_one_person_has_one_vote_however_the_name_is_spelled(store, spelling):
    """The same name in other letters is the same person, so it makes no quorum."""
    request = store.submit(asked(panel=Panel(votes=2))).request
    vote(store, request, "ana")
    assert vote(store, request, spelling).state is State.PENDING
    with pytest.raises(NotCounted, match="one person, one vote"):
        store.vote(request.id, Reject(by=spelling, reason="no"), digest=request.digest)
    assert len(store.get(request.id).votes) == 1


@pytest.mark.parametrize("spelling", ["zoë", "ZOË", "zoe\u0308", "Zoe\u0308 "])
def test_composed_and_decomposed_letters_are_one_name(store, spelling):
    """A member whose keyboard composes letters another way is still that member."""
    request = store.submit(asked(panel=Panel(members=frozenset({"Zoë"})))).request
    assert vote(store, request, spelling).state is State.APPROVED


@pytest.mark.parametrize("by", ["agent", "AGENT", "cleo", " Cleo", "", "  "])
def test_those_who_ask_never_decide(store, by):
    """Neither the agent nor the person it acts for votes, edits or resolves; nobody is nobody."""
    request = store.submit(asked(acting_for="cleo")).request
    for decision in (Approve(by=by), Reject(by=by, reason="no")):
        with pytest.raises(NotCounted):
            store.vote(request.id, decision, digest=request.digest)
    with pytest.raises(NotCounted):
        store.propose(request.id, edit(2, by=by), digest=request.digest)
    assert store.get(request.id).votes == ()
    unknown = ended(store, State.OUTCOME_UNKNOWN, acting_for="cleo").request
    with pytest.raises(NotCounted):
        store.resolve(unknown.id, by=by, happened=True)
    assert store.get(unknown.id).state is State.OUTCOME_UNKNOWN


def test_a_stranger_to_the_panel_is_told_who_is_on_it(store):
    """Whoever is not a member changes nothing, not even with a rejection."""
    request = store.submit(asked(panel=Panel(members=frozenset({"bo", "cleo"})))).request
    for decision in (YES, NO):
        with pytest.raises(NotCounted, match="bo, cleo"):
            store.vote(request.id, decision, digest=request.digest)
    assert store.get(request.id).state is State.PENDING


def test_one_rejection_is_enough(store):
    """A no among yeses rejects, and what was said before cannot be completed."""
    request = store.submit(asked(panel=Panel(votes=3))).request
    vote(store, request, "ana", "bo")
    store.vote(request.id, Reject(by="cleo", reason="too much"), digest=request.digest)
    with pytest.raises(NotCounted, match="rejected by cleo"):
        vote(store, request, "dan")
    assert store.get(request.id).state is State.REJECTED


def test_a_vote_is_for_what_was_shown(store):
    """A vote with another digest, as from a stale card, is not counted."""
    request = store.submit(asked()).request
    with pytest.raises(NotCounted, match="not what waits now"):
        store.vote(request.id, YES, digest=asked(amount=2).digest)
    assert store.get(request.id).state is State.PENDING


def test_a_replayed_vote_changes_nothing(store):
    """The same word sent twice leaves one vote and one record."""
    request = agreed(store).request
    before = world(store)
    assert store.vote(request.id, YES, digest=request.digest).state is State.APPROVED
    assert world(store) == before


def test_who_may_vote_is_looked_at_again_at_the_start(store):
    """When the voters have left the panel, or more votes are asked for, the claim is refused."""
    request = agreed(store).request
    for panel in (Panel(members=frozenset({"bo"})), Panel(votes=2)):
        with pytest.raises(ActionChanged):
            store.claim(request.id, digest=request.digest, panel=panel)
    assert store.get(request.id).state is State.APPROVED
    assert store.claim(request.id, digest=request.digest, panel=ANYBODY).state is State.EXECUTING


def test_a_claim_is_for_what_was_approved(store):
    """A claim with another digest is refused, and the approval stays good for the right one."""
    request = agreed(store).request
    with pytest.raises(ActionChanged):
        store.claim(request.id, digest=asked(amount=2).digest, panel=ANYBODY)
    assert store.get(request.id).state is State.APPROVED


# Races


def at_once(*calls):
    """Run all calls in threads that start together; return what each returned or raised."""
    barrier, said = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        barrier.wait()
        try:
            said[place] = call()
        except Exception as error:
            said[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_decisions_at_once_one_wins(store, attempt):
    """However approvals, rejections and withdrawals race, the losers are told the true state."""
    request = store.submit(asked()).request
    calls = [
        lambda n=n: store.vote(
            request.id,
            Approve(by=f"p{n}") if n % 2 else Reject(by=f"p{n}", reason="no"),
            digest=request.digest,
        )
        for n in range(TOGETHER)
    ]
    said = at_once(*calls)
    assert Counter(type(answer).__name__ for answer in said) == {
        "StoredRequest": 1,
        "NotCounted": TOGETHER - 1,
    }
    (winner,) = (answer for answer in said if not isinstance(answer, Exception))
    assert store.get(request.id) == winner
    assert [record.event for record in store.trail()] == ["submitted", winner.state.value.lower()]


@pytest.mark.parametrize("attempt", range(5))
def test_of_many_claims_at_once_one_starts_it(store, attempt):
    """An approved request is claimed once; a withdrawal at the same time wins or loses as one."""
    request = agreed(store).request
    claim = lambda: store.claim(request.id, digest=request.digest, panel=ANYBODY)  # noqa: E731 - the same call many times
    cancel = lambda: store.cancel(request.id, by="ana", because="no")  # noqa: E731 - and its rival
    said = at_once(*[claim] * (TOGETHER - 1), cancel)
    assert sum(not isinstance(answer, Exception) for answer in said) == 1
    assert store.get(request.id).state in {State.EXECUTING, State.CANCELLED}


def test_the_last_votes_of_a_quorum_may_come_together(store):
    """Votes that arrive at once are all counted: two of two never leaves it pending."""
    for _ in range(10):
        request = store.submit(asked(panel=Panel(votes=2))).request
        at_once(lambda r=request: vote(store, r, "ana"), lambda r=request: vote(store, r, "bo"))
        assert store.get(request.id).state is State.APPROVED


# Asking again


def test_asking_again_under_the_same_key_is_the_same_request(store):
    """One requester, run and key is one request, whatever id the second attempt carries."""
    first = store.submit(asked()).request
    again = replace(asked(), run=first.run)
    assert store.submit(again).request.id == store.record(again, YES).request.id == first.id
    assert len(store.search(limit=EVERYTHING)) == 1


def test_another_call_under_the_same_key_is_an_error(store):
    """The key is taken, so nothing is asked, nothing is run and nothing is written."""
    first = store.submit(asked()).request
    before = world(store)
    other = asked(amount=2, run=first.run)
    for attempt in (lambda: store.submit(other), lambda: store.record(other, YES)):
        with pytest.raises(ActionChanged):
            attempt()
    assert world(store) == before


def test_without_a_run_every_call_is_its_own(store):
    """Two equal calls outside a run are two requests, and belong to no run."""
    first, second = store.submit(asked(run="", key="")), store.record(asked(run="", key=""), YES)
    assert first.request.id != second.request.id
    assert store.of_run("agent", "") == []


def test_asking_at_once_under_one_key_makes_one_request(store):
    """Eight attempts at the same moment get the same request back."""
    attempts = [asked(run="ticket-17") for _ in range(TOGETHER)]
    said = at_once(*[lambda r=r: store.submit(r) for r in attempts])
    assert {stored.request.id for stored in said} == {
        store.of_run("agent", "ticket-17")[0].request.id
    }
    assert len([*store.trail()]) == 1


def test_a_run_remembers_its_calls_in_order(store):
    """A run lists its own requests of that requester, first asked first."""
    calls = [store.submit(asked(run="ticket-17", key=f"refund#{n}")).request for n in range(5)]
    store.submit(asked(run="ticket-17", requester="somebody else"))
    store.submit(asked(run="ticket-1"))
    store.vote(calls[0].id, YES, digest=calls[0].digest)
    assert [s.request.id for s in store.of_run("agent", "ticket-17")] == [c.id for c in calls]


# Policies


def test_what_a_policy_approves_is_recorded_and_started_in_one_step(store, processes):
    """It is executing, by this process, before anybody can run it; the record says who and why."""
    stored = store.record(asked(), Approve(by="small", note="at most 50"))
    assert (stored.state, stored.executor) == (State.EXECUTING, processes.acting)
    (record,) = store.trail()
    assert (record.event, record.by) == ("submitted>approved>executing", "small")
    assert audit.details(record)["because"] == "at most 50"


def test_what_a_policy_rejects_is_recorded(store):
    """A rejection by a rule is as final, and as much on record, as a person's."""
    stored = store.record(asked(), Reject(by="freeze", reason="no releases today"))
    assert store.get(stored.request.id).state is State.REJECTED
    (record,) = store.trail()
    assert (record.event, record.by) == ("submitted>rejected", "freeze")


# Edits


def test_a_proposed_edit_waits_until_it_is_checked(store):
    """It is still pending with the old arguments, and a second edit has to wait."""
    request = store.submit(asked()).request
    stored = store.propose(request.id, edit(2), digest=request.digest, window="dashboard")
    assert (stored.state, stored.proposal.arguments) == (State.PENDING, {"amount": 2})
    assert store.get(request.id).request.arguments == {"amount": 1}
    with pytest.raises(NotCounted, match="being checked"):
        store.propose(request.id, edit(3, by="bo"), digest=request.digest)


def test_a_refused_edit_goes_back_with_the_reason(store):
    """The proposal is gone, its author can read why, and the request waits as it was."""
    request = store.submit(asked()).request
    store.propose(request.id, edit(-2), digest=request.digest)
    stored = store.refuse(request.id, problem="an amount is positive")
    assert (stored.proposal, stored.request.problem) == (None, "an amount is positive")
    assert stored.request.digest == request.digest


def test_an_edit_makes_earlier_votes_void(store):
    """Who approved the old arguments has not approved the new ones."""
    request = store.submit(asked(panel=Panel(votes=2))).request
    vote(store, request, "ana")
    revised = store.revise(edited(request, 2), edit(2, by="bo"), changed="amount 1 -> 2").request
    with pytest.raises(NotCounted, match="not what waits now"):
        vote(store, request, "cleo")
    assert vote(store, revised, "ana").state is State.PENDING
    stored = vote(store, revised, "cleo")
    assert (stored.state, stored.changed) == (State.APPROVED, "amount 1 -> 2")
    assert store.get(request.id).request.arguments == {"amount": 2}


def test_of_two_edits_at_once_one_is_taken(store):
    """The second was made from what is no longer there."""
    request = store.submit(asked()).request
    store.revise(edited(request, 2), edit(2), changed="amount 1 -> 2")
    with pytest.raises(NotCounted, match="somebody else has edited"):
        store.revise(edited(request, 3), edit(3, by="bo"), changed="amount 1 -> 3")
    assert store.get(request.id).request.arguments == {"amount": 2}


# Time


def test_the_boundary_instant_is_expired(store, clock):
    """At `expires_at` nobody decides any more; a microsecond before, they do."""
    early, late = store.submit(asked()).request, store.submit(asked()).request
    clock.now = late.expires_at - timedelta(microseconds=1)
    assert vote(store, early, "ana").state is State.APPROVED
    clock.now = late.expires_at
    with pytest.raises(NotCounted, match="expired"):
        vote(store, late, "ana")
    assert store.get(late.id).state is State.EXPIRED
    assert store.pending() == []


def test_an_approval_is_good_for_so_long(store, clock):
    """Within `run_within` of the last vote it starts; at that instant it does not."""
    early, late = agreed(store).request, agreed(store).request
    clock.set(3600 - 0.000001)
    assert store.claim(early.id, digest=early.digest, panel=ANYBODY).state is State.EXECUTING
    clock.set(3600)
    with pytest.raises(StoreError, match="expired"):
        store.claim(late.id, digest=late.digest, panel=ANYBODY)
    assert store.get(late.id).state is State.EXPIRED


def test_a_clock_set_back_revives_nothing(store, clock):
    """What was found expired stays so, and no record is older than the one before it."""
    pending, approved = store.submit(asked()).request, agreed(store).request
    witness = store.submit(asked(expires_at=NOON + timedelta(days=2))).request
    clock.set(3600)
    vote(store, witness, "ana")
    clock.set(-86400)
    with pytest.raises(NotCounted):
        vote(store, pending, "ana")
    with pytest.raises(StoreError):
        store.claim(approved.id, digest=approved.digest, panel=ANYBODY)
    assert {store.get(r.id).state for r in (pending, approved)} == {State.EXPIRED}
    times = [record.at for record in store.trail()]
    assert times == sorted(times)


def test_sweeping_expires_what_is_due(store, clock):
    """Nobody has to look at a request for it to expire; what is not due stays."""
    agreed(store)
    store.submit(asked())
    later = store.submit(asked(expires_at=NOON + timedelta(hours=2))).request
    assert store.sweep() == 0
    clock.set(3600)
    assert store.sweep() == 2
    assert store.sweep() == 0
    assert [s.request.id for s in store.pending()] == [later.id]
    assert len(store.search(state=State.EXPIRED)) == 2


# Starting, ending, and not knowing


def test_only_the_process_that_started_it_says_how_it_ended(store, processes):
    """Another process changes nothing, and its word is not on record."""
    request = started(store).request
    processes.acting = "here:2:2"
    before = world(store)
    with pytest.raises(StoreError, match="another process"):
        store.finish(request.id, Outcome(), State.SUCCEEDED)
    assert world(store) == before
    processes.acting = "here:1:1"
    done = store.finish(request.id, Outcome(result=b"[1]", message="m"), State.SUCCEEDED)
    assert store.get(request.id) == done
    assert done.outcome == Outcome(result=b"[1]", message="m")


def test_what_a_dead_process_left_is_unknown(store, processes):
    """A sweep names it; what a living process runs, or one that nobody can see, is left alone."""
    left = started(store).request
    recorded = store.record(asked(), YES).request
    processes.acting = "elsewhere:3:3"
    running = started(store).request
    processes.ended.add("here:1:1")
    assert store.sweep() == 2
    assert {store.get(r.id).state for r in (left, recorded)} == {State.OUTCOME_UNKNOWN}
    assert store.get(running.id).state is State.EXECUTING
    with pytest.raises(StoreError):
        store.claim(left.id, digest=left.digest, panel=ANYBODY)


def test_a_look_at_the_world_is_kept_for_the_person_who_resolves(store):
    """What `reconcile` saw decides nothing; the person's word does, and both are on record."""
    request = ended(store, State.OUTCOME_UNKNOWN).request
    stored = store.report(request.id, finding="a refund re_1 exists")
    assert (stored.state, stored.outcome.finding) == (
        State.OUTCOME_UNKNOWN,
        "a refund re_1 exists",
    )
    stored = store.resolve(request.id, by="bo", happened=True, note="seen at the bank")
    assert stored.outcome.finding == "a refund re_1 exists"
    last = [*store.trail()][-1]
    assert (last.event, last.by) == ("resolved_happened", "bo")
    assert audit.details(last)["note"] == "seen at the bank"


# Finding


def test_pages_hold_still_while_people_decide(store):
    """Going from page to page meets each request that still waits once, whatever is decided."""
    calls = [store.submit(asked()).request for _ in range(10)]
    first = store.pending(limit=4)
    assert [s.request.id for s in first] == [c.id for c in calls[:4]]
    for call in (calls[3], calls[5]):
        store.vote(call.id, NO, digest=call.digest)
    store.vote(calls[0].id, NO, digest=calls[0].digest)
    second = store.pending(after=first[-1].request.id, limit=4)
    assert [s.request.id for s in second] == [calls[n].id for n in (4, 6, 7, 8)]
    third = store.pending(after=second[-1].request.id, limit=4)
    assert [s.request.id for s in third] == [calls[9].id]
    assert store.pending(after=calls[9].id) == []


def test_a_page_is_full_although_some_have_expired(store, clock):
    """What has expired takes no place on a page, so an empty page is the end."""
    soon = NOON + timedelta(seconds=1)
    for _ in range(5):
        store.submit(asked(expires_at=soon))
    later = [store.submit(asked()).request.id for _ in range(3)]
    clock.set(1)
    assert [s.request.id for s in store.pending(limit=2)] == later[:2]
    assert [s.request.id for s in store.pending(after=later[1], limit=2)] == later[2:]


def test_a_page_after_a_request_nobody_knows_is_the_first(store):
    """A window that remembers a request of another store begins at the beginning."""
    request = store.submit(asked()).request
    assert [s.request.id for s in store.pending(after="unheard of")] == [request.id]


def test_requests_are_found_by_what_people_remember(store):
    """State, action (short or dotted), people however spelled, and a half-open span of time."""
    early = store.submit(asked(asked_at=NOON - timedelta(hours=1), requester="Robot 7")).request
    voted = agreed(store, acting_for="Cleo").request
    other = store.submit(asked(action="shop.tools.note_refund")).request
    found = lambda **wanted: {s.request.id for s in store.search(**wanted)}  # noqa: E731 - the ids only
    assert found() == {early.id, voted.id, other.id}
    assert found(state=State.APPROVED) == {voted.id}
    assert found(action="refund") == found(action="shop.tools.refund") == {early.id, voted.id}
    assert found(action="REFUND") == found(action="%") == found(action="tools") == set()
    assert found(person="ANA") == found(person="cleo ") == {voted.id}
    assert found(person="robot 7") == {early.id}
    assert found(person="nobody") == set()
    assert found(since=NOON) == {voted.id, other.id}
    assert found(until=NOON) == {early.id}
    assert [s.request.id for s in store.search(limit=2)] == [other.id, voted.id]


def test_a_search_goes_on_where_it_ended(store):
    """After any request, whatever has become of it; all pages together are the whole, once."""
    ids = [store.submit(asked(action=f"shop.tools.{n % 2}")).request.id for n in range(9)]
    first = store.get(ids[5])
    seen, after = [], ""
    while page := store.search(after=after, limit=2):
        seen += [s.request.id for s in page]
        after = seen[-1]
        if len(seen) == 4:
            store.vote(first.request.id, NO, digest=first.request.digest)
    assert seen == ids[::-1]
    pending = store.search(state=State.PENDING, after=ids[5], limit=100)
    assert [s.request.id for s in pending] == ids[4::-1]
    odd = store.search(action="1", after=ids[4], limit=100)
    assert [s.request.id for s in odd] == [ids[3], ids[1]]
    assert store.search(after=ids[0]) == []
    with pytest.raises(NoSuchRequest):
        store.search(after="0" * 32)


def test_a_request_comes_back_as_it_was_asked(store):
    """Every field of a request survives being stored, to the microsecond."""
    request = asked(
        panel=Panel(members=frozenset({"ana", "bo"}), votes=2),
        version="v1",
        acting_for="cleo",
        environment="staging",
        expires_at=NOON + timedelta(microseconds=1),
        run_within=timedelta(microseconds=7),
    )
    assert store.submit(request).request == request == store.get(request.id).request


def test_a_request_that_is_not_there_is_an_error(store):
    """Every operation on an unknown id says so and writes nothing."""
    for operation in OPERATIONS.values():
        with pytest.raises(StoreError, match="there is no request"):
            operation(store, asked())
    with pytest.raises(StoreError, match="there is no request"):
        store.get("unheard of")
    assert [*store.trail()] == []


# Limits


def test_a_stopped_store_takes_no_call(store):
    """After the stop button nothing is asked, recorded or started, until somebody resumes."""
    waiting, running = agreed(store).request, started(store).request
    assert store.stop(by="ana", because="fire drill") == 1
    assert store.stopped() == "stopped by ana: fire drill"
    for attempt in (lambda: store.submit(asked()), lambda: store.record(asked(), YES)):
        with pytest.raises(Rejected, match="fire drill"):
            attempt()
    with pytest.raises(StoreError, match="cancelled"):
        store.claim(waiting.id, digest=waiting.digest, panel=ANYBODY)
    assert store.finish(running.id, Outcome(), State.SUCCEEDED).state is State.SUCCEEDED
    store.resume(by="bo")
    assert store.stopped() == ""
    assert store.submit(asked()).state is State.PENDING
    events = [record.event for record in store.trail()]
    assert events[-5:] == ["stopped", "cancelled", "succeeded", "resumed", "submitted"]


def test_a_requester_has_only_so_many_open_requests(store):
    """The one too many is refused; decided ones make room; other requesters are not affected."""
    calls = [store.submit(asked()).request for _ in range(20)]
    with pytest.raises(Rejected, match="20 open requests"):
        store.submit(asked())
    assert store.submit(asked(requester="another")).state is State.PENDING
    store.vote(calls[0].id, NO, digest=calls[0].digest)
    assert store.submit(asked()).state is State.PENDING
    with pytest.raises(Rejected):
        store.submit(asked())
    store.stop(by="ana", because="too many")
    store.resume(by="ana")
    assert store.submit(asked()).state is State.PENDING


# State and record together


CHANGES = {
    "submit": lambda store, ids: store.submit(ids["new"]),
    "record": lambda store, ids: store.record(ids["new"], YES),
    "vote": lambda store, ids: OPERATIONS["approve"](store, ids["pending"]),
    "propose": lambda store, ids: OPERATIONS["propose"](store, ids["pending"]),
    "revise": lambda store, ids: OPERATIONS["revise"](store, ids["pending"]),
    "cancel": lambda store, ids: OPERATIONS["cancel"](store, ids["pending"]),
    "claim": lambda store, ids: OPERATIONS["claim"](store, ids["approved"]),
    "finish": lambda store, ids: OPERATIONS["succeed"](store, ids["executing"]),
    "resolve": lambda store, ids: OPERATIONS["happened"](store, ids["outcome_unknown"]),
    "stop": lambda store, ids: store.stop(by="ana", because="fire drill"),
    "resume": lambda store, ids: store.resume(by="ana"),
    "sweep": lambda store, ids: store.sweep(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_state_and_record_commit_together(store, clock, processes, change):
    """Whatever step of the transaction fails, nothing at all has changed; then it works."""
    states = (State.PENDING, State.APPROVED, State.EXECUTING, State.OUTCOME_UNKNOWN)
    ids = {state.value: standing(store, clock, state).request for state in states}
    ids["new"] = asked()
    if change == "sweep":
        clock.set(3600)
        processes.ended.add(processes.acting)
    before, k = world(store), 0
    while True:
        k += 1
        with failing_at(store, k):
            try:
                CHANGES[change](store, ids)
                break
            except PowerCut:
                pass
        assert world(store) == before, f"after a failure at step {k}"
    assert k > 4
    assert len([*store.trail()]) > len(before[1])


def test_every_step_leaves_one_record_with_the_hash_of_the_row(store, clock):
    """The trail tells the whole story of a request, in order, and who took each step."""
    request = standing(store, clock, HAPPENED).request
    story = [(r.event, r.by) for r in store.trail(request_id=request.id)]
    assert story == [
        ("submitted", "agent"),
        ("approved", "ana"),
        ("executing", "agent"),
        ("outcome_unknown", "agent"),
        ("resolved_happened", "ana"),
    ]


def test_the_trail_may_be_read_from_anywhere(store):
    """`after` skips what somebody has seen, over more than one page."""
    for n in range(1100):
        store.record(asked(), NO if n % 2 else YES)
    assert [r.seq for r in store.trail()] == [*range(1, 1101)]
    assert [r.seq for r in store.trail(after=1050)] == [*range(1051, 1101)]


def test_the_trail_of_one_request_is_what_the_whole_says_of_it(store, clock):
    """Between other requests, from anywhere, and nothing of one that is not there."""
    first = store.submit(asked()).request
    second = standing(store, clock, HAPPENED).request
    store.vote(first.id, NO, digest=first.digest)
    whole = [*store.trail()]
    for one in (first, second):
        for after in (0, 1, 2, 99):
            about = [r for r in whole if r.request_id == one.id and r.seq > after]
            assert [*store.trail(after=after, request_id=one.id)] == about
    assert len([*store.trail(request_id=first.id)]) == 2
    assert [*store.trail(request_id="0" * 32)] == []


def test_looking_at_what_is_unexplained_leaves_the_store_usable(store):
    """Whoever looks may act on what is found before the look is over."""
    request = store.submit(asked()).request
    look = store.unexplained()
    next(look, None)
    assert store.get(request.id).state is State.PENDING


# Watching


def test_whoever_watches_is_called(store):
    """A change calls those who watch that request or everything, until they stop watching."""
    mine, other = store.submit(asked()).request, store.submit(asked()).request
    called = Counter()
    with store.watch(other.id, lambda: called.update(["too late"])):
        pass
    my_own = store.watch(mine.id, lambda: called.update(["mine"]))
    with my_own, store.watch("", lambda: called.update(["all"])):
        vote(store, other, "ana")
        assert called["all"] >= 1 > called["mine"]
        vote(store, mine, "ana")
        assert called["mine"] >= 1
    assert called["too late"] == 0


def test_a_watcher_that_fails_hurts_nobody(store):
    """What is committed is committed: a broken window neither fails the vote nor hides it."""
    request, called = store.submit(asked()).request, []

    def closed():
        raise RuntimeError("Event loop is closed")

    with store.watch(request.id, closed), store.watch(request.id, lambda: called.append(1)):
        assert vote(store, request, "ana").state is State.APPROVED
    assert called


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "'; DROP TABLE requests; --", "🦊" * 500])
def test_a_hostile_name_is_a_name_or_an_error(store, name):
    """Whatever a name holds, the store takes it whole or says no in its own words."""
    request = store.submit(asked()).request
    try:
        assert vote(store, request, name).votes[0].by == name
        assert [s.request.id for s in store.search(person=name)] == [request.id]
    except StoreError:
        assert store.get(request.id).state is State.PENDING


def test_closing_twice_is_fine(store):
    """Letting go twice is letting go once; a file can be opened again."""
    extra = type(store)(*([store.path] if hasattr(store, "path") else []))
    extra.close()
    extra.close()


def test_a_key_for_fingerprints_stays_the_same(store):
    """Equal secrets have equal fingerprints, today and tomorrow."""
    assert store.fingerprint_key() == store.fingerprint_key()
    assert len(store.fingerprint_key()) == 32

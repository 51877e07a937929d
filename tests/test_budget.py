"""A budget bounds what goes through without a person, and never lets more through than there is."""

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looking_back import ANA, Visitor, dashboard
from people import NO, YES, Says, Silent, eventually, soon

from core import (
    Approve,
    Edit,
    MemoryStore,
    NotCounted,
    OutcomeUnknown,
    Panel,
    Rejected,
    SqliteStore,
    State,
    StoreError,
    gate,
    run,
)
from core.audit import verify
from core.display import by_now
from core.documents import request as document
from core.model import ApprovalRequest, Charge, Usage
from core.policies.authority import Authority, Role
from core.policies.budget import Budget
from core.policies.conditional import ApproveIf
from core.stores.memory import _Tables
from core.stores.sqlite_file import library
from core.stores.sqlite_schema import MIGRATIONS
from core.stores.sqlite_tables import Tables

ROOT = Path(__file__).parent.parent
DAY = timedelta(days=1)
ANY = ApproveIf(lambda: True, because="small")
HUNDRED = Budget("refunds a day", 100, of="amount", unit="EUR")


class Clock:
    """Tells the time that it was set to."""

    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path, clock):
    if request.param == "memory":
        made = MemoryStore(clock=clock)
    else:
        made = SqliteStore(tmp_path / "approvals.db", clock=clock)
    yield made
    assert verify(made.trail())
    assert list(made.unexplained()) == []
    made.close()


def pay(amount: int, customer: str = "ana") -> str:
    """Pay."""
    if amount == 13:
        raise ValueError("the bank says no")
    if amount == 14:
        raise OutcomeUnknown("the answer was lost")
    return f"paid {amount}"


def gated(store, *words, budgets=(HUNDRED,), policies=(ANY,), **wiring):
    """Return `pay` behind those budgets, and who is asked beyond them."""
    people = Says(*words)
    options = {"approver": people, "policies": policies, "budgets": budgets, **wiring}
    return gate(pay, store=store, **options), people


def charge(key="", limit=100, within=DAY):
    """What to ask a store about."""
    return Charge(budget="refunds a day", key=key, amount=0, limit=limit, within=within)


def test_within_the_budget_nobody_is_asked_and_beyond_it_people_are(store):
    """To the last unit, and one more is theirs; what a person approves is paid all the same."""
    paying, people = gated(store, YES)
    assert (paying(60), paying(40)) == ("paid 60", "paid 40")
    assert people.seen == []
    assert paying(1) == "paid 1"
    [request] = people.seen
    [remark] = request.remarks
    assert remark == (
        "refunds a day: 100 of 100 EUR used, 1 for this one, which is more than there is"
    )
    assert store.usage(charge()) == Usage(101, 0)


def test_calls_are_counted_where_nothing_is_added_up(store):
    """Five are free, the sixth is asked about."""
    paying, people = gated(store, NO, budgets=[Budget("payments", 5)])
    for _ in range(5):
        paying(1_000_000)
    with pytest.raises(Rejected):
        paying(1)
    assert len(people.seen) == 1


def test_each_has_a_budget_of_their_own(store):
    """One customer's is gone, another's is whole."""
    paying, people = gated(
        store, NO, budgets=[Budget("a customer", 50, of="amount", per="customer")]
    )
    paying(50, "ana")
    paying(50, "bo")
    with pytest.raises(Rejected):
        paying(1, "ana")
    assert len(people.seen) == 1


def test_all_budgets_have_to_hold(store):
    """Beyond one of several, people are asked, and see all of them."""
    few = Budget("payments", 1)
    paying, people = gated(store, NO, budgets=[HUNDRED, few])
    paying(10)
    with pytest.raises(Rejected):
        paying(10)
    assert len(people.seen[0].remarks) == 2


def test_budgets_of_one_name_are_one(store):
    """Two functions share what there is."""
    paying, _ = gated(store)
    people = Says(NO)
    giving = gate(
        lambda amount: amount, approver=people, policies=[ANY], budgets=[HUNDRED], store=store
    )
    paying(60)
    with pytest.raises(Rejected):
        giving(60)
    assert len(people.seen) == 1


def test_a_budget_approves_nothing_by_itself(store):
    """Without a policy that says yes, people are asked however much is left."""
    paying, people = gated(store, NO, policies=())
    with pytest.raises(Rejected):
        paying(1)
    assert "0 of 100 EUR used, 1 for this one" in people.seen[0].remarks[0]


def test_two_that_wait_are_both_seen(store):
    """60 and 60 of 100, nobody has decided: the second is told of the first."""

    async def work():
        async def slow(amount: int) -> int:
            return amount

        asking = gate(slow, approver=Silent(), budgets=[HUNDRED], store=store)
        calls = [asyncio.create_task(asking(60))]
        await soon(lambda: len(store.pending()) == 1)
        calls.append(asyncio.create_task(asking(60)))
        await soon(lambda: len(store.pending()) == 2)
        first, second = store.pending()
        assert "60 reserved" not in first.request.remarks[0]
        assert "0 of 100 EUR used, 60 reserved, 60 for this one" in second.request.remarks[0]
        assert store.usage(charge()) == Usage(0, 120)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(work())
    assert store.usage(charge()) == Usage(0, 0)


def test_what_is_rejected_is_free_again(store):
    """At once, whoever rejected it."""
    paying, _ = gated(store, NO)
    paying(60)
    with pytest.raises(Rejected):
        paying(60)
    assert store.usage(charge()) == Usage(60, 0)
    assert paying(40) == "paid 40"


def test_what_nobody_answers_is_free_again(store, clock):
    """From the instant in which it expires."""
    asked = ApprovalRequest(
        action="shop.pay",
        asked_at=clock.now,
        expires_at=clock.now + timedelta(hours=1),
        charges=(Charge(budget="refunds a day", amount=60, limit=100, within=DAY),),
    )
    store.submit(asked)
    assert store.usage(charge()) == Usage(0, 60)
    clock.now += timedelta(hours=1)
    assert store.sweep() == 1
    assert store.usage(charge()) == Usage(0, 0)


def test_what_failed_is_free_again_and_what_may_have_happened_is_not(store):
    """A failure has an end that is known; an unknown one stays reserved until somebody says."""
    paying, _ = gated(store)
    with pytest.raises(ValueError, match="the bank"):
        paying(13)
    assert store.usage(charge()) == Usage(0, 0)
    with pytest.raises(OutcomeUnknown):
        paying(14)
    assert store.usage(charge()) == Usage(0, 14)
    [unknown] = store.search(state=State.OUTCOME_UNKNOWN)
    store.resolve(unknown.request.id, by="ana", happened=True)
    assert store.usage(charge()) == Usage(14, 0)
    with pytest.raises(OutcomeUnknown):
        paying(14)
    [unknown] = store.search(state=State.OUTCOME_UNKNOWN)
    store.resolve(unknown.request.id, by="ana", happened=False)
    assert store.usage(charge()) == Usage(14, 0)


def test_an_edit_reserves_the_other_amount(store):
    """Down frees, up takes; and the person sees the figures of what they have made of it."""

    def sees(request):
        assert request.charges[0].amount == 30
        assert "30 for this one" in request.remarks[0]
        assert store.usage(charge()) == Usage(0, 30)
        return YES

    def preview(amount: int) -> str:
        return f"pays {amount}"

    words = (Edit(by="ana", arguments={"amount": 30}), sees)
    paying, people = gated(store, *words, policies=(), preview=preview)
    assert paying(80).startswith("paid 30")
    assert len(people.seen) == 2
    assert store.usage(charge()) == Usage(30, 0)


def test_the_window_rolls(store, clock):
    """What was used a day ago to the microsecond is used no more; a moment earlier it still is."""
    paying, people = gated(store, NO)
    paying(100)
    ended = clock.now
    clock.now = ended + DAY - timedelta(microseconds=1)
    with pytest.raises(Rejected):
        paying(1)
    clock.now = ended + DAY
    assert paying(100) == "paid 100"
    assert len(people.seen) == 1


def test_a_call_counts_from_its_end_not_from_its_question(store, clock):
    """Asked on Monday, paid on Tuesday: it is Tuesday's."""

    def tomorrow(_request):
        clock.now += timedelta(minutes=30)
        return YES

    paying, _ = gated(store, tomorrow, policies=())
    paying(100)
    clock.now += DAY - timedelta(minutes=1)
    assert store.usage(charge()) == Usage(100, 0)


def test_what_was_spent_elsewhere_counts(store):
    """The world knows of 90 that this store has never seen."""
    budget = Budget("refunds a day", 100, of="amount", elsewhere=lambda _: 90)
    paying, people = gated(store, NO, budgets=[budget])
    paying(10)
    with pytest.raises(Rejected):
        paying(1)
    assert "100 of 100 used" in people.seen[0].remarks[0]


@pytest.mark.parametrize(
    "budget",
    [
        Budget("b", 5, of="nothing"),
        Budget("b", 5, per="nothing"),
        Budget("b", 5, of="customer"),
        Budget("b", 5, of=lambda _: -1),
        Budget("b", 5, of=lambda _: True),
        Budget("b", 5, of=lambda _: 1.0),
        Budget("b", 5, of=lambda request: request.arguments["x"]),
        Budget("b", 5, elsewhere=lambda _: -1),
        lambda _: None,
    ],
)
def test_a_budget_that_cannot_be_told_lets_nothing_through(store, budget):
    """Nobody is asked, nothing runs, and the agent hears which budget it was."""
    paying, people = gated(store, budgets=[budget])
    with pytest.raises(Rejected, match="out of a budget is unknown"):
        paying(1)
    assert people.seen == []
    assert store.search() == []


def test_an_amount_that_cannot_be_counted_lets_nothing_through(store):
    """Whatever number an agent makes up, it is refused in a sentence, and later calls go on."""
    paying, people = gated(store)
    for amount in (2**63, 10**30):
        with pytest.raises(Rejected, match="counts from 0"):
            paying(amount)
    assert paying(1) == "paid 1"
    assert people.seen == []
    assert store.usage(charge()) == Usage(1, 0)


def test_the_largest_amounts_add_up_and_wear_nothing_out(store):
    """A sum that no 64 bits hold is still a sum, used and reserved, and the next call is asked."""
    most = 2**63 - 1
    paying, people = gated(store, YES, YES, NO)
    for _ in range(2):
        paying(most)
    waits = Charge(budget="refunds a day", amount=most, limit=100, within=DAY)
    for _ in range(2):
        store.submit(ApprovalRequest(action="shop.pay", charges=(waits,)))
    assert store.usage(charge()) == Usage(2 * most, 2 * most)
    with pytest.raises(Rejected):
        paying(1)
    assert len(people.seen) == 3


def test_a_budget_may_count_for_ever(store):
    """The longest while there is reaches back to the first call."""
    budget = Budget("refunds a day", 100, of="amount", within=timedelta.max)
    paying, people = gated(store, NO, budgets=[budget])
    paying(100)
    with pytest.raises(Rejected):
        paying(1)
    assert len(people.seen) == 1


def test_an_edit_by_a_gate_without_budgets_holds_nothing_back(store):
    """A process that was started anew without them cannot leave a reservation behind for good."""
    asked = ApprovalRequest(action="shop.pay", charges=(replace(charge(), amount=60),))
    store.submit(asked)
    edited = replace(asked, revision=1, digest="another", charges=())
    store.revise(edited, Edit(by="ana", arguments={}), changed="by ana")
    assert store.usage(charge()) == Usage(0, 0)


def test_state_and_budget_are_written_together_or_not_at_all(store, monkeypatch):
    """When a budget cannot be written nothing is asked, paid or recorded, and no vote counts."""
    asked = ApprovalRequest(action="shop.pay", charges=(replace(charge(), amount=60),))
    store.submit(asked)
    before = list(store.trail())

    def full(*_):
        raise StoreError("the disk is full")

    paying, people = gated(store)
    with monkeypatch.context() as broken:
        broken.setattr(_Tables if isinstance(store, MemoryStore) else Tables, "enter", full)
        with pytest.raises(StoreError, match="full"):
            paying(1)
        with pytest.raises(StoreError, match="full"):
            store.vote(asked.id, NO, digest=asked.digest)
    assert people.seen == []
    assert list(store.trail()) == before
    assert store.get(asked.id).state is State.PENDING
    assert store.usage(charge()) == Usage(0, 60)


def test_of_many_that_end_together_none_is_free_until_all_are(store, monkeypatch):
    """When the second of two budgets cannot be written, the first request waits on as well."""
    for name in ("one", "two"):
        waits = Charge(budget="refunds a day", amount=30, limit=100, within=DAY)
        store.submit(ApprovalRequest(action="shop.pay", id=name, charges=(waits,)))
    tables = _Tables if isinstance(store, MemoryStore) else Tables
    enter, calls = tables.enter, []

    def fills(self, request_id, entries):
        calls.append(request_id)
        if len(calls) > 1:
            raise StoreError("the disk is full")
        enter(self, request_id, entries)

    with monkeypatch.context() as broken:
        broken.setattr(tables, "enter", fills)
        with pytest.raises(StoreError, match="full"):
            store.stop(by="mia", because="a leak")
    assert len(calls) == 2
    assert len(store.pending()) == 2
    assert store.usage(charge()) == Usage(0, 60)


def test_a_file_from_before_there_were_budgets_gets_them(tmp_path, monkeypatch):
    """What it holds is as it was, and from then on it counts."""
    path = tmp_path / "approvals.db"
    with monkeypatch.context() as before:
        before.setattr("core.stores.sqlite_file.MIGRATIONS", MIGRATIONS[:1])
        with SqliteStore(path) as store:
            paying, _ = gated(store, budgets=())
            paying(60)
            records = list(store.trail())
    with SqliteStore(path) as store:
        assert list(store.trail()) == records
        paying, people = gated(store, NO)
        assert paying(60) == "paid 60"
        with pytest.raises(Rejected):
            paying(60)
        assert len(people.seen) == 1
        assert store.usage(charge()) == Usage(60, 0)
        assert list(store.unexplained()) == []


def test_people_see_how_much_is_gone_by_now(store):
    """What was reserved and used since it was asked is on the screen, without its own amount."""
    asked = ApprovalRequest(action="shop.pay", charges=(replace(charge(), amount=45, unit="EUR"),))
    stored = store.submit(asked)
    assert by_now(store, stored) == [stored.request.remarks[0]]
    paying, _ = gated(store)
    paying(30)
    store.submit(replace(asked, id="other", charges=(replace(charge(), amount=20),)))
    now = "refunds a day: 30 of 100 EUR used, 20 reserved, 45 for this one"
    assert by_now(store, store.get(asked.id)) == [now]
    store.cancel(asked.id, by="agent", because="done")
    assert by_now(store, store.get(asked.id)) == []


def test_every_window_shows_how_much_is_gone_by_now(tmp_path):
    """The command line and the dashboard draw the figures of the moment, not of the question."""
    path = tmp_path / "approvals.db"
    now = "refunds a day: 30 of 100 used, 45 for this one"
    with SqliteStore(path) as store:
        asked = ApprovalRequest(action="shop.pay", charges=(replace(charge(), amount=45),))
        store.submit(asked)
        paying, _ = gated(store)
        paying(30)
        words = [sys.executable, "-m", "core", "--store", str(path), "show", asked.id]
        screen = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        assert now in screen.stdout
        page = Visitor(dashboard(store), ANA).get(f"/requests/{asked.id}")
        assert f"By now, {now}" in page.text


def test_two_budgets_of_one_name_on_one_call_are_a_mistake(store):
    """They would be counted as one, and neither would be what it says."""
    paying, _ = gated(store, budgets=[HUNDRED, Budget("refunds a day", 5, of="amount")])
    with pytest.raises(Rejected, match="two budgets of one name"):
        paying(1)


def test_a_run_that_is_repeated_is_charged_once(store):
    """Done again it finds what it paid, and takes nothing more."""
    for _ in range(2):
        paying, _ = gated(store)
        with run("monday"):
            assert paying(60) == "paid 60"
    assert store.usage(charge()) == Usage(60, 0)


def test_the_figures_are_in_the_document_and_survive_a_restart(tmp_path):
    """What a program reads, and what another process finds."""
    path = tmp_path / "approvals.db"
    with SqliteStore(path) as store:
        paying, _ = gated(store)
        paying(60)
    with SqliteStore(path) as store:
        [stored] = store.search()
        assert store.usage(charge()) == Usage(60, 0)
        [told] = document(stored)["charges"]
        assert (told["budget"], told["amount"], told["within"]) == ("refunds a day", 60, 86_400)
        paying, _ = gated(store, NO)
        with pytest.raises(Rejected):
            paying(60)


def test_a_forged_budget_is_noticed(tmp_path):
    """Whoever clears the table gets no more budget unseen."""
    path = tmp_path / "approvals.db"
    with SqliteStore(path) as store:
        paying, _ = gated(store)
        paying(60)
    for forged in ("DELETE FROM charges", "UPDATE charges SET amount = 1"):
        copied = tmp_path / "copy.db"
        copied.write_bytes(path.read_bytes())
        with library().connect(copied) as connection:
            connection.execute(forged)
        connection.close()
        with SqliteStore(copied) as store:
            assert any("budgets" in problem for problem in store.unexplained())


# Many at once


def test_a_hundred_threads_never_overspend(store):
    """Each wants 7 of 100: fourteen go through, the others are asked and told no."""
    paying, paid = gated(store, *[NO] * 100)[0], []

    def one():
        with suppress(Rejected):
            paid.append(paying(7))

    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paid) == 14
    assert store.usage(charge()) == Usage(98, 0)


WORKER = """
import sys
from core import Reject, Rejected, SqliteStore, gate
from core.policies.budget import Budget
from core.policies.conditional import ApproveIf
from core.stores.sqlite_file import library

def pay(amount: int) -> int:
    with open(sys.argv[2], "a") as file:
        file.write(f"{amount}\\n")
    return amount

paying = gate(
    pay,
    approver=lambda _: Reject(by="ana", reason="no"),
    policies=[ApproveIf(lambda: True, because="small")],
    budgets=[Budget("refunds a day", 1000, of="amount")],
    store=SqliteStore(sys.argv[1], synchronous="NORMAL", patience=60),
)
for _ in range(int(sys.argv[3])):
    try:
        paying(7)
    except Rejected:
        pass
"""


@pytest.mark.slow
def test_eight_processes_never_overspend_though_they_are_killed(tmp_path):
    """Each wants 7 of 1000, and two are killed in between: what was paid is within the budget."""
    path, paid = tmp_path / "approvals.db", tmp_path / "paid"
    SqliteStore(path).close()
    words = [sys.executable, "-c", WORKER, str(path), str(paid), "25"]
    workers = [subprocess.Popen(words, cwd=ROOT) for _ in range(8)]
    eventually(lambda: paid.exists() and len(paid.read_text()) > 40, seconds=30)
    for worker in workers[:2]:
        worker.kill()
    for worker in workers:
        worker.wait(60)
    spent = sum(map(int, paid.read_text().split()))
    assert spent <= 1000
    with SqliteStore(path) as store:
        store.sweep()
        gone = store.usage(charge(limit=1000))
        assert spent <= gone.used + gone.reserved <= 1000
        assert gone.used + gone.reserved > 1000 - 7 or spent >= 6 * 25 * 7
        assert list(store.unexplained()) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["policy", "yes", "no"])), max_size=12)
)
def test_used_is_what_was_paid_and_policies_never_pass_the_limit(calls):
    """Whatever is asked in whatever order, and whatever people say of it."""
    store, paid, free = MemoryStore(), 0, 0
    for amount, who in calls:
        if amount in {13, 14}:
            continue
        policies = [ANY] if who == "policy" else []
        word = YES if who == "yes" else NO
        paying, people = gated(store, word, policies=policies)
        try:
            paying(amount)
        except Rejected:
            continue
        paid += amount
        if not people.seen:
            free += amount
            assert paid <= 100
    assert store.usage(charge()) == Usage(paid, 0)
    assert free <= 100


# Authority

LEAD = Role("lead", members=frozenset({"ana"}), up_to=50)
BOSS = Role("boss", members=frozenset({"mia"}))


def test_a_limit_belongs_to_whoever_reaches_it():
    """The limit itself is still theirs; one more is the next role's."""
    authority = Authority((LEAD, BOSS))
    assert authority.panel(50).members == {"ana", "mia"}
    assert authority.panel(51).members == {"mia"}


def test_amounts_that_reach_nobody_are_found_before_the_first_call():
    """One role has to be without a limit, and have somebody in it."""
    with pytest.raises(ValueError, match="reach nobody"):
        Authority((LEAD,))
    with pytest.raises(ValueError, match="reach nobody"):
        Authority((LEAD, Role("boss", members=frozenset())))


def test_an_edit_upwards_needs_the_higher_role_and_drops_earlier_votes(store):
    """Whoever raises it above their limit has not approved it, nor has anybody before."""
    authority = Authority((LEAD, BOSS))
    mia = Approve(by="mia")

    def waits(request):
        [stored] = store.pending()
        assert stored.votes == ()
        assert request.panel.members == {"mia"}
        return mia

    words = (Edit(by="ana", arguments={"amount": 90}), waits)
    paying, people = gated(store, *words, policies=(), panel=authority.panel)
    assert paying(20).startswith("paid 90")
    assert len(people.seen) == 2


def test_who_has_voted_before_an_edit_has_not_voted_for_it(store):
    """Of two who have to agree one had; after an edit upwards two of the higher role have to."""
    leads, bosses = frozenset({"ana", "bo"}), frozenset({"mia", "kim"})
    authority = Authority((Role("lead", members=leads, up_to=50), Role("boss", members=bosses)))

    def votes(request):
        store.vote(request.id, Approve(by="ana"), digest=request.digest)
        return Edit(by="bo", arguments={"amount": 90})

    def waits(request):
        [stored] = store.pending()
        assert stored.votes == ()
        with pytest.raises(NotCounted):
            store.vote(request.id, Approve(by="ana"), digest=request.digest)
        store.vote(request.id, Approve(by="kim"), digest=request.digest)
        return Approve(by="mia")

    def panel(amount: int) -> Panel:
        return replace(authority.panel(amount), votes=2)

    paying, _ = gated(store, votes, waits, policies=(), panel=panel)
    assert paying(20).startswith("paid 90")
    [stored] = store.search()
    assert {vote.by for vote in stored.votes} == {"kim", "mia"}


def test_an_edit_downwards_stays_with_whoever_made_it(store):
    """A lead who lowers an amount has approved what it became."""
    authority = Authority((LEAD, BOSS))
    paying, people = gated(
        store,
        Edit(by="ana", arguments={"amount": 10}),
        policies=(),
        panel=authority.panel,
    )
    assert paying(50).startswith("paid 10")
    assert len(people.seen) == 1


def test_a_lead_cannot_approve_above_the_limit(store):
    """A yes from somebody who may not say it approves nothing."""
    authority = Authority((LEAD, BOSS))
    paying, _ = gated(
        store,
        *[YES] * 10,
        policies=(),
        panel=authority.panel,
    )
    with pytest.raises(Rejected):
        paying(51)
    assert [stored.state for stored in store.search()] == [State.CANCELLED]

"""A batch queues calls, has them reviewed together, and runs each at most once."""

import asyncio
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from people import NO, YES, Breaking, Says, Silent, eventually, soon

from core import (
    Approve,
    Batch,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Panel,
    Preview,
    Reject,
    Rejected,
    Risk,
    SqliteStore,
    State,
    StoreError,
    Unencodable,
    current_request,
)
from core.policies.budget import Budget
from core.policies.conditional import ApproveIf, RejectIf


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


class Shop:
    """Refunds, and what was really paid."""

    def __init__(self):
        self.paid = []

    def refund(self, charge: str, amount: int) -> str:
        """Pay a charge back, in cents."""
        self.paid.append((charge, amount))
        return f"re_{charge}"


@pytest.fixture
def shop():
    return Shop()


def by_amount(**answers):
    """An approver that answers by the amount; what it was not told it approves."""
    return lambda request: answers.get(f"of_{request.arguments['amount']}", YES)


def test_a_queued_call_returns_a_placeholder_and_does_nothing(store, shop):
    """Nothing runs, nothing is asked and nothing is in the store before a review begins."""
    people = Says()
    refund = Batch(approver=people, store=store).gate(shop.refund)
    assert [refund("ch_1", 1), refund("ch_2", 2)] == ["PENDING_APPROVAL_1", "PENDING_APPROVAL_2"]
    assert (shop.paid, people.seen, store.search(), [*store.trail()]) == ([], [], [], [])


def test_a_review_returns_what_became_of_each(store, shop):
    """Results, rejections, failures and silence stand under the numbers of the placeholders."""

    def broken(amount: int) -> str:
        raise ValueError("no such charge")

    def unclear(amount: int) -> str:
        raise OutcomeUnknown("the bank did not answer")

    async def silent(request):
        await asyncio.Event().wait()

    batch = Batch(approver=by_amount(of_2=NO), store=store)
    batch.gate(shop.refund)("ch_1", 1)
    batch.gate(shop.refund)("ch_2", 2)
    batch.gate(broken)(3)
    batch.gate(shop.refund, approver=silent, decide_within=timedelta(seconds=0.05))("ch_4", 4)
    batch.gate(unclear)(5)
    batch.gate(shop.refund)("ch_6", 6)
    results = batch.review_and_execute()
    assert [*results] == [1, 2, 3, 4, 5, 6]
    assert (results[1], results[6]) == ("re_ch_1", "re_ch_6")
    assert results[2].startswith("REJECTED: refund was rejected by ana: archive it first")
    assert results[3] == "FAILED: ValueError: no such charge"
    assert results[4].startswith("NOT_ANSWERED: ") and "Silence is not a denial" in results[4]
    assert results[5] == "OUTCOME_UNKNOWN: the bank did not answer"
    assert shop.paid == [("ch_1", 1), ("ch_6", 6)]
    states = [stored.state.value for stored in store.search()][::-1]
    assert states == [
        *("SUCCEEDED", "REJECTED", "FAILED"),
        *("EXPIRED", "outcome_unknown", "SUCCEEDED"),
    ]


def test_a_review_with_nothing_new_runs_nothing(store, shop):
    """The same results come back; new calls are added to them under the next numbers."""
    batch = Batch(approver=Says(YES, NO, YES), store=store)
    refund = batch.gate(shop.refund)
    refund("ch_1", 1)
    refund("ch_2", 2)
    first = batch.review_and_execute()
    assert batch.review_and_execute() == batch.wait_for_approvals() == first
    assert refund("ch_3", 3) == "PENDING_APPROVAL_3"
    assert batch.results() == first
    assert batch.review_and_execute() == {**first, 3: "re_ch_3"}
    assert shop.paid == [("ch_1", 1), ("ch_3", 3)]
    assert len(store.search()) == 3


def test_an_empty_batch_has_no_results():
    """There is nobody to ask and nothing to wait for."""
    assert Batch(approver=Says()).review_and_execute() == {}


def test_an_async_batch_is_like_a_sync_one(store):
    """Tools of both colours run from reviews of both colours, each under its own request."""
    ran = []

    async def slow(x: int) -> int:
        await asyncio.sleep(0)
        ran.append((x, current_request().batch.number))
        return -x

    def quick(x: int) -> int:
        ran.append((x, current_request().batch.number))
        return x

    async def queue(batch):
        assert await batch.gate(slow)(1) == "PENDING_APPROVAL_1"
        assert batch.gate(quick)(2) == "PENDING_APPROVAL_2"

    async def night():
        batch = Batch(approver=lambda request: YES, store=store)
        await queue(batch)
        return await batch.wait_for_approvals_async()

    assert asyncio.run(night()) == {1: -1, 2: 2}
    batch = Batch(approver=lambda request: YES, store=store)
    asyncio.run(queue(batch))
    assert batch.review_and_execute() == {1: -1, 2: 2}
    assert ran == [(1, 1), (2, 2), (1, 1), (2, 2)]


def test_a_sync_tool_runs_in_the_thread_that_reviews(shop):
    """What belongs to a thread, such as a database connection, still does."""
    batch, threads = Batch(approver=lambda request: YES), []
    batch.gate(lambda: threads.append(threading.current_thread()))()
    batch.review_and_execute()
    assert threads == [threading.current_thread()]


def test_the_tool_looks_like_the_plain_one(shop):
    """Name, parameters, annotations and docstring are those of the function; nothing leads back."""

    def refund(charge: str, amount: int = 5, *, note: str = "") -> str:
        """Pay back."""
        return charge

    queued = Batch(approver=Says()).gate(refund)
    assert inspect.signature(queued) == inspect.signature(refund)
    assert (queued.__name__, queued.__doc__) == ("refund", "Pay back.")
    assert not hasattr(queued, "__wrapped__")
    assert not inspect.ismethod(Batch(approver=Says()).wait_for_approvals)


def test_what_runs_is_what_was_given_when_it_was_queued(shop):
    """A list that the agent changes after the call changes nothing."""
    ran, batch, many = [], Batch(approver=lambda request: YES), ["a"]
    batch.gate(keeping(ran))(many)
    many.append("b")
    batch.review_and_execute()
    assert ran == [["a"]]


def test_what_cannot_be_frozen_is_refused_at_the_call():
    """The agent hears it at once, and the call has no number."""
    batch = Batch(approver=lambda request: YES)
    tool = batch.gate(lambda x: x)
    circle = []
    circle.append(circle)
    for value in (object(), float("nan"), circle):
        with pytest.raises(Unencodable, match="was not run"):
            tool(value)
    assert tool(1) == "PENDING_APPROVAL_1"


def test_items_run_one_at_a_time_and_the_earliest_first(store):
    """Answered in any order, they run in the order of the calls once the answers are there."""
    running, most, order = [0], [0], []

    async def tool(x: int) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.001)
        order.append(x)
        running[0] -= 1

    async def night():
        gathered, everybody = [], asyncio.Event()

        async def person(request):
            gathered.append(request)
            if len(gathered) == 8:
                everybody.set()
            await everybody.wait()
            return YES

        batch = Batch(approver=person, store=store)
        for x in range(8):
            await batch.gate(tool)(x)
        await batch.review_and_execute_async()

    asyncio.run(night())
    assert (order, most) == ([*range(8)], [1])


def test_who_is_still_thinking_holds_up_nobody_else(store, shop):
    """A decided call runs while another one waits for its answer."""
    late = threading.Event()

    def person(request):
        if request.arguments["amount"] == 1:
            eventually(lambda: shop.paid)
        return YES

    batch = Batch(approver=person, store=store)
    refund = batch.gate(shop.refund)
    refund("ch_1", 1)
    refund("ch_2", 2)
    assert batch.review_and_execute() == {1: "re_ch_1", 2: "re_ch_2"}
    assert shop.paid == [("ch_2", 2), ("ch_1", 1)]
    assert not late.is_set()


def test_everybody_is_asked_about_everything_before_anything_runs(store, shop):
    """When the first question is asked, all of them are in the store, in their order."""
    counts = []

    def person(request):
        counts.append((len(store.search()), len(shop.paid)))
        return YES

    batch = Batch(approver=person, store=store)
    refund = batch.gate(shop.refund)
    for number in range(1, 6):
        refund(f"ch_{number}", number)
    batch.review_and_execute()
    assert counts[0] == (5, 0)
    places = [stored.request.batch for stored in store.search()][::-1]
    assert [(place.number, place.of, place.needs) for place in places] == [
        (number, 5, ()) for number in range(1, 6)
    ]
    assert len({place.id for place in places}) == 1


def test_policies_decide_as_they_do_for_single_calls(store, shop):
    """What they approve or reject is on record, and people hear of it beside their own question."""
    people = Says(YES)
    batch = Batch(approver=people, store=store)
    refund = batch.gate(
        shop.refund,
        policies=[
            RejectIf(lambda amount: amount > 1000, because="look again"),
            ApproveIf(lambda amount: amount <= 50, because="at most 50"),
        ],
    )
    refund("ch_1", 20)
    refund("ch_2", 300)
    refund("ch_3", 2000)
    results = batch.review_and_execute()
    assert results[3].startswith("REJECTED: refund was rejected by policy: look again")
    assert shop.paid == [("ch_1", 20), ("ch_2", 300)]
    (asked,) = people.seen
    assert asked.batch.beside == (
        "1 refund(charge=ch_1, amount=20): approved by policy, at most 50",
        "3 refund(charge=ch_3, amount=2000): rejected by policy, look again",
    )
    decided = {s.request.batch.number: s.decision.by for s in store.search()}
    assert decided == {1: "policy", 2: "ana", 3: "policy"}


def test_what_is_free_within_a_budget_goes_first_and_the_rest_is_asked_at_once(store, shop):
    """Calls for people take nothing from small ones, and what is beyond is asked with them."""
    people = Says(YES, YES)
    batch = Batch(approver=people, store=store)
    refund = batch.gate(
        shop.refund,
        policies=[ApproveIf(lambda amount: amount <= 50, because="at most 50")],
        budgets=[Budget("refunds today", 100, of="amount")],
    )
    for number, amount in enumerate((40, 300, 50, 30), 1):
        refund(f"ch_{number}", amount)
    results = batch.review_and_execute()
    assert [*results] == [1, 2, 3, 4]
    assert shop.paid[:2] == [("ch_1", 40), ("ch_3", 50)]
    assert sorted(shop.paid[2:]) == [("ch_2", 300), ("ch_4", 30)]
    assert sorted(request.arguments["amount"] for request in people.seen) == [30, 300]
    approved = {s.request.batch.number for s in store.search() if s.decision.by == "policy"}
    assert approved == {1, 3}


def test_an_item_can_be_edited(store, shop):
    """It runs with what the person wrote, and the agent is told."""
    batch = Batch(approver=Says(Edit(by="ana", arguments={"amount": 3})), store=store)
    batch.gate(shop.refund)("ch_1", 5)
    assert batch.review_and_execute() == {
        1: "re_ch_1\n[refund ran as edited by ana: amount: 5 -> 3]"
    }
    assert shop.paid == [("ch_1", 3)]


def test_votes_from_another_window_count(store, shop):
    """Whoever reaches the store decides, also for the later calls of the batch first."""
    silent = Silent()
    batch = Batch(approver=silent, store=store)
    refund = batch.gate(shop.refund, panel=Panel(members=frozenset({"ana", "bob"})))
    refund("ch_1", 1)
    refund("ch_2", 2)
    with ThreadPoolExecutor() as pool:
        review = pool.submit(batch.review_and_execute)
        first, second = (s.request for s in eventually(lambda: _both(store)))
        store.vote(second.id, Approve(by="bob"), digest=second.digest)
        eventually(lambda: shop.paid == [("ch_2", 2)])
        store.vote(first.id, Reject(by="ana", reason="keep it"), digest=first.digest)
        results = review.result(10)
    assert results[2] == "re_ch_2" and "ana: keep it" in results[1]
    assert silent.withdrawn == 2


def _both(store):
    found = store.pending()
    return found if len(found) == 2 else None


def test_two_reviews_at_once_run_everything_once(store, shop):
    """From two threads and a loop, each gets every result, and each call ran once."""
    asked = []

    def person(request):
        asked.append(request)
        time.sleep(0.01)
        return YES

    batch = Batch(approver=person, store=store)
    refund = batch.gate(shop.refund)
    for number in range(10):
        refund(f"ch_{number}", number)
    with ThreadPoolExecutor() as pool:
        reviews = [pool.submit(batch.review_and_execute) for _ in range(3)]
        reviews.append(pool.submit(lambda: asyncio.run(batch.review_and_execute_async())))
        results = [review.result(20) for review in reviews]
    assert all(found == results[0] for found in results) and len(results[0]) == 10
    assert sorted(shop.paid) == [(f"ch_{number}", number) for number in range(10)]
    assert len(asked) == 10


def test_a_call_of_a_batch_cannot_wait_for_the_batch(store):
    """Waiting for itself would never end, so it is told instead, and the others go on."""
    batch = Batch(approver=lambda request: YES, store=store)

    def waits() -> None:
        batch.review_and_execute()

    batch.gate(waits)()
    batch.gate(lambda: 2)()
    results = batch.review_and_execute()
    assert results[1].startswith("FAILED: RuntimeError: a call of this batch cannot wait")
    assert results[2] == 2


def test_what_is_queued_during_a_review_belongs_to_the_next(store):
    """A tool may queue more; it is neither lost nor asked about in between."""
    batch = Batch(approver=lambda request: YES, store=store)
    more = batch.gate(lambda x: x)
    batch.gate(lambda: more(7))()
    assert batch.review_and_execute() == {1: "PENDING_APPROVAL_2"}
    assert batch.review_and_execute() == {1: "PENDING_APPROVAL_2", 2: 7}


def test_an_interrupted_review_can_be_taken_up_again(store, shop):
    """What had been asked is not asked anew, and the call that was cut off is not repeated."""

    def cut(amount: int) -> None:
        shop.paid.append(("cut", amount))
        raise KeyboardInterrupt

    batch = Batch(approver=lambda request: YES, store=store)
    batch.gate(shop.refund)("ch_1", 1)
    batch.gate(cut)(2)
    batch.gate(shop.refund)("ch_3", 3)
    with pytest.raises(KeyboardInterrupt):
        batch.review_and_execute()
    assert batch.results() == {1: "re_ch_1"}
    results = batch.review_and_execute()
    assert results[2].startswith("OUTCOME_UNKNOWN: cut was started and may or may not")
    assert shop.paid == [("ch_1", 1), ("cut", 2), ("ch_3", 3)]
    assert len(store.search()) == 3


def test_a_cancelled_review_leaves_its_questions_open(store, shop):
    """Nothing runs; the next review waits for the very same requests."""
    silent = Silent()

    async def given_up():
        batch = Batch(approver=silent, store=store)
        batch.gate(shop.refund)("ch_1", 1)
        review = asyncio.create_task(batch.review_and_execute_async())
        await soon(lambda: silent.seen)
        review.cancel()
        await asyncio.wait([review])
        return batch

    batch = asyncio.run(given_up())
    (stored,) = store.search()
    assert (stored.state, silent.withdrawn, shop.paid) == (State.PENDING, 1, [])
    store.vote(stored.request.id, YES, digest=stored.request.digest)
    assert batch.review_and_execute() == {1: "re_ch_1"}
    assert len(store.search()) == 1


@pytest.mark.parametrize("method", ["submit", "vote", "claim"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_store_that_fails_runs_nothing_more(method, after, store, shop):
    """One sentence is raised; once it works again, the review goes on and nothing is lost."""
    broken = Breaking(store, method, after=after)
    batch = Batch(approver=lambda request: YES, store=broken)
    refund = batch.gate(shop.refund)
    for number in range(3):
        refund(f"ch_{number}", number)
    with pytest.raises(StoreError, match="the disk is full"):
        batch.review_and_execute()
    broken.left = 10_000
    assert batch.review_and_execute() == {1: "re_ch_0", 2: "re_ch_1", 3: "re_ch_2"}
    assert shop.paid == [(f"ch_{number}", number) for number in range(3)]


def test_an_end_that_could_not_be_written_is_named_unknown(store, shop):
    """The call has run; it is not run again, and the others go on."""
    broken = Breaking(store, "finish")
    batch = Batch(approver=lambda request: YES, store=broken)
    batch.gate(shop.refund)("ch_1", 1)
    results = batch.review_and_execute()
    assert results[1].startswith("OUTCOME_UNKNOWN: refund was started and has ended")
    broken.left = 10_000
    assert batch.review_and_execute() == results
    assert shop.paid == [("ch_1", 1)]


def test_the_stop_button_stops_a_batch(store, shop):
    """What is asked after it was pressed is refused, and says who pressed it."""
    store.stop(by="mia", because="an incident")
    batch = Batch(approver=lambda request: YES, store=store)
    batch.gate(shop.refund)("ch_1", 1)
    results = batch.review_and_execute()
    assert results == {1: "REJECTED: refund was not run: stopped by mia: an incident"}
    assert shop.paid == []


def test_rules_that_fail_reject_their_item_only(store, shop):
    """Risk, panel, environment or a preview that raises: that call is not run, the others are."""

    def fails(amount):
        raise LookupError("no table")

    batch = Batch(approver=lambda request: YES, store=store)
    for number, rule in enumerate(("risk", "panel", "environment", "preview"), 1):
        batch.gate(shop.refund, **{rule: fails})("ch", number)
    batch.gate(shop.refund)("ch_5", 5)
    results = batch.review_and_execute()
    assert all("no table" in results[number] for number in range(1, 5))
    assert all(results[number].startswith("REJECTED: ") for number in range(1, 5))
    assert shop.paid == [("ch_5", 5)]


def test_a_changed_preview_is_asked_again_without_holding_up_others(store, shop):
    """With `ask_again` people see what is new; without it the call is refused, and says why."""
    left = {"ch_1": [100, 80, 80, 80], "ch_2": [100, 80]}
    asked = []

    def person(request):
        asked.append((request.arguments["charge"], request.preview and request.preview.summary))
        return YES

    def preview(charge):
        return Preview(summary=f"{left[charge].pop(0)} left")

    batch = Batch(approver=person, store=store)
    batch.gate(shop.refund, preview=preview, ask_again=1)("ch_1", 1)
    batch.gate(shop.refund, preview=preview)("ch_2", 2)
    batch.gate(shop.refund)("ch_3", 3)
    results = batch.review_and_execute()
    assert results[1] == "re_ch_1" and results[3] == "re_ch_3"
    assert "'100 left' -> '80 left'" in results[2] and results[2].startswith("REJECTED")
    assert sorted(asked, key=str) == [
        ("ch_1", "100 left"),
        ("ch_1", "80 left"),
        ("ch_2", "100 left"),
        ("ch_3", None),
    ]
    assert sorted(shop.paid) == [("ch_1", 1), ("ch_3", 3)]


def test_an_approval_lasts_as_long_as_people_may_take(store, shop):
    """Who answers last decides when the others start, so their approvals keep that long."""
    batch = Batch(approver=lambda request: YES, store=store)
    batch.gate(shop.refund, decide_within=timedelta(hours=8))("ch_1", 1)
    batch.gate(shop.refund, run_within=timedelta(minutes=1))("ch_2", 2)
    batch.review_and_execute()
    lasting = [stored.request.run_within for stored in store.search()][::-1]
    assert lasting == [timedelta(hours=8, minutes=15), timedelta(minutes=1)]


def test_secrets_of_a_batch_stay_out_of_the_store(tmp_path):
    """The function gets the value, people a label, and no file has it."""
    used, path = [], tmp_path / "approvals.db"
    with SqliteStore(path) as store:
        batch = Batch(approver=lambda request: YES, store=store)
        batch.gate(keeping(used), secret={"value"})("hunter2-hunter2")
        batch.review_and_execute()
    assert used == ["hunter2-hunter2"]
    assert all(b"hunter2" not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_sync_approver_is_asked_a_few_at_a_time(store, shop):
    """A thousand questions do not take a thousand threads."""
    busy, most, lock = [0], [0], threading.Lock()

    def person(request):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.05)
        with lock:
            busy[0] -= 1
        return YES

    batch = Batch(approver=person, store=store)
    refund = batch.gate(shop.refund, risk=Risk.LOW)
    for number in range(100):
        refund("ch", number)
    batch.review_and_execute()
    assert len(shop.paid) == 100
    assert 1 < most[0] <= 32


def test_a_panel_that_can_never_vote_is_found_when_the_tool_is_wrapped(shop):
    """As for single calls: before the first call, with a sentence."""
    with pytest.raises(ValueError, match="can never have 1 votes"):
        Batch(approver=Says()).gate(shop.refund, panel=Panel(members=frozenset({"agent"})))
    with pytest.raises(TypeError, match="has no parameter"):
        Batch(approver=Says()).gate(shop.refund, secret={"password"})


def test_a_tool_that_raises_a_rejection_has_failed(store):
    """A refusal from inside a function is its error, for it had started."""

    def inner() -> None:
        raise Rejected("a gate further in said no")

    batch = Batch(approver=lambda request: YES, store=store)
    batch.gate(inner)()
    assert batch.review_and_execute() == {1: "FAILED: Rejected: a gate further in said no"}
    assert store.search()[0].state is State.FAILED

"""The same work done again finds what it asked before, and runs nothing twice."""

import asyncio
import enum
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from people import NO, YES, Breaking, Says, Silent, eventually, soon

from core import (
    ActionChanged,
    Approve,
    MemoryStore,
    NotAnswered,
    OutcomeUnknown,
    Panel,
    Reject,
    Rejected,
    SqliteStore,
    State,
    StoreError,
    gate,
    run,
)
from core.display import shown
from core.runs import withdraw

WORKER = Path(__file__).with_name("run_worker.py")


class Color(enum.Enum):
    RED = "red"


@dataclass
class Item:
    name: str


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


def again(fn, store, *args, name="ticket", **wiring):
    """Call `fn` in a run of that name, as a new attempt in a new process would."""
    with run(name):
        return gate(fn, store=store, **{"approver": Says(), **wiring})(*args)


RESULTS = [
    None,
    True,
    1,
    1.0,
    "text",
    b"bytes",
    Decimal("1.50"),
    date(2024, 2, 29),
    datetime(2024, 2, 29, tzinfo=UTC),
    timedelta(seconds=1),
    Path("a/b"),
    Color.RED,
    Item("nut"),
    [1, ("2", {3})],
    {"a": {1: None}},
]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_a_finished_call_returns_its_recorded_result(result, store):
    """It does not run again, and the result has the same type and value."""
    ran = []

    def tool():
        ran.append(1)
        return result

    assert again(tool, store, approver=Says(YES)) == result
    found = again(tool, store)
    assert found == result
    assert type(found) is type(result)
    assert ran == [1]


def test_a_result_that_could_not_be_kept_is_not_made_up(store):
    """The second attempt hears that the call happened, not what it returned."""
    ran = []

    def tool():
        ran.append(1)
        return object()

    again(tool, store, approver=Says(YES))
    with pytest.raises(OutcomeUnknown, match="happened, but its result was lost"):
        again(tool, store)
    assert ran == [1]


def test_a_result_whose_class_is_gone_is_not_made_up(store):
    """An object that stands for the result is none: the function promised another type."""

    @dataclass
    class Local:
        name: str

    again(lambda: Local("nut"), store, approver=Says(YES))
    with pytest.raises(OutcomeUnknown, match="happened, but its result was lost"):
        again(lambda: None, store)


class OutOfStock(LookupError):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("no nuts"), ValueError, "no nuts"),
        (KeyError("nuts"), KeyError, "'nuts'"),
        (FileNotFoundError("nuts.txt"), FileNotFoundError, "nuts.txt"),
        (Rejected("a gate further in said no"), Rejected, "a gate further in said no"),
        (OutOfStock("no nuts"), RuntimeError, "OutOfStock: no nuts"),
        (UnicodeDecodeError("utf-8", b"a", 0, 1, "bad"), RuntimeError, "UnicodeDecodeError: "),
    ],
)
def test_a_failed_call_fails_again_the_same_way(error, kind, message, store):
    """Same class where it is a built-in one, same message; the function does not run again."""
    ran = []

    def tool():
        ran.append(1)
        raise error

    with pytest.raises(type(error)):
        again(tool, store, approver=Says(YES))
    with pytest.raises(kind) as caught:
        again(tool, store)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(message)
    assert ran == [1]


def test_a_rejected_call_is_rejected_again(store):
    """The agent hears the same sentence, and nobody is asked twice."""
    said = []
    for approver in (Says(NO), Says()):
        with pytest.raises(Rejected) as caught:
            again(lambda: None, store, approver=approver)
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


def test_silence_stays_silence(store):
    """A request that ran out is not asked again under the same name."""
    for approver in (Silent(), Says()):
        with pytest.raises(NotAnswered):
            again(lambda: 1, store, approver=approver, decide_within=timedelta(seconds=0.02))


def test_a_pending_call_waits_on(store):
    """The second attempt waits for the very same request, which keeps its id and its votes."""

    async def tool() -> int:
        return 1

    async def attempt(approver):
        with run("ticket"):
            return await gate(tool, approver=approver, store=store, panel=Panel(votes=2))()

    async def abandoned():
        task = asyncio.create_task(attempt(Silent()))
        asked = (await soon(store.pending))[0].request
        store.vote(asked.id, Approve(by="bob"), digest=asked.digest)
        task.cancel()
        await asyncio.wait([task])
        return asked

    asked = asyncio.run(abandoned())
    assert [stored.request.id for stored in store.pending()] == [asked.id]
    assert asyncio.run(attempt(Says(YES))) == 1
    (stored,) = store.search()
    assert stored.request.id == asked.id
    assert [vote.by for vote in stored.votes] == ["bob", "ana"]


def test_an_approved_call_that_was_not_started_starts(store):
    """Nobody is asked a second time."""
    ran = []

    def tool():
        ran.append(1)

    with pytest.raises(StoreError):
        again(tool, Breaking(store, "claim"), approver=Says(YES))
    assert ran == []
    again(tool, store)
    assert ran == [1]


def test_policies_are_not_asked_again(store):
    """What was brought before people stays with them, whatever a rule would say today."""
    with pytest.raises(StoreError):
        again(lambda: 1, Breaking(store, "vote"), approver=Says(YES))
    yes = Says(Approve(by="rule"))
    with pytest.raises(Rejected, match="rejected by ana"):
        again(lambda: 1, store, approver=Says(NO), policies=[yes])
    assert yes.seen == []


def test_a_call_that_differs_is_told_apart_and_runs_nothing(store):
    """The record has another call at this point: both names and states stand in the sentence."""
    ran = []

    def refund(amount):
        ran.append(amount)

    again(refund, store, 1, approver=Says(YES))
    with pytest.raises(ActionChanged, match=r"recorded with another call.*succeeded"):
        again(refund, store, 2)
    assert ran == [1]
    assert len(store.search()) == 1
    again(refund, store, 2, name="another ticket", approver=Says(YES))
    assert ran == [1, 2]


def test_more_of_the_same_work_goes_on_where_it_ended(store):
    """Repeated calls are matched one by one, and what is new is asked."""
    ran = []

    def add(x):
        ran.append(x)
        return len(ran)

    for count, approver in ((2, Says(YES, YES)), (4, Says(YES, YES))):
        with run("ticket"):
            gated = gate(add, approver=approver, store=store)
            assert [gated(5) for _ in range(count)] == [1, 2, 3, 4][:count]
    assert ran == [5, 5, 5, 5]


def test_parallel_calls_may_come_in_another_order(store):
    """Each finds its own request, not the one that was asked at its place."""
    ran = []

    async def tool(x: int) -> int:
        ran.append(x)
        return x * 10

    async def attempt(order, approver):
        with run("ticket"):
            gated = gate(tool, approver=approver, store=store)
            return await asyncio.gather(*[gated(x) for x in order])

    assert asyncio.run(attempt([1, 2, 3], Says(YES, YES, YES))) == [10, 20, 30]
    assert asyncio.run(attempt([3, 1, 2], Says())) == [30, 10, 20]
    assert sorted(ran) == [1, 2, 3]


@pytest.mark.parametrize("colour", ["tasks", "threads"])
def test_equal_calls_side_by_side_stay_as_many_as_they_are(colour, store):
    """Twenty of the same at once are twenty requests that run; done again, none of them runs."""
    ran, lock = [], threading.Lock()

    def tool(x: int) -> int:
        with lock:
            ran.append(x)
            return len(ran)

    async def kind(x: int) -> int:
        return tool(x)

    async def attempt(approver):
        with run("ticket"):
            if colour == "tasks":
                gated = gate(kind, approver=approver, store=store)
                calls = [gated(5) for _ in range(20)]
            else:
                plain = gate(tool, approver=approver, store=store)
                calls = [asyncio.to_thread(plain, 5) for _ in range(20)]
            return await asyncio.gather(*calls)

    first = asyncio.run(attempt(lambda request: YES))
    assert sorted(first) == list(range(1, 21))
    assert sorted(stored.request.key.rpartition("#")[2] for stored in store.search()) == sorted(
        str(number) for number in range(1, 21)
    )
    assert sorted(asyncio.run(attempt(Says()))) == sorted(first)
    assert len(ran) == 20


@dataclass(frozen=True)
class Account:
    id: str
    paid: list[int] = field(default_factory=list, hash=False)

    def refund(self, amount: int) -> str:
        self.paid.append(amount)
        return f"{self.id}: {amount}"


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("style", ["bound", "partial", "decorated"])
def test_each_object_finds_its_own_call(style, order, store):
    """Equal calls on objects of different values are different calls, whatever their order."""
    ran = []

    @dataclass(frozen=True)
    class Till:
        id: str

        def pay(self, amount: int) -> str:
            ran.append(self.id)
            return f"{self.id}: {amount}"

    def tools(approver):
        wiring = {"approver": approver, "store": store}
        if style == "decorated":
            gated = gate(Till.pay, **wiring)
            return {one: (lambda amount, one=one: gated(Till(one), amount)) for one in "ab"}
        if style == "partial":
            return {one: gate(partial(Till.pay, Till(one)), **wiring) for one in "ab"}
        return {one: gate(Till(one).pay, **wiring) for one in "ab"}

    with run("ticket"):
        pay = tools(Says(YES, YES))
        assert [pay[one](5) for one in "ab"] == ["a: 5", "b: 5"]
    with run("ticket"):
        pay = tools(Says())
        assert [pay[one](5) for one in order] == [f"{one}: 5" for one in order]
    assert ran == ["a", "b"]
    requests = [stored.request for stored in store.search()]
    assert len({request.digest for request in requests}) == 2
    assert len({request.arguments["called on"].fingerprint for request in requests}) == 2


def test_an_object_with_another_value_is_another_call(store):
    """What was done with one account is not taken for done with the other."""
    again(Account("a").refund, store, 5, approver=Says(YES))
    with pytest.raises(ActionChanged, match="recorded with another call"):
        again(Account("b").refund, store, 5)
    assert again(Account("a").refund, store, 5) == "a: 5"


def test_an_object_that_changes_after_the_approval_stops_the_call(store):
    """What a person approved was a call on the object as it was."""
    account = Account("a")

    def approver(request):
        account.paid.append(1)
        return YES

    with pytest.raises(ActionChanged, match="what it is called on has changed"):
        gate(account.refund, approver=approver, store=store)(5)
    assert account.paid == [1]


def test_an_object_is_shown_by_a_fingerprint_and_never_by_its_value(store):
    """A client holds keys: a person sees its class and a fingerprint, the store sees no more."""

    @dataclass(frozen=True)
    class Client:
        key: str

        def pay(self, amount: int) -> None:
            """Pay."""

    approver = Says(YES, YES)
    gate(Client("hunter2").pay, approver=approver, store=store)(5)
    gate(partial(Client.pay, Client("hunter2")), approver=approver, store=store)(5)
    (first, _), (second, _) = map(shown, approver.seen)
    assert (first.name, first.type) == ("called on", "secret")
    assert "Client" in first.text
    assert first == second
    assert "hunter2" not in repr(store.search()) + repr([*store.trail()])


class Shop:
    def __init__(self, name):
        self.name = name

    def sell(self, what: str) -> str:
        return f"{self.name} sells {what}"


def test_objects_that_cannot_be_told_apart_do_not_share_a_run(store):
    """The second one is refused, for done again the run could give it the result of the first."""
    shops = [Shop("corner"), Shop("mall")]
    with run("ticket"):
        corner, mall = (gate(shop.sell, approver=Says(YES), store=store) for shop in shops)
        assert corner("nuts") == "corner sells nuts"
        with pytest.raises(Rejected, match="called it on another Shop"):
            mall("nuts")
        again_corner = gate(shops[0].sell, approver=Says(YES), store=store)
        assert again_corner("nuts") == "corner sells nuts"
    with run("another"):
        assert mall("nuts") == "mall sells nuts"
    both = (gate(shop.sell, approver=Says(YES), store=store) for shop in shops)
    assert [sell("nuts") for sell in both] == ["corner sells nuts", "mall sells nuts"]


def test_methods_of_a_class_find_their_calls_by_its_name(store):
    """`cls` is told apart as an object is: what one class has done, its subclass has not."""

    class Base:
        @classmethod
        @gate(approver=lambda request: YES, store=store)
        def made(cls, x: int) -> str:
            return f"{cls.__name__} {x}"

    class Derived(Base):
        pass

    for order in ((Base, Derived), (Derived, Base)):
        with run("ticket"):
            assert [kind.made(1) for kind in order] == [f"{kind.__name__} 1" for kind in order]
    assert len(store.search()) == 2


def test_what_was_done_elsewhere_is_not_taken_for_done_here(store):
    """The same call of the same run in another environment is another call."""
    again(lambda: "staged", store, environment="staging", approver=Says(YES))
    with pytest.raises(ActionChanged, match="recorded with another call"):
        again(lambda: "live", store, environment="production")


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_a_call_that_was_never_written_down_is_asked_in_the_next_attempt(order, store):
    """A first call may be lost while the second was kept; neither is taken for the other."""
    ran, broken = [], [True]

    def tool(x: int) -> int:
        ran.append(x)
        return x

    def preview(x):
        if broken[0] and x == 1:
            raise ConnectionError("not now")
        return f"{x}"

    with run("ticket"):
        gated = gate(tool, approver=Says(YES), store=store, preview=preview)
        with pytest.raises(Rejected, match="not now"):
            gated(1)
        assert gated(2) == 2
    broken[0] = False
    with run("ticket"):
        gated = gate(tool, approver=Says(YES), store=store, preview=preview)
        assert [gated(x) for x in order] == order
    assert sorted(ran) == [1, 2]


def test_runs_keep_apart(store):
    """Another name, another requester or no run at all asks anew."""
    ran = []

    def tool():
        ran.append(1)

    for name, requester in (("a", "agent"), ("b", "agent"), ("a", "other")):
        again(tool, store, name=name, requester=requester, approver=Says(YES))
    for _ in range(2):
        gate(tool, approver=Says(YES), store=store)()
    assert len(ran) == 5
    with pytest.raises(ValueError, match="needs a name"), run(""):
        pass


def test_the_person_an_agent_works_for_does_not_vote(store):
    """Neither alone, nor as the only member of the panel."""
    with run("ticket", acting_for="Ana"):
        with pytest.raises(Rejected, match="may not decide"):
            gate(lambda: 1, approver=lambda request: YES, store=store)()
        gated = gate(
            lambda: 1, approver=Says(), store=store, panel=Panel(members=frozenset({"ana"}))
        )
        with pytest.raises(Rejected, match="can never have 1 votes"):
            gated()


def test_what_a_person_changed_is_told_again(store):
    """An edited call found again says so, in the same words."""
    from core import Edit

    def tool(x: int) -> str:
        return f"did {x}"

    edit = Edit(by="ana", arguments={"x": 2})
    first = again(tool, store, 1, approver=Says(edit))
    assert again(tool, store, 1) == first == "did 2\n[tool ran as edited by ana: x: 1 -> 2]"


def worker(tmp_path, role):
    words = [sys.executable, WORKER, tmp_path / "approvals.db", tmp_path / "log", "ticket", role]
    return subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)


def lines(tmp_path):
    log = tmp_path / "log"
    return log.read_text().split() if log.exists() else []


@pytest.mark.slow
@pytest.mark.parametrize("role", ["die waiting", "die approved"])
def test_work_goes_on_after_a_process_died_before_the_start(role, tmp_path):
    """Whether the question or the answer was the last thing it wrote: each call runs once."""
    with worker(tmp_path, role) as dead:
        assert dead.wait(20) == 9
    assert lines(tmp_path) == []
    with worker(tmp_path, "work") as alive:
        said, _ = alive.communicate(timeout=20)
    assert said.splitlines() == ["appended one", "appended two", "appended three"]
    assert lines(tmp_path) == ["one", "two", "three"]


@pytest.mark.slow
def test_a_call_in_which_a_process_died_is_unknown_and_looked_for(tmp_path):
    """It is not run again; what `reconcile` finds stands in the message and in the store."""
    with worker(tmp_path, "die inside") as dead:
        assert dead.wait(20) == 9
    with SqliteStore(tmp_path / "approvals.db") as store:

        def append(line: str) -> str:
            raise AssertionError("it must not run")

        append.__module__ = "__main__"
        append.__qualname__ = "main.<locals>.append"
        gated = gate(
            append,
            approver=Says(),
            store=store,
            reconcile=lambda line: f"the log has {line}: {line in lines(tmp_path)}",
        )
        with run("ticket"), pytest.raises(OutcomeUnknown) as caught:
            gated("one")
        assert "may or may not have happened" in str(caught.value)
        assert "the log has one: True." in str(caught.value)
        (stored,) = store.search()
        assert stored.state is State.OUTCOME_UNKNOWN
        assert stored.outcome.finding == "the log has one: True"
        store.resolve(stored.request.id, by="ana", happened=True)
        with (
            run("ticket"),
            pytest.raises(OutcomeUnknown, match="happened, but its result was lost"),
        ):
            gated("one")
    assert lines(tmp_path) == ["one"]


@pytest.mark.slow
def test_two_processes_with_the_same_run_do_the_work_once(tmp_path):
    """Both get every result; every call ran in one of them."""
    workers = [worker(tmp_path, "work") for _ in range(3)]
    said = [each.communicate(timeout=30)[0].splitlines() for each in workers]
    assert said == [["appended one", "appended two", "appended three"]] * 3
    assert lines(tmp_path) == ["one", "two", "three"]


@pytest.mark.slow
def test_a_call_that_another_living_process_waits_for_is_shared(tmp_path):
    """A vote decides for both; one of them runs it."""
    with worker(tmp_path, "wait") as waiting, SqliteStore(tmp_path / "approvals.db") as store:
        for line in ("one", "two", "three"):
            (asked,) = eventually(store.pending, seconds=20)
            assert asked.request.arguments == {"line": line}
            store.vote(asked.request.id, Approve(by="bob"), digest=asked.request.digest)
            eventually(lambda line=line: line in lines(tmp_path))
        assert waiting.communicate(timeout=20)[0].count("appended") == 3
    assert lines(tmp_path) == ["one", "two", "three"]


def test_a_rejection_of_the_first_attempt_does_not_touch_the_second_call(store):
    """Told to do it in another way, the agent does, and both are found again in order."""

    def delete(table: str) -> str:
        return f"deleted {table}"

    no = Reject(by="ana", reason="only drafts")
    for approver in (Says(no, YES), Says()):
        with run("ticket"):
            gated = gate(delete, approver=approver, store=store)
            with pytest.raises(Rejected, match="only drafts"):
                gated("orders")
            assert gated("drafts") == "deleted drafts"


def test_what_a_run_leaves_waiting_can_be_taken_back(store):
    """Only what has not begun, and only of that run: a yes for it would come to nothing."""

    async def tool(x: int) -> int:
        return x

    async def work():
        gated = gate(tool, approver=Silent(), store=store)
        calls = []
        for name in ("left", "kept"):
            with run(name):
                calls.append(asyncio.create_task(gated(1)))
        await soon(lambda: len(store.pending()) == 2)
        withdraw(store, "left")
        assert [stored.request.run for stored in store.pending()] == ["kept"]
        with pytest.raises(Rejected, match="stopped waiting"):
            await calls[0]
        withdraw(store, "kept")
        with pytest.raises(Rejected, match="stopped waiting"):
            await calls[1]

    asyncio.run(work())

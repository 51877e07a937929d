"""What runs is what was approved, and how it ended is known or said to be unknown."""

import asyncio
import hashlib
import os
import signal
import threading
import time
from datetime import timedelta

import pytest
from people import YES, Background, Breaking, Says, eventually, pending

from core import (
    ActionChanged,
    Approve,
    BoundFile,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Panel,
    Preview,
    Reject,
    Rejected,
    SqliteStore,
    State,
    StoreError,
    gate,
    run,
)
from core.stores.sqlite_file import library


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


def edit_then_yes(request):
    return YES if request.revision else Edit(by="ana", arguments={"x": 2})


STEPS = ["submit", "get", "watch", "vote", "revise", "claim", "finish", "fingerprint_key"]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("method", STEPS)
def test_a_store_that_fails_stops_the_call(method, after, store):
    """Whichever step cannot be written: the function did not run, or the agent hears "unknown"."""
    ran = []

    def tool(x: int, token: str):
        ran.append(x)

    breaking = Breaking(store, method, after=after)
    gated = gate(
        tool, approver=edit_then_yes, store=breaking, secret=["token"], preview=lambda x: f"{x}"
    )
    try:
        gated(1, "hunter2")
    except StoreError:
        assert ran == []
        assert method != "finish"
    except OutcomeUnknown:
        assert method == "finish"
        assert ran == [2]
        assert [stored.state for stored in store.search()] == [State.EXECUTING]
    else:
        assert ran == [2]
        assert breaking.left >= 0, "the broken step was never reached"


@pytest.mark.parametrize("method", ["record", "finish"])
def test_a_policys_yes_that_cannot_be_recorded_runs_nothing(method, store):
    """The decision is on record before the first instruction of the function."""
    ran = []
    gated = gate(
        lambda: ran.append(1),
        approver=Says(),
        policies=[lambda request: Approve(by="policy")],
        store=Breaking(store, method),
    )
    with pytest.raises(StoreError if method == "record" else OutcomeUnknown):
        gated()
    assert ran == ([] if method == "record" else [1])


def test_an_end_that_cannot_be_written_is_unknown_at_once_and_written_later(store):
    """The agent hears "unknown", so does a second attempt; the store learns the end when it can."""
    ran = []

    def tool(x: int) -> int:
        ran.append(x)
        return x * 10

    breaking = Breaking(store, "finish")
    gated = gate(tool, approver=lambda request: YES, store=breaking)
    for _ in range(2):
        with run("ticket"), pytest.raises(OutcomeUnknown, match="the disk is full") as caught:
            gated(1)
        assert caught.value.request_id == store.search()[0].request.id
    assert store.search()[0].state is State.EXECUTING
    breaking.left = 1_000
    with run("ticket"):
        assert gated(1) == 10
    assert ran == [1]
    assert store.search()[0].state is State.SUCCEEDED
    assert [record.event for record in store.trail()][-1] == "succeeded"


def test_an_end_that_could_not_be_written_is_written_at_the_next_call(store):
    """Whatever is called next on that store, in no run at all, the end before it is kept first."""

    def fails():
        raise LookupError("no nuts")

    breaking = Breaking(store, "finish")
    with pytest.raises(OutcomeUnknown):
        gate(fails, approver=Says(YES), store=breaking)()
    breaking.left = 1_000
    assert gate(lambda: 1, approver=Says(YES), store=breaking)() == 1
    states = {stored.request.name: stored.state for stored in store.search()}
    assert states == {"fails": State.FAILED, "<lambda>": State.SUCCEEDED}


def test_whoever_waits_for_a_call_hears_that_its_end_could_not_be_written(store):
    """A second attempt that was waiting already does not wait for ever."""
    go, inside = threading.Event(), threading.Event()

    def tool():
        inside.set()
        go.wait(10)

    gated = gate(tool, approver=Says(YES), store=Breaking(store, "finish"))

    def attempt():
        with run("ticket"):
            gated()

    with Background(attempt) as first:
        inside.wait(10)
        with Background(attempt) as second:
            time.sleep(0.05)
            go.set()
    assert isinstance(first.error, OutcomeUnknown)
    assert isinstance(second.error, OutcomeUnknown)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interrupt_stays_one_when_the_store_fails_too(interrupt, store):
    """Whoever stops a call sees it stop; that it is unknown is written down later."""

    def tool():
        raise interrupt

    breaking = Breaking(store, "finish")
    with pytest.raises(interrupt):
        gate(tool, approver=Says(YES), store=breaking)()
    breaking.left = 1_000
    gate(lambda: 1, approver=Says(YES), store=breaking)()
    states = {stored.request.name: stored.state for stored in store.search()}
    assert states["tool"] is State.OUTCOME_UNKNOWN


def test_a_call_that_is_interrupted_between_its_claim_and_its_start_has_an_end(store):
    """Ctrl-C in the instant of the claim: it never began, and nobody waits for it for ever."""
    ran, claim, left = [], store.claim, threading.Event()

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        left.wait(10)
        return claim(*args, **kwargs)

    store.claim = interrupted
    with pytest.raises(KeyboardInterrupt):
        gate(lambda: ran.append(1), approver=Says(YES), store=store)()
    left.set()
    stored = eventually(lambda: store.search(state=State.FAILED))[0]
    assert stored.outcome.message == "interrupted before it began"
    assert ran == []


@pytest.mark.parametrize("method", ["sweep", "watch"])
def test_a_started_call_is_never_told_as_one_that_was_not_run(method, store):
    """A store that fails while somebody waits for a running call leaves them with "unknown"."""
    go, inside = threading.Event(), threading.Event()

    def tool():
        inside.set()
        go.wait(10)

    def attempt(where):
        with run("ticket"):
            gate(tool, approver=Says(YES), store=where)()

    with Background(attempt, store) as first:
        inside.wait(10)
        with pytest.raises(OutcomeUnknown, match="may or may not have happened"):
            attempt(Breaking(store, method))
        go.set()
    assert first.error is None


def test_a_finding_that_cannot_be_kept_is_told_all_the_same(store):
    """The agent hears "unknown" and what was seen, not that the store is full."""

    def pay():
        raise OutcomeUnknown("the connection broke")

    with run("ticket"), pytest.raises(OutcomeUnknown):
        gate(pay, approver=Says(YES), store=store)()
    with run("ticket"), pytest.raises(OutcomeUnknown, match="What was found: it is on the list"):
        gate(
            pay, approver=Says(), store=Breaking(store, "report"),
            reconcile=lambda: "it is on the list",
        )()  # fmt: skip


def test_a_store_that_breaks_while_an_approver_waits_ends_the_call(store):
    """A waiting call that could never hear the end of it fails instead of waiting."""
    silent = []

    async def approver(request):
        silent.append(request)
        await asyncio.Event().wait()

    gated = gate(lambda: 1, approver=approver, store=Breaking(store, "watch"))
    with Background(gated) as call:
        pass
    assert isinstance(call.error, StoreError)


def test_an_error_of_the_function_is_the_agents_and_on_record(store):
    """The exception comes through as it is; the store has its class and text."""

    class OutOfStock(Exception):
        pass

    def sell():
        raise OutOfStock("no nuts")

    with pytest.raises(OutOfStock, match="no nuts"):
        gate(sell, approver=Says(YES), store=store)()
    (stored,) = store.search()
    assert (stored.state, stored.outcome.error) == (State.FAILED, "OutOfStock")
    assert stored.outcome.message == "no nuts"


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_call_is_unknown(interrupt, store):
    """Ctrl-C in the middle of a call: nobody knows how far it came."""

    def tool():
        raise interrupt

    with pytest.raises(interrupt):
        gate(tool, approver=Says(YES), store=store)()
    assert store.search()[0].state is State.OUTCOME_UNKNOWN


def test_a_tool_may_say_that_it_does_not_know(store):
    """`OutcomeUnknown` from the function itself is kept as that, until a person resolves it."""

    def pay():
        raise OutcomeUnknown("the connection broke after the request was sent")

    with pytest.raises(OutcomeUnknown, match="connection broke"):
        gate(pay, approver=Says(YES), store=store)()
    (stored,) = store.search()
    assert stored.state is State.OUTCOME_UNKNOWN
    resolved = store.resolve(stored.request.id, by="ana", happened=False)
    assert resolved.state is State.RESOLVED_NOT_HAPPENED


def test_a_result_or_a_message_that_cannot_be_kept_costs_nothing_but_itself(store):
    """The call has succeeded or failed all the same, for the agent and on record."""

    class Odd(Exception):
        def __str__(self):
            raise ZeroDivisionError

    def fails():
        raise Odd

    given = object()
    assert gate(lambda: given, approver=Says(YES), store=store)() is given
    with pytest.raises(Odd):
        gate(fails, approver=Says(YES), store=store)()
    states = {stored.request.name: stored.state for stored in store.search()}
    assert states == {"<lambda>": State.SUCCEEDED, "fails": State.FAILED}


def test_a_long_message_is_cut_aloud(store):
    """What is too long for the record says that there was more."""

    def fails():
        raise ValueError("x" * 50_000)

    with pytest.raises(ValueError, match="x" * 50_000):
        gate(fails, approver=Says(YES), store=store)()
    message = store.search()[0].outcome.message
    assert message == "x" * 10_000 + "… (40,000 more characters)"


def test_a_preview_that_changes_after_the_approval_stops_the_call(store):
    """The world is looked at again right before the start; the difference is named."""
    rows = [12]

    def delete(table: str):
        raise AssertionError("it must not run")

    def approver(request):
        rows[0] = 14
        return YES

    def preview(table):
        return Preview(summary=f"delete {table}", facts=(("rows", str(rows[0])),))

    with pytest.raises(ActionChanged) as caught:
        gate(delete, approver=approver, store=store, preview=preview)("orders")
    assert "('rows', '12') -> ('rows', '14')" in str(caught.value)
    assert str(caught.value).startswith("delete was not run: ")
    assert store.search()[0].state is State.CANCELLED


def test_a_preview_that_fails_after_the_approval_stops_the_call(store):
    """What cannot be looked at any more is not what was approved."""
    ran, broken = [], []

    def preview():
        if broken:
            raise ConnectionError("gone")
        return "one row"

    gated = gate(
        lambda: ran.append(1), approver=lambda r: broken.append(1) or YES, store=store,
        preview=preview,
    )  # fmt: skip
    with pytest.raises(ActionChanged, match="ConnectionError: gone"):
        gated()
    assert ran == []


def test_a_bound_file_that_changes_after_the_approval_stops_the_call(store, tmp_path):
    """The bytes that were approved are the bytes that are used."""
    script = tmp_path / "migrate.sql"
    script.write_text("DELETE FROM drafts")

    def preview(path):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        return Preview(summary="run it", files=(BoundFile(path=str(path), sha256=found),))

    def apply(path):
        raise AssertionError("it must not run")

    def approver(request):
        script.write_text("DELETE FROM orders")
        return YES

    with pytest.raises(ActionChanged, match="files: "):
        gate(apply, approver=approver, store=store, preview=preview)(script)


def test_a_voter_who_leaves_the_panel_before_the_start_does_not_count(store):
    """Who may decide is asked again at the claim."""
    members = [frozenset({"ana", "bob"})]

    def approver(request):
        members[0] = frozenset({"bob"})
        return YES

    with pytest.raises(ActionChanged, match="no longer enough"):
        gate(lambda: 1, approver=approver, store=store, panel=lambda: Panel(members=members[0]))()


def test_code_that_changes_between_approval_and_start_is_not_run(store):
    """The approval of one version of a function is none for another."""
    before = exec_tool("return 1", Breaking(store, "claim"), Says(YES))
    with run("deploy"), pytest.raises(StoreError):
        before()
    assert store.search()[0].state is State.APPROVED
    with run("deploy"), pytest.raises(ActionChanged, match="code of the function has changed"):
        exec_tool("return 2", store, Says())()
    assert store.search()[0].state is State.CANCELLED


def exec_tool(body, store, approver):
    namespace = {"__name__": "tools"}
    exec(f"def tool():\n    {body}", namespace)
    return gate(namespace["tool"], approver=approver, store=store)


def test_nothing_runs_that_the_trail_does_not_explain(tmp_path):
    """A row that somebody wrote past the gate, approval and all, is not started."""
    with SqliteStore(tmp_path / "approvals.db") as store:
        ran, forged = [], []

        def approver(request):
            other = library().connect(store.path)  # two libraries undo each other's locks
            other.execute("UPDATE requests SET state = 'approved'")
            other.commit()
            other.close()
            forged.append(request)
            return YES

        with pytest.raises((StoreError, Rejected)):
            gate(lambda: ran.append(1), approver=approver, store=store)()
        assert forged
        assert ran == []


def test_a_stopped_store_takes_no_calls(store):
    """The stop button: what waits is withdrawn, what is new is refused, until it is released."""
    with Background(gate(lambda: 1, approver=waits(store), store=store)) as call:
        pending(store)
        store.stop(by="ana", because="something is odd")
    assert isinstance(call.error, Rejected)
    assert "something is odd" in str(call.error)
    for policies in ((), [lambda request: Approve(by="policy")]):
        with pytest.raises(Rejected, match="something is odd"):
            gate(lambda: 1, approver=Says(), policies=policies, store=store)()
    store.resume(by="ana")
    assert gate(lambda: 1, approver=Says(YES), store=store)() == 1


def waits(store):
    def approver(request):
        eventually(lambda: store.get(request.id).state is not State.PENDING)
        return Reject(by="nobody", reason="too late")

    return approver


def test_a_request_that_is_withdrawn_after_the_approval_does_not_start(store):
    """A person may take back an approval until the call has started."""
    ran, looks = [], []

    def preview():
        looks.append(1)
        if len(looks) == 2:
            (stored,) = store.search(state=State.APPROVED)
            store.cancel(stored.request.id, by="ana", because="wait, no")
        return "one row"

    with pytest.raises(Rejected, match="withdrawn by ana: wait, no"):
        gate(lambda: ran.append(1), approver=Says(YES), store=store, preview=preview)()
    assert ran == []


def test_the_boundary_of_an_approval_is_its_end(store):
    """An approval that is used at its very last instant is used too late."""
    looks, ran = [], []

    def slow():
        looks.append(1)
        if len(looks) == 2:
            time.sleep(0.06)
        return "x"

    with pytest.raises(Rejected, match=r"approved but not started within 0\.05 seconds"):
        gate(
            lambda: ran.append(1), approver=Says(YES), store=store, preview=slow,
            run_within=timedelta(seconds=0.05),
        )()  # fmt: skip
    assert ran == []

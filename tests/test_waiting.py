"""Approvals that take time stand in nobody's way."""

import _thread
import asyncio
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from people import YES, Background, Says, Silent, eventually, pending, soon

from core import Approve, MemoryStore, NotAnswered, Rejected, SqliteStore, State, gate, run


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


async def tool(x: int) -> int:
    return x


def plain(x: int) -> int:
    return x


def slow(request):
    time.sleep(0.2)
    return YES


async def slow_but_kind(request):
    await asyncio.sleep(0.2)
    return YES


@pytest.mark.parametrize("approver", [slow, slow_but_kind])
def test_an_async_call_that_waits_does_not_block_the_event_loop(approver, store):
    """Another task goes on while a person thinks, whatever colour the approver is."""

    async def work():
        steps = 0
        waiting = asyncio.create_task(gate(tool, approver=approver, store=store)(1))
        while not waiting.done():
            await asyncio.sleep(0.005)
            steps += 1
        return await waiting, steps

    result, steps = asyncio.run(work())
    assert result == 1
    assert steps > 10


@pytest.mark.parametrize("approver", [slow, slow_but_kind])
def test_fifty_calls_at_once_keep_apart_and_side_by_side(approver, store):
    """Each gets its own answer, and they do not queue up behind each other's people."""

    async def work():
        gated = gate(tool, approver=approver, store=store)
        return await asyncio.gather(*[gated(x) for x in range(50)])

    start = time.monotonic()
    assert asyncio.run(work()) == list(range(50))
    assert time.monotonic() - start < 5, "one after another they would take ten seconds"
    assert {stored.state for stored in store.search(limit=100)} == {State.SUCCEEDED}


def test_fifty_threads_at_once_keep_apart(store):
    """Sync calls from many threads share one loop and get each their own answer."""
    results = {}

    def one(x):
        results[x] = gate(lambda x: x, approver=slow_but_kind, store=store)(x)

    threads = [threading.Thread(target=one, args=(x,)) for x in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == {x: x for x in range(50)}


def test_a_sync_tool_works_below_a_running_event_loop(store):
    """It blocks that loop as any sync call would, and nothing more."""

    async def work():
        return gate(lambda x: x, approver=slow_but_kind, store=store)(1)

    assert asyncio.run(work()) == 1


@pytest.mark.parametrize("where", ["approver", "preview"])
def test_a_sync_tool_on_the_loop_that_all_sync_tools_wait_for_fails(where, store):
    """An async approver that calls one would wait for itself: it fails, so the call is not run."""
    ran = []
    inner = gate(lambda: ran.append("inner"), approver=slow_but_kind, store=store)

    async def asks(request):
        inner()
        return YES

    async def looks():
        inner()

    wiring = {"approver": asks} if where == "approver" else {"approver": Says(), "preview": looks}
    with Background(gate(lambda: ran.append("outer"), store=store, **wiring)) as call:
        pass
    assert isinstance(call.error, Rejected)
    assert "would wait for itself" in str(call.error)
    assert ran == []
    assert gate(lambda: "next", approver=slow_but_kind, store=store)() == "next"


def test_a_sync_tool_in_a_sync_approver_works(store):
    """An approver with a thread of its own may use a gated tool, and so may one on another loop."""
    inner = gate(lambda: "inner", approver=slow_but_kind, store=store)
    said = []

    def asks(request):
        said.append(inner())
        return YES

    async def kind(request):
        return asks(request)

    assert gate(lambda: "outer", approver=asks, store=store)() == "outer"
    assert asyncio.run(gate(tool, approver=kind, store=store)(1)) == 1
    assert said == ["inner", "inner"]


def test_people_who_never_answer_use_nothing_up(store):
    """Dozens of prompts that nobody can interrupt do not keep a new question from being asked."""
    never = threading.Event()
    try:
        for x in range(40):
            gated = gate(
                lambda x: x, approver=lambda request: never.wait(), store=store,
                preview=lambda x: f"{x}",
            )  # fmt: skip
            with Background(gated, x) as call:
                asked = pending(store).request
                store.vote(asked.id, Approve(by="bob"), digest=asked.digest)
            assert call.result == x
    finally:
        never.set()


def test_a_prompt_that_cannot_be_interrupted_does_not_hold_up_the_end(store):
    """Once it is decided elsewhere, the event loop ends without waiting for the prompt."""
    never = threading.Event()

    async def work():
        call = asyncio.create_task(gate(tool, approver=lambda r: never.wait(), store=store)(1))
        asked = (await soon(store.pending))[0].request
        store.vote(asked.id, Approve(by="bob"), digest=asked.digest)
        return await call

    try:
        with Background(asyncio.run, work()) as ended:
            pass
        assert ended.result == 1
    finally:
        never.set()


def test_cancelling_the_agent_withdraws_the_question(store):
    """Outside a run nobody would come back for it, so nobody can approve it any more."""

    async def work():
        silent = Silent()
        task = asyncio.create_task(gate(tool, approver=silent, store=store)(1))
        await soon(lambda: silent.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return silent.withdrawn

    assert asyncio.run(work()) == 1
    (stored,) = store.search()
    assert stored.state is State.CANCELLED
    assert stored.decision.reason == "the agent stopped waiting"


def test_an_interrupt_that_wakes_nobody_is_noticed_all_the_same(store):
    """A Ctrl-C in the instant before the main thread sleeps ends the call and its question."""

    def interrupt():
        eventually(lambda: pending(store))
        time.sleep(0.1)  # long asleep: no signal comes to wake it, as in that instant
        _thread.interrupt_main()

    assert threading.current_thread() is threading.main_thread()
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        gate(plain, approver=Silent(), store=store)(1)
    [stored] = store.search()
    assert stored.state is State.CANCELLED


def test_cancelling_the_agent_in_a_run_leaves_the_question(store):
    """Whoever does the run again finds it waiting."""

    async def work():
        with run("ticket"):
            task = asyncio.create_task(gate(tool, approver=Silent(), store=store)(1))
            await soon(store.pending)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(work())
    assert [stored.state for stored in store.search()] == [State.PENDING]


def test_cancelling_a_call_that_has_started_makes_it_unknown(store):
    """A coroutine stopped in the middle may have done its work or not."""

    async def work():
        started = asyncio.Event()

        async def begins():
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(gate(begins, approver=Says(YES), store=store)())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert store.search()[0].state is State.OUTCOME_UNKNOWN


def test_an_async_preview_is_awaited(store):
    """A look at the world may take time as well."""

    async def preview(x):
        await asyncio.sleep(0)
        return f"{x} rows"

    approver = Says(YES)
    assert asyncio.run(gate(tool, approver=approver, store=store, preview=preview)(3)) == 3
    assert approver.seen[0].preview.summary == "3 rows"


def test_a_wait_ends_when_the_time_is_up(store):
    """Nobody rings when a request expires; the call ends by itself, soon after."""
    start = time.monotonic()
    with pytest.raises(NotAnswered):
        asyncio.run(
            gate(tool, approver=Silent(), store=store, decide_within=timedelta(seconds=0.1))(1)
        )
    assert 0.1 <= time.monotonic() - start < 2


def test_context_reaches_the_approver_and_the_preview(store):
    """What the agent's code has put into context variables is seen by those it asks."""
    from contextvars import ContextVar

    user = ContextVar("user", default="nobody")
    seen = []

    def approver(request):
        seen.append(user.get())
        return YES

    async def kind(request):
        return approver(request)

    user.set("eve")

    def look(x):
        return approver(x) and "a look"

    gate(lambda x: x, approver=approver, store=store, preview=look)(1)
    gate(lambda x: x, approver=kind, store=store)(1)
    assert seen == ["eve"] * 4


def test_waiting_for_a_started_call_does_not_spin(tmp_path):
    """A call that another machine runs past its deadline is waited for, not polled to death."""
    path, looks = tmp_path / "approvals.db", []
    with SqliteStore(path, executor=lambda: "elsewhere:1:1") as there, SqliteStore(path) as here:
        claim, get = there.claim, here.get

        def claims_and_is_gone(*args, **kwargs):
            claim(*args, **kwargs)
            raise ZeroDivisionError

        there.claim = claims_and_is_gone
        here.get = lambda request_id: looks.append(1) or get(request_id)

        async def work(store, approver):
            with run("ticket"):
                within = timedelta(seconds=0.05)
                return await gate(tool, approver=approver, store=store, decide_within=within)(1)

        with pytest.raises(ZeroDivisionError):
            asyncio.run(work(there, Says(YES)))
        time.sleep(0.06)
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(work(here, Says()), 0.5))
        assert here.search()[0].state is State.EXECUTING
    assert len(looks) < 10


SCRIPT = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from core import Approve, MemoryStore, gate

store = MemoryStore()

def approver(request):
    threading.Timer(0.1, decide, [request]).start()
    threading.Event().wait()

def decide(request):
    store.vote(request.id, Approve(by="bob"), digest=request.digest)

print(gate(lambda: "done", approver=approver, store=store)())
"""


@pytest.mark.slow
def test_a_process_ends_although_a_prompt_still_waits():
    """Nobody can be asked any more, so there is nothing to wait for."""
    words = [sys.executable, "-c", SCRIPT, "."]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("done\n", "", 0)


def test_an_inline_vote_while_the_approver_is_asked_is_seen(store):
    """A decision that comes before anybody listens is found by looking, not by the bell."""

    def approver(request):
        store.vote(request.id, Approve(by="bob"), digest=request.digest)
        eventually(lambda: store.get(request.id).state is State.SUCCEEDED)
        return YES

    assert gate(lambda: "done", approver=approver, store=store)() == "done"
    assert [vote.by for vote in store.search()[0].votes] == ["bob"]

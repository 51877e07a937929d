"""A batch in a run: done again after a crash, it finds what it had asked, and repeats nothing."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from people import NO, YES, Says

from core import Approve, Batch, Edit, MemoryStore, Reject, SqliteStore, State, gate, run

WORKER = Path(__file__).with_name("batch_worker.py")


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


def night(store, approver, ran, *, name="night", amounts=(1, 2, 3)):
    """Do the night's work as a new attempt in a new process would."""

    def refund(amount: int) -> int:
        ran.append(amount)
        return amount

    def reply(paid: int) -> str:
        ran.append(f"told {paid}")
        return f"told {paid}"

    batch = Batch(approver=approver, store=store)
    refund, reply = batch.gate(refund), batch.gate(reply)
    with run(name):
        for amount in amounts:
            reply(refund(amount))
        return batch.review_and_execute()


def test_a_repeated_run_finds_every_result_and_asks_nobody(store):
    """Results, rejections and what was cancelled with them are the same, and nothing runs."""
    ran, again = [], []

    def ana(request):
        return NO if request.arguments.get("amount") == 2 else YES

    first = night(store, ana, ran)
    assert night(store, Says(), again) == first
    assert (ran, again) == ([1, "told 1", 3, "told 3"], [])
    assert first[4].startswith("REJECTED: not run, for it needs PENDING_APPROVAL_3")
    assert len(store.search()) == 6


def test_an_edited_batch_is_found_again(store):
    """Also the second question, which took the place of the first."""

    def ana(request):
        if request.arguments.get("amount") == 2:
            return Edit(by="ana", arguments={"amount": 5})
        return YES

    ran, again = [], []
    first = night(store, ana, ran)
    assert "told 5" in first[4]
    assert night(store, Says(), again)[4] == first[4]
    assert (set(ran), again) == ({1, "told 1", 5, "told 5", 3, "told 3"}, [])
    assert len(ran) == 6


def test_the_order_of_the_answers_does_not_matter(store):
    """A call is known by its number, so the second half is not taken for the first."""
    ran = []
    with run("night"):
        batch = Batch(approver=lambda request: YES, store=store)
        tool = batch.gate(keeping(ran))
        for x in (5, 5, 5):
            tool(x)
        batch.review_and_execute()
    keys = sorted(stored.request.key for stored in store.search())
    assert keys == ["batch-1#1", "batch-1#2", "batch-1#3"]
    assert ran == [5, 5, 5]


def test_another_call_at_the_same_place_is_not_the_same(store):
    """A run that asks for something else under a number is told so, and nothing of it runs."""
    ran, again = [], []
    night(store, lambda request: YES, ran)
    results = night(store, Says(), again, amounts=(1, 9, 3))
    assert results[1] == 1 and results[5] == 3
    assert results[3].startswith("REJECTED: ") and "with another call" in results[3]
    assert again == []


def test_batches_of_one_run_keep_apart_from_each_other_and_from_single_calls(store):
    """Each is found again in the order in which they began; a single call is no item of a batch."""

    def work(approver, ran):
        def tool(x: int) -> int:
            ran.append(x)
            return x

        with run("night"):
            first, second = (Batch(approver=approver, store=store) for _ in range(2))
            first.gate(tool)(1)
            second.gate(tool)(1)
            alone = gate(tool, approver=approver, store=store)(1)
            return first.review_and_execute(), second.review_and_execute(), alone

    ran, again = [], []
    assert work(lambda request: YES, ran) == work(Says(), again) == ({1: 1}, {1: 1}, 1)
    assert (ran, again) == ([1, 1, 1], [])
    assert len({s.request.batch.id for s in store.search() if s.request.batch}) == 2


def test_a_batch_over_many_runs_puts_each_call_in_its_own(store):
    """One review for the night's tickets, each of which is a run of its own."""

    def work(approver, ran):
        batch = Batch(approver=approver, store=store)
        tool = batch.gate(keeping(ran))
        for x in range(3):
            with run(f"ticket-{x}", acting_for="guest"):
                tool(x)
        return batch.review_and_execute()

    ran, again = [], []
    assert work(lambda request: YES, ran) == work(Says(), again)
    assert (ran, again) == ([0, 1, 2], [])
    asked = [stored.request for stored in store.search()][::-1]
    assert [(one.run, one.acting_for) for one in asked] == [
        (f"ticket-{x}", "guest") for x in range(3)
    ]
    assert len({one.batch.id for one in asked}) == 1


def test_a_place_in_a_batch_survives_the_store(tmp_path):
    """Number, size, needs and what policies decided are there in the next process."""
    path, ran = tmp_path / "approvals.db", []
    with SqliteStore(path) as store:
        night(store, lambda request: YES, ran)
        before = [stored.request.batch for stored in store.search()]
    with SqliteStore(path) as store:
        assert [stored.request.batch for stored in store.search()] == before
        assert [place.needs for place in before][::-1] == [(), (1,), (), (3,), (), (5,)]
        assert list(store.unexplained()) == []


def worker(folder, die):
    words = [sys.executable, WORKER, folder / "approvals.db", folder / "log", "night", die]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True)


def lines(folder):
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


WHOLE = {
    *("refund ch_1 100", "reply t_1 100", "refund ch_2 150", "reply t_2 150"),
    *("refund ch_3 20", "reply t_3 20", "reply t_4 7"),
}


def check(folder, results):
    """Each effect at most once, and each is in the results or named unknown."""
    done = Counter(lines(folder))
    assert set(done.values()) <= {1} and set(done) <= WHOLE
    words = [str(result).partition(":")[0] for result in results.values()]
    unknown = words.count("OUTCOME_UNKNOWN")
    assert unknown <= 1
    if not unknown:
        assert set(done) == WHOLE
        assert results["4"].startswith("told 150") and results["6"] == "told 20"
    with SqliteStore(folder / "approvals.db") as store:
        assert list(store.unexplained()) == []
        assert [s for s in store.search() if s.state is State.PENDING] == []


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 3])
def test_a_batch_that_is_killed_anywhere_is_finished_by_the_next(first, tmp_path):
    """Killed at many moments in turn: each call runs at most once, and none is lost."""
    for die in range(first, 72, 5):
        folder = tmp_path / str(die)
        folder.mkdir()
        with worker(folder, die) as dead:
            said, _ = dead.communicate(timeout=30)
        if dead.returncode == 0:
            results = json.loads(said)
        else:
            assert dead.returncode == 9
            with worker(folder, 0) as alive:
                said, _ = alive.communicate(timeout=30)
            results = json.loads(said)
        check(folder, results)


@pytest.mark.slow
def test_processes_that_review_the_same_batch_run_each_call_once(tmp_path):
    """All of them get every result, whoever ran it."""
    workers = [worker(tmp_path, 0) for _ in range(4)]
    results = [json.loads(each.communicate(timeout=60)[0]) for each in workers]
    assert all(sorted(found) == [*"1234567"] for found in results)
    assert Counter(lines(tmp_path)) == dict.fromkeys(WHOLE, 1)
    assert len({json.dumps(found["7"]) for found in results}) == 1


def test_a_vote_in_another_process_decides_the_batch_of_a_dead_one(store):
    """What waited when the agent died is approved meanwhile; the next attempt only runs it."""

    def dies(request):
        raise SystemExit

    ran = []
    with run("night"):
        batch = Batch(approver=lambda request: Reject(by="ana", reason="no"), store=store)
        batch.gate(keeping(ran))(1)
        stored = None

        async def first(request):
            nonlocal stored
            stored = request
            store.vote(request.id, Approve(by="bob"), digest=request.digest)
            raise RuntimeError("gone")

        other = Batch(approver=first, store=store)
        other.gate(keeping(ran))(2)
        other.review_and_execute()
    assert ran == [2]
    assert stored.batch.number == 1

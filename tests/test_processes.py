"""Several processes on one file: one of them starts it, and a fork breaks nothing."""

import os
import threading
from contextlib import suppress

import pytest
from asking import (
    ANYBODY,
    NO,
    agreed,
    asked,
    opened,
    started,
)
from children import in_child, said

from core import Approve, audit
from core.model import State, StoreError
from core.stores.executor import is_gone, this_process


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def test_of_many_processes_one_starts_it(path):
    """Processes that vote on and claim the same requests at once: each is started exactly once."""
    with opened(path) as store:
        calls = [store.submit(asked(amount=n)).request for n in range(25)]

    def work():
        won = []
        with opened(path, patience=30) as store:
            for request in calls:
                for attempt in (
                    lambda r=request: store.vote(
                        r.id, Approve(by=f"p{os.getpid()}"), digest=r.digest
                    ),
                    lambda r=request: store.claim(r.id, digest=r.digest, panel=ANYBODY),
                ):
                    with suppress(StoreError):
                        won.append([attempt().state.value, request.id])
        return won

    won = [pair for child in [in_child(work) for _ in range(4)] for pair in said(child)]
    for state in ("approved", "executing"):
        assert sorted(i for s, i in won if s == state) == sorted(r.id for r in calls)
    with opened(path) as store:
        assert store.sweep() == len(calls)  # those who started them have ended
        assert audit.verify(store.trail()).count == 4 * len(calls)
        assert [*store.unexplained()] == []


def test_many_processes_asking_under_one_key_ask_once(path):
    """Attempts of the same work in several processes share one request."""
    opened(path).close()

    def work():
        with opened(path, patience=30) as store:
            return [store.submit(asked(run="ticket-17", key=f"k{n}")).request.id for n in range(20)]

    answers = [said(child) for child in [in_child(work) for _ in range(4)]]
    assert answers == [answers[0]] * 4
    assert len(set(answers[0])) == 20


def test_what_a_forked_child_commits_stays(path):
    """A child writes after its parent, which was waiting for something, has closed the file."""
    with opened(path) as store:
        request = store.submit(asked()).request
        reading, writing = os.pipe()
        with store.watch(request.id, lambda: None):

            def work():
                first = store.submit(asked()).request.id
                os.read(reading, 1)
                return [first, store.submit(asked()).request.id]

            child = in_child(work)
            os.set_blocking(reading, True)
            while len(store.search()) < 2:
                pass
    with opened(path) as other:
        third = other.submit(asked()).request.id
        os.write(writing, b"x")
        expected = {request.id, third, *said(child)}
    with opened(path) as again:
        assert {s.request.id for s in again.search()} == expected
        assert audit.verify(again.trail()).count == 4
    os.close(reading)
    os.close(writing)


@pytest.mark.slow
def test_forking_while_other_threads_write_loses_and_blocks_nothing(path):
    """Neither a lock nor half a transaction of another thread is carried into the child."""
    stop = threading.Event()
    with opened(path) as store:

        def write():
            while not stop.wait(0.002):
                store.record(asked(), NO)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()

        def work():
            with store.watch("", lambda: None):
                return store.submit(asked()).state.value

        try:
            assert [said(in_child(work)) for _ in range(10)] == ["pending"] * 10
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert len(store.search(state=State.PENDING)) == 10
        assert audit.verify(store.trail()) and not [*store.unexplained()]


def test_a_child_that_ends_leaves_an_unknown_outcome(path):
    """What a forked process started is its own; the parent lives, and still it is named unknown."""
    with opened(path) as store:
        request, own = agreed(store).request, started(store).request

        def work():
            return store.claim(request.id, digest=request.digest, panel=ANYBODY).executor

        executor = said(in_child(work))
        assert executor != this_process()
        assert store.sweep() == 1
        assert store.get(request.id).state is State.OUTCOME_UNKNOWN
        assert store.get(own.id).state is State.EXECUTING


@pytest.mark.parametrize("name", ["", "me", "a:b", "a:b:c", "elsewhere:1:1", "::"])
def test_of_a_process_nobody_knows_nothing_is_said(name):
    """Only a process of this machine, named as this program names it, can be known to be gone."""
    assert is_gone(name) is False


def test_a_process_of_this_machine_is_known_to_be_gone():
    """The living is not gone; the same pid with another beginning, or no process at all, is."""
    host, pid, start = this_process().rsplit(":", 2)
    assert not is_gone(this_process())
    assert is_gone(f"{host}:{pid}:0{start}")
    assert is_gone(f"{host}:{pid}:{start[:-8]}another!")
    assert is_gone(f"{host}:{2**22 + 1}:{start}")

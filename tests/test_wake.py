"""A decision made elsewhere wakes whoever waits: at once by a hint, in a second without one."""

import asyncio
import errno
import os
import shutil
import socket
import statistics
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from asking import asked
from children import in_child, said

from core import Approve, SqliteStore, gate
from core.model import State, StoreError
from core.stores import bell
from core.stores.sqlite_file import library
from core.waiting import is_decided, until

YES = Approve(by="ana")
A_LOOK = 2 * bell.SECONDS_BETWEEN_LOOKS + 1


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    with SqliteStore(path) as made:
        yield made


@pytest.fixture
def sockets(path):
    """The folder in which processes leave their sockets for this store."""
    found = bell._folder(path)
    yield found
    shutil.rmtree(found, ignore_errors=True)


def waiting(**fields):
    """Return a request that is asked now."""
    now = datetime.now(UTC)
    return asked(asked_at=now, expires_at=now + timedelta(hours=1), **fields)


def decide_next(path, count, ring=True):
    """Approve whatever is pending, one by one; return when each approval had been committed."""
    done = {}
    with SqliteStore(path, patience=20) as store:
        if not ring:
            store._bell.ring = lambda request_id: None
        while len(done) < count:
            for found in store.pending(limit=1):
                store.vote(found.request.id, YES, digest=found.request.digest)
                done[found.request.id] = time.monotonic()
            time.sleep(0.001)
    return done


async def nobody(request):
    """Never answers."""
    await asyncio.Event().wait()


def calls(store, count):
    """Make gated calls one after another; return when each of them ran."""
    ran = []
    tool = gate(lambda: ran.append(time.monotonic()), approver=nobody, store=store)
    for _ in range(count):
        tool()
    return ran


def delays(path, store, count, ring=True):
    """Return the seconds from each decision of another process to the start of its call."""
    child = in_child(lambda: decide_next(path, count, ring))
    ran = calls(store, count)
    return [start - decided for start, decided in zip(ran, said(child).values(), strict=True)]


def test_a_decision_of_another_process_starts_the_call(path, store):
    """Every one of twenty calls starts long before anybody would have looked by themselves."""
    found = delays(path, store, 20)
    print(f"median {statistics.median(found) * 1000:.1f} ms, worst {max(found) * 1000:.1f} ms")
    assert max(found) < bell.SECONDS_BETWEEN_LOOKS / 2


@pytest.mark.slow
def test_a_lost_hint_only_delays(path, store):
    """When nobody rings, the look every second finds the decision."""
    assert max(delays(path, store, 2, ring=False)) < A_LOOK


@pytest.mark.slow
def test_without_the_sockets_it_is_a_second_later(path, store, sockets):
    """The folder of the sockets may be emptied at any time: a hint is lost, no decision is."""
    request = store.submit(waiting()).request
    woken = threading.Event()
    with store.watch(request.id, woken.set):
        shutil.rmtree(sockets)
        assert said(in_child(lambda: len(decide_next(path, 1)))) == 1
        assert woken.wait(A_LOOK)


@pytest.mark.slow
def test_a_lost_hint_is_found_while_others_arrive(path, store):
    """A busy store is looked at too: hints for other requests do not put off the look."""
    lost = store.submit(waiting()).request
    woken, stop = threading.Event(), threading.Event()
    with SqliteStore(path) as other, store.watch(lost.id, woken.set):
        quiet, other._bell.ring = other._bell.ring, lambda request_id: None
        other.vote(lost.id, YES, digest=lost.digest)

        def chatter():
            while not stop.wait(0.05):
                quiet("another request")

        thread = threading.Thread(target=chatter)
        thread.start()
        found = woken.wait(A_LOOK)
        stop.set()
        thread.join()
    assert found


@pytest.mark.slow
def test_a_thousand_waiters_are_all_woken(path, store):
    """Far more decisions at once than a socket can hold: each waiter learns of its own."""
    requests = [store.submit(waiting()).request for _ in range(1000)]

    async def wait():
        answers = asyncio.gather(*[until(store, r.id, is_decided) for r in requests])
        await asyncio.sleep(0)  # all of them are watching now
        child = in_child(lambda: max(decide_all(path).values()))
        stored = await asyncio.wait_for(answers, timeout=60)
        return time.monotonic() - await asyncio.to_thread(said, child), stored

    late, stored = asyncio.run(wait())
    print(f"1,000 waiters are awake {late * 1000:.1f} ms after the last decision")
    assert {one.state for one in stored} == {State.APPROVED}
    assert late < A_LOOK


def decide_all(path):
    """Approve everything as fast as it goes; return when each approval had been committed."""
    done = {}
    with SqliteStore(path, patience=20) as store:
        for found in store.pending(limit=1000):
            store.vote(found.request.id, YES, digest=found.request.digest)
            done[found.request.id] = time.monotonic()
    return done


@pytest.mark.slow
def test_a_look_that_fails_is_not_the_last(path, monkeypatch):
    """While another program locks the file nobody can look; afterwards the decision is found."""
    monkeypatch.setattr("core.stores.sqlite_file.wal_is_safe", lambda version: False)
    with SqliteStore(path, patience=0.01) as store:
        request = store.submit(waiting()).request
        woken = threading.Event()
        with store.watch(request.id, woken.set), SqliteStore(path) as other:
            with closing(library().connect(str(path), isolation_level=None)) as plain:
                plain.execute("BEGIN EXCLUSIVE")
                time.sleep(2 * bell.SECONDS_BETWEEN_LOOKS)
                with pytest.raises(StoreError):
                    store.get(request.id)
                plain.execute("ROLLBACK")
            other._bell.ring = lambda request_id: None
            other.vote(request.id, YES, digest=request.digest)
            assert woken.wait(A_LOOK)


def test_a_parent_and_its_child_are_both_woken(path, store):
    """A forked child listens for itself, and its parent goes on listening."""
    request = store.submit(waiting()).request
    woken = threading.Event()
    with store.watch(request.id, woken.set):

        def work():
            own = threading.Event()
            with store.watch(request.id, own.set):
                (store.path.parent / "listening").touch()
                return own.wait(5)

        child = in_child(work)
        while not (path.parent / "listening").exists():
            time.sleep(0.001)
        with SqliteStore(path) as other:
            other.vote(request.id, YES, digest=request.digest)
        assert woken.wait(5)
        assert said(child) is True


def test_a_wait_that_could_not_begin_is_begun_again(path, monkeypatch):
    """When the file is locked at that moment the wait is an error, and the next one listens."""
    monkeypatch.setattr("core.stores.sqlite_file.wal_is_safe", lambda version: False)
    woken = threading.Event()
    with SqliteStore(path, patience=0.01) as store, SqliteStore(path) as other:
        request = store.submit(waiting()).request
        with closing(library().connect(str(path), isolation_level=None)) as plain:
            plain.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match="locked"), store.watch(request.id, woken.set):
                pass
        with store.watch(request.id, woken.set):
            other.vote(request.id, YES, digest=request.digest)
            assert woken.wait(A_LOOK)


def test_a_dead_listener_is_cleared_away(store, sockets):
    """The socket that a killed process left behind hurts nobody, and goes with the next ring."""
    with store.watch("", lambda: None):
        left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        left.bind(str(sockets / "1-left"))
        left.close()
        store.submit(waiting())
        assert [one.name.partition("-")[0] for one in sockets.iterdir()] == [str(os.getpid())]


def test_closing_takes_the_socket_away(path, sockets):
    """A store that is closed listens no more, and its thread ends."""
    before = {*threading.enumerate()}
    with SqliteStore(path) as store, store.watch("", lambda: None):
        (thread,) = {*threading.enumerate()} - before
        assert len([*sockets.iterdir()]) == 1
    thread.join(5)
    assert not thread.is_alive()
    assert [*sockets.iterdir()] == []


@pytest.mark.parametrize("there", ["a file", "somebody else's folder"])
def test_a_folder_that_cannot_be_used_costs_a_hint_only(path, sockets, there):
    """Where no socket can be kept, waiting works by looking, and nothing of others is touched."""
    sockets.parent.mkdir(exist_ok=True, mode=0o700)
    if there == "a file":
        sockets.write_text("mine")
    else:
        sockets.mkdir()
        if os.geteuid() == 0:
            os.chown(sockets, 65534, 65534)
    with SqliteStore(path) as store:
        request = store.submit(waiting()).request
        with store.watch(request.id, lambda: None):
            voted = store.vote(request.id, YES, digest=request.digest)
    assert voted.state is State.APPROVED
    if there == "a file":
        assert sockets.read_text() == "mine"
        sockets.unlink()


def test_what_is_committed_stays_so_when_nobody_can_be_told(store, sockets, monkeypatch):
    """Without sockets the decision is taken and said all the same; only the hint is missing."""

    def none_left(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    request = store.submit(waiting()).request
    with store.watch(request.id, lambda: None), SqliteStore(store.path) as other:
        monkeypatch.setattr(socket, "socket", none_left)
        assert other.vote(request.id, YES, digest=request.digest).state is State.APPROVED
        monkeypatch.undo()
    assert store.get(request.id).state is State.APPROVED

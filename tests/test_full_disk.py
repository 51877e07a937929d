"""When the disk or the file does not do as it is told, nothing runs and nothing is half written."""

import ctypes
import os
import resource
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from asking import (
    ANYBODY,
    EVERYTHING,
    NO,
    YES,
    agreed,
    asked,
    opened,
    raw,
    started,
    without_triggers,
    world,
)
from children import in_child, said
from sqlite_calls import Tap, full_from

from core import Approve, audit, gate
from core.model import Outcome, State, StoreError
from core.stores.sqlite_file import library

NOBODY = 65534


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    with opened(path, patience=0.05) as made:
        yield made


def calls(store, asking):
    """Call a gated function; return how often it ran and what was raised."""
    ran = []

    def refund(amount: int) -> None:
        ran.append(amount)

    yes = lambda request: Approve(by="ana")  # noqa: E731 - the shortest approver
    tool = gate(refund, approver=yes, policies=() if asking else (yes,), store=store)
    with pytest.raises(StoreError) as caught:
        tool(1)
    assert "\n" not in str(caught.value)
    return ran, str(caught.value)


@pytest.mark.parametrize("asking", [True, False], ids=["a person", "a policy"])
@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_while_another_program_locks_the_file_nothing_runs(path, store, asking, begin):
    """After its patience the store says so; when the lock is gone, everything is as it was."""
    agreed(store)
    before = world(store)
    with raw(path) as connection:
        connection.execute(begin)
        ran, text = calls(store, asking)
    assert (ran, "locked by another process" in text) == ([], True)
    assert world(store) == before


def test_a_lock_that_goes_in_time_is_waited_for(path):
    """Patience is for another process that is just writing."""
    with opened(path, patience=5) as store, raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.1, lambda: in_other_thread.execute("ROLLBACK"))
        in_other_thread = library().connect(str(path), check_same_thread=False)
        connection.execute("ROLLBACK")
        in_other_thread.isolation_level = None
        in_other_thread.execute("BEGIN IMMEDIATE")
        release.start()
        assert store.submit(asked()).state is State.PENDING
        release.join()
        in_other_thread.close()


@pytest.mark.parametrize("asking", [True, False], ids=["a person", "a policy"])
def test_a_store_that_breaks_later_runs_nothing(path, store, asking):
    """On a full disk, with its tables gone, or closed, it is one sentence and no call."""
    with Tap(full_from(1)):
        ran, text = calls(store, asking)
    assert (ran, "full" in text) == ([], True)
    with without_triggers(path) as connection:
        connection.execute("DROP TABLE audit")
    assert calls(store, asking)[0] == []
    store.close()
    ran, text = calls(store, asking)
    assert (ran, "closed" in text) == ([], True)


SHORT_OF_SPACE = {
    "submit": lambda store, r: store.submit(asked(amount="x" * 9000)),
    "record": lambda store, r: store.record(asked(amount="x" * 9000), NO),
    "vote": lambda store, r: store.vote(r[0].id, YES, digest=r[0].digest),
    "claim": lambda store, r: store.claim(r[1].id, digest=r[1].digest, panel=ANYBODY),
    "finish": lambda store, r: store.finish(r[2].id, Outcome(), State.SUCCEEDED),
    "stop": lambda store, r: store.stop(by="ana", because="fire"),
}


@pytest.mark.parametrize("change", SHORT_OF_SPACE)
def test_a_disk_that_is_full_changes_nothing(tmp_path, change):
    """Wherever in a commit the disk runs full, state and trail are as before, and one says why."""
    k, sentences = 0, [""]
    while sentences:
        k, sentences = k + 1, []
        with opened(tmp_path / f"{k}.db") as store:
            known = [one(store).request for one in (lambda s: s.submit(asked()), agreed, started)]
            before = world(store)
            with Tap(full_from(k)):
                try:
                    SHORT_OF_SPACE[change](store, known)
                except StoreError as error:
                    sentences.append(str(error))
            assert all("the disk is full" in sentence for sentence in sentences)
            assert (world(store) == before) is bool(sentences)
        with opened(tmp_path / f"{k}.db") as again:
            assert (world(again)[:2] == before[:2]) is bool(sentences)
            assert audit.verify(again.trail())
    assert k > 3


def small_disk(folder):
    """Make room for some 100 kilobytes only: a small file system, or a limit on file sizes."""
    new_mounts = 0x20000
    libc = ctypes.CDLL(None, use_errno=True)
    own = libc.unshare(new_mounts) == 0 and libc.mount(None, b"/", None, 0x44000, None) == 0
    if own and libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=500k") == 0:
        return "full"
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    return "disk"


def test_on_a_small_disk_what_fits_is_kept(tmp_path):
    """Filled until nothing goes in any more, the store still holds all it ever promised."""

    def work():
        word = small_disk(tmp_path)
        kept, sentences = [], set()
        with opened(tmp_path / "store.db") as store:
            for size in [2000] * 200 + [1] * 200:
                try:
                    kept.append(store.submit(asked(amount="x" * size)).request.id)
                except StoreError as error:
                    sentences.add(str(error))
            found = {s.request.id for s in store.search(limit=EVERYTHING)}
            whole = bool(audit.verify(store.trail())) and not [*store.unexplained()]
        assert all(word in sentence for sentence in sentences)
        return len(kept), len(sentences), found == set(kept), whole

    kept, sentences, all_there, whole = said(in_child(work))
    assert 3 < kept < 400 and sentences == 1
    assert all_there and whole


@pytest.fixture
def shared(tmp_path):
    """A folder that any user of this machine can reach."""
    made = Path(tempfile.mkdtemp(prefix="gated-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def as_nobody():
    """Give up the right to write wherever one likes."""
    if os.geteuid() == 0:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_where_nothing_may_be_written_nothing_runs(shared, what):
    """A read-only file or folder is one sentence: at the opening or at the first call."""
    path = shared / "store.db"
    with opened(path) as store:
        agreed(store)
    path.chmod(0o444 if what == "file" else 0o666)
    shared.chmod(0o777 if what == "file" else 0o555)

    def work():
        as_nobody()
        try:
            with opened(path) as store:
                return calls(store, asking=False)
        except StoreError as error:
            return [], str(error)

    ran, sentence = said(in_child(work))
    assert ran == []
    assert "may it be written" in sentence or "read-only" in sentence
    shared.chmod(0o755)
    with opened(path) as store:
        assert len(store.search()) == 1 and audit.verify(store.trail())

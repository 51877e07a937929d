"""The store in a file: what it makes, what it refuses, and whom it lets read."""

import os
import random
import stat
from contextlib import suppress

import pytest
from asking import (
    ANYBODY,
    EVERYTHING,
    YES,
    agreed,
    asked,
    opened,
    raw,
    refusal,
    without_triggers,
)
from children import in_child, said

from core import audit
from core.model import State, StoreError
from core.stores.sqlite_file import library, wal_is_safe
from core.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    with opened(path, patience=0.05) as made:
        yield made


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 3), False),
        ((3, 49, 1), False),
        ((3, 50, 4), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_write_ahead_logging_is_used_where_it_is_mended(version, safe):
    """Versions before the repair of the log reset are told from those after it."""
    assert wal_is_safe(version) is safe


@pytest.mark.parametrize("level", ["FULL", "NORMAL"])
def test_a_commit_is_a_commit(path, level):
    """With a mended library: a log and the wanted level; otherwise a journal, flushed twice."""
    with opened(path, synchronous=level) as store, store._read() as tables:
        mode = tables._run("PRAGMA journal_mode").fetchone()[0]
        found = tables._run("PRAGMA synchronous").fetchone()[0]
    wanted = {"FULL": 2, "NORMAL": 1}[level]
    safe = wal_is_safe(library().sqlite_version_info)
    assert (mode, found) == (("wal", wanted) if safe else ("delete", 3))


def test_an_old_library_keeps_a_journal(path, monkeypatch):
    """Where the log is not safe, the store works without it."""
    monkeypatch.setattr("core.stores.sqlite_file.wal_is_safe", lambda version: False)
    with opened(path) as store:
        agreed(store)
        assert not path.with_name("store.db-wal").exists()
        with store._read() as tables:
            assert tables._run("PRAGMA synchronous").fetchone()[0] == 3


def test_nobody_else_may_read_it(path):
    """File, log and key are for their owner alone, whatever the mask."""
    before = os.umask(0)
    try:
        with opened(path) as store:
            store.submit(asked())
            store.fingerprint_key()
            modes = {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_a_store_is_there_when_it_is_opened_again(path):
    """Requests, trail and key survive closing, and an empty file is the beginning of a store."""
    path.touch()
    with opened(path) as store:
        request, key = agreed(store).request, store.fingerprint_key()
    with opened(path) as store:
        assert store.get(request.id).state is State.APPROVED
        assert store.fingerprint_key() == key
    with raw(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_name_that_means_something_to_sqlite_is_a_file(tmp_path, monkeypatch):
    """`:memory:` and `file:` names are files like any other, so nothing is lost by a name."""
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory", "häuser '.db"):
        with opened(name) as store:
            store.submit(asked())
        with opened(name) as store:
            assert len(store.search()) == 1
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_many_processes_may_make_it_together(tmp_path):
    """Of several that open a file that is not there, all get a store, and it is the same one."""
    for attempt in range(10):
        path = tmp_path / f"store-{attempt}.db"
        gun, go = os.pipe()

        def work(path=path, gun=gun):
            os.read(gun, 1)
            with opened(path) as store:
                store.submit(asked())

        children = [in_child(work) for _ in range(6)]
        os.write(go, b"......")
        for child in children:
            said(child)
        os.close(gun)
        os.close(go)
        with opened(path) as store:
            assert len(store.search()) == 6
            assert audit.verify(store.trail())


def newer(path):
    opened(path).close()
    with raw(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def foreign(path):
    with raw(path) as connection:
        connection.execute("CREATE TABLE recipes (name)")


def marked(path):
    with raw(path) as connection:
        connection.execute("PRAGMA application_id = 7")
        connection.execute("VACUUM")


def text(path):
    path.write_text("dear diary, " * 1000)


def cut(path):
    with opened(path) as store:
        agreed(store)
    path.write_bytes(path.read_bytes()[:6000])


def folder(path):
    path.mkdir()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (newer, "newer version"),
        (foreign, "not a store"),
        (marked, "not a store"),
        (text, "not a SQLite file"),
        (cut, "damaged"),
        (folder, "directory|opened"),
        (lambda path: path.parent.rmdir(), "opened"),
    ],
    ids=["newer", "foreign", "marked", "text", "cut", "folder", "no folder"],
)
def test_what_is_not_a_store_is_said_and_left_alone(tmp_path, broken, words):
    """One sentence says what is wrong with the file; not a byte of it is changed."""
    path = tmp_path / "kept" / "store.db"
    path.parent.mkdir()
    broken(path)
    before = path.read_bytes() if path.is_file() else b""

    def use():
        with opened(path) as store:
            agreed(store)

    with pytest.raises(StoreError, match=words):
        use()
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_damaged_page_is_a_sentence(path):
    """Wherever a page is overwritten, every operation works or says that the file is damaged."""
    with opened(path) as store:
        request = agreed(store).request
        for _ in range(100):
            store.record(asked(), YES)
    whole, refused = path.read_bytes(), 0
    size = int.from_bytes(whole[16:18], "big")

    def use():
        with opened(path) as store:
            store.claim(request.id, digest=request.digest, panel=ANYBODY)
            store.search(limit=EVERYTHING)
            store.record(asked(), YES)
            return [*store.trail()]

    for start in range(0, len(whole), size):
        path.write_bytes(
            whole[: start + 100]
            + random.Random(start).randbytes(size - 100)
            + whole[start + size :]
        )
        with suppress(StoreError):  # anything else fails the test
            assert use()
            refused -= 1
        refused += 1
        path.with_name("store.db-wal").unlink(missing_ok=True)
        path.with_name("store.db-shm").unlink(missing_ok=True)
    assert refused > 3


def test_a_row_that_cannot_be_read_is_a_sentence(path, store):
    """Garbage in a row is an error of the store, and the trail does not explain it."""
    request = store.submit(asked()).request
    for garbage in ("", "[]", '{"votes":1}', '{"votes":[],"run_by":99999999999999999999}'):
        with without_triggers(path) as connection:
            connection.execute("UPDATE requests SET progress = ?", (garbage,))
        assert "damaged" in refusal(lambda: store.get(request.id))
        assert len([*store.unexplained()]) == 1


def test_the_key_is_made_once(path):
    """Whoever asks for it first or at the same time, in whatever process, gets the same bytes."""
    opened(path).close()

    def work():
        with opened(path) as store:
            return store.fingerprint_key().hex()

    keys = {said(child) for child in [in_child(work) for _ in range(6)]}
    assert len(keys) == 1
    assert sorted(found.name for found in path.parent.iterdir()) == ["store.db", "store.db.key"]


def test_a_key_that_is_not_one_is_refused(path, store):
    """A cut or empty key file makes no fingerprints; it is an error, not a new key."""
    path.with_name("store.db.key").write_bytes(b"short")
    assert "32 bytes" in refusal(store.fingerprint_key)
    path.with_name("store.db.key").unlink()
    path.with_name("store.db.key").mkdir()
    assert "key" in refusal(store.fingerprint_key)

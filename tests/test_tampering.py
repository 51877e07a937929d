"""Whatever somebody changes in the file by hand is refused, or found and never run."""

import pytest
from asking import (
    ANYBODY,
    Clock,
    agreed,
    asked,
    opened,
    raw,
    refusal,
    standing,
    started,
    without_triggers,
    world,
)

from core import audit
from core.model import EDGES, Outcome, State
from core.stores.sqlite_file import library


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    with opened(path, patience=0.05) as made:
        yield made


def test_the_database_knows_the_edges_too(path, store):
    """Whatever program sends the update, a step that the state machine lacks is refused."""
    clock = Clock()
    with opened(path, clock=clock) as timed:
        for start in State:
            request = standing(timed, clock, start).request
            for end in set(State) - EDGES.get(start, frozenset()) - {start}:
                with raw(path) as connection, pytest.raises(library().Error, match="no such edge"):
                    connection.execute(
                        "UPDATE requests SET state = ? WHERE id = ?", (end.value, request.id)
                    )
            assert timed.get(request.id).state is start


@pytest.mark.parametrize("state", [*(state.value for state in State), "done", ""])
def test_a_request_begins_at_the_beginning(path, store, state):
    """A row inserted by hand may be pending, rejected or executing, as the store itself does it."""
    store.submit(asked())
    columns = "id, action, requester, run, key, asked_at, due, request, progress"
    copy = f"SELECT ?, 'by-hand', {columns.partition(', ')[2]} FROM requests"
    copy = copy.replace("run, key", "'by hand', key")
    query = f"INSERT INTO requests (state, {columns}) {copy}"
    with raw(path) as connection:
        if state in {"pending", "executing", "REJECTED"}:
            assert connection.execute(query, (state,)).rowcount == 1
        else:
            with pytest.raises(library().Error, match="cannot begin"):
                connection.execute(query, (state,))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM requests",
        "DELETE FROM audit",
        "UPDATE audit SET by = 'somebody else'",
        "UPDATE audit SET seq = seq + 1",
        "UPDATE requests SET id = 'another'",
        "UPDATE requests SET action = 'another'",
        "UPDATE requests SET requester = 'another'",
        "UPDATE requests SET run = 'another'",
        "UPDATE requests SET key = 'another'",
        "UPDATE requests SET asked_at = 0",
    ],
)
def test_nothing_becomes_another_and_the_trail_only_grows(path, store, statement):
    """Requests stay who they are, and records neither change nor go."""
    agreed(store)
    before = world(store)
    with raw(path) as connection, pytest.raises(library().Error):
        connection.execute(statement)
    assert world(store) == before


def rows(path, query="SELECT * FROM requests"):
    with raw(path) as connection:
        return connection.execute(query).fetchall()


TAMPERED = {
    "state": "UPDATE requests SET state = 'approved'",
    "id": "UPDATE requests SET id = 'another'",
    "votes": "UPDATE requests SET state = 'approved', progress = '{\"votes\":[]}'",
    "gone": "DELETE FROM requests",
}


@pytest.mark.parametrize("change", TAMPERED)
def test_what_the_trail_does_not_explain_is_found_and_never_runs(path, store, change):
    """A row changed behind the store's back is named, and nothing starts from it."""
    request = store.submit(asked()).request
    with without_triggers(path) as connection:
        connection.execute(TAMPERED[change])
    assert len([*store.unexplained()]) >= 1
    for name in (request.id, "another"):
        refusal(lambda name=name: store.claim(name, digest=request.digest, panel=ANYBODY))


def test_an_approval_written_by_hand_never_runs(path, store):
    """An approved row that no vote has led to is refused at the start."""
    request = agreed(store).request
    with without_triggers(path) as connection:
        columns = "action, requester, run, asked_at, due, state, request, progress"
        copy = f"SELECT 'forged', 'forged', {columns} FROM requests"
        connection.execute(f"INSERT INTO requests (id, key, {columns}) {copy}")
    assert "trail" in refusal(lambda: store.claim("forged", digest=request.digest, panel=ANYBODY))
    assert [text for text in store.unexplained() if "forged" in text]


def test_a_row_put_back_to_an_earlier_state_never_runs_again(path, store):
    """An old approval copied back is found, also by a process that remembers it as it was."""
    remembering = opened(path)
    request = agreed(remembering).request
    (approved,) = rows(path)
    for _ in range(3):
        agreed(store)
    store.claim(request.id, digest=request.digest, panel=ANYBODY)
    store.finish(request.id, Outcome(), State.SUCCEEDED)
    with without_triggers(path) as connection:
        marks = ", ".join("?" * len(approved))
        connection.execute(f"INSERT OR REPLACE INTO requests VALUES ({marks})", approved)
    for one in (store, remembering):
        refusal(lambda one=one: one.claim(request.id, digest=request.digest, panel=ANYBODY))
    assert [request.id in text for text in store.unexplained()] == [True]
    remembering.close()


FORGED = {
    "at": "UPDATE audit SET at = at + 1 WHERE seq = 3",
    "at the end of time": "UPDATE audit SET at = 9223372036854775807 WHERE seq = 3",
    "at the beginning": "UPDATE audit SET at = -9223372036854775807 WHERE seq = 3",
    "event": "UPDATE audit SET event = 'rejected' WHERE seq = 3",
    "request": "UPDATE audit SET request = 'another' WHERE seq = 3",
    "by": "UPDATE audit SET by = 'somebody else' WHERE seq = 3",
    "body": "UPDATE audit SET body = replace(body, 'digest', 'digestive') WHERE seq = 3",
    "previous": "UPDATE audit SET previous = hash WHERE seq = 3",
    "hash": "UPDATE audit SET hash = previous WHERE seq = 3",
    "removed": "DELETE FROM audit WHERE seq = 3",
    "renumbered": "UPDATE audit SET seq = 99 WHERE seq = 3",
}


@pytest.mark.parametrize("change", FORGED)
def test_a_forged_record_is_named(path, store, change):
    """Whatever column of a record is changed in the file, verify names that record."""
    started(store)
    started(store)
    with without_triggers(path) as connection:
        assert connection.execute(FORGED[change]).rowcount == 1
    assert audit.verify(store.trail()).first_bad == 3

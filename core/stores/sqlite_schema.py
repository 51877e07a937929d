"""The tables, and every step by which an older file becomes a new one.

The database itself refuses a step that the state machine does not have, a request that becomes
another one, a changed audit record and a deleted request, whatever program sends the statement.
"""

from __future__ import annotations

from ..model import EDGES, State

APPLICATION_ID = 0x67617465

_EDGES = " OR ".join(
    f"(OLD.state = '{start.value}' AND NEW.state = '{end.value}')"
    for start, ends in EDGES.items()
    for end in sorted(ends)
)
_FIRST = ", ".join(f"'{s.value}'" for s in (State.PENDING, State.EXECUTING, State.REJECTED))

# A commit costs what it has to write, page by page: hence few indexes.
_VERSION_1 = (
    """
    CREATE TABLE requests (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        action TEXT NOT NULL,
        requester TEXT NOT NULL,
        run TEXT NOT NULL,
        key TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        due INTEGER,
        request TEXT NOT NULL,
        progress TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX request_by_key ON requests (requester, run, key) WHERE run <> ''",
    """
    CREATE INDEX request_open ON requests (state, n)
    WHERE state IN ('pending', 'approved', 'executing')
    """,
    """
    CREATE TABLE people (
        person TEXT NOT NULL,
        request TEXT NOT NULL REFERENCES requests (id),
        PRIMARY KEY (person, request)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE open (requester TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        request TEXT NOT NULL,
        by TEXT NOT NULL,
        body TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_by_request ON audit (request, seq)",
    "CREATE TABLE flags (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    f"""
    CREATE TRIGGER first_state BEFORE INSERT ON requests WHEN NEW.state NOT IN ({_FIRST})
    BEGIN SELECT raise(ABORT, 'a request cannot begin in that state'); END
    """,
    f"""
    CREATE TRIGGER next_state BEFORE UPDATE OF state ON requests
    WHEN NEW.state <> OLD.state AND NOT ({_EDGES})
    BEGIN SELECT raise(ABORT, 'the state machine has no such edge'); END
    """,
    """
    CREATE TRIGGER count_opened AFTER INSERT ON requests WHEN NEW.state = 'pending'
    BEGIN
        INSERT INTO open VALUES (NEW.requester, 1)
        ON CONFLICT (requester) DO UPDATE SET n = n + 1;
    END
    """,
    """
    CREATE TRIGGER count_closed AFTER UPDATE OF state ON requests
    WHEN OLD.state = 'pending' AND NEW.state <> 'pending'
    BEGIN UPDATE open SET n = n - 1 WHERE requester = NEW.requester; END
    """,
    """
    CREATE TRIGGER fix_requests
    BEFORE UPDATE OF n, id, action, requester, run, key, asked_at ON requests
    BEGIN SELECT raise(ABORT, 'who asked for what, and when, is never changed'); END
    """,
    """
    CREATE TRIGGER keep_requests BEFORE DELETE ON requests
    BEGIN SELECT raise(ABORT, 'requests are never deleted'); END
    """,
    """
    CREATE TRIGGER keep_audit BEFORE DELETE ON audit
    BEGIN SELECT raise(ABORT, 'the audit trail is only appended to'); END
    """,
    """
    CREATE TRIGGER fix_audit BEFORE UPDATE ON audit
    BEGIN SELECT raise(ABORT, 'the audit trail is only appended to'); END
    """,
)

_VERSION_2 = (
    """
    CREATE TABLE charges (
        budget TEXT NOT NULL,
        key TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0),
        used_at INTEGER,
        request TEXT NOT NULL REFERENCES requests (id)
    ) STRICT
    """,
    "CREATE INDEX charges_by_budget ON charges (budget, key, used_at, amount, request)",
    "CREATE UNIQUE INDEX charges_by_request ON charges (request, budget, key)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _VERSION_2)
"""Statements per version, applied in order in one transaction; only ever appended to."""

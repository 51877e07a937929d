"""Tell others what happened: signed, again and again until they say that they have it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from .settling import settle
from .state import Busy, Rows, State
from .turn import Setup

TRIES = 12
SECONDS = 10.0  # for an answer
EVERY = 0.1  # seconds between looks at what is due
SLOWEST = 60.0  # seconds between two tries


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the header that proves who has written a body, and when.

    >>> signature(b"{}", "whsec_x", 1)[:12]
    't=1,v1=36ee2'
    """
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


class Delivering:
    """A thread that delivers what is due, and lets refunds settle when their time has come.

    Use it with `with`; what is not delivered when it ends stays due for whoever comes next.
    """

    def __init__(self, state: State, setup: Setup) -> None:
        self._state, self._setup = state, setup
        self._over, self._heard = threading.Event(), 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Delivering:
        with self._state.reading() as rows:
            self._heard = last(rows)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(SECONDS + 5)

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            with suppress(Busy):  # there is another look in a moment
                settle(self._state, self._setup)
                self._heard = overhear(self._state, self._setup, self._heard)
                while not self._over.is_set() and deliver(self._state, self._setup):
                    pass


def last(rows: Rows) -> int:
    """Return the number of what was written last."""
    return int(rows.run("SELECT coalesce(max(seq), 0) FROM objects")[0][0])


def overhear(state: State, setup: Setup, heard: int) -> int:
    """Make due here what happened in other processes, which may have nobody to tell.

    Args:
        heard: Up to where that was done; the new one is returned.
    """
    with state.reading() as rows:
        if not setup.webhooks or (newest := last(rows)) == heard:
            return heard
    query = "INSERT INTO deliveries (event, url, at, state) SELECT id, ?, ?, 'due' FROM objects"
    query += " WHERE object = 'event' AND seq > ? AND seq <= ? AND NOT EXISTS"
    query += " (SELECT 1 FROM deliveries WHERE event = objects.id AND url = ?)"
    with state.writing() as rows:
        for url in setup.webhooks:
            rows.run(query, url, setup.now(), heard, newest, url)
    return newest


def deliver(state: State, setup: Setup) -> bool:
    """Try to deliver one event that is due, and return whether there was one.

    It counts as tried before it is sent: whoever is told may be told twice, never not at all.
    """
    now = setup.now()
    query = "SELECT id, event, url, tries FROM deliveries WHERE state = 'due' AND at <= ?"
    query += " ORDER BY at, id LIMIT 1"
    with state.reading() as rows:
        if not rows.run(query, now):
            return False
    with state.writing() as rows:
        due = rows.run(query, now)
        if not due:
            return False
        number, event, url, tries = due[0]
        wait = min(SECONDS + EVERY * 2**tries, SLOWEST)
        rows.run("UPDATE deliveries SET tries = tries + 1, at = ? WHERE id = ?", now + wait, number)
        found = rows.find("event", event)
    body = json.dumps(found, indent=2).encode()
    taken = sent(url, body, signature(body, setup.secret, int(setup.now())))
    with state.writing() as rows:
        outcome = "delivered" if taken else "given up" if tries + 1 >= TRIES else "due"
        again = setup.now() + min(EVERY * 2**tries, SLOWEST)
        rows.run("UPDATE deliveries SET state = ?, at = ? WHERE id = ?", outcome, again, number)
    return True


def sent(url: str, body: bytes, signed: str) -> bool:
    """Post a body, and return whether it was taken: any answer from 200 to 299."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        connection = connect(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            headers = {"content-type": "application/json; charset=utf-8"}
            connection.request("POST", path, body, headers | {"stripe-signature": signed})
            return 200 <= connection.getresponse().status < 300
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return False

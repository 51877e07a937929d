"""What says it comes from Stripe is proven to, heard once, and told to the right ticket."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stripe
from stripe_wire import AT, refund

from apps.support.errors import ConfigError, NoSuchTicket, NotFromStripe
from apps.support.payments import Reopening, hooks, received
from apps.support.payments.seen import Seen

SECRET, NOW = "whsec_test", 1_763_900_000.0
ROOT = Path(__file__).parent.parent


def event(kind="refund.failed", ident="evt_1", **said):
    """A message of Stripe's about a refund that failed, unless something else is said."""
    inner = refund(status="failed", failure_reason="expired_or_canceled_card") | said
    return {
        "id": ident,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": AT,
        "data": {"object": inner},
        "livemode": False,
        "type": kind,
    }


def message(said=None, **options):
    """A message as bytes, and its signature."""
    body = said if isinstance(said, bytes) else json.dumps(said or event()).encode()
    return body, signed(body, **options)


def signed(body, *, at=NOW, secret=SECRET, version="v1"):
    """The header that proves who has written a body, and when."""
    proof = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256)
    return f"t={int(at)},{version}={proof.hexdigest()}"


def heard(body, signature, **options):
    """What is made of a message."""
    return received(body, signature, options.pop("secret", SECRET), now=NOW, **options)


def test_a_signed_message_is_read():
    """A failed refund arrives with its ticket, its figures and the reason."""
    found = heard(*message())
    assert (found.id, found.kind, found.why) == (
        "evt_1",
        "refund.failed",
        "expired_or_canceled_card",
    )
    assert (found.refund.ticket, str(found.refund.money), found.refund.status) == (
        "t-1",
        "20.00 EUR",
        "failed",
    )


def test_our_signatures_are_those_of_the_library():
    """What these tests sign is what Stripe's own library signs."""
    body = json.dumps(event()).encode()
    made = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, int(NOW))
    assert made == signed(body)


@pytest.mark.parametrize("kind", ["charge.refunded", "charge.dispute.created", "invoice.paid"])
def test_what_is_about_something_else_is_passed_over(kind):
    """Messages that nobody asked for are no errors."""
    assert heard(*message(event(kind))) is None


@pytest.mark.parametrize(("late", "taken"), [(0, True), (300, True), (301, False), (-301, False)])
def test_a_message_is_of_now(late, taken):
    """An old message may be a replay, and one from the future would be good for ever."""
    body, signature = message(at=NOW - late)
    if taken:
        assert heard(body, signature) is not None
    else:
        with pytest.raises(NotFromStripe, match="not sent just now"):
            heard(body, signature)


BODY, GOOD = message()
PROOF = GOOD.partition(",")[2]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=1",
        PROOF,
        f"t={int(NOW)}",
        f"t={int(NOW)},v0={PROOF[3:]}",
        f"t={int(NOW)},v1={'0' * 64}",
        f"t={int(NOW)},v1=",
        f"t={int(NOW)},v1=é",
        f"t={int(NOW)},t={int(NOW) + 1},{PROOF}",
        f"t={int(NOW) + 1},{PROOF}",
        f"t=17639_00000,{PROOF}",
        f"t= {int(NOW)},{PROOF}",
        f"t=-{int(NOW)},{PROOF}",
        f"{GOOD},",
        f"{GOOD},x",
        "t" * 100_000,
        signed(BODY, secret="whsec_other"),
    ],
)
def test_what_is_not_signed_is_not_from_stripe(signature):
    """A missing, foreign, doubled or malformed signature proves nothing."""
    with pytest.raises(NotFromStripe):
        heard(BODY, signature)


def test_one_of_several_signatures_is_enough():
    """While a secret is changed, Stripe signs with both."""
    proof = "0" * 64
    assert heard(BODY, f"t={int(NOW)},v1={proof},{PROOF},v0={proof}") is not None


@pytest.mark.parametrize("at", range(0, len(BODY), 37))
def test_no_byte_of_a_message_can_be_changed(at):
    """A message that differs by one byte is another message."""
    changed = bytearray(BODY)
    changed[at] ^= 1
    with pytest.raises(NotFromStripe):
        heard(bytes(changed), GOOD)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"1",
        b"{}",
        b'{"object": "v2.core.event"}',
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        json.dumps(event() | {"data": None}).encode(),
        json.dumps(event() | {"created": "now"}).encode(),
        json.dumps(event(amount="20")).encode(),
        json.dumps(event(currency=None)).encode(),
        json.dumps(event(metadata={"ticket": 1})).encode(),
    ],
)
def test_a_signed_message_still_has_to_be_one(said):
    """Nothing is made of what cannot be read, whoever has signed it."""
    with pytest.raises(NotFromStripe):
        heard(*message(said))


@pytest.mark.parametrize("secret", ["", "  "])
def test_without_a_secret_nothing_is_proven(secret, tmp_path):
    """An empty secret would let everybody sign; it is refused before anything is heard."""
    with pytest.raises(ConfigError):
        heard(*message(secret=secret), secret=secret)
    with pytest.raises(ConfigError):
        hooks(print, secret=secret, seen=tmp_path / "seen.db")


@dataclass
class Door:
    """A web application, called as a server calls it."""

    app: object
    told: list = field(default_factory=list)

    def post(self, body, *signatures, method="POST", path="/stripe/webhook", headers=(), parts=1):
        """Send a message and return the status."""
        return asyncio.run(self._post(body, signatures, method, path, headers, parts))

    async def _post(self, body, signatures, method, path, headers, parts):
        size = max(1, -(-len(body) // parts))
        pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        sent, taken = [], 0

        async def receive():
            nonlocal taken
            if taken == len(pieces):
                return {"type": "http.disconnect"}
            taken += 1
            more = taken < len(pieces)
            return {"type": "http.request", "body": pieces[taken - 1], "more_body": more}

        async def send(part):
            sent.append(part)

        names = [(b"stripe-signature", one.encode("latin-1")) for one in signatures]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "headers": [*names, *headers],
        }
        await self.app(scope, receive, send)
        self.read = taken
        return sent[0]["status"]


@pytest.fixture
def door(tmp_path):
    """A webhook that writes down what it hears."""
    heard_of, told = [], []
    file = tmp_path / "state" / "seen.db"
    app = hooks(heard_of.append, secret=SECRET, seen=file, now=lambda: NOW, tell=told.append)
    made = Door(app, told)
    made.heard, made.file = heard_of, file
    return made


def test_a_message_is_dealt_with_once(door):
    """Sent again, by the same process or after a restart, it is taken and nothing happens."""
    assert door.post(*message()) == 200
    assert door.post(*message()) == 200
    again = Door(hooks(door.heard.append, secret=SECRET, seen=door.file, now=lambda: NOW))
    assert again.post(*message()) == 200
    assert [one.id for one in door.heard] == ["evt_1"]


def test_what_is_about_something_else_is_taken_and_forgotten(door):
    """Stripe does not send again what was answered, and nothing is done with it."""
    assert door.post(*message(event("charge.refunded"))) == 200
    assert door.heard == []


@pytest.mark.parametrize(
    "signatures", [(), ("",), (GOOD, GOOD), (GOOD + "0",), ("\xe9",), (GOOD, "x")]
)
def test_a_forged_message_is_turned_away(door, signatures):
    """No signature, two, or a wrong one: 400, and nothing is heard."""
    assert door.post(BODY, *signatures) == 400
    assert (door.heard, door.told) == ([], [])


@pytest.mark.parametrize("parts", [1, 7, 100])
def test_a_message_may_come_in_parts(door, parts):
    """How the network cuts a message changes nothing."""
    assert door.post(*message(), parts=parts) == 200
    assert len(door.heard) == 1


@pytest.mark.parametrize("length", [b"1048577", b"9" * 30, None])
def test_a_huge_message_is_not_read(door, length):
    """What announces itself as huge is not read, and what does not is cut off on the way."""
    headers = [(b"content-length", length)] if length else []
    assert door.post(b"x" * (3 << 20), GOOD, parts=24, headers=headers) == 413
    assert door.read <= (0 if length else 9)
    assert door.heard == []


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/stripe/webhook", 405)])
def test_only_messages_are_taken(door, method, path, status):
    """Other methods and other paths lead nowhere."""
    assert door.post(*message(), method=method, path=path) == status
    assert door.post(*message(), path="/") == 404
    assert door.heard == []


def test_what_went_wrong_is_sent_again(tmp_path):
    """An error is answered with 500, told, and forgotten, so that the next try does it."""
    tries, told = [], []

    def stumble(found):
        tries.append(found.id)
        if len(tries) == 1:
            raise OSError("disk full")

    app = hooks(
        stumble, secret=SECRET, seen=tmp_path / "seen.db", now=lambda: NOW, tell=told.append
    )
    door = Door(app)
    assert [door.post(*message()) for _ in range(3)] == [500, 200, 200]
    assert tries == ["evt_1", "evt_1"]
    assert told == ["evt_1, refund.failed of re_1, came to nothing: disk full"]


def test_the_same_message_at_once_is_dealt_with_once(tmp_path):
    """Many threads, one message: one of them deals with it, the others wait and see it done."""
    statuses, done = [], []

    def slowly(found):
        time.sleep(0.05)
        done.append(found.id)

    door = Door(hooks(slowly, secret=SECRET, seen=tmp_path / "seen.db", now=lambda: NOW))
    post = [threading.Thread(target=lambda: statuses.append(door.post(*message()))) for _ in "1234"]
    for thread in post:
        thread.start()
    for thread in post:
        thread.join()
    assert statuses == [200] * 4
    assert done == ["evt_1"]


KILLED = """
import os, signal, sys
from pathlib import Path
from apps.support.payments.seen import Seen
file, out, when = sys.argv[1:]
def do():
    with open(out, "a") as written:
        written.write("done\\n")
    if when == "within":
        os.kill(os.getpid(), signal.SIGKILL)
Seen(Path(file)).once("evt_1", do, now=1.0)
if when == "after":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("when", "times"), [("within", 2), ("after", 1)])
def test_a_kill_forgets_no_message(tmp_path, when, times):
    """Killed while dealing with it, it is dealt with again; killed afterwards, it is not."""
    file, out = tmp_path / "seen.db", tmp_path / "out"
    words = [sys.executable, "-c", KILLED, file, out, when]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == -signal.SIGKILL
    again = []
    assert Seen(file).once("evt_1", lambda: again.append("done"), now=2.0) == (times == 2)
    assert out.read_text("utf-8").split() + again == ["done"] * times


def test_old_messages_are_forgotten_in_the_end(tmp_path):
    """The file does not grow for ever; what may still be sent again is kept."""
    seen, day = Seen(tmp_path / "seen.db"), 86_400.0
    for ident, at in (("old", 0.0), ("new", 60 * day), ("now", 100 * day)):
        assert seen.once(ident, lambda: None, now=at)
    with sqlite3.connect(tmp_path / "seen.db") as database:
        assert database.execute("SELECT id FROM seen ORDER BY at").fetchall() == [
            ("new",),
            ("now",),
        ]


def test_a_file_that_cannot_remember_is_refused_at_the_start(tmp_path):
    """Nothing is heard as long as what was heard cannot be kept."""
    (tmp_path / "seen.db").write_bytes(b"no database at all, by its first bytes")
    with pytest.raises(ConfigError, match="cannot remember"):
        hooks(print, secret=SECRET, seen=tmp_path / "seen.db")


@dataclass
class Desk:
    """A help desk that does under one key one thing, and complains when it is another."""

    done: dict = field(default_factory=dict)

    def reopen(self, ticket, *, because, key):
        self._do(key, ("reopen", ticket, because))

    def note(self, ticket, text, *, key):
        self._do(key, ("note", ticket, text))

    def _do(self, key, what):
        if what[1] != "t-1":
            raise NoSuchTicket(f"There is no ticket {what[1]}.")
        assert self.done.setdefault(key, what) == what


@pytest.fixture
def desk():
    """A help desk, and what somebody was told."""
    made = Desk()
    made.told = []
    made.hear = Reopening(made, made.told.append)
    return made


def test_a_failed_refund_reopens_its_ticket(desk):
    """The ticket says how much did not arrive, of which charge, and why."""
    desk.hear(heard(*message()))
    ((what, ticket, because),) = desk.done.values()
    assert (what, ticket) == ("reopen", "t-1")
    assert because == (
        "The refund of 20.00 EUR of ch_1 (re_1) did not reach the customer:"
        " the card has expired or was cancelled."
    )


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_one_failure_reopens_once(desk, status):
    """Stripe tells one failure in three messages, in any order; the ticket hears of it once."""
    for number, kind in enumerate(("refund.failed", "charge.refund.updated", "refund.updated")):
        desk.hear(heard(*message(event(kind, f"evt_{number}", status=status))))
    assert [what for what, *_ in desk.done.values()] == ["reopen"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"failure_reason": "lost_or_stolen_card"}, "the card is lost or stolen."),
        ({"failure_reason": "new_word"}, "new word."),
        ({"failure_reason": None}, "Stripe does not say why."),
    ],
)
def test_a_reason_is_told_in_words(desk, said, why):
    """Also a reason that Stripe has thought of since, and none at all."""
    desk.hear(heard(*message(event(**said))))
    ((_, _, because),) = desk.done.values()
    assert because.endswith(why)


@pytest.mark.parametrize(
    ("kind", "status", "done"),
    [
        ("refund.created", "succeeded", []),
        ("refund.created", "pending", []),
        ("refund.updated", "pending", []),
        ("refund.updated", "succeeded", ["note"]),
        ("refund.updated", "requires_action", ["note"]),
    ],
)
def test_what_went_well_opens_nothing(desk, kind, status, done):
    """A refund that arrived late leaves a note; what is as it was leaves nothing."""
    desk.hear(heard(*message(event(kind, status=status, failure_reason=None))))
    assert [what for what, *_ in desk.done.values()] == done


@pytest.mark.parametrize("metadata", [{}, {"ticket": "t-9"}])
def test_a_failure_without_a_ticket_is_told_to_somebody(desk, metadata):
    """Made elsewhere, or for a ticket that is gone: it is not an error for ever, nor silent."""
    desk.hear(heard(*message(event(metadata=metadata))))
    assert desk.done == {}
    assert len(desk.told) == 1 and "20.00 EUR of ch_1 (re_1)" in desk.told[0]

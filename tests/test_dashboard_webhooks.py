"""Webhooks arrive, at least once and in order, signed by us and read by nobody else's rules."""

import base64
import hashlib
import hmac
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from asking import asked, edited, sqlite
from hypothesis import given
from hypothesis import strategies as st
from people import eventually

from core.approvers.dashboard.hooks import HooksError, carried, read_hooks
from core.approvers.dashboard.signatures import NotGenuine, new_secret, sign, verify
from core.approvers.dashboard.webhooks import Courier, Hook
from core.approvers.patience import Patience
from core.approvers.posting import Address, NotSent, may_go_to, post
from core.model import Approve, Edit, Panel, Reject, utc_now

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUICK = Patience(first=0.01, most=0.05)
ROOT = Path(__file__).parent.parent


class Receiver:
    """A web server on this machine that checks, remembers and answers as it is told.

    Attributes:
        answers: What to say to the next ones: a status, or seconds of silence as a float.
        seen: Headers and body of everything that came.
    """

    def __init__(self):
        self.answers, self.seen = [], []
        receiver = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.seen.append((dict(self.headers), body))
                receiver.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.server.daemon_threads = True
        self.over = threading.Event()
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        said = self.answers.pop(0) if self.answers else 204
        if isinstance(said, float):
            self.over.wait(said)
            said = 204
        request.send_response(said)
        request.send_header("Location", self.url("/elsewhere"))
        request.send_header("Content-Length", "0")
        request.end_headers()

    def url(self, path="/hook?token=hunter2"):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def told(self):
        """What was said of which request, in the order in which it came."""
        bodies = [json.loads(body) for _, body in self.seen]
        return [(b["type"], b["data"]["id"], b["data"]["decision"]) for b in bodies]

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path):
    store = sqlite(tmp_path, synchronous="NORMAL")
    yield store
    store.close()


def hook(receiver, **fields):
    """Return a hook to that receiver."""
    return Hook(
        **{"name": "here", "address": Address(url=receiver.url()), "secret": SECRET} | fields
    )


@contextmanager
def carrying(store, hook, folder, **options):
    """Carry until the block ends."""
    courier = Courier(store, hook, folder, **{"patience": QUICK, "looks": 0.05} | options)
    courier.start()
    try:
        yield courier
    finally:
        courier.stop()


def ask(store, amount=1, **fields):
    """Leave a request that waits for an hour."""
    now = utc_now()
    usual = {"asked_at": now, "expires_at": now + timedelta(hours=1)}
    return store.submit(asked(amount, **usual | fields)).request


def test_asking_and_deciding_are_told_in_order(store, receiver, tmp_path):
    """Where nothing fails, each request and each decision arrives once, in the trail's order."""
    ask(store, 7)
    with carrying(store, hook(receiver), tmp_path):
        first, second = ask(store), ask(store, 2, panel=Panel(votes=2))
        store.vote(first.id, Reject(by="ana", reason="not now"), digest=first.digest)
        store.vote(second.id, Approve(by="ana"), digest=second.digest)
        after = edited(second, 5)
        store.revise(after, Edit(by="ana", arguments={"amount": 5}), changed="amount")
        for by in ("ana", "ben"):
            store.vote(second.id, Approve(by=by), digest=after.digest)
        third = asked(3)
        store.record(third, Approve(by="policy", note="small"))
        eventually(lambda: len(receiver.seen) == 6)
    assert receiver.told() == [
        ("request.created", first.id, None),
        ("request.created", second.id, None),
        ("request.decided", first.id, "rejected"),
        ("request.decided", second.id, "approved"),
        ("request.created", third.id, None),
        ("request.decided", third.id, "approved"),
    ]
    rejected = json.loads(receiver.seen[2][1])["data"]
    assert (rejected["by"], rejected["because"]) == ("ana", "not now")
    assert json.loads(receiver.seen[3][1])["data"]["digest"] == after.digest
    assert len({headers["webhook-id"] for headers, _ in receiver.seen}) == 6


def test_no_argument_leaves_the_store(store, receiver, tmp_path):
    """What a call is about is looked up by whoever may; a webhook does not carry it."""
    with carrying(store, hook(receiver), tmp_path):
        ask(store, 424242)
        eventually(lambda: receiver.seen)
    assert b"424242" not in receiver.seen[0][1]


def test_a_message_is_genuine_and_only_this_one(store, receiver, tmp_path):
    """A receiver that checks accepts what was sent, and refuses it changed in any way."""
    with carrying(store, hook(receiver), tmp_path):
        ask(store)
        eventually(lambda: receiver.seen)
    headers, body = receiver.seen[0]
    assert verify(headers, body, SECRET, utc_now()) == headers["webhook-id"]
    for changed, text in [
        (headers, body + b" "),
        ({**headers, "webhook-id": "msg_other"}, body),
        ({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body),
    ]:
        with pytest.raises(NotGenuine):
            verify(changed, text, SECRET, utc_now())


@pytest.mark.parametrize("answer", [500, 404, 302, 429, 0.6])
def test_what_fails_is_sent_again_until_it_arrives(answer, store, receiver, tmp_path):
    """A receiver that fails, redirects or is silent gets it again, and nothing is skipped."""
    receiver.answers = [answer, answer]
    with carrying(store, hook(receiver, seconds=0.2), tmp_path):
        first, second = ask(store), ask(store, 2)
        eventually(lambda: receiver.told()[-1:] == [("request.created", second.id, None)])
    created = [("request.created", first.id, None)] * 3
    assert receiver.told() == [*created, ("request.created", second.id, None)]
    marks = [headers["webhook-id"] for headers, _ in receiver.seen]
    assert len(set(marks)) == 2 and len(set(marks[:3])) == 1


def test_a_redirect_is_not_followed(receiver):
    """The address an operator chose is the only one that is asked."""
    receiver.answers = [302]
    with pytest.raises(NotSent):
        post(Address(url=receiver.url()), {}, b"{}", 1)
    assert len(receiver.seen) == 1


def test_a_receiver_that_was_away_misses_nothing(store, receiver, tmp_path):
    """What happens while nobody carries is sent by whoever carries next, and nothing twice."""
    with carrying(store, hook(receiver), tmp_path):
        first = ask(store)
        eventually(lambda: receiver.seen)
        eventually(lambda: (tmp_path / "here.webhook").read_text() == "1\n")
    second = ask(store, 2)
    with carrying(store, hook(receiver), tmp_path):
        eventually(lambda: len(receiver.seen) > 1)
    assert [one for _, one, _ in receiver.told()] == [first.id, second.id]


def test_what_has_arrived_is_not_sent_again_with_what_failed(store, receiver, tmp_path):
    """A failure holds up what comes after it and repeats nothing that came before."""
    with carrying(store, hook(receiver), tmp_path):
        pass
    requests = [ask(store, number).id for number in range(3)]
    receiver.answers = [204, 500]
    with carrying(store, hook(receiver), tmp_path):
        eventually(lambda: len(receiver.seen) == 4)
    first, second, third = requests
    assert [one for _, one, _ in receiver.told()] == [first, second, second, third]


CARRY = """
import sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from core.approvers.dashboard.hooks import HooksError, carried, read_hooks
from core.approvers.posting import Address
from core.approvers.dashboard.webhooks import Courier, Hook
from core.approvers.patience import Patience
from core.stores.sqlite import SqliteStore
store = SqliteStore(Path({folder!r}) / "store.db")
hook = Hook(name="here", address=Address(url={url!r}), secret={secret!r}, seconds=60)
Courier(store, hook, Path({folder!r}), patience=Patience(first=0.01), looks=0.05).start()
print("carrying", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_nothing(store, receiver, tmp_path):
    """A process killed between sending and writing it down is followed by one that sends again."""
    code = CARRY.format(path=[str(ROOT)], folder=str(tmp_path), url=receiver.url(), secret=SECRET)
    receiver.answers = [30.0]
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "carrying\n"
        first = ask(store)
        eventually(lambda: receiver.seen, 10)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    second = ask(store, 2)
    with carrying(store, hook(receiver), tmp_path):
        eventually(lambda: len(receiver.seen) == 3)
    assert [one for _, one, _ in receiver.told()] == [first.id, first.id, second.id]
    assert receiver.seen[0][0]["webhook-id"] == receiver.seen[1][0]["webhook-id"]


def test_two_processes_do_not_send_everything_twice(store, receiver, tmp_path):
    """While one carries, another one waits; when the first stops, it goes on from there."""
    with carrying(store, hook(receiver), tmp_path) as one:
        ask(store)
        eventually(lambda: receiver.seen)
        with carrying(store, hook(receiver), tmp_path):
            ask(store, 2)
            eventually(lambda: len(receiver.seen) == 2)
            one.stop()
            ask(store, 3)
            eventually(lambda: len(receiver.seen) == 3)
    assert len({headers["webhook-id"] for headers, _ in receiver.seen}) == 3


def test_a_hook_gets_only_what_it_asked_for(store, receiver, tmp_path):
    """Whoever wants decisions hears of nothing else."""
    with carrying(store, hook(receiver, events=frozenset({"request.decided"})), tmp_path):
        request = ask(store)
        store.cancel(request.id, by="ada", because="a mistake")
        eventually(lambda: receiver.seen)
    assert receiver.told() == [("request.decided", request.id, "cancelled")]


def test_secrets_and_addresses_stay_out_of_the_log(store, receiver, tmp_path, caplog):
    """A failing receiver is reported by its name; neither its secret nor its address is told."""
    receiver.answers = [500] * 4
    one = hook(receiver)
    with caplog.at_level(logging.DEBUG), carrying(store, one, tmp_path):
        ask(store)
        eventually(lambda: len(receiver.seen) == 5)
    assert "webhook here: the receiver answered 500" in caplog.text
    for text in (caplog.text, repr(one), repr(one.address)):
        assert SECRET[6:] not in text and "hunter2" not in text


def described(folder, text, mode=0o600):
    """Return a file that describes receivers."""
    path = folder / "hooks.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def test_receivers_are_described_in_a_file(store, receiver, tmp_path):
    """Each table of the file is a receiver, and each of them hears what it asked for."""
    text = f"""
        [all]
        url = "{receiver.url()}"
        secret = "{SECRET}"
        [decisions]
        url = "{receiver.url()}"
        secret = "{SECRET}"
        events = ["request.decided"]
    """
    with carried(store, read_hooks(described(tmp_path, text)), tmp_path / "marks"):
        request = ask(store)
        store.cancel(request.id, by="ada", because="a mistake")
        eventually(lambda: len(receiver.seen) == 3)
    assert sorted(kind for kind, _, _ in receiver.told()) == [
        "request.created",
        "request.decided",
        "request.decided",
    ]


BAD_FILES = {
    "no toml": "[",
    "no table": "url = 1",
    "no url": f'[a]\nsecret = "{SECRET}"',
    "no secret": '[a]\nurl = "https://example.org/"',
    "weak": '[a]\nurl = "https://example.org/"\nsecret = "hunter2"',
    "plain": f'[a]\nurl = "http://example.org/"\nsecret = "{SECRET}"',
    "number": f'[a]\nurl = 7\nsecret = "{SECRET}"',
    "unknown": f'[a]\nurl = "https://example.org/"\nsecret = "{SECRET}"\nnothing = 1',
    "events": f'[a]\nurl = "https://example.org/"\nsecret = "{SECRET}"\nevents = ["all"]',
    "name": f'["../a"]\nurl = "https://example.org/"\nsecret = "{SECRET}"',
}


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_description_is_refused_in_a_sentence(text, tmp_path):
    """What describes no receiver is refused before anything is sent, without telling a secret."""
    with pytest.raises(HooksError) as caught:
        read_hooks(described(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value) and SECRET[6:] not in str(caught.value)


def test_secrets_lie_in_no_open_file(tmp_path):
    """A description that others can read, or that is not there, is refused."""
    with pytest.raises(HooksError, match="chmod 600"):
        read_hooks(described(tmp_path, "", mode=0o644))
    with pytest.raises(HooksError, match="cannot be read"):
        read_hooks(tmp_path / "nothing.toml")


def test_a_bookmark_of_another_store_is_refused(store, receiver, tmp_path):
    """A place beyond the end of the trail is of another trail, and would keep all news back."""
    (tmp_path / "here.webhook").write_text("7\n", "ascii")
    with pytest.raises(OSError, match="another store"):
        Courier(store, hook(receiver), tmp_path).start()


@given(st.integers(1, 2_000), st.floats(0, 1), st.floats(0.001, 10))
def test_waits_grow_and_stay_in_bounds(failures, chance, first):
    """A wait lies between half and all of its longest, which grows up to a limit and no further."""
    patience = Patience(first=first, most=60)
    longest = min(first * 2 ** min(failures - 1, 20), 60)
    assert longest / 2 <= patience.wait(failures, chance) * (1 + 1e-9) <= longest * (1 + 1e-6)
    assert patience.wait(failures + 1, chance) >= patience.wait(failures, chance) * (1 - 1e-9)
    assert longest / 2 <= patience.wait(failures) * (1 + 1e-9) <= longest * (1 + 1e-6)


@given(st.text(min_size=1), st.binary(), st.integers(-600, 600))
def test_a_signature_holds_for_five_minutes_both_ways(message_id, body, seconds):
    """What was signed is genuine near its time, before and after, and refused beyond."""
    headers = sign(SECRET, message_id, AT, body)
    now = AT + timedelta(seconds=seconds)
    if abs(seconds) <= 300:
        assert verify({k.upper(): v for k, v in headers.items()}, body, SECRET, now) == message_id
    else:
        with pytest.raises(NotGenuine):
            verify(headers, body, SECRET, now)


@given(st.text(), st.text(), st.text(), st.binary())
def test_nobody_guesses_a_signature(message_id, seconds, mark, body):
    """Whatever somebody makes up is refused, and nothing else is raised."""
    given_ = {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": mark,
    }
    with pytest.raises(NotGenuine):
        verify(given_, body, SECRET, AT)
    for wrong in ("", "v1,", "v1", "v1a,AAAA", "v1,AAAA v2,BBBB"):
        signed = {**sign(SECRET, "m", AT, body), "webhook-signature": wrong}
        with pytest.raises(NotGenuine):
            verify(signed, body, SECRET, AT)


def test_a_secret_can_be_renewed():
    """A message with several signatures is genuine for the owner of either secret."""
    old, new = new_secret(), new_secret()
    headers = sign(old, "m", AT, b"{}")
    both = f"{headers['webhook-signature']} {sign(new, 'm', AT, b'{}')['webhook-signature']}"
    for secret in (old, new):
        assert verify({**headers, "webhook-signature": both}, b"{}", secret, AT) == "m"
    with pytest.raises(NotGenuine):
        verify(headers, b"{}", new, AT)


def test_the_signature_is_the_one_others_make():
    """The bytes that are signed and how the result is written is as in Standard Webhooks."""
    key = base64.b64decode(SECRET[6:])
    wanted = hmac.new(key, b'msg_1.1772452800.{"a":1}', hashlib.sha256).digest()
    headers = sign(SECRET, "msg_1", AT, b'{"a":1}')
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1772452800",
        "webhook-signature": f"v1,{base64.b64encode(wanted).decode()}",
    }


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "secret", "whsec_c2hvcnQ=", "whsec_!!!", SECRET[6:]]
)
def test_a_weak_secret_is_refused_at_once(secret, receiver):
    """A secret that is none or too short fails when the hook is made, without being repeated."""
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes") as caught:
        hook(receiver, secret=secret)
    assert not secret[6:] or secret[6:] not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://127.0.0.1/", "https://", "https://ana@example.org/",
     "https://ana:pw@example.org/", "file:///etc/passwd", "https://example.org:x/", "",
     "http://127.0.0.1.example.org/", "http://localhost@example.org/", "https://a.example/#x"],
)  # fmt: skip
def test_only_https_leaves_this_machine(url):
    """Plain http is for this machine, and an address has no name or password in it."""
    with pytest.raises(ValueError, match=r"webhook|Port"):
        Address(url=url)


PLACES = [
    ("8.8.8.8", True, True),
    ("2606:4700::1111", True, True),
    ("10.0.0.1", False, True),
    ("192.168.1.1", False, True),
    ("fd00::1", False, True),
    ("127.0.0.1", False, False),
    ("::1", False, False),
    ("::ffff:127.0.0.1", False, False),
    ("::ffff:10.0.0.1", False, True),
    ("169.254.169.254", False, False),
    ("fe80::1%eth0", False, False),
    ("0.0.0.0", False, False),
    ("224.0.0.1", False, False),
]


@pytest.mark.parametrize(("ip", "outside", "inside"), PLACES)
def test_a_name_cannot_lead_behind_the_machine(ip, outside, inside):
    """An https name goes to the public net, to a private one when told so, and never back here."""
    url = "https://hooks.example.org/"
    assert may_go_to(ip, Address(url=url)) is outside
    assert may_go_to(ip, Address(url=url, inside=True)) is inside


def test_a_name_that_leads_here_is_not_asked(receiver, monkeypatch):
    """A name that the network says is this machine is refused before anything is sent."""
    port = receiver.server.server_port
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", port))])
    with pytest.raises(NotSent, match="not allowed"):
        post(Address(url=f"https://hooks.example.org:{port}/"), {}, b"{}", 1)
    assert receiver.seen == []

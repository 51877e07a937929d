"""An announcement reaches people, tells where to decide, decides nothing, and leaks no address."""

import asyncio
import logging
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from email.header import decode_header, make_header
from html import unescape

import pytest
from asking import NO, YES, asked, memory
from hypothesis import given
from hypothesis import strategies as st
from notify_receiver import SECRETS, Receiver, mail_server, moved_to
from people import Silent, soon

from core import Preview, Reject, Risk, gate
from core.approvers.announcement import announcement
from core.approvers.escalate import Escalate, Remind
from core.approvers.inbox import Inbox
from core.approvers.marks import Marks
from core.approvers.notify import Announced, NotAnnounced, Notify, addresses
from core.approvers.through_apprise import read
from core.canonical import encode
from core.display import is_plain
from core.model import END_OF_TIME, Place, utc_now

SITE = "https://approvals.example.org"
SOON = (0.02,)
HOSTILE = (
    "<!channel> @here **b** _i_ ~~s~~ `c` http://e.vil [x](ftp://e.vil) :fire: a@e.vil ||s|| /stop"
)
PIECES = (
    *("<!everyone>", "@everyone", "<@U0A1>", "<#C0A1>", "@**all**", "ana@evil.example"),
    *("**bold**", "*bold*", "__under__", "_thin_", "~~gone~~", "~gone~", "||hidden||", "`code`"),
    *("https://evil.example/x", "[here](http://evil.example)", "<http://evil.example|x>"),
    *("![x](http://evil.example)", "<b>b</b>", "&lt;b&gt;", ":fire:", "www.evil.example"),
    *("/stop", "$TSLA", "\\_", "# big", "> said", "\u202etxt", "zero\u200bwidth"),
    *("one\nDecide at https://evil.example", "one\r\nmore"),
)


def request(**fields):
    """Return a request that was asked just now."""
    return asked(**{"asked_at": utc_now(), "expires_at": utc_now() + timedelta(hours=1), **fields})


def hostile():
    """Return a request in which every text wants to be more than text."""
    return request(
        action=f"shop.{HOSTILE[:50]}",
        frozen=encode({"to": HOSTILE, HOSTILE: [HOSTILE], "amount": 4500}),
        environment=HOSTILE,
        requester=HOSTILE,
        acting_for=HOSTILE,
        preview=Preview(summary=HOSTILE),
    )


def announce(*urls, about=None, **options):
    """Announce a request and wait until that is done."""
    asyncio.run(Notify(urls, **{"dashboard": SITE, **options})(about or request()))


def texts(value):
    """Return all texts in a value of JSON, the names left out."""
    match value:
        case str():
            return [value]
        case dict():
            return [text for one in value.values() for text in texts(one)]
        case list():
            return [text for one in value for text in texts(one)]
        case _:
            return []


def has_markup(text):
    """Whether anything in a text, its own link aside, could be more than text."""
    plain = unescape(text).replace("\\", "").replace(SITE, "")
    plain = re.sub(r"^\s*(<b>|\*+)(.*?)(</b>|\*+)\s*$", r"\2", plain, flags=re.M)  # our own title
    return re.search(r"[@<>`~|\[\]]|\*|__|(?<!\w)_|(?<!\d):\S|\w\.[a-z]|^\s*[#>]", plain, re.M)


@pytest.mark.parametrize(
    "service",
    [
        *("json", "form", "xml", "ntfy", "ntfy markdown", "mattermost", "telegram"),
        *("slack", "slack markdown", "slack blocks"),
        *("discord", "discord markdown", "telegram markdown"),
    ],
)
def test_every_service_tells_what_waits_and_where(service, monkeypatch):
    """Whatever the service, people read the action and find the page on which it is decided."""
    about = request()
    with Receiver() as receiver:
        announce(moved_to(receiver, monkeypatch)[service], about=about)
        said = " ".join(texts(receiver.bodies())).replace("\\", "")
    assert "refund" in said and "waits for approval" in said
    assert f"{SITE}/requests/{about.id}" in said
    assert "http" not in said.replace(SITE, "").rpartition("<Subject>")[2]  # names of XML


@pytest.mark.parametrize(
    "service",
    [
        *("json", "form", "ntfy", "ntfy markdown", "mattermost", "telegram"),
        *("slack", "slack markdown", "slack blocks"),
        *("discord", "discord markdown", "telegram markdown"),
    ],
)
def test_what_an_agent_writes_is_text_and_nothing_else(service, monkeypatch):
    """No service is told to call anybody, to link, to draw or to format what stands in a call."""
    with Receiver() as receiver:
        announce(moved_to(receiver, monkeypatch)[service], about=hostile())
        bodies = receiver.bodies()
    said = [text for text in texts(bodies) if "channel" in text]
    assert said and "vil" in "".join(said)
    assert [found for text in said if (found := has_markup(text))] == []
    assert not {"allow_mentions", "ping", "embeds_links"} & set(str(bodies))


@pytest.mark.parametrize("piece", PIECES)
def test_no_piece_of_text_does_anything(piece):
    """Wherever it stands, it is text in its own line; people can still read it."""
    about = request(
        action=f"shop.{piece}",
        frozen=encode({"to": piece, piece: [piece]}),
        environment=piece,
        requester=piece,
        acting_for=piece,
        preview=Preview(summary=piece),
    )
    said = announcement(about, SITE)
    assert not has_markup(f"{said.title}\n{said.body}")
    assert all(map(is_plain, said.title + said.body.replace("\n", "")))
    assert len(said.body.splitlines()) == 7
    assert not re.search(r"(?<!\S)/\w|\$[A-Z]|www\.", said.body)


def test_a_mail_says_it_in_its_subject_and_as_text():
    """A mail goes to whom the address names; each part of it says the same, as text."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    about = hostile()
    with mail_server(port) as mails:
        to = f"mailto://127.0.0.1:{port}?from=gate@shop.example&to=ana@shop.example&mode=insecure"
        announce(f"{to}&format=text", to, about=about)
    assert mails.to == ["ana@shop.example"] * 2
    for mail in mails.seen:
        assert "waits for approval" in str(make_header(decode_header(mail["Subject"])))
        assert "\n" not in mail["Subject"]
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                body = part.get_content()
                assert f"{SITE}/requests/{about.id}" in body
                assert "<!channel" not in body and "e.vil" not in body
                assert body.count("\n" if part.get_content_subtype() == "plain" else "<br") > 5


def test_a_service_that_fails_is_tried_again():
    """Errors, limits and outages are met with patience, until the service has taken it once."""
    told = []
    with Receiver(500, 429, 503) as receiver:
        announce(f"json://127.0.0.1:{receiver.port}", waits=SOON, say=told.append)
        assert len(receiver.posts) == 4
    assert told[0] == "JSON (address 1) has not taken an announcement; it is tried again"
    assert len(told) == 2


def test_one_that_fails_holds_up_no_other():
    """Each service has a try of its own, and gets the announcement once."""

    async def work(port):
        urls = ["json://127.0.0.1:9/x", f"json://127.0.0.1:{port}"]
        notify = Notify(urls, dashboard=SITE, waits=(0.05,), say=lambda _: None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(notify(request()), 0.5)

    with Receiver() as receiver:
        asyncio.run(work(receiver.port))
        assert len(receiver.posts) == 1


def test_when_the_time_is_over_nobody_is_told_any_more():
    """A request that has expired is announced no more, and whoever asked for it is told so."""
    about = request(expires_at=utc_now())
    with Receiver() as receiver:
        with pytest.raises(NotAnnounced, match=r"refund was not announced by JSON \(address 1\)"):
            announce(f"json://127.0.0.1:{receiver.port}", about=about)
        assert not receiver.posts


def test_an_answer_ends_the_tries():
    """While nobody answers a service is tried again; after the answer it is left alone."""

    async def late(question):
        await soon(lambda: len(receiver.posts) > 1)
        return YES

    with Receiver(*[500] * 1_000) as receiver:
        notify = Notify(
            [f"json://127.0.0.1:{receiver.port}"],
            dashboard=SITE,
            waits=SOON,
            say=lambda _: None,
        )
        assert asyncio.run(Announced(late, by=notify)(request())) is YES
        time.sleep(0.1)
        seen = len(receiver.posts)
        time.sleep(0.3)
        assert len(receiver.posts) == seen


def test_the_call_does_not_wait_for_an_announcement():
    """Somebody who answers is heard while a service has not even accepted the connection."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        notify = Notify([f"json://127.0.0.1:{deaf.getsockname()[1]}"], dashboard=SITE)

        async def soon_after(question):
            await asyncio.sleep(0.2)
            return YES

        pay = gate(paid, approver=Announced(soon_after, by=notify))
        begun = time.monotonic()
        assert pay(5) == "paid 5"
        assert time.monotonic() - begun < 2


def paid(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def test_a_service_that_hangs_is_one_that_fails(monkeypatch):
    """Whoever accepts a connection and says nothing is told about, and tried again."""
    monkeypatch.setattr("core.approvers.notify.SECONDS_TO_SEND", 0.1)
    told = []

    async def late(question):
        await soon(lambda: len(told) > 1)
        return YES

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"json://127.0.0.1:{deaf.getsockname()[1]}"
        notify = Notify([url], dashboard=SITE, waits=SOON, say=told.append)
        begun = time.monotonic()
        assert asyncio.run(Announced(late, by=notify)(request())) is YES
    assert time.monotonic() - begun < 2


def test_it_decides_nothing():
    """A service that takes the announcement has not approved; only people on the store have."""
    store = memory(None)
    about = request()
    store.submit(about)

    async def work(notify):
        asking = asyncio.create_task(Announced(Inbox(store), by=notify)(about))
        await soon(lambda: receiver.posts)
        await asyncio.sleep(0.1)
        assert not asking.done() and store.get(about.id).votes == ()
        store.vote(about.id, NO, digest=about.digest)
        return await asking

    with Receiver() as receiver:
        notify = Notify([f"json://127.0.0.1:{receiver.port}"], dashboard=SITE)
        assert isinstance(asyncio.run(work(notify)), Reject)


def test_it_is_announced_once_over_all_starts(tmp_path):
    """Marks in a folder outlive the process: a new start asks again and announces nothing again."""
    rings, about = [], request()
    for _ in range(3):
        announced = Announced(Silent(), by=rings.append, marks=Marks(tmp_path / "marks"))
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(announced(about), 0.2))
    assert rings == [about]


def test_a_reminder_is_the_same_announcer():
    """`Escalate` announces at the question and reminds later, through the same services."""
    with Receiver() as receiver:
        notify = Notify([f"json://127.0.0.1:{receiver.port}"], dashboard=SITE)
        steps = [Remind(after=0, by=notify), Remind(after=0.1, by=notify)]

        async def late(question):
            await soon(lambda: len(receiver.posts) == 2)
            return YES

        assert asyncio.run(Escalate(late, *steps)(request())) is YES


@pytest.mark.parametrize(
    "service", ["json", "ntfy", "mattermost", "slack", "discord", "telegram", "telegram markdown"]
)
@pytest.mark.parametrize("status", [200, 403])
def test_an_address_is_in_no_log_and_no_text(service, status, monkeypatch, caplog, capfd):
    """Tokens and passwords stay where they are, even when every logger writes all it can."""
    caplog.set_level(1)
    logging.getLogger("apprise").setLevel(1)
    told = []
    with Receiver(status) as receiver:
        url = moved_to(receiver, monkeypatch)[service]
        notify = Notify([url], dashboard=SITE, waits=SOON, say=told.append)
        asyncio.run(notify(request()))
        logging.getLogger("apprise").warning("others still write")
    shown = f"{notify!r} {notify.names} {read([url], SITE)}"
    written = f"{caplog.text} {capfd.readouterr()} {told} {shown}"
    assert "others still write" in written and len(told) == (status != 200)
    assert [secret for secret in SECRETS if secret in written] == []


@pytest.mark.parametrize(
    "urls",
    [
        (),
        ("",),
        ("correcthorsebattery",),
        ("nonsuch://ana:correcthorsebattery@host",),
        ("slack://correcthorsebattery",),
        ("tgram://correcthorsebattery/1",),
        ("https://correcthorsebattery.example/x",),
        ("json://[correcthorsebattery",),
        ("json://localhost", "mailto://correcthorsebattery:"),
        (None,),
        ("json://\x00correcthorsebattery\n",),
    ],
)
def test_a_bad_address_is_one_sentence(urls, caplog):
    """It is told at once which one it is, and what stands in it is not repeated."""
    caplog.set_level(1)
    with pytest.raises(ValueError, match=r"^(address \d|there is no address) .*\w$") as problem:
        Notify(urls, dashboard=SITE)
    assert "correcthorse" not in f"{problem.value} {caplog.text}"
    assert problem.value.__suppress_context__ or problem.value.__context__ is None


@pytest.mark.parametrize(
    "site",
    ["", "approvals", "ftp://x", "https://", "https://u:p@x", "https://x?q", "https://x y", "//x"],
)
def test_a_dashboard_that_is_no_address_is_refused(site):
    """A link that leads nowhere, or carries a password, is found before anybody needs it."""
    with pytest.raises(ValueError, match="dashboard is an address"):
        Notify(["json://localhost"], dashboard=site)


def test_there_is_always_a_next_try():
    """Waits without an entry would end in silence."""
    with pytest.raises(ValueError, match="seconds until the next try"):
        Notify(["json://localhost"], dashboard=SITE, waits=())


def test_without_the_package_it_says_what_to_install():
    """One sentence names the extra; importing the module needs nothing."""
    program = """
import sys
sys.modules["apprise"] = None
from core.approvers.notify import Notify
try:
    Notify(["json://localhost"], dashboard="https://example.org")
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == (
        "announcements need one more package: pip install 'gated-agents[notify]'\n"
    )


def test_addresses_come_from_the_environment_or_a_file(tmp_path):
    """One a line or side by side, comments aside; a file that others can read is refused."""
    assert addresses({}) == ()
    assert addresses({"NOTIFY_URLS": "json://a  ntfy://b/c"}) == ("json://a", "ntfy://b/c")
    file = tmp_path / "urls"
    file.write_text("# on call\njson://a\n\n  # mail\nmailto://x#y\n", "utf-8")
    named = {"NOTIFY_URLS": "json://other", "NOTIFY_URLS_FILE": str(file)}
    file.chmod(0o644)
    with pytest.raises(RuntimeError, match="is open to others on this machine: chmod 600"):
        addresses(named)
    file.chmod(0o600)
    assert addresses(named) == ("json://a", "mailto://x#y")
    file.write_bytes(b"\xff")
    with pytest.raises(RuntimeError, match=r"cannot be read \(UnicodeDecodeError\)"):
        addresses(named)
    file.unlink()
    with pytest.raises(RuntimeError, match=r"cannot be read \(FileNotFoundError\)"):
        addresses(named)


def test_a_long_request_makes_a_short_message():
    """Values, names and lists are cut, and how much is missing stands there."""
    long = {f"{'n' * 100}{n}": "x" * 10_000 for n in range(50)}
    said = announcement(
        request(frozen=encode(long), environment="e" * 500, action=f"shop.{'a' * 500}"), SITE
    )
    assert len(said.title) <= 200 and len(said.body) < 2_000
    assert "… 9,880 more characters" in said.body and "… 44 more arguments" in said.body


def test_secrets_are_labels():
    """Of an argument that is secret there is only what windows show too."""

    def login(user: str, password: str) -> str:
        return user

    seen = []
    asking = gate(login, approver=lambda r: seen.append(r) or NO, secret=["password"])
    with pytest.raises(PermissionError):
        asking("ana", "hunter2hunter2")
    body = announcement(seen[0], SITE).body
    assert "hunter2" not in body and "user: ana" in body and "hidden" in body


def test_who_asks_and_until_when():
    """People see for whom it is, where in a batch it stands, and how long they have."""
    about = request(acting_for="mia", batch=Place(id="b", number=2, of=5), risk=Risk.CRITICAL)
    said = announcement(about, SITE + "/ops/")
    assert said.title == "refund (CRITICAL, production) waits for approval"
    assert said.body.splitlines()[0] == f"Decide at {SITE}/ops/requests/{about.id}"
    assert "asked by agent, for mia" in said.body and "call 2 of 5" in said.body
    assert f"decide until {about.expires_at:%Y-%m-%d %H:%M} UTC" in said.body
    assert "until" not in announcement(replace(about, expires_at=END_OF_TIME), SITE).body


@given(st.text(), st.text())
def test_any_text_stays_in_its_line_and_visible(name, value):
    """However a value is made, it starts no line of its own, and every character of it shows."""
    about = request(frozen=encode({name: value}), requester=value, preview=Preview(summary=value))
    said = announcement(about, SITE)
    lines = said.body.split("\n")
    assert [line for line in lines if line.startswith("Decide at ")] == lines[:1]
    assert len(lines) == 5 + bool(value) and all(map(is_plain, said.title + "".join(lines)))

"""The help desk as a program: what people type, what they read, and what a kill leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from people import eventually
from support_desk import NOW, TOML, address, eur, mail, set_up

from apps.support.helpdesk import Helpdesk
from apps.support.model import TicketState
from apps.support.opening import opened
from apps.support.sandbox import seeding
from apps.support.sandbox.faults import ordered
from apps.support.sandbox.state import State as Kept
from core import Approve, State
from core.stores.open import open_store

ROOT = Path(__file__).parent.parent
APP = [sys.executable, "-m", "apps.support"]
YES = Approve(by="ana")
LONG_AGO = NOW - timedelta(days=30)

pytestmark = pytest.mark.slow  # programs start


def environment(**more):
    """What a program finds around it: no key, no proxy."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE_", "SUPPORT_"))}
    kept = {n: v for n, v in kept.items() if not n.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture
def shop(tmp_path):
    return set_up(tmp_path)


@pytest.fixture
def desk(shop):
    """The same desk, opened here."""
    with opened(shop.config.path, {}) as desk:
        yield desk


def run(shop, *words, stdin=b"", **variables):
    """Run the program to its end."""
    return subprocess.run(
        [*APP, *map(str, words)],
        cwd=shop.config.path.parent,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        timeout=60,
    )


@contextmanager
def started(shop, *words):
    """Yield the program while it runs."""
    program = subprocess.Popen(
        [*APP, *map(str, words)],
        cwd=shop.config.path.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def refund(shop, name, amount, *more):
    """The words of a refund to somebody."""
    wanted = ("--ticket", shop.tickets[name], "--note", "it broke", "--approver", "inbox")
    return ("refund", shop.charges[name], amount, *wanted, *more)


def store_of(shop):
    return open_store(str(shop.config.path.parent / "approvals.db"))


def asked(shop, number=1):
    """Wait until so many questions are in the store, and return them."""
    path = shop.config.path.parent / "approvals.db"

    def waiting():
        if not path.exists():
            return []
        with store_of(shop) as store:
            found = [stored.request for stored in store.pending()]
        return found if len(found) == number else []

    return eventually(waiting, seconds=30)


def gone_back(desk, name):
    return [one.money.amount for one in desk.payments.refunds_of(address(name))]


def one_sentence(done):
    """Whether a program failed and said why in one line, and nothing else."""
    assert b"Traceback" not in done.stderr
    return done.returncode > 0 and done.stderr.count(b"\n") == 1 and not done.stdout


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["tickets", "--config", "no.toml"], "no.toml", 1),
        (["tickets", "--config", "."], "cannot be read", 1),
        (["ticket", "t-0000000000"], "t-0000000000", 1),
        (["refunds"], "required: customer", 2),
        (["refund", "ch_none", "1.00", "--ticket", "t", "--note", "x"], "ch_none", 1),
        (["refund", "ch_none", "1.00"], "--ticket", 2),
        (["refund", "ch_none", "1.00", "--ticket", "t", "--note", " "], "--note: there is no", 2),
        (["charges", ""], "customer: there is nothing in it", 2),
        (["reply", "t-0000000000", "It left."], "no such ticket", 1),
        (["close", "t-0000000000"], "no such ticket", 1),
        (["hooks", "--port", "99999"], "99999", 2),
        (["init", "support.toml"], "not empty", 1),
        (["ask", "Why?"], "--agent", 1),
        (["--agent", "nonsense", "ask", "Why?"], "nonsense", 1),
        (["tickets", "--approver", "bo"], "--approver", 2),
        (["bogus"], "bogus", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(shop, desk, words, said, code):
    """It is told on standard error, the exit code says so, and nothing has moved."""
    done = run(shop, *words)
    assert one_sentence(done), done
    assert (done.returncode, said in done.stderr.decode()) == (code, True), done
    assert gone_back(desk, "rosa") == []
    assert {ticket.state for ticket in desk.helpdesk.tickets()} == {TicketState.NEW}


@pytest.mark.parametrize("amount", ["nine", "0.001", "-1", "1e2", "99999999999999999999.00"])
def test_an_amount_that_is_none_refunds_nothing(shop, desk, amount):
    """Nothing is rounded and nothing is guessed."""
    done = run(shop, *refund(shop, "rosa", amount))
    assert done.returncode > 0
    assert b"Traceback" not in done.stderr
    assert gone_back(desk, "rosa") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [([], b"real money"), (["--live"], b"nobody is here to confirm")],
)
def test_a_key_for_real_money_is_refused(shop, words, said):
    """Without --live, and without a person at a terminal; the key is in no sentence."""
    key = "sk_live_4242424242"
    done = run(shop, "tickets", *words, STRIPE_API_KEY=key)
    assert one_sentence(done), done
    assert said in done.stderr
    assert key.encode() not in done.stderr


def test_a_small_refund_needs_nobody(shop, desk):
    """It goes through, says the amount and the id, and is on record."""
    done = run(shop, *refund(shop, "rosa", "4.90"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"refunded 4.90 EUR" in done.stdout
    assert gone_back(desk, "rosa") == [4_90]


def test_a_vote_from_another_process_lets_it_through(shop, desk):
    """The program says who is waited for, and the command that it says works."""
    with started(shop, *refund(shop, "dora", "120.00")) as program:
        [request] = asked(shop)
        line = program.stderr.readline()
        assert "refund waits for 1 of ana, bo, mia: python -m core --store" in line
        words = line.partition("python -m core ")[2].replace("--by NAME", "--by bo --yes").split()
        voted = subprocess.run(
            [sys.executable, "-m", "core", *words], env=environment(), capture_output=True
        )
        assert voted.returncode == 0, voted
        out, _ = program.communicate(timeout=30)
    assert "refunded 120.00 EUR" in out
    assert gone_back(desk, "dora") == [120_00]
    with store_of(shop) as store:
        assert [vote.by for vote in store.get(request.id).votes] == ["bo"]


def test_ctrl_c_withdraws_the_question(shop, desk):
    """130, nothing paid, and no question stays behind that somebody could still approve."""
    with started(shop, *refund(shop, "dora", "120.00")) as program:
        [request] = asked(shop)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "Traceback" not in err
    assert gone_back(desk, "dora") == []
    with store_of(shop) as store:
        assert store.get(request.id).state is State.CANCELLED


@pytest.mark.parametrize("kind", ["drop-before", "slow"])
def test_a_kill_in_the_middle_is_named_at_the_next_start(shop, desk, kind):
    """Killed while Stripe is asked: the next start says so, and what Stripe knows of it."""
    state = Kept(shop.config.state / "stripe.db")
    with state.writing() as rows:
        ordered(rows, kind, 3, "POST /v1/refunds")
    state.close()
    with started(shop, *refund(shop, "dora", "120.00")) as program:
        [request] = asked(shop)
        with store_of(shop) as store:
            store.vote(request.id, YES, digest=request.digest, window="test")
            eventually(lambda: store.get(request.id).state is State.EXECUTING, seconds=10)
        time.sleep(0.1)
        program.kill()
        program.wait()
    found = run(shop, *refund(shop, "rosa", "1.00"))
    assert b"An earlier refund was cut off, and may or may not have happened" in found.stderr
    made = gone_back(desk, "dora")
    assert made in ([], [120_00])
    knows = b"Stripe has it" if made else b"Stripe does not know it"
    assert knows in found.stderr
    with store_of(shop) as store:
        assert store.get(request.id).state is State.OUTCOME_UNKNOWN


def test_a_mail_that_is_received_is_a_ticket(shop):
    """As a mail server hands it over; what is no mail is a ticket that says so, or refused."""
    raw = mail("new@mail.example", "Where is it", "Order #9 is late.")
    done = run(shop, "receive", stdin=raw)
    ticket = done.stdout.decode().strip()
    assert (done.returncode, ticket[:2]) == (0, "t-")
    assert ticket in run(shop, "tickets").stdout.decode()
    assert b"> Order #9 is late." in run(shop, "ticket", ticket).stdout


def test_replies_wait_in_the_outbox_without_a_server(shop):
    """Nothing is sent where nobody said through whom, and nothing is lost."""
    done = run(shop, "reply", shop.tickets["rosa"], "It left on Monday.")
    assert done.returncode == 0, done
    assert run(shop, "send").stdout == b"0 mails sent\n"
    config = shop.config
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    assert helpdesk.waiting() == 1


def test_a_password_that_is_missing_is_named(shop):
    """A server that wants to know who we are needs one, from the environment."""
    smtp = '\n[smtp]\nhost = "127.0.0.1"\nuser = "help"\ntls = "none"\n'
    shop.config.path.write_text(TOML + smtp)
    done = run(shop, "tickets")
    assert one_sentence(done), done
    assert b"SUPPORT_SMTP_PASSWORD" in done.stderr


def test_the_demo_ends_well_and_its_refunds_are_there(tmp_path):
    """It tells the whole story, changes nothing outside its folder, and its record holds."""
    done = subprocess.run(
        [*APP, "demo"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "The audit trail is verified" in done.stdout
    [folder] = (tmp_path / ".demo").iterdir()
    with opened(folder / "sample" / "support.toml", {}) as desk:
        assert [str(one.money) for one in desk.payments.refunds_of("dora.weiss@mail.example")] == [
            "60.00 EUR"
        ]


def test_a_batch_is_answered_from_elsewhere(tmp_path):
    """The agent collects; what waits is one batch in the store, and goes on when it is answered."""
    shop = set_up(tmp_path)
    for name in ("dora", "luis"):
        raw = mail(address(name), f"Broken {name}", f"Order #{1002 + (name == 'luis')} is broken.")
        run(shop, "receive", stdin=raw)
    words = ("--batch", "--approver", "inbox")
    with started(shop, *words) as program:
        found = asked(shop, number=2)
        assert len({request.batch.id for request in found}) == 1
        with store_of(shop) as store:
            for request in found:
                yes = Approve(by=min(request.panel.members))
                store.vote(request.id, yes, digest=request.digest, window="test")
        out, _ = program.communicate(timeout=40)
    assert program.returncode == 0
    assert "refunded 120.00 EUR" in out
    assert "refunded 800.00 EUR" in out


def test_a_refund_that_fails_later_opens_its_ticket_again(tmp_path):
    """Stripe's signed webhook reaches the program, and the ticket says what happened."""
    shop = set_up(tmp_path)
    with seeding(shop.config.state / "stripe.db") as past:
        payer = past.customer("gus@mail.example", created=LONG_AGO)
        charge = past.charge(payer, eur("5"), created=LONG_AGO, method="pm_card_refundFail")
    config = shop.config
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    ticket = helpdesk.deliver(mail("gus@mail.example", "Two clocks", "One is too much."))
    port = free_port()
    with started(shop, "hooks", "--port", port) as program:
        assert "webhooks are heard" in program.stderr.readline()
        eventually(lambda: reachable(port), seconds=20)
        words = ("--ticket", ticket, "--note", "double")
        made = run(shop, "refund", charge, "5.00", *words)
        assert made.returncode == 0, made
        run(shop, "close", ticket)
        eventually(lambda: helpdesk.ticket(ticket).state is TicketState.REOPENED, seconds=30)
    assert any("refund" in note.lower() for note in helpdesk.ticket(ticket).notes)


def free_port():
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


def reachable(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_help_teaches_every_command(shop):
    """Each command stands in the help with a word on what it does."""
    done = run(shop, "--help")
    assert done.returncode == 0
    for name in ("demo", "init", "tickets", "refund", "hooks", "receive", "ask"):
        assert f"    {name} " in done.stdout.decode()

"""What Stripe says later reaches the help desk: `hooks` as a process, told by signed messages."""

import http.client
import json
import re
import signal
import socket
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from people import eventually
from support_desk import NOW, eur, mail
from support_program import PATIENCE, Counter, one_sentence

from apps.support.model import TicketState
from apps.support.sandbox import SECRET, seeding
from apps.support.sandbox.settling import settle
from apps.support.sandbox.turn import Setup
from apps.support.sandbox.webhooks import signature

pytestmark = pytest.mark.slow  # programs start

LONG_AGO = NOW - timedelta(days=30)
NEVER = 3_600.0  # seconds until a refund fails by itself
GUS = "gus@mail.example"


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


@pytest.fixture
def ticket(counter):
    """Gus has paid 5.00 with a card whose refunds fail; it was refunded, and looks well so far."""
    with seeding(counter.config.state / "stripe.db") as past:
        payer = past.customer(GUS, created=LONG_AGO)
        charge = past.charge(payer, eur("5"), created=LONG_AGO, method="pm_card_refundFail")
    ticket = counter.mails.deliver(mail(GUS, "Two clocks", "One is too much."))
    with counter.paying(settles=NEVER) as payments:
        made = payments.refund(
            charge, 5_00, "requested_by_customer", "double", ticket=ticket, key="r-1"
        )
    assert made.status == "succeeded"
    counter.mails.close(ticket, key="c-1")
    return ticket


@contextmanager
def listening(counter, **more):
    """Yield the program and its port, once it listens; it was never in trouble."""
    with counter.started("hooks", "--port", "0", **more) as program:
        said = program.stderr.readline()
        where = re.fullmatch(
            r"Stripe's webhooks are heard at http://127\.0\.0\.1:(\d+)/stripe/webhook\n", said
        )
        assert where, said
        yield program, int(where[1])


def interrupted(program):
    """Press Ctrl-C, and return what else the program has told; it has ended with 130."""
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=PATIENCE)
    assert (program.returncode, out) == (130, "") and "Traceback" not in err, err
    return err


def fails(counter):
    """Let the time come when the bank sends the refund back."""
    with counter.kept() as state, state.writing() as rows:
        assert rows.run("SELECT count(*) FROM later") == [(1,)]
        rows.run("UPDATE later SET at = 0")


def posted(port, body, *signatures):
    """Post a message with these signatures; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.putrequest("POST", "/stripe/webhook")
    connection.putheader("content-length", str(len(body)))
    for one in signatures:
        connection.putheader("stripe-signature", one)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def message(ticket):
    """What Stripe says of a refund that the customer's bank has declined, to the byte."""
    about = {
        "id": "re_1",
        "object": "refund",
        "amount": 5_00,
        "charge": "ch_1",
        "created": int(time.time()),
        "currency": "eur",
        "failure_reason": "declined",
        "metadata": {"ticket": ticket, "request": "r-1"} if ticket else {},
        "reason": "requested_by_customer",
        "status": "failed",
    }
    event = {
        "id": "evt_1",
        "object": "event",
        "created": int(time.time()),
        "data": {"object": about},
        "type": "refund.failed",
    }
    return json.dumps(event).encode()


def signed(body, *, secret=SECRET, ago=0):
    return signature(body, secret, int(time.time()) - ago)


def test_a_refund_that_fails_later_opens_its_ticket_again(counter, ticket):
    """Told by the sandbox's own signed messages, several of them: one note, with amount and why."""
    with listening(counter) as (program, _):
        fails(counter)
        eventually(lambda: counter.mails.ticket(ticket).state is TicketState.REOPENED, PATIENCE)
        delivered = "SELECT count(*) FROM deliveries WHERE state = 'due'"

        def all_told():
            with counter.kept() as state, state.reading() as rows:
                return rows.run(delivered) == [(0,)]

        eventually(all_told, PATIENCE)
        assert interrupted(program) == "Interrupted.\n"
    [note] = counter.mails.ticket(ticket).notes
    assert "5.00 EUR" in note and "did not reach the customer" in note
    assert ticket in counter.run("tickets").stdout


def test_what_another_program_sees_fail_is_told_too(counter, ticket):
    """The agent works in one window and `hooks` listens in another: it hears of everything."""
    with listening(counter) as (program, _):
        with counter.kept() as state:
            assert settle(state, Setup(), everything=True) == 1  # a process that tells nobody
        eventually(lambda: counter.mails.ticket(ticket).state is TicketState.REOPENED, PATIENCE)
        interrupted(program)
    assert len(counter.mails.ticket(ticket).notes) == 1


def test_a_message_is_dealt_with_once(counter, ticket):
    """Stripe may say it twice, also to a program that was killed and started again in between."""
    body = message(ticket)
    with listening(counter) as (program, port):
        assert posted(port, body, signed(body)) == 200
        assert posted(port, body, signed(body)) == 200
        program.kill()
        program.wait()
    assert counter.mails.ticket(ticket).state is TicketState.REOPENED
    counter.mails.close(ticket, key="c-2")
    with listening(counter) as (program, port):
        assert posted(port, body, signed(body)) == 200
        interrupted(program)
    found = counter.mails.ticket(ticket)
    assert (len(found.notes), found.state) == (1, TicketState.CLOSED)


def test_what_stripe_has_not_signed_changes_nothing(counter, ticket):
    """No signature, two, another's, one for other bytes, one from yesterday: 400, and no note."""
    body, before = message(ticket), counter.world()
    with listening(counter) as (program, port):
        for signatures in (
            (),
            ("",),
            (signed(body), signed(body)),
            (signed(body, secret="whsec_other"),),
            (signed(body + b" "),),
            (signed(body, ago=86_400),),
            (signed(body, ago=-86_400),),
        ):
            assert posted(port, body, *signatures) == 400, signatures
        assert counter.world() == before
        assert posted(port, body, signed(body)) == 200
        interrupted(program)
    assert counter.world() != before


def test_under_a_key_of_stripe_only_its_secret_counts(counter, ticket):
    """What everybody can sign, for the sandbox's secret is public, is not believed there."""
    body, secret = message(ticket), "whsec_0123456789"
    keys = {"STRIPE_API_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": secret}
    with listening(counter, **keys) as (program, port):
        assert posted(port, body, signed(body)) == 400
        assert counter.mails.ticket(ticket).state is TicketState.CLOSED
        assert posted(port, body, signed(body, secret=secret)) == 200
        told = interrupted(program)
    assert counter.mails.ticket(ticket).state is TicketState.REOPENED
    assert secret not in told


@pytest.mark.parametrize("name", ["", "t-0000000000"])
def test_a_failed_refund_without_a_ticket_is_told_at_the_terminal(counter, name):
    """It was made elsewhere, or its ticket is gone: somebody reads it all the same."""
    body, before = message(name), counter.world()
    with listening(counter) as (program, port):
        assert posted(port, body, signed(body)) == 200
        told = interrupted(program)
    assert "5.00 EUR" in told and "re_1" in told and name in told
    assert counter.world() == before


def test_a_port_that_is_taken_is_one_sentence(counter):
    """Nothing is said to be heard where somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        done = counter.run("hooks", "--port", port)
    assert one_sentence(done), done
    assert (done.returncode, f"Port {port}" in done.stderr) == (1, True), done

"""Refunds against a Stripe on this machine: whatever breaks, money goes back once or not at all."""

import os
import random
import signal
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest
import uvicorn

from apps.support.errors import NotRefundable, PaymentError, PaymentUnknown
from apps.support.helpdesk import Helpdesk
from apps.support.model import TicketState
from apps.support.money import Money
from apps.support.payments import Payments, Reopening, hooks
from apps.support.sandbox import SECRET, seeding, serving

NOW = datetime.now(UTC) - timedelta(hours=1)
MAIL = "ana@mail.example"


@pytest.fixture
def state(tmp_path):
    """The file of a sandbox."""
    return tmp_path / "stripe.db"


def paid(state, *amounts, currency="eur", method="pm_card_visa", captured=True):
    """Let a customer have paid, and return the charges."""
    with seeding(state) as past:
        customer = past.customer(MAIL, created=NOW)
        return [
            past.charge(
                customer,
                Money(amount=amount, currency=currency),
                created=NOW + timedelta(seconds=number),
                method=method,
                captured=captured,
            )
            for number, amount in enumerate(amounts)
        ]


def opened(sandbox, **options):
    """A client of the sandbox that does not wait."""
    return Payments(sandbox.key, base=sandbox.url, sleep=lambda seconds: None, **options)


def pay_back(desk, charge, amount=1000, key="key-1", ticket="t-1"):
    """Refund as a help desk does."""
    return desk.refund(charge, amount, "requested_by_customer", "", ticket=ticket, key=key)


@pytest.mark.parametrize("fault", ["429", "409", "503", "drop-before", "drop-after", "500-after"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_bad_day_refunds_once(state, fault, times):
    """A limit, a lock, an outage, a lost answer: the refund is there once, and is returned."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        desk = opened(sandbox)
        sandbox.fail_next(fault, times)
        made = pay_back(desk, charge)
        assert desk.refunds(charge) == (made,)
        assert str(desk.charge(charge).left) == "40.00 EUR"


@pytest.mark.parametrize(
    ("fault", "raised", "left"),
    [
        ("429", PaymentError, 5000),
        ("503", PaymentUnknown, 5000),
        ("500", PaymentUnknown, 5000),
        ("drop-before", PaymentUnknown, 5000),
    ],
)
def test_a_worse_day_says_what_is_known(state, fault, raised, left):
    """Without any answer it is unknown; turned away each time, it certainly did not happen."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        desk = opened(sandbox)
        sandbox.fail_next(fault, 4)
        with pytest.raises(raised):
            pay_back(desk, charge)
        assert desk.charge(charge).left.amount == left
        assert desk.find("key-1", charge) is None


@pytest.mark.parametrize("hours", [0, 25])
def test_asked_again_it_is_the_same_refund(state, hours):
    """Also when Stripe has forgotten the key since: a day later the refund is found by itself."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        made = pay_back(opened(sandbox), charge)
        with sandbox.state.writing() as rows:
            rows.run("UPDATE keys SET at = at - ?", hours * 3600)
        assert pay_back(opened(sandbox), charge) == made
        assert opened(sandbox).refunds(charge) == (made,)


def test_asked_again_when_nothing_is_left_it_is_the_same_refund(state):
    """A repeated call returns what it has made; that nothing is left now does not matter."""
    (charge,) = paid(state, 1000)
    with serving(state) as sandbox:
        made = pay_back(opened(sandbox), charge)
        assert pay_back(opened(sandbox), charge) == made
        with pytest.raises(NotRefundable, match=r"All of .* has been refunded already"):
            pay_back(opened(sandbox), charge, key="key-2")


def at_once(number, work):
    """Run something in several threads at the same time and return what came of each."""
    start, came = threading.Barrier(number), []

    def run(which):
        start.wait()
        try:
            came.append(work(which))
        except (PaymentError, PaymentUnknown) as problem:
            came.append(problem)

    threads = [threading.Thread(target=run, args=(which,)) for which in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def test_the_same_refund_at_once_is_made_once(state):
    """Eight that ask under one key get one and the same refund."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        desk = Payments(sandbox.key, base=sandbox.url, retries=8)
        came = at_once(8, lambda which: pay_back(desk, charge).id)
        assert len(set(came)) == 1 and len(came) == 8
        assert len(desk.refunds(charge)) == 1


def test_refunds_at_once_never_exceed_the_charge(state):
    """Of eight refunds of 10.00 on 50.00, five are made, and three are told what is left."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        desk = opened(sandbox)
        came = at_once(8, lambda which: pay_back(desk, charge, key=f"key-{which}"))
        refused = [one for one in came if isinstance(one, Exception)]
        assert len(refused) == 3 and {type(one) for one in refused} == {NotRefundable}
        assert desk.charge(charge).refunded.amount == 5000


@pytest.mark.slow
def test_killed_at_any_instant_it_refunds_once(state):
    """A process is killed while it refunds, on a line that breaks too; the next one finishes it."""
    chance, charges = random.Random(7), paid(state, *[5000] * 12)
    with serving(state) as sandbox:
        for number, charge in enumerate(charges):
            sandbox.fail_next(chance.choice(["drop-after", "slow", "500-after"]), 1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the child only refunds
                pid = os.fork()
            if pid == 0:
                try:
                    pay_back(Payments(sandbox.key, base=sandbox.url), charge, key=f"key-{number}")
                finally:
                    os._exit(0)
            time.sleep(chance.uniform(0.0, 0.15))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            with sandbox.state.writing() as rows:
                rows.run("DELETE FROM faults")
            desk = Payments(sandbox.key, base=sandbox.url)
            made = pay_back(desk, charge, key=f"key-{number}")
            time.sleep(0.01)
            assert desk.refunds(charge) == (made,)


def test_all_pages_are_read(state):
    """120 charges and 25 refunds of one of them are found, the newest first."""
    charges = paid(state, *[5000] * 120)
    with seeding(state) as past:
        made = [
            past.refund(charges[7], 10, created=NOW + timedelta(minutes=one)) for one in range(25)
        ]
    with serving(state) as sandbox:
        desk = opened(sandbox)
        assert [one.id for one in desk.charges(MAIL, most=1000)] == charges[::-1]
        assert [one.id for one in desk.charges(MAIL, most=3)] == charges[:-4:-1]
        assert [one.id for one in desk.refunds_of(MAIL)] == made[::-1]
        assert [one.id for one in desk.refunds(charges[7])] == made[::-1]
        assert desk.charges("Ana@Mail.example")[0].id == charges[-1]


@pytest.mark.parametrize(("inquiry", "refundable"), [(True, True), (False, False)])
def test_a_dispute_stops_refunds_and_a_question_does_not(state, inquiry, refundable):
    """What the bank has taken back is not paid again; while it only asks, it may be paid back."""
    (charge,) = paid(state, 5000)
    with seeding(state) as past:
        past.dispute(charge, created=NOW, inquiry=inquiry)
    with serving(state) as sandbox:
        desk = opened(sandbox)
        assert desk.charge(charge).disputed is not refundable
        if refundable:
            assert pay_back(desk, charge).status == "succeeded"
        else:
            with pytest.raises(NotRefundable, match="pay twice"):
                pay_back(desk, charge)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("jpy", 2000, "2,000 JPY"), ("kwd", 1230, "1.230 KWD"), ("isk", 300, "3.00 ISK")],
)
def test_each_currency_goes_back_as_it_came(state, currency, amount, shown):
    """Currencies without decimals and with three are refunded to the unit."""
    (charge,) = paid(state, amount, currency=currency)
    with serving(state) as sandbox:
        assert str(pay_back(opened(sandbox), charge, amount).money) == shown


def test_a_wrong_key_is_told_so(state):
    """A key that is not taken leads to a sentence, not to a charge that does not exist."""
    (charge,) = paid(state, 5000)
    with serving(state) as sandbox:
        desk = Payments("sk_test_wrong", base=sandbox.url)
        with pytest.raises(PaymentError, match="does not take this API key") as refused:
            desk.charge(charge)
        assert not isinstance(refused.value, NotRefundable)


@pytest.fixture
def listening(tmp_path):
    """A help desk with one answered ticket, and the address where it hears of refunds."""
    helpdesk = Helpdesk(tmp_path / "mail", address="help@shop.example", name="Shop")
    raw = f"From: {MAIL}\r\nTo: help@shop.example\r\nSubject: Late\r\nMessage-ID: <1@x>\r\n\r\nHi"
    ticket = helpdesk.deliver(raw.encode())
    helpdesk.reply(ticket, "20 are on their way.", key="reply-1")
    told = []
    app = hooks(
        Reopening(helpdesk, told.append),
        secret=SECRET,
        seen=tmp_path / "seen.db",
        tell=told.append,
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield helpdesk, ticket, f"http://127.0.0.1:{port}/stripe/webhook", told
    server.should_exit = True
    thread.join()


def until(holds, seconds=10.0):
    """Wait for something to become true."""
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("method", "state_after", "said"),
    [
        ("pm_card_refundFail", TicketState.REOPENED, "the card has expired or was cancelled"),
        ("pm_card_pendingRefund", TicketState.ANSWERED, "arrived"),
    ],
)
def test_what_becomes_of_a_refund_reaches_its_ticket(state, listening, method, state_after, said):
    """A refund that fails later opens the ticket again; one that arrives later leaves a note."""
    helpdesk, ticket, address, told = listening
    (charge,) = paid(state, 5000, method=method)
    with serving(state, webhook=address, settles=0.0) as sandbox:
        made = pay_back(opened(sandbox), charge, 2000, ticket=ticket)
        assert made.status == ("pending" if "pending" in method else "succeeded")
        until(lambda: helpdesk.ticket(ticket).notes)
        time.sleep(0.5)  # for the other messages about the same
    found = helpdesk.ticket(ticket)
    assert found.state == state_after
    assert len(found.notes) == 1 and said in found.notes[0] and "20.00 EUR" in found.notes[0]
    assert told == []

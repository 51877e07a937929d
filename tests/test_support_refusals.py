"""Every no of Stripe has its sentence; a lost answer is asked for again, and never guessed."""

import http.server
import json
import logging
import socket
import threading
import traceback

import pytest
import requests
import responses
from stripe_wire import API, CHARGE, KEY, answers, charge, error, listing, payments, refund

from apps.support.errors import NotRefundable, PaymentError, PaymentUnknown
from apps.support.payments import Payments

WHY = "requested_by_customer"
LOST = requests.exceptions.ConnectionError("reset by peer")
BUSY = (429, error("Slow down.", code="rate_limit"))
IN_USE = (409, error("In use.", type="idempotency_error", code="idempotency_key_in_use"))
DOWN = (503, error("Down.", type="api_error"))
MADE = charge(amount_refunded=2000, refunds=listing(refund()))


@pytest.fixture
def stripe():
    """Stripe's address, where only what a test lets answer answers."""
    with responses.RequestsMock(responses.registries.OrderedRegistry) as mock:
        yield mock


def pay_back(desk, amount=2000):
    """Refund as a help desk does."""
    return desk.refund(CHARGE, amount, WHY, "late", ticket="t-1", key="key-1")


def posted(stripe):
    """The refunds that were asked for, as key and body."""
    return [
        (call.request.headers["Idempotency-Key"], call.request.body)
        for call in stripe.calls
        if call.request.method == "POST"
    ]


@pytest.mark.parametrize("trouble", [LOST, BUSY, IN_USE, DOWN, requests.exceptions.ReadTimeout()])
def test_what_may_pass_is_asked_again_with_the_same_key(stripe, trouble):
    """A lost line, a limit, a lock and a failure are asked again, to the letter the same."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    bodies = [trouble if isinstance(trouble, tuple) else (0, trouble)] * 3
    answers(stripe, "POST", "/v1/refunds", *bodies, refund())
    slept = []
    assert pay_back(payments(slept)).status == "succeeded"
    asked = posted(stripe)
    assert len(asked) == 4 and len(set(asked)) == 1 and asked[0][0] == "key-1"
    assert slept == [0.5, 1.0, 2.0]


def test_waits_are_spread_and_bounded(stripe):
    """Whoever was turned away at once comes back at different times, and nobody waits for ever."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", *[BUSY] * 8, charge())
    slept, drawn = [], iter([0.0, 1.0] * 4)
    desk = Payments(KEY, retries=8, sleep=slept.append, jitter=lambda: next(drawn))
    desk.charge(CHARGE)
    assert slept == [0.25, 1.0, 1.0, 4.0, 4.0, 8.0, 4.0, 8.0]


@pytest.mark.parametrize(("said", "waited"), [("7", 7.0), ("9999", 30.0), ("soon", 0.5)])
def test_stripe_may_say_how_long_to_wait(stripe, said, waited):
    """A wait that Stripe asks for is kept, within reason."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", BUSY, headers={"Retry-After": said})
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    slept = []
    payments(slept).charge(CHARGE)
    assert slept == [waited]


def test_a_failure_that_stripe_keeps_is_not_asked_again(stripe):
    """Stripe keeps a failure's answer too, and says so: then only a look tells what happened."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    final = {"Stripe-Should-Retry": "false"}
    answers(stripe, "POST", "/v1/refunds", (500, error("Oops.", type="api_error")), headers=final)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", MADE)
    assert pay_back(payments()).id == "re_1"
    assert len(posted(stripe)) == 1


@pytest.mark.parametrize("trouble", [(0, LOST), DOWN, IN_USE, (200, "<html>"), (200, "{}")])
def test_after_a_lost_answer_it_looks(stripe, trouble):
    """When no attempt is answered, the refund is looked for, and found when it was made."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", *[trouble] * 2)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", MADE)
    assert pay_back(payments(retries=1)).key == "key-1"


@pytest.mark.parametrize("trouble", [(0, LOST), DOWN, IN_USE, (200, "<html>"), (302, "")])
def test_what_is_not_known_is_called_unknown(stripe, trouble):
    """No answer and nothing to be seen: it may still happen, so nobody says that it did not."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", trouble)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(PaymentUnknown, match=r"may or may not have been made.*request key-1"):
        pay_back(payments(retries=0))


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500])
@pytest.mark.parametrize("body", ["", "[]", "1", '"no"', '{"error": 5}', '{"error": []}', "\xff"])
def test_no_answer_is_too_odd(stripe, status, body):
    """Whatever a proxy answers in Stripe's place, the refund is looked for, and found."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (status, body))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", MADE)
    assert pay_back(payments(retries=0)).key == "key-1"


@pytest.mark.parametrize("body", ["", "[]", '{"error": 5}', '{"error": []}'])
def test_an_odd_answer_is_never_a_no(stripe, body):
    """Only Stripe's own words say that nothing was paid back."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (400, body))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(PaymentUnknown):
        pay_back(payments(retries=0))


def test_when_even_the_look_fails_it_is_unknown(stripe):
    """Two lost answers in a row are no reason to call it failed."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (0, LOST))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", (0, LOST))
    with pytest.raises(PaymentUnknown):
        pay_back(payments(retries=0))


def test_one_doubtful_attempt_makes_all_of_them_doubtful(stripe):
    """A lost answer is not forgotten because the next attempts were turned away at the door."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (0, LOST), BUSY)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(PaymentUnknown, match="asked too often, so the refund of ch_1 may"):
        pay_back(payments(retries=1))


def test_a_limit_alone_leaves_no_doubt(stripe):
    """What was turned away each time was not carried out."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", BUSY, BUSY)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(PaymentError, match="asked too often; nothing was paid back"):
        pay_back(payments(retries=1))


def test_a_no_after_a_lost_answer_is_checked(stripe):
    """A refusal that follows a lost answer is believed only after a look."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    no = (400, error(code="charge_already_refunded"))
    answers(stripe, "POST", "/v1/refunds", (0, LOST), no)
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", MADE)
    assert pay_back(payments()).key == "key-1"


def test_a_no_after_a_lost_answer_is_a_no(stripe):
    """Under one key Stripe gives one answer: a refusal means that the first attempt did nothing."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (0, LOST), (400, error(code="charge_disputed")))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(NotRefundable, match="pay twice; nothing was paid back"):
        pay_back(payments())


def test_an_answer_about_another_refund_is_not_believed(stripe):
    """Money that moved otherwise than asked is never called done."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", refund(amount=5000))
    with pytest.raises(PaymentUnknown, match=r"made re_1, of 50\.00 EUR, which was not"):
        pay_back(payments())


REFUSALS = [
    (400, error(code="balance_insufficient"), "balance at Stripe is too low"),
    (400, error(code="insufficient_funds"), "balance at Stripe is too low"),
    (400, error(type="idempotency_error"), "knows this request's key from another request"),
    (400, error("Parameter\n  is odd.", param="x"), "Stripe refused: Parameter is odd; nothing"),
    (400, error("sk_live_abcdef is odd."), "Stripe refused: the key is odd; nothing"),
    (400, error(""), "it does not say why"),
    (400, error(code="account_invalid"), "account at Stripe cannot be used"),
    (401, error("Invalid API Key provided: sk_test_****cret"), "does not take this API key"),
    (402, error("The card\u202e was declined.", type="card_error"), "network refused: The card"),
    (403, error("No right."), "This API key may not do that"),
]


@pytest.mark.parametrize(("status", "body", "said"), REFUSALS)
def test_a_no_has_its_sentence(stripe, status, body, said):
    """Each refusal says in one sentence what happened and what did not, and is asked once."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (status, body))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    with pytest.raises(PaymentError) as refused:
        pay_back(payments())
    assert said in str(refused.value) and str(refused.value).endswith("nothing was paid back.")
    assert str(refused.value).isprintable()
    assert len(posted(stripe)) == 1


@pytest.mark.parametrize(
    ("body", "now", "said"),
    [
        (
            error("Refund amount is greater than unrefunded amount.", param="amount"),
            {"amount_refunded": 4000},
            "Of ch_1 10.00 EUR are left, and 20.00 EUR is more",
        ),
        (error(code="charge_already_refunded"), {"amount_refunded": 5000}, "All of ch_1, 50.00"),
        (error(code="charge_already_refunded"), {}, "has been refunded already; nothing was"),
        (error(code="charge_disputed"), {}, "disputed, and a refund on top would pay twice"),
        (error(code="refund_disputed_payment"), {}, "disputed, and a refund on top"),
        (error(code="charge_not_refundable"), {}, "this charge cannot be refunded"),
        (error(code="amount_too_small", param="amount"), {}, "the amount is too small"),
        (error(code="resource_missing", param="charge"), {}, "no such thing under this API key"),
        (
            error("Not captured.", param="charge"),
            {"captured": False, "amount_captured": 0},
            "ch_1 is not captured",
        ),
    ],
)
def test_what_changed_meanwhile_is_told_with_the_figures_of_now(stripe, body, now, said):
    """Between the look and the request others may refund: the refusal names what is true now."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", (400, body))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(**now))
    with pytest.raises(NotRefundable) as refused:
        pay_back(payments())
    assert said in str(refused.value)


def test_a_charge_that_stripe_does_not_know_is_not_refundable(stripe):
    """An unknown charge is told apart from a Stripe that does not answer."""
    missing = (404, error(code="resource_missing", param="id"))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", missing)
    with pytest.raises(NotRefundable, match="Stripe knows no charge ch_1"):
        pay_back(payments())


@pytest.mark.parametrize("trouble", [(0, LOST), DOWN, BUSY, (401, error("No."))])
def test_without_a_look_nothing_is_asked(stripe, trouble):
    """When the charge cannot be looked at, no refund leaves the house."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", trouble)
    with pytest.raises(PaymentError, match="nothing was changed"):
        pay_back(payments(retries=0))
    assert posted(stripe) == []


def closed_port():
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


class Vanishing(http.server.BaseHTTPRequestHandler):
    """Shows the charge, takes a refund, and is gone before it answers."""

    def do_GET(self):
        body = json.dumps(charge()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


@pytest.fixture
def vanishing():
    """A Stripe that hangs up on every refund."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vanishing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_nobody_there_leaves_no_doubt():
    """Where not even a connection came about, nothing was asked for."""
    desk = payments(base=f"http://127.0.0.1:{closed_port()}", retries=1)
    with pytest.raises(PaymentError, match="Stripe cannot be reached; nothing was changed"):
        pay_back(desk)


def test_a_line_that_breaks_after_asking_leaves_doubt(vanishing):
    """On a real connection too: what was sent and not answered may have been carried out."""
    desk = payments(base=f"http://127.0.0.1:{vanishing.server_address[1]}", retries=1)
    with pytest.raises(PaymentUnknown, match="The connection to Stripe was lost"):
        pay_back(desk)


def test_no_proxy_stands_between_a_machine_and_itself(vanishing, monkeypatch):
    """A proxy that is set for the outside does not see what goes to the sandbox."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    desk = payments(base=f"http://127.0.0.1:{vanishing.server_address[1]}", retries=0)
    assert desk.charge(CHARGE).id == CHARGE


def test_the_key_is_in_no_error_and_no_log(vanishing, caplog):
    """Neither what is raised, nor anything behind it, nor a log at its loudest holds the key."""
    caplog.set_level(logging.DEBUG)
    desk = payments(base=f"http://127.0.0.1:{vanishing.server_address[1]}", retries=1)
    with pytest.raises(PaymentUnknown) as unknown:
        pay_back(desk)
    raised, seen = unknown.value, []
    while raised is not None:
        seen.append(repr((raised, raised.args, vars(raised))))
        raised = raised.__cause__ or raised.__context__
    shown = traceback.TracebackException.from_exception(unknown.value)
    texts = [*seen, *shown.format(), caplog.text]
    assert [text for text in texts if KEY in text] == []
    assert not any("ConnectionError" in text for text in seen)


def test_a_certificate_that_is_not_stripes_ends_it(stripe):
    """A line that cannot be trusted is not tried again, and nothing was said on it."""
    untrusted = requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")
    stripe.add("GET", f"{API}/v1/charges/{CHARGE}", body=untrusted)
    with pytest.raises(PaymentError, match="cannot be trusted; nothing was changed"):
        payments().charge(CHARGE)
    assert len(stripe.calls) == 1

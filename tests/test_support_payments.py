"""What is said to Stripe is exact to the byte, and what Stripe says is read as it is meant."""

import json

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from stripe_wire import (
    API,
    AT,
    CHARGE,
    CUSTOMER,
    KEY,
    REFUND,
    answers,
    charge,
    form,
    listing,
    payments,
    refund,
)

from apps.support.errors import ConfigError, NotRefundable, PaymentError
from apps.support.money import IN_STEPS, Money
from apps.support.payments import Payments, kind_of

WHY = "requested_by_customer"


@pytest.fixture
def stripe():
    """Stripe's address, where only what a test lets answer answers."""
    with responses.RequestsMock(responses.registries.OrderedRegistry) as mock:
        yield mock


def pay_back(desk, amount=2000, **said):
    """Refund as a help desk does."""
    wish = {"reason": WHY, "note": "late", "ticket": "t-1", "key": "key-1"} | said
    return desk.refund(CHARGE, amount, **wish)


def test_a_refund_says_all_that_is_meant_and_nothing_else(stripe):
    """Charge, amount, reason and metadata go out as a form; the key is the idempotency key."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", refund())
    made = pay_back(payments(), note="late & größer = 20 %")
    looked, asked = stripe.calls
    assert form(looked) == [("expand[0]", "customer"), ("expand[1]", "refunds")]
    assert asked.request.body == (
        "charge=ch_1&amount=2000&reason=requested_by_customer&metadata[ticket]=t-1"
        "&metadata[request]=key-1&metadata[note]=late+%26+gr%C3%B6%C3%9Fer+%3D+20+%25"
    )
    said = asked.request.headers
    assert said["Idempotency-Key"] == "key-1"
    assert said["Authorization"] == f"Bearer {KEY}"
    assert said["Content-Type"] == "application/x-www-form-urlencoded"
    # The library would tell Stripe about this machine, and leave an id for that at home.
    assert {"telemetry_id", "platform"}.isdisjoint(json.loads(said["X-Stripe-Client-User-Agent"]))
    assert (made.id, made.money, made.status) == (
        REFUND,
        Money(amount=2000, currency="eur"),
        "succeeded",
    )
    assert (made.ticket, made.key, made.reason) == ("t-1", "key-1", WHY)


def test_an_empty_note_is_left_out(stripe):
    """An empty value would take a name out of the metadata, so it is not sent."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", refund())
    pay_back(payments(), note="")
    assert "note" not in stripe.calls[1].request.body


def test_an_intent_is_refunded_by_its_charge(stripe):
    """A payment intent stands for its latest charge, which is what is refunded."""
    answers(stripe, "GET", "/v1/payment_intents/pi_1", {"id": "pi_1", "latest_charge": charge()})
    answers(stripe, "POST", "/v1/refunds", refund())
    made = payments().refund("pi_1", 2000, WHY, "late", ticket="t-1", key="key-1")
    assert ("charge", CHARGE) in form(stripe.calls[1])
    assert form(stripe.calls[0]) == [
        ("expand[0]", "latest_charge.customer"),
        ("expand[1]", "latest_charge.refunds"),
    ]
    assert made.charge == CHARGE


def test_an_intent_that_nobody_paid_is_not_refunded(stripe):
    """Without a charge there is nothing to give back."""
    answers(stripe, "GET", "/v1/payment_intents/pi_1", {"id": "pi_1", "latest_charge": None})
    with pytest.raises(NotRefundable, match="has not been paid"):
        payments().charge("pi_1")


@pytest.mark.parametrize("key", ["key-1", "another"])
def test_a_refund_looks_for_itself_before_it_asks(stripe, key):
    """What was made under the key is found by its metadata, a year later too; nothing is sent."""
    held = refund(metadata={"ticket": "t-1", "request": key})
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(refunds=listing(held)))
    if key == "another":
        answers(stripe, "POST", "/v1/refunds", refund(id="re_2"))
    made = pay_back(payments())
    assert made.id == (REFUND if key == "key-1" else "re_2")
    assert len(stripe.calls) == (1 if key == "key-1" else 2)


def test_it_looks_through_all_refunds(stripe):
    """A charge shows its ten newest refunds; when there are more, all pages are read."""
    others = [refund(id=f"re_{n}", metadata={}) for n in range(10, 110)]
    answers(
        stripe, "GET", f"/v1/charges/{CHARGE}", charge(refunds=listing(*others[:10], more=True))
    )
    answers(stripe, "GET", "/v1/refunds", listing(*others, more=True), listing(refund()))
    assert payments().find("key-1", CHARGE).id == REFUND
    assert [form(call) for call in stripe.calls][1:] == [
        [("limit", "100"), ("charge", CHARGE)],
        [("limit", "100"), ("charge", CHARGE), ("starting_after", "re_109")],
    ]


@pytest.mark.parametrize(
    "other", [{"amount": 1900}, {"reason": "duplicate"}, {"metadata": {"request": "key-1"}}]
)
def test_one_key_stands_for_one_refund(stripe, other):
    """A key that has made another refund makes none: the caller has mixed something up."""
    held = charge(refunds=listing(refund(**other)))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", held)
    with pytest.raises(PaymentError, match="under the same key"):
        pay_back(payments())


@pytest.mark.parametrize(
    ("amount", "is_type"),
    [(0, False), (-1, False), (10**12, False), (True, True), (19.99, True), ("20", True)],
)
def test_what_is_no_amount_is_not_sent(stripe, amount, is_type):
    """Stripe would take a float, a truth or a text for something, so nothing is asked."""
    with pytest.raises(PaymentError, match="whole number" if is_type else "1 to 999,999,999,999"):
        pay_back(payments(), amount)


def test_no_amount_never_means_all_of_it(stripe):
    """Without an amount Stripe pays everything back; `None` is refused before anything is asked."""
    with pytest.raises(PaymentError, match="not a NoneType"):
        pay_back(payments(), None)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"reason": "angry"}, "A reason is one of duplicate, fraudulent"),
        ({"note": "x" * 501}, "A note has at most 500 characters; this has 501"),
        ({"note": "a\0b"}, "no text"),
        ({"note": "\ud800"}, "no text"),
        ({"ticket": ""}, "belongs to a ticket"),
        ({"ticket": "t" * 501}, "A ticket has at most 500"),
        ({"key": ""}, "A key is 1 to 255"),
        ({"key": "a b"}, "A key is 1 to 255"),
        ({"key": "a\r\nX: y"}, "A key is 1 to 255"),
        ({"key": "x" * 256}, "A key is 1 to 255"),
    ],
)
def test_what_stripe_would_not_keep_is_not_sent(stripe, said, why):
    """Texts that are too long or no texts are refused with a sentence."""
    with pytest.raises(PaymentError, match=why):
        pay_back(payments(), **said)


@pytest.mark.parametrize(
    ("said", "amount", "why"),
    [
        ({"amount_refunded": 4000}, 2000, "Of ch_1 10.00 EUR are left, and 20.00 EUR is more"),
        ({"amount_refunded": 5000}, 1, "All of ch_1, 50.00 EUR, has been refunded already"),
        ({"captured": False, "amount_captured": 0}, 1, "ch_1 is not captured"),
        ({"currency": "kwd"}, 1234, "1.234 KWD cannot be paid: only multiples of 0.010 KWD can"),
        ({"currency": "isk"}, 150, "1.50 ISK cannot be paid: only multiples of 1.00 ISK can"),
        ({"currency": "ugx"}, 150, "1.50 UGX cannot be paid: only multiples of 1.00 UGX can"),
        ({"currency": "jpy"}, 5001, "Of ch_1 5,000 JPY are left, and 5,001 JPY is more"),
    ],
)
def test_what_a_charge_does_not_allow_is_not_asked(stripe, said, amount, why):
    """The figures of the charge as it is now decide, and the refusal names them."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(**said))
    with pytest.raises(NotRefundable) as refused:
        pay_back(payments(), amount)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("allows", "disputed"), [([False], True), ([True], False), ([True, False], True), ([], True)]
)
def test_each_dispute_has_to_let_a_charge_go(stripe, allows, disputed):
    """A charge that is marked as disputed is refundable only if all its disputes say so."""
    held = [{"id": f"du_{n}", "is_charge_refundable": one} for n, one in enumerate(allows)]
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(disputed=True))
    answers(stripe, "GET", "/v1/disputes", listing(*held))
    found = payments().charge(CHARGE)
    assert (found.disputed, found.left.amount) == (disputed, 0 if disputed else 5000)
    assert form(stripe.calls[1]) == [("limit", "100"), ("charge", CHARGE)]


def test_a_disputed_charge_is_not_refunded(stripe):
    """The bank has taken the money back already; a refund would pay twice."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(disputed=True))
    held = listing({"id": "du_1", "is_charge_refundable": False})
    answers(stripe, "GET", "/v1/disputes", held)
    with pytest.raises(NotRefundable, match="pay twice"):
        pay_back(payments())


@pytest.mark.parametrize("status", ["pending", "requires_action"])
def test_a_refund_on_its_way_says_so(stripe, status):
    """Money that has not arrived is told apart from money that has."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", refund(status=status))
    assert pay_back(payments()).status == status


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_came_to_nothing_is_an_error(stripe, status):
    """Nobody takes a refund that failed at once for one that was made."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    answers(stripe, "POST", "/v1/refunds", refund(status=status))
    with pytest.raises(PaymentError, match=f"Stripe calls it {status}.*Nothing has reached"):
        pay_back(payments())


@pytest.mark.parametrize(
    ("said", "payer"),
    [
        ({}, "ana@mail.example"),
        ({"customer": None, "billing_details": {"email": "B@x.example"}}, "b@x.example"),
        ({"customer": None, "receipt_email": "c@x.example"}, "c@x.example"),
        ({"customer": {"id": CUSTOMER, "deleted": True}}, ""),
        ({"customer": None}, ""),
    ],
)
def test_who_paid_is_whoever_stripe_knows(stripe, said, payer):
    """The customer's address, else what was filled in, else nobody; always in small letters."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(**said))
    assert payments().charge(CHARGE).customer == payer


def test_only_what_was_captured_counts_as_paid(stripe):
    """Of a charge that was captured in part, the rest was never paid."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge(amount_captured=3000))
    assert str(payments().charge(CHARGE).left) == "30.00 EUR"


@pytest.mark.parametrize("ident", ["", "ch_", "re_1", "ch_1/../refunds", "ch_1?x=y", "ch_1\n", "1"])
def test_what_is_no_charge_is_not_looked_up(stripe, ident):
    """An id that could lead to another address is refused before it is used."""
    with pytest.raises(NotRefundable, match="is no charge"):
        payments().charge(ident)


def test_charges_of_a_customer_come_from_all_pages_of_all_customers(stripe):
    """Two customers with one address, in both spellings, are one person; the newest comes first."""
    mail = "Ana@mail.example"
    answers(stripe, "GET", "/v1/customers", listing({"id": "cus_1"}), listing({"id": "cus_2"}))
    first = listing(charge(id="ch_1", created=AT), more=True)
    answers(stripe, "GET", "/v1/charges", first, listing(charge(id="ch_2", created=AT + 2)))
    answers(stripe, "GET", "/v1/charges", listing(charge(id="ch_3", created=AT + 1)))
    found = payments().charges(mail)
    assert [one.id for one in found] == ["ch_2", "ch_3", "ch_1"]
    assert {one.customer for one in found} == {"ana@mail.example"}
    assert [form(call) for call in stripe.calls] == [
        [("limit", "100"), ("email", mail)],
        [("limit", "100"), ("email", mail.lower())],
        [("limit", "100"), ("customer", "cus_1"), ("expand[0]", "data.refunds")],
        [
            ("limit", "100"),
            ("customer", "cus_1"),
            ("expand[0]", "data.refunds"),
            ("starting_after", "ch_1"),
        ],
        [("limit", "100"), ("customer", "cus_2"), ("expand[0]", "data.refunds")],
    ]


def test_refunds_of_a_customer_need_no_request_per_charge(stripe):
    """A hundred charges with their refunds are two requests."""
    paid = [charge(id=f"ch_{n}", refunds=listing(refund(id=f"re_{n}"))) for n in range(100)]
    answers(stripe, "GET", "/v1/customers", listing({"id": CUSTOMER}))
    answers(stripe, "GET", "/v1/charges", listing(*paid))
    assert len(payments().refunds_of("ana@mail.example")) == 100
    assert len(stripe.calls) == 2


def test_nobody_has_no_charges(stripe):
    """An address that Stripe does not know, and an empty one, have paid nothing."""
    answers(stripe, "GET", "/v1/customers", listing())
    assert payments().charges("who@mail.example") == ()
    assert payments().refunds_of("") == ()


def test_a_list_without_end_ends(stripe):
    """A page that promises more and never moves on is no answer."""
    answers(stripe, "GET", "/v1/customers", listing({"id": CUSTOMER}))
    stuck = listing(charge(), more=True)
    answers(stripe, "GET", "/v1/charges", stuck, stuck)
    with pytest.raises(PaymentError, match="unreadable"):
        payments(retries=0).charges("ana@mail.example")


@pytest.mark.parametrize(
    "answer",
    [
        "<html>",
        "[]",
        '"x"',
        "{}",
        charge(amount_refunded="5"),
        charge(amount_refunded=1.5),
        charge(currency="EURO"),
        charge(amount_captured=-1),
        charge(created=10**15),
        charge(captured=None),
    ],
)
def test_an_answer_of_another_shape_is_no_answer(stripe, answer):
    """What is missing or of another kind is never guessed."""
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", answer)
    with pytest.raises(PaymentError, match=r"unreadable|in its own words"):
        payments(retries=0).charge(CHARGE)


@given(
    currency=st.sampled_from(["eur", "jpy", "kwd", "isk", "ugx", "huf", "twd"]),
    paid=st.integers(1, 99_999_999),
    part=st.integers(1, 99_999_999),
)
def test_an_amount_goes_out_as_it_is_or_not_at_all(currency, paid, part):
    """No amount is ever rounded, scaled or completed on its way to Stripe."""
    held = charge(currency=currency, amount_captured=paid)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as stripe:
        answers(stripe, "GET", f"/v1/charges/{CHARGE}", held)
        answers(stripe, "POST", "/v1/refunds", refund(amount=part, currency=currency))
        if part <= paid and not part % IN_STEPS.get(currency, 1):
            assert pay_back(payments(), part).money == Money(amount=part, currency=currency)
            assert ("amount", str(part)) in form(stripe.calls[-1])
        else:
            with pytest.raises(NotRefundable):
                pay_back(payments(), part)
            assert len(stripe.calls) == 1


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("pk_test_1", "publishable"),
        ("", "no secret key"),
        ("sk_test_a b", "no secret key"),
        ("sk_test_1\n", "no secret key"),
        ("sk_test_é", "no secret key"),
        ("whsec_1", "no secret key"),
        ("sk_live_1", "moves real money"),
        ("rk_live_1", "moves real money"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused(key, why):
    """A wrong key, and a live one that nobody asked for, open nothing and are not repeated."""
    with pytest.raises(ConfigError, match=why) as refused:
        Payments(key)
    assert key == "" or key not in str(refused.value)


def test_a_live_key_is_taken_when_it_is_asked_for():
    """Real money moves only where somebody has said so."""
    assert Payments("sk_live_1", live=True).kind == "live"
    assert [kind_of(key) for key in ("rk_test_1", "rk_live_1", "what")] == ["test", "live", "live"]


@pytest.mark.parametrize(
    "base",
    [
        *("http://api.stripe.com", "ftp://127.0.0.1", "http://127.0.0.1@evil.example", "x", ""),
        *("https://ana@api.stripe.com", "https://api.stripe.com?x", "https://[::1", "https://"),
    ],
)
def test_a_key_never_crosses_a_network_in_the_clear(base):
    """Plain http is for this machine alone."""
    with pytest.raises(ConfigError, match="has to begin with https"):
        Payments(KEY, base=base)


def test_the_key_is_in_no_text():
    """Who prints the object sees where it leads, not what opens it."""
    shown = repr(Payments(KEY, base="http://127.0.0.1:1"))
    assert shown == "Payments(test mode of http://127.0.0.1:1)"


def test_a_login_in_the_home_folder_does_not_replace_the_key(stripe, tmp_path, monkeypatch):
    """A line of ~/.netrc for Stripe's address, which the library underneath would use, is not."""
    (tmp_path / ".netrc").write_text("default login other password wrong\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    answers(stripe, "GET", f"/v1/charges/{CHARGE}", charge())
    payments().charge(CHARGE)
    assert stripe.calls[0].request.headers["Authorization"] == f"Bearer {KEY}"


def test_a_redirect_is_not_followed():
    """Nothing leads a request with the key to another address."""
    there = {"Location": f"{API}/v1/charges/ch_2"}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as stripe:
        answers(stripe, "GET", f"/v1/charges/{CHARGE}", (302, ""), headers=there)
        answers(stripe, "GET", "/v1/charges/ch_2", charge())
        with pytest.raises(PaymentError, match="connection to Stripe was lost"):
            payments(retries=0).charge(CHARGE)
        assert len(stripe.calls) == 1

"""The local Stripe keeps Stripe's rules about money, as the official client meets them."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
import sandboxes
import stripe
from sandboxes import AUTHORISED, charged, client_of, events, posted, refused

from apps.support.errors import SupportError
from apps.support.sandbox import serving

sandbox, v1 = sandboxes.sandbox, sandboxes.v1


# Money


def test_a_refund_without_an_amount_takes_what_is_left(v1):
    """A part first, then everything else; the charge adds up to the cent."""
    paid = charged(v1, 1999)
    first = v1.refunds.create({"charge": paid.id, "amount": 700, "reason": "duplicate"})
    rest = v1.refunds.create({"charge": paid.id})
    after = v1.charges.retrieve(paid.id)
    assert (first.amount, first.status, first.reason) == (700, "succeeded", "duplicate")
    assert rest.amount == 1299
    assert (after.amount_refunded, after.refunded) == (1999, True)


@pytest.mark.parametrize("amount", [5001, 99_999_999])
def test_never_more_than_was_paid(v1, amount):
    """What is more than the charge is refused, and nothing has changed."""
    paid = charged(v1)
    told = refused(v1.refunds.create, {"charge": paid.id, "amount": amount})
    assert told == (400, None, "amount")
    assert v1.charges.retrieve(paid.id).amount_refunded == 0
    assert v1.refunds.list({"charge": paid.id}).data == []


def test_never_more_than_is_left(v1):
    """A second part that is more than the rest is refused."""
    paid = charged(v1)
    v1.refunds.create({"charge": paid.id, "amount": 3000})
    assert refused(v1.refunds.create, {"charge": paid.id, "amount": 2001})[0] == 400
    assert v1.charges.retrieve(paid.id).amount_refunded == 3000


def test_a_hundred_at_once_never_refund_more_than_was_paid(v1):
    """Refunds that race for one charge: exactly as many succeed as are paid for."""
    paid = charged(v1, 1000)

    def refund(_):
        try:
            return v1.refunds.create({"charge": paid.id, "amount": 100}).amount
        except stripe.InvalidRequestError:
            return 0

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(refund, range(100))) == 1000
    assert v1.charges.retrieve(paid.id).amount_refunded == 1000
    assert len(v1.refunds.list({"charge": paid.id, "limit": 100}).data) == 10


def test_far_too_much_has_a_code_of_its_own(v1):
    """Nine digits are more than any charge has."""
    told = refused(v1.refunds.create, {"charge": charged(v1).id, "amount": 100_000_000})
    assert told == (400, "amount_too_large", "amount")


def test_a_charge_is_refunded_once(v1):
    """When nothing is left the code says so."""
    paid = charged(v1)
    v1.refunds.create({"charge": paid.id})
    assert refused(v1.refunds.create, {"charge": paid.id}) == (400, "charge_already_refunded", None)


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "1e3", "٣", "", "NaN", "100000000", " 5"])
def test_an_amount_is_a_whole_number_of_at_most_eight_digits(sandbox, v1, amount):
    """Anything else is refused before it is looked at, and nothing is paid back."""
    paid = charged(v1)
    answer = requests.post(
        f"{sandbox.url}/v1/refunds",
        data={"charge": paid.id, "amount": amount},
        headers=AUTHORISED,
        timeout=30,
    )
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "amount"
    assert v1.charges.retrieve(paid.id).amount_refunded == 0


@pytest.mark.parametrize(("currency", "odd", "even"), [("kwd", 1235, 1230), ("jpy", None, 1001)])
def test_amounts_follow_their_currency(v1, currency, odd, even):
    """Three decimals end in 0, and yen have none."""
    paid = charged(v1, 20_000, currency=currency)
    if odd:
        assert refused(v1.refunds.create, {"charge": paid.id, "amount": odd})[0] == 400
    assert v1.refunds.create({"charge": paid.id, "amount": even}).currency == currency


def test_a_refund_may_name_the_intent(v1):
    """A payment intent stands for its charge."""
    intent = v1.payment_intents.create(
        {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    made = v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    assert (made.charge, made.payment_intent) == (intent.latest_charge, intent.id)
    assert v1.refunds.list({"payment_intent": intent.id}).data[0].id == made.id
    assert v1.charges.retrieve(made.charge).amount_refunded == 400


def test_a_refund_names_one_thing(v1):
    """Neither charge nor intent, or both, is refused."""
    assert refused(v1.refunds.create, {"amount": 5})[:2] == (400, "parameter_missing")
    assert refused(v1.refunds.create, {"charge": "ch_x", "payment_intent": "pi_x"})[0] == 400


def test_what_is_only_reserved_is_released_whole(v1):
    """An uncaptured charge gives back everything or nothing."""
    paid = charged(v1, capture=False)
    assert refused(v1.refunds.create, {"charge": paid.id, "amount": 10}) == (400, None, "amount")
    assert v1.refunds.create({"charge": paid.id}).amount == 5000
    assert refused(v1.charges.capture, paid.id)[1] == "charge_already_refunded"


def test_what_is_not_captured_goes_back(v1):
    """A capture of a part returns the rest, and a second capture is refused."""
    paid = charged(v1, capture=False)
    after = v1.charges.capture(paid.id, {"amount": 3000})
    assert (after.amount_captured, after.amount_refunded, after.captured) == (3000, 2000, True)
    assert refused(v1.charges.capture, paid.id)[1] == "charge_already_captured"
    assert refused(v1.refunds.create, {"charge": paid.id, "amount": 3001})[0] == 400


def test_an_intent_may_be_captured_later(v1):
    """The intent knows what can be taken and what was."""
    said = {"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    intent = v1.payment_intents.create({**said, "capture_method": "manual"})
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 900)
    v1.charges.capture(intent.latest_charge, {"amount": 600})
    after = v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.amount_capturable, after.amount_received) == ("succeeded", 0, 600)


@pytest.mark.parametrize("token", ["tok_createDispute", "tok_createDisputeProductNotReceived"])
def test_a_disputed_charge_is_not_refunded(v1, token):
    """The bank pays it back already, so a refund would pay twice."""
    paid = charged(v1, source=token)
    (dispute,) = v1.disputes.list({"charge": paid.id}).data
    assert (paid.disputed, dispute.is_charge_refundable) == (True, False)
    assert refused(v1.refunds.create, {"charge": paid.id}) == (400, "charge_disputed", None)
    assert v1.disputes.close(dispute.id).status == "lost"
    assert refused(v1.refunds.create, {"charge": paid.id})[1] == "charge_disputed"


def test_an_inquiry_leaves_a_charge_refundable(v1):
    """A bank that only asks has taken nothing back yet."""
    paid = charged(v1, source="tok_createDisputeInquiry")
    assert v1.refunds.create({"charge": paid.id}).amount == 5000


def test_one_dispute_of_several_is_enough(sandbox, v1):
    """An inquiry beside a dispute does not make the charge refundable again."""
    paid = charged(v1, source="tok_createDisputeInquiry")
    assert posted(sandbox, "/_sandbox/disputes", f"charge={paid.id}").status_code == 200
    assert refused(v1.refunds.create, {"charge": paid.id})[1] == "charge_disputed"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_chargeDeclined", "card_declined"),
        ("tok_chargeDeclinedInsufficientFunds", "card_declined"),
        ("tok_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
def test_a_declined_card_pays_nothing(v1, token, code):
    """The client hears 402 with the bank's code, and there is no charge."""
    before = v1.charges.list({"limit": 1}).data
    with pytest.raises(stripe.CardError) as caught:
        charged(v1, source=token)
    assert caught.value.code == code
    assert [one.id for one in v1.charges.list({"limit": 1}).data] == [one.id for one in before]


# One key, one effect


def test_one_key_refunds_once(v1):
    """The second answer is the first one, and it says so."""
    paid = charged(v1)
    said = {"charge": paid.id, "amount": 100, "metadata": {"ticket": "t-1", "request": "r-1"}}
    first = v1.refunds.create(said, {"idempotency_key": f"once-{paid.id}"})
    again = v1.refunds.create(said, {"idempotency_key": f"once-{paid.id}"})
    headers = again.last_response.headers
    assert again.to_dict() == first.to_dict()
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.request_id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert v1.charges.retrieve(paid.id).amount_refunded == 100


def test_a_key_belongs_to_its_parameters(v1):
    """Another amount under the same key is an error of the key, and pays nothing."""
    paid = charged(v1)
    key = {"idempotency_key": f"mine-{paid.id}"}
    v1.refunds.create({"charge": paid.id, "amount": 100}, key)
    with pytest.raises(stripe.IdempotencyError) as caught:
        v1.refunds.create({"charge": paid.id, "amount": 200}, key)
    assert caught.value.http_status == 400
    assert v1.charges.retrieve(paid.id).amount_refunded == 100


def test_a_key_belongs_to_its_endpoint(v1):
    """The same key elsewhere is an error, even with the same parameters."""
    made = v1.refunds.create({"charge": charged(v1).id, "amount": 1})
    key = {"idempotency_key": f"there-{made.id}"}
    v1.refunds.update(made.id, {"metadata": {"a": "b"}}, key)
    with pytest.raises(stripe.IdempotencyError):
        v1.customers.create({"metadata": {"a": "b"}}, key)


def test_a_refusal_is_kept_with_its_key(v1):
    """A request that ran and was refused is refused again, even when it would go now."""
    paid = charged(v1, source="tok_createDisputeInquiry")
    key = {"idempotency_key": f"no-{paid.id}"}
    said = {"charge": paid.id, "amount": 5000}
    other = v1.refunds.create({"charge": paid.id, "amount": 1})
    assert refused(v1.refunds.create, said, key)[0] == 400
    assert refused(v1.refunds.create, said, key)[0] == 400
    assert v1.charges.retrieve(paid.id).amount_refunded == other.amount


def test_parameters_that_make_no_sense_are_not_kept(v1):
    """A key is still free after a request that never began."""
    paid = charged(v1)
    key = {"idempotency_key": f"free-{paid.id}"}
    assert refused(v1.refunds.create, {"charge": paid.id, "reason": "mood"}, key)[0] == 400
    assert v1.refunds.create({"charge": paid.id, "amount": 3}, key).amount == 3


def test_a_key_has_at_most_255_characters(v1):
    """A longer one is refused before anything happens."""
    paid = charged(v1)
    status, *_ = refused(v1.refunds.create, {"charge": paid.id}, {"idempotency_key": "k" * 256})
    assert (status, v1.charges.retrieve(paid.id).amount_refunded) == (400, 0)


def test_a_key_is_forgotten_after_a_day(sandbox, v1):
    """The same request under an old key refunds again: whoever comes late has to look first."""
    paid = charged(v1)
    said, key = {"charge": paid.id, "amount": 100}, f"old-{paid.id}"
    first = v1.refunds.create(said, {"idempotency_key": key})
    day = timedelta(days=1).total_seconds()
    with sandbox.state.writing() as rows:
        rows.run("UPDATE keys SET at = at - ? WHERE key = ?", int(day) - 60, key)
    assert v1.refunds.create(said, {"idempotency_key": key}).id == first.id
    with sandbox.state.writing() as rows:
        rows.run("UPDATE keys SET at = at - 60 WHERE key = ?", key)
    assert v1.refunds.create(said, {"idempotency_key": key}).id != first.id


@pytest.mark.slow
def test_a_key_in_use_meets_a_conflict(sandbox, v1):
    """While the first request runs the second hears 409; afterwards it gets the answer."""
    paid = charged(v1)
    said, key = {"charge": paid.id, "amount": 100}, {"idempotency_key": f"busy-{paid.id}"}
    sandbox.fail_next("slow")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(v1.refunds.create, said, key)
        time.sleep(0.4)
        assert refused(v1.refunds.create, said, key)[:2] == (409, "idempotency_key_in_use")
        assert v1.refunds.create(said, key | {"idempotency_key": "other"}).amount == 100
    assert v1.refunds.create(said, key).id == first.result().id


def test_the_same_key_at_once_refunds_once(v1):
    """Whether they hear a conflict or the answer: one refund is made."""
    paid = charged(v1)
    said, key = {"charge": paid.id, "amount": 100}, {"idempotency_key": f"race-{paid.id}"}

    def refund(_):
        try:
            return v1.refunds.create(said, key).id
        except stripe.APIError as error:
            return error.http_status

    with ThreadPoolExecutor(8) as threads:
        made = {*threads.map(refund, range(40))} - {409}
    assert len(made) == 1 and v1.charges.retrieve(paid.id).amount_refunded == 100


# Bad days


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        ("429", stripe.RateLimitError, 0),
        ("409", stripe.APIError, 0),
        ("503", stripe.APIError, 0),
        ("500", stripe.APIError, 0),
        ("500-after", stripe.APIError, 100),
        ("drop-before", stripe.APIConnectionError, 0),
        ("drop-after", stripe.APIConnectionError, 100),
    ],
)
def test_a_fault_comes_once_and_a_retry_refunds_once(sandbox, v1, fault, error, done):
    """Each fault leaves behind what it says, and the same key never pays twice."""
    paid = charged(v1)
    said, key = {"charge": paid.id, "amount": 100}, {"idempotency_key": f"{fault}-{paid.id}"}
    sandbox.fail_next(fault, to="POST /v1/refunds")
    with pytest.raises(error):
        v1.refunds.create(said, key)
    assert v1.charges.retrieve(paid.id).amount_refunded == done
    if fault.startswith("500"):
        assert refused(v1.refunds.create, said, key)[0] == 500
        assert v1.charges.retrieve(paid.id).amount_refunded == done
    else:
        assert v1.refunds.create(said, key).amount == 100
        assert v1.charges.retrieve(paid.id).amount_refunded == 100


def test_the_client_retries_a_dead_line_by_itself(sandbox):
    """The client's own retries use one key, so a lost answer refunds once."""
    patient = client_of(sandbox, max_network_retries=3)
    paid = charged(patient.v1)
    sandbox.fail_next("drop-after", to="POST /v1/refunds")
    assert patient.v1.refunds.create({"charge": paid.id, "amount": 100}).amount == 100
    assert patient.v1.charges.retrieve(paid.id).amount_refunded == 100


def test_faults_are_ordered_over_http_too(sandbox, v1):
    """A header spoils one request; the endpoint spoils the next ones, and can be taken back."""
    paid = charged(v1)
    body = f"charge={paid.id}&amount=1"
    assert posted(sandbox, "/v1/refunds", body, **{"Sandbox-Fault": "429"}).status_code == 429
    assert posted(sandbox, "/v1/refunds", body, **{"Sandbox-Fault": "x"}).status_code == 400
    ordered = posted(sandbox, "/_sandbox/faults", "kind=503&times=2&to=GET /v1/charges").json()
    assert ordered["data"] == [{"kind": "503", "times": 2, "to": "GET /v1/charges"}]
    assert refused(v1.charges.retrieve, paid.id)[0] == 503
    ordered = posted(sandbox, "/_sandbox/faults", "kind=500-after&to=GET /v1/refunds").json()
    assert [one["kind"] for one in ordered["data"]] == ["503", "500-after"]
    assert refused(v1.refunds.list)[0] == 500
    assert posted(sandbox, "/_sandbox/faults").json()["data"] == []
    assert v1.charges.retrieve(paid.id).amount_refunded == 0
    with pytest.raises(SupportError, match="no fault"):
        sandbox.fail_next("rain")


# What becomes of refunds


def test_a_pending_refund_succeeds_later(sandbox, v1):
    """It counts at once, arrives later, and both are told."""
    paid = charged(v1, source="tok_pendingRefund")
    made = v1.refunds.create({"charge": paid.id, "amount": 100})
    assert made.status == "pending" and v1.charges.retrieve(paid.id).amount_refunded == 100
    sandbox.settle()
    assert v1.refunds.retrieve(made.id).status == "succeeded"
    assert events(v1, made.id) == ["refund.created", "refund.updated", "charge.refund.updated"]
    assert v1.charges.retrieve(paid.id).amount_refunded == 100


def test_a_refund_that_fails_later_gives_the_charge_back(sandbox, v1):
    """It had succeeded; then the bank returns it, and it can be refunded again."""
    paid = charged(v1, source="tok_refundFail")
    made = v1.refunds.create({"charge": paid.id})
    assert made.status == "succeeded" and v1.charges.retrieve(paid.id).refunded
    sandbox.settle()
    failed, after = v1.refunds.retrieve(made.id), v1.charges.retrieve(paid.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert (after.amount_refunded, after.refunded) == (0, False)
    assert events(v1, made.id, "refund.failed", "refund.created") == [
        "refund.created",
        "refund.failed",
    ]
    assert sandbox.settle() == 0


def test_refunds_settle_by_themselves(tmp_path):
    """Nobody has to ask: whoever looks after the time sees what it became."""
    with serving(tmp_path / "s.db", settles=0.1) as sandbox:
        v1 = client_of(sandbox).v1
        made = v1.refunds.create({"charge": charged(v1, source="tok_pendingRefund").id})
        time.sleep(0.15)
        assert v1.refunds.retrieve(made.id).status == "succeeded"


def test_any_refund_can_be_made_to_fail(sandbox, v1):
    """A test decides which one, whatever the card."""
    made = v1.refunds.create({"charge": charged(v1).id})
    posted(sandbox, f"/_sandbox/refunds/{made.id}/fail")
    assert v1.refunds.retrieve(made.id).status == "failed"


def test_a_refund_keeps_its_metadata(v1):
    """Keys are set, changed and taken away one by one, and "" takes all."""
    made = v1.refunds.create({"charge": charged(v1).id, "metadata": {"a": "1", "b": "2"}})
    after = v1.refunds.update(made.id, {"metadata": {"b": "", "c": "ü"}})
    assert after.metadata.to_dict() == {"a": "1", "c": "ü"}
    assert v1.refunds.retrieve(made.id).metadata.to_dict() == {"a": "1", "c": "ü"}
    assert v1.refunds.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


@pytest.mark.parametrize(
    "metadata",
    [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{number}": "v" for number in range(51)}],
)
def test_metadata_has_limits(v1, metadata):
    """A key, a value or a number beyond Stripe's limits is refused."""
    paid = charged(v1)
    assert refused(v1.refunds.create, {"charge": paid.id, "metadata": metadata})[0] == 400
    assert v1.charges.retrieve(paid.id).amount_refunded == 0

"""The local Stripe and an independent one get the same requests and answer alike.

They are compared in status, type, code, parameter and amounts, where both have something to say.
Left out, because Stripe itself has moved on since the referee was written or does otherwise: the
wording, keys of failed validation, keys used at another endpoint, the size of a page without a
limit, the order within one second, ids of disputes inside charges, the status for a customer
without a card, and the parameter that is named when the charge of a refund is unknown.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import referee
import requests

from apps.support.sandbox import KEY, serving

pytestmark = pytest.mark.slow  # node takes a moment to start, and the first time to arrive

FIELDS = ("amount", "amount_captured", "amount_refunded", "captured", "refunded", "disputed")
FIELDS += ("currency", "status", "reason", "description", "metadata", "has_more", "object", "email")


class Talk:
    """One side of the comparison: what was asked is noted as what came of it."""

    def __init__(self, url):
        self.url, self.noted = url, []

    def say(self, method, path, key=None, **form):
        """Send one request, note its outcome, and return the body."""
        headers = {"Idempotency-Key": key} if key else {}
        given = {"params": form} if method == "GET" else {"data": form}
        answer = requests.request(
            *(method, self.url + path), **given, headers=headers, auth=(KEY, ""), timeout=30
        )
        self.noted.append((method, path.split("/")[2], outcome(answer)))
        return answer.json()

    def post(self, path, key=None, **form):
        """Send a POST."""
        return self.say("POST", path, key, **form)

    def get(self, path, **query):
        """Send a GET."""
        return self.say("GET", path, **query)

    def charge(self, amount=5000, currency="usd", source="tok_visa", **more):
        """Make a charge and return its id."""
        return self.post("/v1/charges", amount=amount, currency=currency, source=source, **more)[
            "id"
        ]


def outcome(answer):
    """What has to be the same on both sides; ids and times are not."""
    body = answer.json()
    error = body.get("error", {})
    said = {
        name: error[name] for name in ("type", "code", "param", "decline_code") if name in error
    }
    seen = {name: body[name] for name in FIELDS if name in body}
    many = [inner.get("amount") for inner in body.get("data", [])]
    replayed = answer.headers.get("Idempotent-Replayed")
    return answer.status_code, said, seen, many, replayed


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """The address of the sandbox and that of the referee."""
    path = tmp_path_factory.mktemp("referee") / "s.db"
    with serving(path) as sandbox, referee.refereeing() as other:
        yield sandbox.url, other


def compared(sides, story):
    """Tell both the same story; what they answered has to be the same, request by request."""
    ours, theirs = talks = [Talk(url) for url in sides]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(story, talks))
    assert ours.noted == theirs.noted
    return [answered for _, _, answered in ours.noted]


def test_parts_and_the_rest(sides):
    """Partial refunds add up alike, and so does what is refused when nothing is left."""

    def story(talk):
        paid = talk.charge(1999, description="#1042")
        talk.post("/v1/refunds", charge=paid, amount=700, reason="duplicate")
        talk.post("/v1/refunds", charge=paid, amount=1300)
        talk.post("/v1/refunds", charge=paid)
        talk.get(f"/v1/charges/{paid}")
        talk.post("/v1/refunds", charge=paid)
        talk.post("/v1/refunds", charge=paid, amount=1)
        assert len(talk.get("/v1/refunds", charge=paid, limit=10)["data"]) == 2
        talk.noted.pop()

    answered = compared(sides, story)
    assert [status for status, *_ in answered] == [200, 200, 400, 200, 200, 400, 400]


@pytest.mark.parametrize("amount", ["0", "-5", "5001", "99999999", "100000000"])
def test_amounts_that_cannot_be(sides, amount):
    """Too little, too much and far too much are told alike, and change nothing."""

    def story(talk):
        paid = talk.charge()
        talk.post("/v1/refunds", charge=paid, amount=amount)
        talk.get(f"/v1/charges/{paid}")

    compared(sides, story)


def test_keys(sides):
    """A key replays its answer, refusals too, and belongs to its parameters."""

    def story(talk):
        paid = talk.charge()
        mine = f"k-{paid}"
        for amount in (100, 100, 200, 100):
            talk.post("/v1/refunds", key=mine, charge=paid, amount=amount)
        for _ in range(2):
            talk.post("/v1/refunds", key=f"{mine}-no", charge=paid, amount=4999)
        talk.get(f"/v1/charges/{paid}")

    replayed = [one[-1] for one in compared(sides, story)[1:7]]
    assert replayed == [None, "true", None, "true", None, "true"]


@pytest.mark.parametrize(
    "token",
    ["tok_createDispute", "tok_createDisputeProductNotReceived", "tok_createDisputeInquiry"],
)
def test_disputes(sides, token):
    """A disputed charge is refused by both, and an inquiry by neither."""

    def story(talk):
        paid = talk.charge(source=token)
        time.sleep(0.05)  # there the dispute comes a moment later
        talk.noted.pop()
        talk.get(f"/v1/charges/{paid}")
        talk.post("/v1/refunds", charge=paid, amount=100)

    status, *_ = compared(sides, story)[-1]
    assert status == (200 if token.endswith("Inquiry") else 400)


def test_captures(sides):
    """What is reserved is captured once, in part or whole, or released whole."""

    def story(talk):
        paid = talk.charge(capture="false")
        talk.post("/v1/refunds", charge=paid, amount=100)
        talk.post(f"/v1/charges/{paid}/capture", amount=3000)
        talk.post(f"/v1/charges/{paid}/capture")
        talk.post("/v1/refunds", charge=paid, amount=3001)
        talk.post("/v1/refunds", charge=paid, amount=3000)
        other = talk.charge(capture="false")
        talk.post("/v1/refunds", charge=other)
        talk.get(f"/v1/charges/{other}")
        talk.post("/v1/charges/ch_no/capture")

    compared(sides, story)


@pytest.mark.parametrize(
    "given",
    [
        {"amount": "10", "currency": "usd", "source": "tok_visa"},
        {"amount": "0", "currency": "usd", "source": "tok_visa"},
        {"amount": "100000000", "currency": "usd", "source": "tok_visa"},
        {"amount": "500", "currency": "dollars", "source": "tok_visa"},
        {"amount": "500", "currency": "USD", "source": "tok_visa"},
        {"amount": "500", "currency": "usd"},
        {"amount": "500", "source": "tok_visa"},
        {"currency": "usd", "source": "tok_visa"},
        {"amount": "500", "currency": "usd", "customer": "cus_no"},
        {"amount": "500", "currency": "usd", "source": "tok_chargeDeclined"},
        {"amount": "500", "currency": "usd", "source": "tok_chargeDeclinedInsufficientFunds"},
        {"amount": "500", "currency": "usd", "source": "tok_chargeDeclinedFraudulent"},
        {"amount": "500", "currency": "usd", "source": "tok_chargeDeclinedProcessingError"},
    ],
    ids=str,
)
def test_payments_that_cannot_be(sides, given):
    """What is missing, wrong or declined is told alike."""
    compared(sides, lambda talk: talk.post("/v1/charges", **given))


def test_what_is_missing(sides):
    """Unknown ids are told alike, wherever they stand."""

    def story(talk):
        talk.get("/v1/charges/ch_no")
        talk.get("/v1/refunds/re_no")
        talk.get("/v1/charges", starting_after="ch_no")
        talk.get("/v1/customers/cus_no")

    assert {status for status, *_ in compared(sides, story)} == {404}


def test_customers_and_their_pages(sides):
    """A customer's card pays, and the refunds of a charge come in the same pages, newest first."""

    def story(talk):
        who = talk.post("/v1/customers", email="a@shop.example", source="tok_visa")["id"]
        paid = talk.post("/v1/charges", amount=900, currency="usd", customer=who)["id"]
        made = []
        for number in range(4):
            made.append(talk.post("/v1/refunds", charge=paid, amount=100 + number)["id"])
            time.sleep(1.01)  # there what is made within one second has no order
        talk.get("/v1/refunds", charge=paid, limit=2)
        for cursor in ("starting_after", "ending_before"):
            for one in made:
                talk.get("/v1/refunds", charge=paid, limit=2, **{cursor: one})

    compared(sides, story)


@pytest.mark.parametrize("seed", range(4))
def test_long_stories(sides, seed):
    """Forty random requests on a few charges, keys used again now and then: no difference."""

    def story(talk):
        dice = random.Random(seed)
        charges = [talk.charge(dice.choice([50, 1000, 1999])) for _ in range(3)]
        charges.append(talk.charge(2000, capture="false"))
        asked = []
        for number in range(40):
            which, amount = dice.randrange(4), dice.choice([0, 1, 50, 333, 999, 2000, 5000])
            form = {"charge": charges[which], **({"amount": amount} if dice.random() < 0.8 else {})}
            again = bool(asked) and dice.random() < 0.25
            key, form = dice.choice(asked) if again else (f"{charges[0]}-{number}", form)
            if form.get("amount") != 0:  # keys of failed validation are not compared
                asked.append((key, form))
            talk.post("/v1/refunds", key=key, **form)
            talk.get(f"/v1/charges/{form['charge']}")

    statuses = [status for status, *_ in compared(sides, story)]
    assert statuses.count(200) > 45 and statuses.count(400) > 5


def test_without_a_referee_there_is_a_sentence(tmp_path, monkeypatch):
    """Where it cannot be installed its tests fail, and say what to do; nothing half done stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(referee, "commands", lambda _: [["false"], ["no-such-program"]])
    with pytest.raises(referee.NoReferee, match="node and npm"):
        referee.installed()
    assert [path.suffix for path in (tmp_path / "gated-agents").iterdir()] == [".lock"]

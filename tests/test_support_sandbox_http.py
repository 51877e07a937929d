"""The local Stripe over HTTP: who may ask for what, how lists come in pages, and its file."""

import base64
import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import requests
import sandboxes
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from sandboxes import AUTHORISED, charged, client_of, posted, refused

from apps.support.errors import SupportError
from apps.support.money import Money
from apps.support.sandbox import KEY, seeding, serving
from apps.support.sandbox.answering import Answering, Asked
from apps.support.sandbox.creating import CHARGE, INTENT
from apps.support.sandbox.errors import Refusal
from apps.support.sandbox.form import parsed
from apps.support.sandbox.refunds import NEW
from apps.support.sandbox.state import State
from apps.support.sandbox.turn import VERSION, Setup

sandbox, v1 = sandboxes.sandbox, sandboxes.v1
LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
NAMES = [*CHARGE, *INTENT, *NEW, "limit", "starting_after", "created[gt]", "created[x]", "expand[]"]
NAMES += ["metadata[k]", "metadata[]", "metadata[a][b]", "expand[0]", "a[b", "types[]", "amount[]"]
TEXTS = st.sampled_from(["", "0", "1", "50", "true", "usd", "jpy", "tok_visa", "data.", "re_1"])
TEXTS |= st.text(max_size=12) | st.integers().map(str)


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    """What answers, without a server around it."""
    with closing(State(tmp_path_factory.mktemp("answering") / "s.db")) as state:
        yield Answering(state, Setup())


# Who asks, and for what


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer {KEY}", 200),
        ("Basic " + base64.b64encode(f"{KEY}:".encode()).decode(), 200),
        ("Bearer sk_test_another_key_of_some_length", 401),
        ("Bearer ", 401),
        ("Basic %%%", 401),
        ("Basic /w==", 401),
        (KEY, 401),
        ("", 401),
    ],
)
def test_only_the_key_opens(sandbox, header, status):
    """Every other key is turned away with Stripe's body, and is not repeated whole."""
    answer = requests.get(f"{sandbox.url}/v1/charges", headers={"Authorization": header}, timeout=9)
    assert answer.status_code == status and answer.headers["Request-Id"].startswith("req_")
    if status == 401:
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert "another_key" not in answer.text


def test_the_client_names_a_wrong_key(sandbox):
    """The official client understands the answer."""
    wrong = stripe.StripeClient("sk_test_wrong", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError):
        wrong.v1.charges.list()


def test_the_client_sends_the_version_that_is_kept(v1):
    """The rules are those of the version that the installed client asks for."""
    assert v1.charges.list().last_response.headers["Stripe-Version"] == VERSION


@pytest.mark.parametrize("kind", ["charges", "refunds", "customers", "payment_intents", "disputes"])
def test_what_is_not_there_is_missing(v1, kind):
    """An unknown id is 404 with the parameter's name."""
    assert refused(getattr(v1, kind).retrieve, "x_1") == (404, "resource_missing", "id")
    told = refused(getattr(v1, kind).list, {"starting_after": "x_1"})
    assert told == (404, "resource_missing", "starting_after")


def test_a_refund_of_nothing_is_missing(v1):
    """The parameter that names it is told."""
    assert refused(v1.refunds.create, {"charge": "ch_no"}) == (404, "resource_missing", "charge")
    assert refused(v1.refunds.create, {"payment_intent": "pi_no"})[2] == "payment_intent"


@pytest.mark.parametrize(
    "odd",
    [
        {"amonut": 5},
        {"reverse_transfer": True},
        {"reason": "because"},
        {"metadata": "text"},
        {"expand": ["balance"]},
    ],
)
def test_unknown_parameters_are_refused(v1, odd):
    """A typing mistake never refunds everything."""
    paid = charged(v1)
    assert refused(v1.refunds.create, {"charge": paid.id, **odd})[0] == 400
    assert v1.charges.retrieve(paid.id).amount_refunded == 0


def test_other_paths_and_methods_are_404(sandbox):
    """What the sandbox does not have is told like Stripe tells it."""
    for method, path in [("get", "/v1/balance"), ("delete", "/v1/customers/x"), ("get", "/")]:
        answer = requests.request(method, sandbox.url + path, headers=AUTHORISED, timeout=9)
        assert (answer.status_code, answer.json()["error"]["type"]) == (
            404,
            "invalid_request_error",
        )


@pytest.mark.parametrize(
    "body",
    [
        "a[=1",
        "[a]=1",
        "charge=ch_1&charge[x]=1",
        "charge[x]=1&charge=ch_1",
        "charge[x]=1",
        "a[b][c][d][e][f][g][h]=1",
        "charge=%ff",
        "&".join(f"a{number}=1" for number in range(1001)),
        b"charge=\xff",
    ],
)
def test_a_body_that_is_no_form_is_refused(sandbox, body):
    """Hostile bodies are a 400 with a sentence, never a 500."""
    assert posted(sandbox, "/v1/refunds", body).status_code == 400


@pytest.mark.parametrize("name", ["a[", "[a]", "a]b", "a[b]c", "", "a[b][c][d][e][f][g]", "a[[b]]"])
def test_a_name_that_is_none_is_refused(name):
    """Brackets that do not match, or too many of them, are not guessed at."""
    with pytest.raises(Refusal):
        parsed(f"{name}=1")


@given(
    path=st.sampled_from(["refunds", "charges", "customers", "payment_intents", "refunds/re_1"]),
    fields=st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), TEXTS), max_size=6),
    get=st.booleans(),
)
@settings(max_examples=150)
def test_hostile_parameters_are_a_refusal(answering, path, fields, get):
    """Whatever is sent, the answer is a refusal or a result, and never an error of the server."""
    form = urlencode(fields)
    asked = Asked(
        method="GET" if get else "POST",
        path=f"/v1/{path}",
        query=form if get else "",
        body=b"" if get else form.encode(),
        headers={"authorization": f"Bearer {KEY}", "idempotency-key": form[:9]},
    )
    answer = answering.answer(asked)
    assert 200 <= answer.status < 500
    json.dumps(answer.body)


def test_a_body_of_another_kind_is_refused(sandbox):
    """JSON is not what Stripe's first API speaks, and a huge body is not read."""
    json_body = posted(sandbox, "/v1/refunds", "{}", **{"Content-Type": "application/json"})
    assert json_body.status_code == 400
    assert posted(sandbox, "/v1/refunds", b"a" * 1_000_001).status_code == 413


def test_nested_names_are_read():
    """Dicts, counted lists and appended ones come out as they went in."""
    assert parsed("a[0]=x&a[1]=y&m[k][l]=%C3%BC&e=&p+q=1&z[]=1&z[]=2") == {
        "a": ["x", "y"],
        "m": {"k": {"l": "ü"}},
        "e": "",
        "p q": "1",
        "z": ["1", "2"],
    }


# Lists


def test_pages_hold_everything_once(v1):
    """Newest first, forwards and backwards, whatever the size of a page."""
    who = v1.customers.create({"email": "pages@shop.example", "source": "tok_visa"})
    made = [
        v1.charges.create({"amount": 100 + number, "currency": "usd", "customer": who.id}).id
        for number in range(7)
    ]
    pages = v1.charges.list({"customer": who.id, "limit": 3})
    assert pages.has_more and [one.id for one in pages.auto_paging_iter()] == made[::-1]
    last = v1.charges.list({"customer": who.id, "ending_before": made[0], "limit": 100})
    assert [one.id for one in last.data] == made[:0:-1] and not last.has_more
    near = v1.charges.list({"customer": who.id, "ending_before": made[0], "limit": 2})
    assert [one.id for one in near.data] == [made[2], made[1]] and near.has_more
    assert not v1.charges.list({"customer": who.id, "starting_after": made[0]}).data


@pytest.mark.parametrize("limit", [0, 101, -1, "x"])
def test_a_page_holds_1_to_100(v1, limit):
    """Other sizes are refused."""
    assert refused(v1.charges.list, {"limit": limit})[2] == "limit"


def test_lists_know_when(tmp_path):
    """`created` bounds a list on both sides, and is exact when it is one number."""
    path = tmp_path / "s.db"
    with seeding(path) as past:
        who = past.customer("when@shop.example", created=LONG_AGO)
        euro = Money(amount=100, currency="eur")
        days = [LONG_AGO + timedelta(days=day) for day in range(4)]
        made = [past.charge(who, euro, created=day) for day in days]
    with serving(path) as sandbox:
        v1 = client_of(sandbox).v1

        def found(created):
            return [one.id for one in v1.charges.list({"created": created}).data]

        second = int(days[1].timestamp())
        assert found({"gte": second, "lt": int(days[3].timestamp())}) == [made[2], made[1]]
        assert found({"gt": second}) == [made[3], made[2]]
        assert found(second) == [made[1]]
        assert refused(v1.charges.list, {"created": {"near": 1}})[0] == 400


def test_customers_are_found_by_their_address(v1):
    """All with that address, and nobody else."""
    made = [v1.customers.create({"email": "two@shop.example", "name": n}).id for n in "ab"]
    v1.customers.create({"email": "two@shop.example.evil"})
    assert [one.id for one in v1.customers.list({"email": "two@shop.example"}).data] == made[::-1]
    assert v1.customers.retrieve(made[0]).name == "a"


def test_ids_can_be_shown_whole(v1):
    """`expand` puts the object in place of its id, deep inside lists too."""
    who = v1.customers.create({"email": "who@shop.example", "source": "tok_visa"})
    intent = v1.payment_intents.create(
        {
            "amount": 100,
            "currency": "usd",
            "confirm": True,
            "customer": who.id,
            "payment_method": "pm_card_visa",
            "expand": ["latest_charge.customer"],
        }
    )
    assert intent.latest_charge.customer.email == "who@shop.example"
    made = v1.refunds.create({"payment_intent": intent.id, "amount": 1})
    listed = v1.charges.list({"customer": who.id, "expand": ["data.customer", "data.refunds"]})
    assert listed.data[0].customer.id == who.id
    assert [one.id for one in listed.data[0].refunds.data] == [made.id]
    assert v1.refunds.retrieve(made.id, {"expand": ["charge"]}).charge.id == made.charge


# The file


def test_what_was_answered_is_still_there_after_a_restart(tmp_path):
    """Another server on the same file knows the charge, its refund and the key."""
    path = tmp_path / "s.db"
    with serving(path) as sandbox:
        v1 = client_of(sandbox).v1
        paid = charged(v1)
        first = v1.refunds.create({"charge": paid.id, "amount": 5}, {"idempotency_key": "k"})
    with serving(path) as sandbox:
        v1 = client_of(sandbox).v1
        again = v1.refunds.create({"charge": paid.id, "amount": 5}, {"idempotency_key": "k"})
        assert again.id == first.id and v1.charges.retrieve(paid.id).amount_refunded == 5


def test_two_servers_share_one_file(tmp_path):
    """The same key at both refunds once, and neither lets the other pay too much."""
    path = tmp_path / "s.db"
    with serving(path) as one, serving(path) as two:
        both = [client_of(at).v1 for at in (one, two)]
        paid = charged(both[0], 1000)

        def refund(number):
            key = {"idempotency_key": f"k{number // 2}"}
            try:
                return both[number % 2].refunds.create({"charge": paid.id, "amount": 100}, key).id
            except stripe.StripeError as error:
                return error.http_status

        with ThreadPoolExecutor(8) as threads:
            made = {*threads.map(refund, range(40))} - {400, 409}
        assert len(made) == 10
        assert both[1].charges.retrieve(paid.id).amount_refunded == 1000


def test_a_file_that_stays_locked_is_told(tmp_path):
    """A request that cannot write in time is refused with Stripe's code, and nothing is done."""
    path = tmp_path / "s.db"
    headers = {"authorization": f"Bearer {KEY}"}
    asked = Asked(method="POST", path="/v1/customers", body=b"name=Ann", headers=headers)
    with closing(State(path)) as other, closing(State(path, patience=0.05)) as state:
        answering = Answering(state, Setup())
        with other.writing():
            answer = answering.answer(asked)
        assert (answer.status, answer.body["error"]["code"]) == (429, "lock_timeout")
        assert answering.answer(asked).status == 200
        with state.reading() as rows:
            assert len(rows.all("customer")) == 1


def test_a_file_of_something_else_is_left_alone(tmp_path):
    """Another program's database, a text and a folder are each one sentence."""
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    (tmp_path / "text").write_text("no database " * 100, "utf-8")
    for path in (other, tmp_path / "text", tmp_path, tmp_path / "no" / "s.db"):
        with pytest.raises(SupportError) as caught, serving(path):
            pass
        assert str(caught.value).count("\n") == 0
    assert (tmp_path / "text").read_text("utf-8").startswith("no database")


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    """The file is free again afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with pytest.raises(SupportError, match=str(port)), serving(tmp_path / "s.db", port=port):
            pass
    State(tmp_path / "s.db").close()


def test_a_past_is_written_whole_or_not_at_all(tmp_path):
    """A seed that breaks off leaves nothing, and one seed makes the same ids."""
    path = tmp_path / "s.db"
    euro = Money(amount=1000, currency="eur")

    def too_much():
        with seeding(path) as past:
            who = past.customer("a@shop.example", created=LONG_AGO)
            past.refund(past.charge(who, euro, created=LONG_AGO), 1001, created=LONG_AGO)

    with pytest.raises(SupportError, match="left"):
        too_much()
    made = []
    for number in range(2):
        with seeding(tmp_path / f"{number}.db", seed=3) as past:
            who = past.customer("a@shop.example", "Ann", created=LONG_AGO)
            paid = past.charge(who, euro, created=LONG_AGO, description="#1042", method="tok_jcb")
            back = past.refund(paid, 400, created=LONG_AGO + timedelta(days=3))
            made.append((who, paid, back, past.dispute(paid, created=LONG_AGO)))
    assert made[0] == made[1]
    with serving(path) as empty, serving(tmp_path / "1.db") as seeded:
        nothing, v1 = (client_of(at).v1 for at in (empty, seeded))
        assert nothing.customers.list().data == [] and v1.events.list().data == []
        charge = v1.charges.retrieve(made[0][1])
        assert (charge.amount_refunded, charge.disputed) == (400, True)
        assert (charge.created, charge.description) == (int(LONG_AGO.timestamp()), "#1042")
        assert v1.payment_intents.retrieve(charge.payment_intent).latest_charge == charge.id
        assert v1.refunds.retrieve(made[0][2]).created == charge.created + 3 * 86_400

"""Slack over HTTP: what is not signed just now, by Slack, for the first time, is nobody's word."""

import socket
import threading

import pytest
import requests
from calling import Calls
from hypothesis import HealthCheck, given
from hypothesis import settings as times
from hypothesis import strategies as st
from people import eventually
from slack_api import SlackApi
from test_slack import buttons, settings, shown, until_it_says

from core import SqliteStore
from core.approvers.chat.listening import Address
from core.approvers.slack import Slack
from core.approvers.slack.door import is_checkable


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace that posts to us, a window, and one request that waits."""
    folder = tmp_path_factory.mktemp("http")
    told, store = [], SqliteStore(folder / "approvals.db")
    with SlackApi() as api:
        for user in ("U1ANA", "U2BO"):
            api.user(user)
        how = settings(api, http=Address(port=0), app_token="", signing_secret=api.signing_secret)
        slack = Slack(store, how, notes=folder / "notes", say=told.append)
        api.request_url = told[0].rpartition(" ")[2]
        calls = Calls(store, slack)
        calls.start("ch_1", 4500)
        yield api, store, calls, shown(api)
        slack.close()
        store.close()


@pytest.fixture
def click(world):
    """A click on Approve, as Slack would send it."""
    api, _, _, message = world
    return api.users["U1ANA"].clicked(message, "approve")


def post(api, headers, body):
    """Send something to our address; the headers may be a list, with some twice."""
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    where = urlsplit(api.request_url)
    connection = HTTPConnection(where.hostname, where.port, timeout=10)
    connection.putrequest("POST", where.path)
    pairs = headers.items() if isinstance(headers, dict) else headers
    for name, value in pairs:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def votes(world):
    """How many votes there are on what waits."""
    [waiting] = world[1].pending()
    return len(waiting.votes)


def test_every_byte_is_signed(world, click):
    """Whatever byte of signature, time or body is another one: 401, and no vote."""
    api = world[0]
    headers, body = api.signed(click)
    changed = []
    for name in ("X-Slack-Signature", "X-Slack-Request-Timestamp"):
        value = headers[name]
        for at in range(len(value)):
            other = "1" if value[at] != "1" else "2"
            changed.append(({**headers, name: value[:at] + other + value[at + 1 :]}, body))
    for at in range(0, len(body), 7):
        other = b"x" if body[at : at + 1] != b"x" else b"y"
        changed.append((headers, body[:at] + other + body[at + 1 :]))
    changed += [(headers, body[:-1]), (headers, body + b"&"), (headers, b"")]
    assert {post(api, *one) for one in changed} == {401} and len(changed) > 150
    assert votes(world) == 0


@pytest.mark.parametrize("seconds", [-301, -86_400, 301, 86_400])
def test_old_and_future_requests_are_refused(world, click, seconds):
    """Five minutes in either direction, and no more."""
    api = world[0]
    assert post(api, *api.signed(click, at=api.clock() + seconds)) == 401
    assert votes(world) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Slack-Request-Timestamp", word)
        for word in ("", "x", "1e9", "-1", "9" * 400, "١٢٣", "1531420618.5", " ", "0x10", "NaN")
    ]
    + [("X-Slack-Signature", word) for word in ("", "v0=", "v1=00", "é", "v0=" + "0" * 64, "\x7f")],
)
def test_odd_headers_are_refused(world, click, name, value):
    """No header makes it stumble: 401, never a 5xx."""
    api = world[0]
    headers, body = api.signed(click)
    encoded = {**headers, name: value.encode("utf-8")}
    assert post(api, encoded, body) == 401 and votes(world) == 0


@pytest.mark.parametrize("name", ["X-Slack-Signature", "X-Slack-Request-Timestamp"])
def test_missing_and_double_headers_are_refused(world, click, name):
    """A header that is not there, or there twice, signs nothing."""
    api = world[0]
    headers, body = api.signed(click)
    pairs = list(headers.items())
    assert post(api, [pair for pair in pairs if pair[0] != name], body) == 401
    assert post(api, [*pairs, (name, headers[name])], body) == 401
    assert votes(world) == 0


def test_another_secret_signs_nothing(world, click):
    """Whoever does not know the secret decides nothing."""
    api = world[0]
    assert post(api, *api.signed(click, secret="guessed")) == 401 and votes(world) == 0


@pytest.mark.parametrize(
    "body", [b"payload=\xff\xfe", b"\x80", b"payload=%ff", b"{}", b"payload=["]
)
def test_bodies_that_are_no_payload(world, body):
    """Signed or not, what makes no sense is a 4xx and no vote."""
    import hashlib
    import hmac

    api = world[0]
    stamp = str(int(api.clock()))
    base = b"v0:" + stamp.encode() + b":" + body
    signature = hmac.new(api.signing_secret.encode(), base, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"}
    assert post(api, headers, body) in {400, 401} and votes(world) == 0


def test_a_long_body_is_cut_off(world):
    """Nobody fills our memory."""
    assert post(world[0], {}, b"x" * 1_000_001) == 413


def test_other_addresses_and_methods(world):
    """There is one address to post to, and one that says that we are there."""
    api = world[0]
    root = api.request_url.rpartition("/slack")[0]
    assert requests.get(f"{root}/healthz", timeout=5).text == "ok"
    assert requests.get(api.request_url, timeout=5).status_code == 405
    assert requests.post(f"{root}/slack/events", timeout=5).status_code == 404


@given(st.text(), st.text(), st.binary())
@times(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_checkable_never_stumbles(timestamp, signature, body):
    """Whatever passes the first look can be verified without an exception."""
    from slack_sdk.signature import SignatureVerifier

    if is_checkable(timestamp, signature, body):
        assert SignatureVerifier("secret").is_valid(body, timestamp, signature) is False


def test_a_replay_is_refused_and_a_real_click_counts(world, click):
    """The very same request counts once, in whatever order it comes again."""
    api, store, calls, message = world
    headers, body = api.signed(click)
    answers = []

    def send():
        answers.append(post(api, headers, body))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [401] * 7
    assert calls.end() == "ch_1: 4500 paid back" and len(calls.ran) == 1
    assert post(api, headers, body) == 401
    assert buttons(until_it_says(api, message, "It ran and succeeded")) == []
    assert len(store.search()[0].votes) == 1


def test_a_form_over_http(tmp_path):
    """A form that is wrong stays open with the reason; one that is right decides."""
    told, store = [], SqliteStore(tmp_path / "approvals.db")
    with SlackApi() as api:
        ana = api.user("U1ANA")
        how = settings(api, http=Address(port=0), signing_secret=api.signing_secret)
        slack = Slack(store, how, notes=tmp_path / "notes", say=told.append)
        api.request_url = told[0].rpartition(" ")[2]
        calls = Calls(store, slack)
        calls.start("ch_1", 4500)
        ana.click(shown(api), "edit")
        eventually(lambda: ana.view)
        ana.submit(value_1="much")
        assert set(ana.errors) == {"value.1"}
        ana.submit(value_1="490")
        assert ana.view is None and str(calls.end()).startswith("ch_1: 490 paid back")
        slack.close()
    store.close()


def test_a_taken_port_is_one_sentence(tmp_path):
    """Two windows cannot listen at one address, and the second one says so."""
    store = SqliteStore(tmp_path / "approvals.db")
    with SlackApi() as api, socket.create_server(("127.0.0.1", 0)) as taken:
        where = Address(port=taken.getsockname()[1])
        how = settings(api, http=where, signing_secret=api.signing_secret)
        with pytest.raises(RuntimeError, match=rf"nothing can listen at 127.0.0.1:{where.port}"):
            Slack(store, how, notes=tmp_path / "notes")
    store.close()

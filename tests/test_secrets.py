"""A parameter marked secret is written nowhere, and still reaches the function."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from people import YES, Says

from core import (
    Approve,
    Edit,
    MemoryStore,
    OutcomeUnknown,
    Panel,
    Preview,
    Reject,
    Rejected,
    Risk,
    SqliteStore,
    gate,
    run,
)
from core.audit import export

SECRET = 'hunter2-"\\-ключ'


@dataclass
class Login:
    user: str
    password: str


SECRETS = [SECRET, SECRET.encode(), {"key": [SECRET]}, Login("ana", SECRET)]


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


def everything(store, tmp_path):
    """Return all that the store keeps and shows, as text."""
    exported = tmp_path / "export.csv"
    with exported.open("w") as file:
        export(store.trail(), file, "csv")
    files = [path for path in tmp_path.rglob("*") if not path.name.endswith(".key")]
    data = b"".join(path.read_bytes() for path in files if path.is_file())
    return data.decode("utf-8", "replace") + repr(store.search()) + repr(list(store.trail()))


def assert_hidden(text):
    for form in (SECRET, json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1], "hunter2"):
        assert form not in text


@pytest.mark.parametrize("secret", SECRETS, ids=lambda value: type(value).__name__)
def test_a_secret_reaches_the_function_and_nothing_else(secret, store, tmp_path):
    """Store, trail, request, preview, rules and result texts never have it; the function does."""
    seen, given = [], []

    def look(**arguments):
        given.append(repr(arguments))
        return Preview(summary=repr(arguments))

    def tool(token, amount: int):
        given.append(repr(store.search()))
        seen.append(token)
        return "done"

    def policy(request):
        given.append(repr(request))

    def approver(request):
        given.append(repr(request))
        return [Edit(by="ana", arguments={"amount": 2}), YES][min(request.revision, 1)]

    rules = {"preview": look, "policies": [policy], "secret": ["token"]}
    rules["risk"] = lambda **a: given.append(repr(a)) or Risk.LOW
    rules["panel"] = lambda **a: given.append(repr(a)) or Panel()
    gate(tool, approver=approver, store=store, **rules)(secret, 1)
    assert seen == [secret]
    assert type(seen[0]) is type(secret)
    assert_hidden("".join(given))
    assert_hidden(everything(store, tmp_path))


@pytest.mark.parametrize("secret", SECRETS, ids=lambda value: type(value).__name__)
def test_an_error_or_a_result_with_a_secret_in_it_is_not_kept(secret, store, tmp_path):
    """What a tool says about its secret is told to the agent that gave it, and to no file."""

    def fails(token):
        raise LookupError(f"cannot use {token!r} or {SECRET} or {[SECRET]}")

    def unknown(token):
        raise OutcomeUnknown(f"lost {SECRET}")

    def echoes(token):
        return {"got": [token], SECRET: 1}

    def ends(token):
        raise KeyError(SECRET)

    for tool in (fails, unknown, echoes, ends):
        gated = gate(tool, approver=Says(YES), store=store, secret=["token"])
        if tool is echoes:
            assert gated(secret) == {"got": [secret], SECRET: 1}
        else:
            with pytest.raises((LookupError, OutcomeUnknown), match="hunter2"):
                gated(secret)
    assert_hidden(everything(store, tmp_path))


def test_people_see_a_label_and_a_fingerprint(store):
    """The same secret has the same fingerprint, another has another; a bare hash it is not."""
    approver = Says(YES, YES, YES)
    gated = gate(lambda token: None, approver=approver, store=store, secret=["token"])
    gated("one-secret")
    gated("one-secret")
    gated("other-secret")
    shown = [request.arguments["token"] for request in approver.seen]
    assert [secret.label for secret in shown] == ["token"] * 3
    first, second, third = (secret.fingerprint for secret in shown)
    assert first == second != third
    assert re.fullmatch("[0-9a-f]{16}", first)
    elsewhere = Says(YES)
    gate(lambda token: None, approver=elsewhere, store=MemoryStore(), secret=["token"])(
        "one-secret"
    )
    assert elsewhere.seen[0].arguments["token"].fingerprint != first, "it needs the store's key"


def test_a_secret_changed_after_the_call_does_not_change_what_runs(store):
    """Its fingerprint was approved, so that very value runs."""
    login, seen = {"password": "first"}, []

    def approver(request):
        login["password"] = "second"
        return YES

    def tool(token):
        seen.append(token)

    gate(tool, approver=approver, store=store, secret=["token"])(login)
    assert seen == [{"password": "first"}]


def test_a_secret_of_an_approval_found_again_is_the_one_given_now(store):
    """A later attempt brings the secret itself; another secret is another call."""

    def tool(token):
        return "done"

    for secret, approver in (("one-secret", Says(YES)), ("one-secret", Says())):
        with run("ticket"):
            gated = gate(tool, approver=approver, store=store, secret=["token"])
            assert gated(secret) == "done"
    with run("ticket"), pytest.raises(Rejected, match="another call"):
        gate(tool, approver=Says(), store=store, secret=["token"])("other-secret")


def test_a_secret_that_cannot_be_frozen_is_refused_without_being_told(store):
    """The sentence names the type and not the value."""

    class Token(str):
        __slots__ = ()

    with pytest.raises(TypeError, match="was not run") as caught:
        gate(lambda token: None, approver=Says(), store=store, secret=["token"])(Token(SECRET))
    assert_hidden(str(caught.value))


def test_messages_to_the_agent_have_no_secret(store):
    """Rejections and unknown outcomes speak of the call, not of what was hidden."""
    gated = gate(
        lambda token: None,
        approver=Says(Reject(by="ana", reason="no")),
        store=store,
        secret=["token"],
    )
    with pytest.raises(Rejected) as caught:
        gated(SECRET)
    assert_hidden(str(caught.value) + repr(caught.value) + repr(vars(caught.value)))


def test_a_default_of_a_secret_parameter_is_hidden_too(store, tmp_path):
    """Nobody passed it, and it is as secret as if somebody had."""

    def tool(amount, token=SECRET):
        return None

    approver = Says(Approve(by="ana"))
    gate(tool, approver=approver, store=store, secret=["token"])(1)
    assert_hidden(repr(approver.seen))
    assert_hidden(everything(store, tmp_path))


def test_the_key_of_the_fingerprints_lies_apart_and_is_private(store, tmp_path):
    """A copy of the store alone cannot be used to guess a secret."""
    gate(lambda token: None, approver=Says(YES), store=store, secret=["token"])("x" * 20)
    key = Path(f"{store.path}.key")
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_bytes() not in store.path.read_bytes()

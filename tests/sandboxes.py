"""What tests of the local Stripe share: one that is served, its official client, and refusals."""

import pytest
import requests
import stripe

from apps.support.sandbox import KEY, serving

AUTHORISED = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """One sandbox for the tests of a module; each makes charges of its own."""
    path = tmp_path_factory.mktemp("sandbox") / "stripe.db"
    with serving(path, settles=3600) as sandbox:
        yield sandbox


@pytest.fixture
def v1(sandbox):
    """The official client, pointed at the sandbox; it tries once."""
    return client_of(sandbox).v1


def client_of(sandbox, **options):
    """Return the official client for a sandbox."""
    return stripe.StripeClient(sandbox.key, base_addresses={"api": sandbox.url}, **options)


def charged(v1, amount=5000, source="tok_visa", currency="eur", **more):
    """A fresh charge."""
    return v1.charges.create({"amount": amount, "currency": currency, "source": source, **more})


def refused(call, *given, **options):
    """The error of a call that has to fail: its status, code and parameter."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*given, **options)
    error = caught.value.json_body["error"]
    return caught.value.http_status, error.get("code"), error.get("param")


def posted(sandbox, path, body="", **headers):
    """A raw POST, for what the client would never send."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return requests.post(
        f"{sandbox.url}{path}", data=body, headers={**AUTHORISED, **kind, **headers}, timeout=30
    )


def events(v1, about, *types):
    """Types of the events about one object, oldest first."""
    found = v1.events.list({"limit": 100, **({"types": list(types)} if types else {})})
    return [one.type for one in reversed(found.data) if one.data.object["id"] == about]

"""The local Stripe as a process: it tells webhooks what happened, and survives `kill -9`."""

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe
from people import eventually

from apps.support.sandbox import KEY, SECRET, serving
from apps.support.sandbox.webhooks import deliver

PROGRAM = [sys.executable, "-m", "apps.support.sandbox"]


@contextmanager
def ear(*statuses):
    """Listen for webhooks: yield the address and what was heard; answer as told, then 200."""
    heard, answers = [], list(statuses)

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((body, self.headers["stripe-signature"]))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook?from=sandbox", heard
        server.shutdown()


@contextmanager
def started(path, *words, port=0):
    """Run the program; yield the process and its address."""
    command = [*PROGRAM, "--state", str(path), "--port", str(port), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()[0]
        finally:
            process.kill()


def client_of(url, retries=0):
    """The official client's first API."""
    client = stripe.StripeClient(KEY, base_addresses={"api": url}, max_network_retries=retries)
    return client.v1


def charged(v1, source="tok_visa", amount=5000):
    """A fresh charge."""
    return v1.charges.create({"amount": amount, "currency": "eur", "source": source})


def kinds(heard):
    """The types of the events that were heard, and what they are about."""
    return [(e["type"], e["data"]["object"]["id"]) for e in (json.loads(body) for body, _ in heard)]


@pytest.mark.slow
def test_a_refund_that_fails_is_told_and_signed(tmp_path):
    """What happens to a refund arrives as Stripe's events, which the official check accepts."""
    with ear() as (url, heard), serving(tmp_path / "s.db", webhook=url) as sandbox:
        v1 = client_of(sandbox.url)
        made = v1.refunds.create({"charge": charged(v1, "tok_refundFail").id})
        sandbox.settle()
        assert eventually(lambda: ("refund.failed", made.id) in kinds(heard))
        assert [kind for kind, about in kinds(heard) if about == made.id] == [
            *("refund.created", "refund.updated", "charge.refund.updated"),
            "refund.failed",
        ]
        for body, signature in heard:
            event = stripe.Webhook.construct_event(body, signature, sandbox.secret)
            assert event.id == v1.events.retrieve(event.id).id
        failed = json.loads(heard[-1][0])
        assert failed["data"]["object"]["failure_reason"] == "expired_or_canceled_card"
        assert failed["data"]["previous_attributes"]["status"] == "succeeded"


def test_another_secret_signs_otherwise(tmp_path):
    """A receiver that was given another secret hears nothing that it would accept."""
    with (
        ear() as (url, heard),
        serving(tmp_path / "s.db", webhook=url, secret="whsec_other") as sandbox,
    ):
        charged(client_of(sandbox.url))
        assert eventually(lambda: heard)
        stripe.Webhook.construct_event(*heard[0], "whsec_other")
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(*heard[0], SECRET)


@pytest.mark.slow
def test_who_does_not_listen_is_told_again(tmp_path):
    """An event comes again until it is taken, then never again."""
    with ear(500, 302, 404) as (url, heard), serving(tmp_path / "s.db", webhook=url) as sandbox:
        charged(client_of(sandbox.url))
        assert eventually(lambda: len(heard) == 4)
        assert len({body for body, _ in heard}) == 1

        def states():
            with sandbox.state.reading() as rows:
                return rows.run("SELECT state, tries FROM deliveries")

        assert eventually(lambda: states() == [("delivered", 4)])


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path):
    """Nobody listened while it happened; the next server tells it."""
    with ear() as (url, heard):
        with serving(tmp_path / "s.db", webhook="http://127.0.0.1:9/nobody") as sandbox:
            charged(client_of(sandbox.url))
            with sandbox.state.writing() as rows:
                rows.run("UPDATE deliveries SET url = ?, at = ?", url, time.time() + 0.2)
        with serving(tmp_path / "s.db") as sandbox:
            assert eventually(lambda: [kind for kind, _ in kinds(heard)] == ["charge.succeeded"])


def test_an_event_is_given_up_in_the_end(tmp_path):
    """After twelve tries nobody is told any more."""
    with serving(tmp_path / "s.db") as sandbox:
        charged(client_of(sandbox.url))
        with sandbox.state.writing() as rows:
            query = "INSERT INTO deliveries (event, url, tries, at, state) VALUES ('e', ?, ?, ?, ?)"
            rows.run(query, "http://127.0.0.1:9/", 11, time.time() + 3600, "due")
            rows.run("UPDATE deliveries SET at = 0")
        eventually(lambda: not deliver(sandbox.state, sandbox.setup))
        with sandbox.state.reading() as rows:
            assert rows.run("SELECT state, tries FROM deliveries") == [("given up", 12)]


@pytest.mark.slow
def test_the_program_says_where_it_is_and_ends_when_told(tmp_path):
    """One line with address, key and secret; Ctrl-C ends it without a trace."""
    with started(tmp_path / "s.db", "--settles", "0") as (process, url):
        v1 = client_of(url)
        made = v1.refunds.create({"charge": charged(v1, "tok_pendingRefund").id})
        assert v1.refunds.retrieve(made.id).status == "succeeded"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in {0, -signal.SIGINT}
        assert process.stdout.read() == ""


@pytest.mark.slow
def test_the_program_refuses_in_a_sentence(tmp_path):
    """A folder that is not there is told, without a traceback."""
    command = [*PROGRAM, "--state", str(tmp_path / "no" / "s.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert "s.db" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_killed_at_any_moment_it_refunds_once(tmp_path):
    """Killed again and again while refunds run: with their keys retried, each is made once."""
    path, total, rounds = tmp_path / "s.db", 60, 6
    with started(path) as (process, url):
        paid = charged(client_of(url), amount=total * 100)
        process.kill()
    port = int(url.rpartition(":")[2])
    over = threading.Event()
    answered = {}

    def refund_all():
        v1 = client_of(url)
        for number in range(total):
            said = {"charge": paid.id, "amount": 100, "metadata": {"request": f"r{number}"}}
            while number not in answered and not over.is_set():
                try:
                    made = v1.refunds.create(said, {"idempotency_key": f"r{number}"})
                    answered[number] = made.id
                except stripe.APIConnectionError:
                    time.sleep(0.02)

    worker = threading.Thread(target=refund_all, daemon=True)
    worker.start()
    try:
        for round_ in range(rounds):
            with started(path, port=port) as (process, _):
                done = len(answered)
                assert eventually(lambda done=done: len(answered) > done or not worker.is_alive())
                time.sleep(0.03 * round_)
                process.kill()
        with started(path, port=port) as (process, url):
            worker.join(60)
            v1 = client_of(url)
            made = list(v1.refunds.list({"charge": paid.id, "limit": 100}).auto_paging_iter())
            asked = [one.metadata["request"] for one in made]
            assert sorted(asked) == sorted(f"r{number}" for number in range(total))
            assert {one.id for one in made} == set(answered.values())
            assert v1.charges.retrieve(paid.id).amount_refunded == total * 100
    finally:
        over.set()

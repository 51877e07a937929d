"""A card through a Workflow announces a request, opens the dashboard, and decides nothing."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import teams_rules
from asking import asked
from people import eventually

from core import Preview
from core.approvers.patience import Patience
from core.approvers.teams.workflow import Workflow, envelope
from core.canonical import encode

QUICK = Patience(first=0.01, most=0.02)
SITE = "https://approvals.example.org"


@contextmanager
def receiver(*statuses):
    """Yield what is posted here, and the port; answers with those statuses, then with 200."""
    got, left = [], list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, body))
            self.send_response(left.pop(0) if left else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield got, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def request(**fields):
    """Return a request about a refund."""
    frozen = encode({"charge": "ch_1", "amount": 4500})
    return asked(frozen=frozen, **fields)


def test_a_workflow_posts_a_card_that_opens_the_dashboard():
    """Teams would show it, its only button is a link, and it is sent until it is taken."""
    one = request(preview=Preview(summary="45.00 go back"))
    with receiver(429, 502) as (got, port):
        url = f"http://127.0.0.1:{port}/workflows/x?sig=s3cret"
        Workflow(url, SITE, patience=QUICK)(one)
        eventually(lambda: len(got) == 3)
    sent = json.loads(got[-1][1])
    assert sent == envelope(one, SITE) and got[-1][0].endswith("sig=s3cret")
    [attachment] = sent["attachments"]
    teams_rules.check_card(attachment["content"], opens_only=True)
    assert f"{SITE}/requests/{one.id}" in json.dumps(attachment)


def test_a_workflow_that_fails_is_told_without_its_address():
    """The address is a secret: it is in no sentence."""
    told = []
    with receiver(*[500] * 20) as (_, port):
        workflow = Workflow(
            f"http://127.0.0.1:{port}/?sig=s3cret", SITE, say=told.append, patience=QUICK
        )
        workflow(request())
        eventually(lambda: told, 20)
    assert "s3cret" not in f"{told} {workflow!r}" and "could not be announced" in told[0]
    with pytest.raises(ValueError, match="https"):
        Workflow("http://example.org/", SITE)
    with pytest.raises(ValueError, match="dashboard"):
        Workflow("https://example.org/", "")


def test_a_workflow_shows_large_requests_in_part():
    """However large a request is, the card fits, and says how much more there is."""
    one = asked(frozen=encode({f"name{n}": "é" * 800 for n in range(100)}))
    card = envelope(one, SITE)["attachments"][0]["content"]
    teams_rules.check_card(card, opens_only=True)
    assert "more characters" in json.dumps(card, ensure_ascii=False) and "80 more" in json.dumps(
        card
    )

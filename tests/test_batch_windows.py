"""A batch in the other windows: the dashboard and the command line show it as one."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from html import unescape
from pathlib import Path

import pytest
from looking_back import ANA, Visitor, dashboard, program
from people import eventually

from core import Batch, SqliteStore, State, StoreError
from core.approvers.inbox import Inbox
from core.policies.conditional import ApproveIf

ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "approvals.db")
    yield made
    made.close()


@contextmanager
def waiting(store, amounts=(20, 300, 400)):
    """A batch before people: refunds and a reply on the last; yields its review and what ran."""
    ran = []

    def refund(charge: str, amount: int) -> int:
        ran.append((charge, amount))
        return amount

    def reply(text: str, paid: int) -> str:
        ran.append((text, paid))
        return "told"

    batch = Batch(approver=Inbox(store), store=store)
    small = ApproveIf(lambda amount: amount <= 50, because="at most 50 <b>")
    refund = batch.gate(refund, policies=[small])
    for number, amount in enumerate(amounts, 1):
        last = refund(f"ch_{number}", amount)
    batch.gate(reply)("sorry <script>", last)
    asked = 1 + sum(amount > 50 for amount in amounts)
    with ThreadPoolExecutor() as pool:
        review = pool.submit(batch.review_and_execute)
        try:
            eventually(lambda: len(store.pending(limit=5000)) == asked, seconds=20)
            eventually(lambda: len(store.search(state=State.SUCCEEDED)) == len(amounts) + 1 - asked)
            yield review, ran
        finally:
            for stored in store.pending(limit=5000):
                with suppress(StoreError):  # what needed another one is withdrawn with that
                    store.cancel(stored.request.id, by="test", because="over")


def ids(store):
    """The id of the batch, and the requests that wait by their number."""
    requests = {s.request.batch.number: s.request for s in store.pending()}
    (batch,) = {request.batch.id for request in requests.values()}
    return batch, requests


def approved(visitor, page):
    """Approve all that a page of a batch has ticked."""
    sent = dict(re.findall(r'name="(digest\.\w+)" value="(\w+)"', page.text))
    sent |= {"shown": re.findall(r'name="shown" value="(\w+)"', page.text)}
    sent |= {"id": re.findall(r'name="id" value="(\w+)" checked', page.text)}
    return visitor.fill("/batch", **sent, do="approve")


def test_the_inbox_and_a_request_lead_to_the_batch(store):
    """Every place where a call of it is shown links to all of it."""
    with waiting(store):
        visitor, (batch, requests) = Visitor(dashboard(store), ANA), ids(store)
        link = f'href="/batch?batch={batch}"'
        assert visitor.get("/").text.count(link) == 3
        page = visitor.get(f"/requests/{requests[4].id}").text
        assert link in page and "call 4 of 4, needs 3" in page
        assert "PENDING_APPROVAL_3 stands for the result of call 3" in unescape(page)


def test_the_batch_is_shown_as_a_graph_and_approved_together(store):
    """Numbers, needs, states and what policies decide; one answer approves all that wait."""
    with waiting(store) as (review, ran):
        visitor, (batch, requests) = Visitor(dashboard(store), ANA), ids(store)
        page = visitor.get(f"/batch?batch={batch}")
        assert page.status_code == 200 and "A batch of 4 calls" in page.text
        assert "sorry &lt;script&gt;" in page.text and "<b>" not in page.text
        assert "1 refund(charge=ch_1, amount=20): approved by policy" in page.text
        rows = re.findall(r"<tr><td>(\d)</td>.*?<td>([\w, ]+)</td><td><span", page.text)
        assert rows == [("1", "nothing"), ("2", "nothing"), ("3", "nothing"), ("4", "3")]
        answer = approved(visitor, page)
        assert "3 of 3 counted" in answer.text
        assert review.result(20) == {1: 20, 2: 300, 3: 400, 4: "told"}
        assert ran[-1] == ("sorry <script>", 400)
        assert {r.id for r in requests.values()} == {
            s.request.id for s in store.search() if s.decision.by == "ana"
        }


def test_a_batch_that_is_over_is_still_shown(store):
    """Afterwards the same address tells how each call ended."""
    with waiting(store) as (review, _):
        visitor, (batch, _) = Visitor(dashboard(store), ANA), ids(store)
        approved(visitor, visitor.get(f"/batch?batch={batch}"))
        review.result(20)
    page = visitor.get(f"/batch?batch={batch}").text
    assert page.count("succeeded") == 4 and "0 wait for people" in page


def test_a_large_batch_is_shown_in_parts(store):
    """The first hundred are decided together; the page says how many more there are."""
    with waiting(store, amounts=range(100, 220)):
        visitor, (batch, _) = Visitor(dashboard(store), ANA), _first(store)
        page = visitor.get(f"/batch?batch={batch}").text
        assert len(re.findall(r'name="shown"', page)) == 100
        assert "21 more" in page and page.count("<tr><td>") == 121


def _first(store):
    request = store.pending(limit=1)[0].request
    return request.batch.id, request


@pytest.mark.parametrize("batch", ["0" * 32, "x", "../..", "a" * 65, "<b>"])
def test_a_batch_that_is_not_there_is_told_so(store, batch):
    """Whatever is asked for in the address: 404, and nothing changes."""
    with waiting(store):
        answer = Visitor(dashboard(store), ANA).get(f"/batch?batch={batch}")
        assert answer.status_code == 404 and "no such batch" in answer.text
        assert all(s.state is State.PENDING for s in store.pending())


def test_a_program_reads_the_place_of_a_call(store):
    """The interface gives batch, number, size and needs of every request."""
    with waiting(store):
        batch, requests = ids(store)
        found = program(dashboard(store), ANA).get(f"/api/requests/{requests[4].id}").json()
        assert found["batch"] == {"id": batch, "number": 4, "of": 4, "needs": [3], "beside": []}


def test_the_command_line_names_batch_and_number(store):
    """A list says which call of which batch it is; `show` says what it needs and what is beside."""

    def core(*words):
        command = [sys.executable, "-m", "core", "--store", store.path, *words]
        done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with waiting(store):
        batch, requests = ids(store)
        listed = " ".join(core("pending").split())
        assert f"[call 2 of 4, batch {batch[:8]}]" in listed
        assert f"[call 4 of 4, needs 3, batch {batch[:8]}]" in listed
        shown = " ".join(core("show", requests[2].id).split())
        assert f"call 2 of 4 (batch {batch})" in shown
        assert "1 refund(charge=ch_1, amount=20): approved by policy" in shown
        read = json.loads(core("show", requests[4].id, "--json"))
        assert read["batch"]["needs"] == [3]


def test_the_batch_says_what_each_call_would_do(store):
    """Where somebody has looked, its summary stands there, safe to show; else its arguments."""

    def refund(charge: str, amount: int) -> int:
        return amount

    batch = Batch(approver=Inbox(store), store=store)
    batch.gate(refund, preview=lambda amount: f"pays {amount} <b>\u202e")("ch_1", 90)
    batch.gate(refund)("ch_2", 80)
    with ThreadPoolExecutor() as pool:
        pool.submit(batch.review_and_execute)
        eventually(lambda: len(store.pending()) == 2, seconds=20)
        name, _ = ids(store)
        page = Visitor(dashboard(store), ANA).get(f"/batch?batch={name}").text
        for stored in store.pending():
            store.cancel(stored.request.id, by="test", because="over")
    graph = page.partition('id="graph"')[2].partition("</table>")[0]
    assert "pays 90 &lt;b&gt;" in graph
    assert "\u202e" not in graph
    assert "charge=ch_1" not in graph
    assert "charge=ch_2, amount=80" in graph

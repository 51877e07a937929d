"""What the dashboard costs: a page of many that wait, and a click until the agent goes on."""

import http.client
import threading
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from core import SqliteStore, State, gate
from core.approvers.dashboard.context import Context
from core.approvers.dashboard.people import OnePerson
from core.approvers.dashboard.sessions import Sessions
from core.approvers.dashboard.web import web
from core.approvers.inbox import Inbox
from core.model import ApprovalRequest

from .browsers import serving

PAGES, CLICKS = 41, 31
PATHS = {
    "the newest": "/",
    "the most urgent": "/?sort=urgent",
    "a filter": "/?action=refund&risk=HIGH",
}


def measure(path: Path, requests: list[ApprovalRequest]) -> list[tuple[str, float, str]]:
    """Return names, values and units for a dashboard on which those requests wait."""
    with SqliteStore(path) as store:
        for request in requests:
            store.submit(request)
        context = Context(store=store, people=OnePerson("ana"), sessions=Sessions())
        token, session = context.sessions.open("ana")
        with serving(web(context)) as base:
            browser = Browser(base, token, session.csrf)
            browser.get("/")  # reads all that waits, once
            rows = [
                (f"{name}, 50 of {len(requests):,}", median(pages(browser, at)), "ms")
                for name, at in PATHS.items()
            ]
            return [
                *rows,
                ("click to the resumed agent, median", median(clicks(store, browser)), "ms"),
            ]


class Browser:
    """One connection that is kept, as browsers do."""

    def __init__(self, base: str, token: str, csrf: str) -> None:
        self.base, self.csrf = base, csrf
        self.connection = http.client.HTTPConnection(base.removeprefix("http://"))
        self.cookie = f"gate-{base.rpartition(':')[2]}={token}"

    def get(self, path: str) -> None:
        self._ask("GET", path, None, 200)

    def post(self, path: str, **fields: str) -> None:
        self._ask("POST", path, urlencode({"csrf": self.csrf, **fields}), 303)

    def _ask(self, method: str, path: str, body: str | None, wanted: int) -> None:
        headers = {"Cookie": self.cookie, "Origin": self.base}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == wanted, text[:500]


def pages(browser: Browser, path: str) -> list[float]:
    """Return how long each of some looks took, in milliseconds."""
    taken = list[float]()
    for _ in range(PAGES):
        start = time.perf_counter()
        browser.get(path)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def clicks(store: SqliteStore, browser: Browser) -> list[float]:
    """Return how long it took from each click until the agent had its result, in milliseconds."""
    taken = list[float]()
    for number in range(CLICKS):
        ended = list[float]()
        agent = threading.Thread(target=lambda n=number, e=ended: work(store, n, e))
        agent.start()
        while not (found := store.search(state=State.PENDING, person="clicked", limit=1)):
            time.sleep(0.005)
        time.sleep(0.02)  # until it waits and nothing else goes on
        asked = found[0].request
        start = time.perf_counter()
        browser.post(f"/requests/{asked.id}/approve", digest=asked.digest)
        agent.join()
        taken.append((ended[0] - start) * 1e3)
    return taken


def work(store: SqliteStore, number: int, ended: list[float]) -> None:
    """Be an agent that waits for its one call."""

    def tool(x: int) -> int:
        return x

    gate(tool, approver=Inbox(store), store=store, requester="clicked")(number)
    ended.append(time.perf_counter())

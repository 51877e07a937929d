"""A dashboard with people in it, and browsers before its door, for tests."""

import re

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from core import MemoryStore
from core.approvers.dashboard.context import Context
from core.approvers.dashboard.people import Role
from core.approvers.dashboard.sessions import Sessions
from core.approvers.dashboard.users import Users
from core.approvers.dashboard.web import web
from tests.asking import Clock

HOME = "http://127.0.0.1:8321"
COOKIE = "gate-8321"
PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
OURS = {"origin": HOME}


class House:
    """A dashboard with three people in it, and browsers that stand before its door."""

    def __init__(self, folder, **fields):
        self.clock, self.seconds = Clock(), 0.0
        self.store = MemoryStore(clock=self.clock)
        self.users = Users(folder / "people.jsonl", hasher=QUICK, now=self.clock)
        for name, role in (("ana", Role.ADMIN), ("Bo", Role.REVIEWER), ("cy", Role.VIEWER)):
            self.users.add(name, role, PASSWORD)
        self.said = []
        ours = {
            "store": self.store,
            "people": self.users,
            "sessions": Sessions(now=self.clock),
            "now": self.clock,
            "say": self.said.append,
        }
        self.context = Context(**(ours | fields))
        self.web = web(self.context)

    def browser(self, url=HOME):
        """Return a browser without a cookie."""
        return TestClient(self.web, base_url=url, follow_redirects=False)

    def inside(self, name="ana", url=HOME):
        """Return a browser in which somebody has logged in."""
        browser = self.browser(url)
        assert log_in(browser, name).status_code == 303
        return browser


def log_in(browser, name, password=PASSWORD, **fields):
    """Send the login form as the page would."""
    words = {"name": name, "password": password, **fields}
    return browser.post("/login", data=words, headers={"origin": str(browser.base_url)})


def csrf(browser):
    """Return the secret that the forms of this session carry."""
    return re.search(r'name="csrf" value="([^"]+)"', browser.get("/stop").text)[1]


def told(answer):
    """Return status and destination of an answer as one text."""
    return f"{answer.status_code} {answer.headers.get('location', '').partition('?')[0]}"

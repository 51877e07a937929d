"""What the tests of looking back share: known people, a dashboard in a test, a filled store."""

from dataclasses import replace
from datetime import timedelta

from asking import NOON, Clock, asked, edited, sqlite
from starlette.testclient import TestClient

from core.approvers.dashboard.context import Context
from core.approvers.dashboard.limits import Limit, Limits
from core.approvers.dashboard.people import Person, Role
from core.approvers.dashboard.sessions import Sessions
from core.approvers.dashboard.web import web
from core.model import Approve, Edit, Outcome, Panel, Parameter, Reject, Risk, State, same

HERE = "http://127.0.0.1"
VERA = Person(name="vera", role=Role.VIEWER)
ANA = Person(name="ana", role=Role.REVIEWER)
BEN = Person(name="ben", role=Role.REVIEWER)
ADA = Person(name="ada", role=Role.ADMIN)
EVERYBODY = (VERA, ANA, BEN, ADA)
PARAMETERS = (Parameter(name="amount", annotation="int"),)
RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)


class Known:
    """People whom a test knows; the token of each is `token-` and the name."""

    def by_password(self, name, password, /):
        return None

    def by_token(self, token, /):
        return self.by_name(token.removeprefix("token-")) if token.startswith("token-") else None

    def by_name(self, name, /):
        return next((one for one in EVERYBODY if same(one.name) == same(name)), None)


def unlimited():
    """Limits that no test reaches."""
    names = Limits.__dataclass_fields__
    return Limits(**{name: Limit(10**9, 10.0**9) for name in names})


def dashboard(store, **options):
    """Return the application over `store`."""
    return web(
        Context(store=store, people=Known(), sessions=Sessions(), limits=unlimited(), **options)
    )


class Visitor:
    """A browser in which somebody has logged in; `fill` posts a form as their page would."""

    def __init__(self, app, person):
        sessions = app.state.context.sessions
        token, self.session = sessions.open(person.name)
        self.client = TestClient(
            app, base_url=HERE, cookies={"gate-80": token}, follow_redirects=False
        )

    def get(self, path):
        return self.client.get(path)

    def fill(self, path, **fields):
        """Post a form from a page of ours."""
        data = {"csrf": self.session.csrf, **fields}
        return self.client.post(path, data=data, headers={"Origin": HERE})


def program(app, person=None):
    """Return a client for the API, with the token of `person` or without any."""
    headers = {"Authorization": f"Bearer token-{person.name}"} if person else {}
    return TestClient(app, base_url=HERE, headers=headers)


def ask(store, amount=1, **fields):
    """Leave a request that waits, for an hour by the clock of the store."""
    now = fields.pop("asked_at", store._clock())
    usual = {"asked_at": now, "expires_at": now + timedelta(hours=1), "parameters": PARAMETERS}
    return store.submit(asked(amount, **usual | fields)).request


def filled(folder, count=60, days=20):
    """Return a store in a file in which people have been at work for some weeks, and its clock."""
    clock = Clock()
    clock.now = NOON - timedelta(days=days)
    store = sqlite(folder, clock=clock)
    for number in range(count):
        one_call(store, clock, number)
        clock.now += timedelta(days=days) / count
    clock.now = max(clock.now, NOON)
    return store, clock


def one_call(store, clock, number):
    """Ask once, and let people, time or a mistake end it, each number in its own way."""
    start = clock.now
    request = ask(
        store,
        number,
        action=("shop.tools.refund", "shop.tools.cancel_order", "ops.deploy")[number % 3],
        risk=RISKS[number % 4],
        requester=("agent", "night agent")[number % 2],
        acting_for="carl" if number % 5 == 0 else "",
        asked_at=start,
        expires_at=start + timedelta(hours=6),
        panel=Panel(votes=2 if number % 4 == 3 else 1),
    )
    clock.now += timedelta(seconds=20 + 37 * (number % 11) * RISKS[number % 4])
    match number % 10:
        case 0:
            store.vote(
                request.id, Reject(by="ana", reason="ask the customer first"), digest=request.digest
            )
        case 1:
            store.cancel(request.id, by="ada", because="a mistake")
        case 2:
            clock.now = request.expires_at
            store.sweep()
        case 3 | 4:
            finish(store, revised(store, request), State.SUCCEEDED)
        case 5:
            finish(store, request, State.FAILED)
        case _:
            finish(store, request, State.SUCCEEDED)


def revised(store, request):
    """Let somebody halve the amount."""
    after = edited(request, request.arguments["amount"] // 2)
    said = Edit(by="ana", arguments={"amount": after.arguments["amount"]})
    changed = f"amount: {request.arguments['amount']} -> {after.arguments['amount']}, by ana"
    return store.revise(after, said, changed=changed).request


def finish(store, request, state):
    """Approve, start and end a call."""
    for name in ("ana", "Ben")[: request.panel.votes]:
        store.vote(request.id, Approve(by=name), digest=request.digest, window="dashboard")
    store.claim(request.id, digest=request.digest, panel=Panel())
    said = Outcome(error="OSError", message="no route") if state is State.FAILED else Outcome()
    return store.finish(request.id, replace(said, result=b'"done"'), state)


def unclear(store, **fields):
    """Leave a call of which nobody knows the end."""
    request = ask(store, **fields)
    store.vote(request.id, Approve(by="ana"), digest=request.digest)
    store.claim(request.id, digest=request.digest, panel=Panel())
    outcome = Outcome(message="the line went dead", finding="one row is there")
    return store.finish(request.id, outcome, State.OUTCOME_UNKNOWN).request

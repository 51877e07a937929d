"""Laws of the dashboard in real browsers: what people see and press there is what agents feel."""

import asyncio
import re
import statistics
import time
from datetime import timedelta
from urllib.parse import urlsplit

import browsers
import pytest
from argon2 import PasswordHasher
from people import Background, eventually
from playwright.sync_api import expect
from seeing import HOSTILE, HOSTILE_PREVIEW, flaws

from core import NotAnswered, Panel, Preview, Reject, Rejected, Risk, gate
from core.approvers.dashboard.context import Context
from core.approvers.dashboard.people import Role
from core.approvers.dashboard.sessions import Sessions
from core.approvers.dashboard.users import Users
from core.approvers.dashboard.web import web
from core.approvers.inbox import Inbox
from core.model import Quote, State, Table
from core.stores.memory import MemoryStore

pytestmark = pytest.mark.slow
browser, person, served = browsers.browser, browsers.person, browsers.served

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ROLES = {"ana": Role.ADMIN, "ben": Role.REVIEWER, "cleo": Role.VIEWER}
WINDOWS = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": {"viewport": browsers.PHONE}}


class Office:
    """A dashboard with people who can log in, and agents that ask through its store."""

    def __init__(self, folder, served):
        self.store = MemoryStore()
        self.paid = []
        users = Users(folder / "people.jsonl", hasher=QUICK)
        for name, role in ROLES.items():
            users.add(name, role, PASSWORD)
        context = Context(store=self.store, people=users, sessions=Sessions(), title="Shop")
        self.address = served(web(context))

    def tool(self, **options):
        """The refund of a shop, behind a gate that waits for votes."""

        def refund(charge: str, amount: int, note: str = "") -> str:
            self.paid.append((charge, amount, note))
            return f"{amount} paid back"

        options = {"approver": Inbox(self.store), "requester": "the agent"} | options
        return gate(refund, store=self.store, **options)

    def agent(self, *arguments, **options):
        """An agent at work in the background: it calls the tool once."""
        return Background(self.tool(**options), *arguments)

    def asked(self):
        """The one request that waits."""
        return eventually(self.store.pending)[0].request

    def log_in(self, page, name="ana", path="/"):
        """Come in through the login page and go on to `path`."""
        page.goto(f"{self.address}/login")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(re.compile(r"/$"))
        if path != "/":
            page.goto(self.address + path)
        return page

    def open(self, page, name="ana"):
        """Come in and open the one request that waits."""
        return self.log_in(page, name, f"/requests/{self.asked().id}")


@pytest.fixture
def office(tmp_path, served):
    return Office(tmp_path, served)


def approve(page):
    """Say yes on the page of a request."""
    page.get_by_role("button", name="Approve", exact=True).click()


def reject(page, reason):
    """Say no on the page of a request."""
    page.get_by_label("Reason, for the agent").fill(reason)
    page.get_by_role("button", name="Reject", exact=True).click()


def change(page, amount):
    """Type another amount, look at the difference, and say yes to it, on the page of a request."""
    page.get_by_role("link", name="Edit the arguments first").click()
    page.get_by_label("amount").fill(amount)
    page.get_by_role("button", name="Show the difference").click()
    page.get_by_role("button", name="Approve with these values").click()


def test_two_people_in_two_browsers_reach_a_quorum(office, person):
    """One yes of two runs nothing; the second, from another browser, does."""
    panel = Panel(members=frozenset({"ana", "ben"}), votes=2)
    with office.agent("ch_1", 900, panel=panel) as agent:
        ana, ben = office.open(person()), office.open(person(), "ben")
        approve(ana)
        expect(ana.locator("main")).to_contain_text("You have approved this")
        assert (office.paid, agent.running) == ([], True)
        expect(ana.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
        approve(ben)
    assert (agent.result, office.paid) == ("900 paid back", [("ch_1", 900, "")])
    votes = office.store.search()[0].votes
    assert [(vote.by, vote.window) for vote in votes] == [
        ("ana", "dashboard"),
        ("ben", "dashboard"),
    ]


def test_a_reviewer_changes_an_amount(office, person):
    """The difference is shown before it counts, and the changed call is what runs."""
    with office.agent("ch_1", 900) as agent:
        page = office.open(person())
        page.get_by_role("link", name="Edit the arguments first").click()
        page.get_by_label("amount").fill("500")
        page.get_by_role("button", name="Show the difference").click()
        expect(page.locator(".was dd")).to_have_text("900")
        expect(page.locator(".now dd")).to_have_text("500")
        assert office.paid == []
        page.get_by_role("button", name="Approve with these values").click()
        expect(page.locator("main")).to_contain_text("It ran and succeeded")
    assert office.paid == [("ch_1", 500, "")]
    assert "as edited by ana: amount: 900 -> 500" in agent.result


def test_an_amount_that_is_none_is_said_beside_its_field(office, person):
    """What the form cannot take stays in it, with a word on why, and nothing is proposed."""
    with office.agent("ch_1", 900):
        page = office.open(person())
        page.get_by_role("link", name="Edit the arguments first").click()
        page.get_by_label("amount").fill("much less")
        page.get_by_role("button", name="Show the difference").click()
        amount = page.get_by_label("amount")
        expect(amount).to_have_value("much less")
        expect(amount).to_have_accessible_description(re.compile("not a whole number"))
        assert office.store.pending()[0].proposal is None
        office.store.cancel(office.asked().id, by="ben", because="the end")


def test_the_reason_reaches_the_waiting_agent(office, person):
    """What a reviewer types is what the agent reads, with who said it."""
    with office.agent("ch_1", 900) as agent:
        reject(office.open(person()), "at most 500.00, the rest is a voucher")
    assert isinstance(agent.error, Rejected) and office.paid == []
    assert "rejected by ana: at most 500.00, the rest is a voucher." in str(agent.error)


def test_the_inbox_is_alive(office, person):
    """A new request appears, and one that is decided elsewhere leaves, without a reload."""
    page = office.log_in(person())
    page.evaluate("window.same = true")
    with office.agent("ch_1", 900):
        row = page.locator(f"a[href='/requests/{office.asked().id}']")
        expect(row.first).to_be_visible()
        expect(page).to_have_title(re.compile(r"\(1\)"))
        approve(office.open(person(), "ben"))
    expect(row).to_have_count(0)
    expect(page).to_have_title(re.compile(r"^\D*$"))
    assert page.evaluate("window.same") is True


def test_nothing_is_missed_before_a_page_listens(office, person):
    """What happens after the inbox was drawn and before its stream is open appears all the same."""
    page, held = person(), []

    def hold(route):
        held.append(route)

    page.route("**/events", hold)
    office.log_in(page)
    eventually(lambda: page.wait_for_timeout(20) or held)
    with office.agent("ch_1", 900) as agent:
        asked = office.asked()
        held[0].continue_()
        expect(page.locator(f"a[href='/requests/{asked.id}']").first).to_be_visible()
        page.unroute_all()
        page.goto(f"{office.address}/requests/{asked.id}")
        reject(page, "no")
    assert isinstance(agent.error, Rejected)


def test_a_page_hears_that_it_was_decided_elsewhere(office, person):
    """Whoever looks at a request sees that somebody else has decided it."""
    with office.agent("ch_1", 900):
        ana = office.open(person())
        approve(office.open(person(), "ben"))
        expect(ana.locator("body")).to_contain_text(re.compile("approved by ben", re.I))
    assert office.paid == [("ch_1", 900, "")]


def test_a_stale_page_changes_nothing(office, person):
    """A page that shows what has been changed since is told so, and its yes counts for nothing."""
    with office.agent("ch_1", 900, preview=lambda amount: f"pays {amount} back"):
        ana = office.open(person(java_script_enabled=False))
        ben = office.open(person(java_script_enabled=False), "ben")
        change(ben, "500")
        eventually(lambda: office.asked().revision == 1)
        approve(ana)
        expect(ana.locator("main")).to_contain_text("Nothing was changed")
        assert (office.paid, office.store.pending()[0].votes) == ([], ())
        approve(ana)
    assert office.paid == [("ch_1", 500, "")]


def test_the_keyboard_is_enough(office, person):
    """From the login to the decision nobody needs a mouse, and focus can always be seen."""
    with office.agent("ch_1", 900) as agent:
        page = person()
        page.goto(f"{office.address}/login")
        expect(page.locator("#name")).to_be_focused()
        page.keyboard.type("ana")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/$"))
        path = f"/requests/{office.asked().id}"
        tab(page, lambda: page.evaluate("document.activeElement.pathname") == path)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(path))
        tab(page, lambda: page.evaluate("document.activeElement.name") == "reason")
        page.keyboard.type("not on a Sunday")
        tab(page, lambda: page.evaluate("document.activeElement.textContent").strip() == "Reject")
        page.keyboard.press("Enter")
    assert "rejected by ana: not on a Sunday." in str(agent.error)


def tab(page, arrived):
    """Press Tab until `arrived`; wherever the focus is meanwhile, it is drawn."""
    for _ in range(80):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(one => one === document.body || getComputedStyle(one).outlineStyle !== 'none' ||"
            " getComputedStyle(one).boxShadow !== 'none')(document.activeElement)"
        )
        assert outline, page.evaluate("document.activeElement.outerHTML")
        if arrived():
            return
    raise AssertionError("Tab never came there")


def test_everything_works_without_scripts(office, person):
    """Log in, look, edit, approve, reject, search and leave with plain forms."""
    page = office.log_in(person(java_script_enabled=False))
    with office.agent("ch_1", 900):
        asked = office.asked()
        page.reload()
        page.locator(f"a[href='/requests/{asked.id}']").first.click()
        change(page, "500")
    assert office.paid == [("ch_1", 500, "")]
    with office.agent("ch_2", 7) as agent:
        page.goto(f"{office.address}/requests/{office.asked().id}")
        reject(page, "too small")
    assert "rejected by ana: too small." in str(agent.error)
    page.goto(f"{office.address}/history")
    page.get_by_label("Person").fill("ana")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("main a[href*='/requests/']")).to_have_count(2)
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{office.address}/history")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_hostile_text_is_text(office, person):
    """Markup runs nothing anywhere, hidden characters are visible, a line feed forges no line."""
    page, opened = office.log_in(person()), []
    page.on("dialog", lambda found: (opened.append(found.message), found.dismiss()))
    options = {"preview": lambda: HOSTILE_PREVIEW, "environment": HOSTILE, "requester": HOSTILE}
    with office.agent(HOSTILE, 900, HOSTILE, **options):
        asked = office.asked()
        expect(page.locator(f"a[href='/requests/{asked.id}']").first).to_be_visible()
        paths = ["/", f"/requests/{asked.id}", f"/requests/{asked.id}/edit", "/batch"]
        paths += [f"/batch?id={asked.id}", "/history", f"/requests/{asked.id}/story", "/stop"]
        for path in paths:
            page.goto(office.address + path)
            assert not {"\u202e", "\u200b"} & set(page.locator("body").inner_text()), path
            assert page.locator("main script, main img").count() == 0, path
        page.goto(f"{office.address}/requests/{asked.id}")
        shown = page.locator("main").inner_text()
        assert shown.count("<script>alert(1)</script>") >= 9
        assert "⟨U+202E⟩⟨U+200B⟩&amp;" in shown
        approve(page)
    assert (opened, office.paid) == ([], [(HOSTILE, 900, HOSTILE)])


def test_a_megabyte_is_not_approved_here(office, person):
    """What cannot be shown whole can be rejected and not approved, and the page says why."""
    with office.agent("ch_1", 900, "x" * 900_000) as agent:
        page = office.open(person())
        expect(page.locator("main")).to_contain_text("Too large to be shown whole")
        expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
        assert flaws(page) == []
        reject(page, "shorter")
    assert isinstance(agent.error, Rejected) and office.paid == []


def test_the_worst_needs_the_digest_typed(office, person):
    """A CRITICAL call is approved only with the first characters of its digest."""
    with office.agent("ch_1", 900, risk=Risk.CRITICAL):
        page = office.open(person(java_script_enabled=False))
        typed = page.get_by_label("characters of the digest")
        typed.fill("zzzzzz")
        approve(page)
        expect(page.locator("main")).to_contain_text("nothing was approved")
        assert office.store.pending()[0].votes == ()
        page.get_by_label("characters of the digest").fill(office.asked().digest[:6])
        approve(page)
    assert office.paid == [("ch_1", 900, "")]


def test_a_viewer_only_looks(office, person):
    """Whoever may only look is offered nothing to press."""
    with office.agent("ch_1", 900):
        page = office.open(person(), "cleo")
        expect(page.locator("main")).to_contain_text("you may look")
        expect(
            page.locator("main").get_by_role("button", name="Approve", exact=True)
        ).to_have_count(0)
        expect(page.locator("main").get_by_role("button", name="Reject", exact=True)).to_have_count(
            0
        )
        office.store.cancel(office.asked().id, by="ben", because="the end")


def test_silence_decides_nothing(office, person):
    """A page that is open and left alone approves nothing; in the end nobody answered."""
    with office.agent("ch_1", 900, decide_within=timedelta(seconds=4)) as agent:
        page = office.open(person())
        expect(page.locator("body")).to_contain_text(re.compile("time ran out|expired", re.I))
    assert isinstance(agent.error, NotAnswered) and office.paid == []


def test_everything_waiting_can_be_stopped(office, person):
    """The stop button withdraws what waits, and every page says that nothing is taken."""
    with office.agent("ch_1", 900) as agent:
        office.asked()
        page = office.log_in(person(), path="/stop")
        page.get_by_label("Why").fill("the books are wrong")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_role("status").first).to_contain_text("No calls are taken")
    assert isinstance(agent.error, Rejected) and office.paid == []
    assert "the books are wrong" in str(agent.error)
    page.goto(office.address)
    expect(page.get_by_role("status").first).to_contain_text("the books are wrong")


def test_many_are_decided_together(office, person):
    """Requests that are ticked are approved at once, each as one vote of its own."""
    agents = [office.agent(f"ch_{number}", 100 + number) for number in range(3)]
    with agents[0], agents[1], agents[2]:
        eventually(lambda: len(office.store.pending()) == 3)
        ids = "&".join(f"id={stored.request.id}" for stored in office.store.pending())
        page = office.log_in(person(), path=f"/batch?{ids}")
        expect(page.locator("main")).to_contain_text("303")
        page.get_by_role("button", name="Approve all that are ticked").click()
        expect(page.locator("main")).to_contain_text(re.compile("approved by ana", re.I))
    assert sorted(office.paid) == [("ch_0", 100, ""), ("ch_1", 101, ""), ("ch_2", 102, "")]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_every_page_can_be_read(office, person, window):
    """Names, headings, contrast and width are right in light, in dark and on a phone."""
    preview = Preview(
        summary="Pays 9.00 back to Jon",
        facts=(
            ("paid", "249.00"),
            ("a name that is longer than most names of facts are", "x" * 90),
        ),
        tables=(
            Table(title="before", columns=("id", "state"), rows=(("7", "paid"),)),
            Table(title="after", columns=("id", "state"), rows=(("7", "refunded"),)),
        ),
        diff="--- before\n+++ after\n@@ -1 +1 @@\n-paid\n+refunded\n same",
        warnings=("All of it goes back.",),
        quotes=(Quote(who="the agent", text="It is fair."),),
    )
    page = person(**window)
    page.goto(f"{office.address}/login")
    wrong = flaws(page, within="/login")
    office.log_in(page)
    wrong += flaws(page, within="an empty inbox")
    with office.agent("ch_0", 1, approver=lambda _: Reject(by="ben", reason="not now")):
        pass
    asking = [
        office.agent("ch_1", 900, "x" * 300, preview=lambda: preview),
        office.agent("ch_2", 7, risk=Risk.CRITICAL, environment="staging"),
        office.agent("ch_3", 8, risk=Risk.LOW, decide_within=timedelta(minutes=3)),
    ]
    with asking[0], asking[1], asking[2]:
        eventually(lambda: len(office.store.pending()) == 3)
        waiting = [stored.request.id for stored in office.store.pending()]
        paths = ["/", "/batch", "/batch?" + "&".join(f"id={one}" for one in waiting), "/history"]
        paths += ["/pictures", "/stop", "/nothing"]
        for one in waiting:
            paths += [f"/requests/{one}", f"/requests/{one}/edit", f"/requests/{one}/story"]
        for path in paths:
            page.goto(office.address + path)
            wrong += flaws(page, within=re.sub("[0-9a-f]{32}", "…", path))
        for one in waiting:
            office.store.cancel(one, by="ben", because="the end")
    assert wrong == []


def test_a_click_wakes_the_agent(office, person):
    """From the click to the first line of the function; the median is printed, not asserted."""
    page = office.log_in(person())
    page.add_init_script(
        "addEventListener('submit', () => sessionStorage.setItem('pressed',"
        " performance.timeOrigin + performance.now()), true)"
    )
    waits = []

    def note(began: str) -> float:
        return time.time() * 1000

    tool = gate(note, store=office.store, approver=Inbox(office.store))
    for number in range(15):
        with Background(tool, f"round {number}") as agent:
            page.goto(f"{office.address}/requests/{office.asked().id}")
            approve(page)
        waits.append(agent.result - float(page.evaluate("sessionStorage.getItem('pressed')")))
    print(f"click to resumed agent: median {statistics.median(waits):.1f} ms of {len(waits)}")
    assert len(office.store.search(state=State.SUCCEEDED)) == 15


def test_two_hundred_pages_listen_at_once(office, person):
    """All of them hear of a request, and a page is still answered meanwhile."""
    page = office.log_in(person())
    place = urlsplit(office.address)
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
    asks = f"GET /events HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookies}\r\n\r\n"

    here, told = [], []

    async def listen():
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(asks.encode())
        assert b" 200 " in await reader.readline()
        here.append(writer)
        while b"changed" not in await reader.readline():
            pass
        told.append(writer)
        await eventually_all()

    async def eventually_all():
        while len(told) < 200:  # noqa: ASYNC110 - all stay until the last one has heard
            await asyncio.sleep(0.01)

    async def crowd():
        await asyncio.gather(*(listen() for _ in range(200)))
        for writer in here:
            writer.close()

    with Background(asyncio.run, crowd()) as crowded:
        eventually(lambda: len(here) == 200 or crowded.error, seconds=30)
        started = time.perf_counter()
        page.goto(f"{office.address}/history")
        print(f"a page beside 200 streams: {(time.perf_counter() - started) * 1000:.0f} ms")
        with office.agent("ch_1", 900):
            eventually(lambda: not crowded.running, seconds=30)
            approve(office.open(person(), "ben"))
    assert (crowded.error, len(told), office.paid) == (None, 200, [("ch_1", 900, "")])

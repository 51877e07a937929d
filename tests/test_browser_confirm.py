"""The person on the page is asked there, and nobody else, and nothing they did not say counts."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import browsers
import pytest
from people import Background, eventually
from playwright.sync_api import expect
from seeing import HOSTILE, HOSTILE_PREVIEW, flaws
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from core import NotAnswered, Panel, Rejected, Risk, gate
from core.approvers.browser import BrowserConfirm, Visitor
from core.approvers.browser.wire import routes
from core.model import State
from core.stores.memory import MemoryStore

pytestmark = pytest.mark.slow
browser, person, served = browsers.browser, browsers.person, browsers.served

ROOT = Path(__file__).parent.parent
ANA = Visitor(session="the session of ana", name="ana")
BEN = Visitor(session="the session of ben", name="ben")
COOKIES = {"ana-1": ANA, "ben-1": BEN}
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
PAGE = """<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>
<a href="/other">Away</a><script type="module" src="/confirm/confirm.js"></script></html>"""
OK, CANCEL = True, None
WITHOUT_DIALOGS = "delete HTMLDialogElement.prototype.showModal"


class Site:
    """An application with the dialog in its pages, and an agent for whoever is logged in."""

    def __init__(self, served):
        self.store = MemoryStore()
        self.confirm = BrowserConfirm(self.store, elsewhere=lambda asked: f"/requests/{asked.id}")
        self.cookies = dict(COOKIES)
        self.paid = []
        page = HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})
        wire = routes(self.confirm, self.who, seconds_between_looks=0.2)
        app = Starlette(
            routes=[
                Route("/", lambda _: page),
                Route("/other", lambda _: HTMLResponse("<h1>Elsewhere</h1>")),
                Mount("/confirm", routes=wire),
            ]
        )
        self.address = served(app)

    def who(self, request):
        """What an application does: look the cookie up."""
        return self.cookies.get(request.cookies.get("session", ""))

    def tool(self, you=ANA, **options):
        """The refund of the shop, as the agent of `you` gets it."""

        def refund(charge: str, amount: int, note: str = "") -> str:
            self.paid.append((charge, amount, note))
            return f"{amount} paid back"

        options = {"panel": you.panel, "requester": "the assistant"} | options
        return gate(refund, store=self.store, approver=self.confirm.asking(you), **options)

    def agent(self, *arguments, you=ANA, **options):
        """An agent at work in the background: it calls the tool once."""
        return Background(self.tool(you, **options), *arguments)

    def visit(self, page, cookie):
        """Open the page as whoever has that cookie."""
        site = {"name": "session", "value": cookie, "url": self.address}
        page.context.add_cookies([site])
        page.goto(self.address)
        return page

    def trail(self):
        """What is on record, as a number that only grows."""
        return len([*self.store.trail()])

    def post(self, answer, *, cookie="ana-1", **headers):
        """Send an answer as a program would, and return status and sentence."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        known = self.cookies.get(cookie)
        sent = {
            "Cookie": f"session={cookie}",
            "Origin": self.address,
            "X-Confirm": self.confirm.secret(known) if known else "",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        connection.request(
            "POST", "/confirm/answers", body, {k: v for k, v in sent.items() if v is not None}
        )
        response = connection.getresponse()
        read = response.read()
        connection.close()
        return response.status, json.loads(read)


@pytest.fixture
def site(served):
    return Site(served)


@pytest.fixture
def ana(person, site):
    """Ana's window, with the page open."""
    return site.visit(person(), "ana-1")


def dialog(page):
    """The question on a page."""
    return page.get_by_role("dialog")


def press(page, name):
    """Press a button of the question; one that cannot be pressed yet is waited for."""
    dialog(page).get_by_role("button", name=name, exact=True).click()


def asked(store):
    """The one request that waits."""
    return eventually(store.pending)[0].request


def test_what_is_approved_on_the_page_runs(site, ana):
    """The agent waits until the person on the page says yes, then runs what was shown."""
    with site.agent("ch_1", 900) as agent:
        expect(dialog(ana)).to_contain_text("May the assistant run refund?")
        expect(dialog(ana)).to_contain_text("900")
        assert site.paid == []
        press(ana, "Approve")
    assert (agent.result, site.paid) == ("900 paid back", [("ch_1", 900, "")])
    expect(dialog(ana)).to_have_count(0)
    (vote,) = site.store.search()[0].votes
    assert (vote.by, vote.choice, vote.window) == ("ana", "approve", "browser")


def test_a_reason_reaches_the_agent(site, ana):
    """A rejection needs a reason, and the agent is told it, with who said it."""
    with site.agent("ch_1", 900) as agent:
        press(ana, "Reject…")
        press(ana, "Reject")
        expect(ana.get_by_role("alert")).to_contain_text("needs a reason")
        ana.get_by_label("Why not").fill("at most 500, the rest is a voucher")
        press(ana, "Reject")
    assert isinstance(agent.error, Rejected) and site.paid == []
    assert "rejected by ana: at most 500, the rest is a voucher." in str(agent.error)


def test_a_change_is_seen_before_it_runs(site, ana):
    """The person sees what was and what will be, and that is what runs."""
    with site.agent("ch_1", 900) as agent:
        press(ana, "Change…")
        press(ana, "See the change")
        expect(ana.get_by_role("alert")).to_have_text("Nothing is changed.")
        ana.get_by_label("amount").fill("500")
        press(ana, "See the change")
        expect(dialog(ana).locator("del")).to_have_text("900")
        expect(dialog(ana).locator("ins")).to_have_text("500")
        assert site.paid == []
        press(ana, "Run it with this change")
    assert site.paid == [("ch_1", 500, "")]
    assert "as edited by ana: amount: 900 -> 500" in agent.result


def test_a_change_that_does_not_fit_comes_back(site, ana):
    """What the function would not take is refused with a reason, and the question stays open."""
    with site.agent("ch_1", 900):
        press(ana, "Change…")
        ana.get_by_label("amount").fill("much less")
        press(ana, "See the change")
        press(ana, "Run it with this change")
        expect(dialog(ana)).to_contain_text("Your change was not taken: amount:")
        assert site.paid == []
        press(ana, "Approve")
    assert site.paid == [("ch_1", 900, "")]


def test_a_change_of_what_it_does_is_looked_at_again(site, ana):
    """When a change makes the preview another one, the person approves what is now shown."""

    def would(amount):
        return f"pays {amount} back"

    with site.agent("ch_1", 900, preview=would):
        press(ana, "Change…")
        ana.get_by_label("amount").fill("500")
        press(ana, "See the change")
        press(ana, "Run it with this change")
        expect(dialog(ana).locator(".summary")).to_have_text("pays 500 back")
        assert site.paid == []
        press(ana, "Approve")
    assert site.paid == [("ch_1", 500, "")]


def test_only_the_very_person_is_asked(site, ana, person):
    """Another session on the same page sees nothing and cannot answer."""
    ben = site.visit(person(), "ben-1")
    with site.agent("ch_1", 900):
        expect(dialog(ana)).to_be_visible()
        with site.agent("ch_2", 10, you=BEN):
            expect(dialog(ben)).to_contain_text("ch_2")
            expect(dialog(ana)).to_contain_text("ch_1")
            assert "ch_1" not in ben.content() and "ch_2" not in ana.content()
            press(ben, "Approve")
        expect(dialog(ben)).to_have_count(0)
        press(ana, "Approve")
    assert sorted(site.paid) == [("ch_1", 900, ""), ("ch_2", 10, "")]


def test_two_pages_of_one_person_are_one_question(site, ana):
    """Both pages of a session ask; the answer on one takes the question off the other."""
    second = ana.context.new_page()
    second.goto(site.address)
    with site.agent("ch_1", 900):
        expect(dialog(second)).to_be_visible()
        expect(dialog(ana)).to_be_visible()
        press(ana, "Approve")
        expect(dialog(second)).to_have_count(0)
    expect(second.get_by_role("status")).to_contain_text("answered elsewhere")
    assert len(site.paid) == 1


def test_a_closed_page_is_silence(site, ana):
    """Closing the page approves nothing and denies nothing; in the end nobody answered."""
    with site.agent("ch_1", 900, decide_within=timedelta(seconds=4)) as agent:
        expect(dialog(ana)).to_be_visible()
        ana.close()
    assert isinstance(agent.error, NotAnswered) and site.paid == []
    assert site.store.search()[0].state is State.EXPIRED


def test_coming_back_shows_it_again(site, ana):
    """Whoever leaves the page and returns finds the question where it was."""
    with site.agent("ch_1", 900):
        expect(dialog(ana)).to_be_visible()
        ana.goto(f"{site.address}/other")
        assert site.store.pending()
        ana.go_back()
        press(ana, "Approve")
    assert site.paid == [("ch_1", 900, "")]


def test_an_expired_question_leaves_the_page(site, ana):
    """When time is up the question goes away by itself, and the person is told."""
    with site.agent("ch_1", 900, decide_within=timedelta(seconds=4)):
        expect(dialog(ana)).to_be_visible()
        expect(dialog(ana)).to_have_count(0)
    expect(ana.get_by_role("status")).to_contain_text("withdrawn")
    assert site.paid == []


def test_logging_out_takes_the_question_away(site, ana):
    """A session that has ended is told nothing more, on pages that are still open too."""
    with site.agent("ch_1", 900):
        expect(dialog(ana)).to_be_visible()
        answer = {"id": asked(site.store).id, "digest": asked(site.store).digest, "say": "approve"}
        site.cookies.pop("ana-1")
        expect(dialog(ana)).to_have_count(0)
        assert site.post(answer, X_Confirm=site.confirm.secret(ANA))[0] == 401
        assert site.paid == []
        site.store.cancel(asked(site.store).id, by="ben", because="the end")


def test_an_answer_of_another_session_changes_nothing(site):
    """Neither one's own secret nor a stolen one lets a session answer for another."""
    with site.agent("ch_1", 900):
        request = asked(site.store)
        eventually(lambda: site.confirm.open_for(ANA))
        answer = {"id": request.id, "digest": request.digest, "say": "approve"}
        before = site.trail()
        assert site.post(answer, cookie="ben-1")[0] == 409
        assert site.post(answer, cookie="ben-1", X_Confirm=site.confirm.secret(ANA))[0] == 403
        assert site.post(answer, cookie="nobody")[0] == 401
        assert site.post(answer, X_Confirm="")[0] == 403
        assert site.post(answer, Origin="https://evil.example")[0] == 403
        assert site.post(answer, Origin="null")[0] == 403
        assert site.post(answer, Origin=None)[0] == 403
        assert site.post(answer, Origin=None, Sec_Fetch_Site="cross-site")[0] == 403
        assert site.post({**answer, "digest": "0" * 64})[0] == 409
        assert (site.trail(), site.paid) == (before, [])
        assert site.post(answer, Origin=None, Sec_Fetch_Site="same-origin")[0] == 200
    assert site.paid == [("ch_1", 900, "")]


def test_an_answer_counts_once(site):
    """The same bytes sent again, or another word after the first, change nothing."""
    with site.agent("ch_1", 900):
        request = asked(site.store)
        eventually(lambda: site.confirm.open_for(ANA))
        answer = {"id": request.id, "digest": request.digest, "say": "approve"}
        assert site.post(answer)[0] == 200
    before = site.trail()
    for say in (answer, answer, {**answer, "say": "reject", "reason": "no"}):
        status, said = site.post(say)
        assert (status, said["says"][:21]) == (409, "you are not being ask")
    assert (site.trail(), site.paid) == (before, [("ch_1", 900, "")])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"\xff", 422),
        (b"[" * 60_000, 422),
        (b'{"say": "maybe"}', 422),
        (b'{"say": ["approve"]}', 422),
        (b'{"say": "approve", "id": 7}', 422),
        (b'{"say": "approve", "id": "\\ud800"}', 422),
        (b'{"say": "reject", "reason": "  "}', 422),
        (b'{"say": "edit"}', 422),
        (b'{"say": "edit", "arguments": {"amount": 5}}', 422),
        (b'{"say": "approve", "digest": "\xc3\xa9"}', 409),
        (b'{"say": "approve"}', 409),
        (b" " * 100_001, 413),
    ],
)
def test_what_is_no_answer_changes_nothing(site, body, status):
    """Bytes that could be anything get a clear no, and nothing is recorded."""
    before = site.trail()
    assert site.post(body)[0] == status
    assert site.trail() == before


def test_only_arguments_that_are_shown_can_be_changed(site):
    """A name that does not exist or a hidden one is refused before anybody is sure."""
    with site.agent("ch_1", 900, secret={"note"}):
        request = asked(site.store)
        eventually(lambda: site.confirm.open_for(ANA))
        for name in ("note", "nothing"):
            answer = {"id": request.id, "digest": request.digest, "say": "edit"}
            status, said = site.post({**answer, "arguments": {name: "x"}})
            assert (status, said["says"]) == (422, f"{name} cannot be changed here")
        site.post({"id": request.id, "digest": request.digest, "say": "reject", "reason": "no"})


def test_the_worst_needs_the_digest_typed(site, ana):
    """A CRITICAL call is approved only with the digest's first characters, whoever sends it."""
    with site.agent("ch_1", 900, risk=Risk.CRITICAL):
        yes = dialog(ana).get_by_role("button", name="Approve")
        typed = ana.get_by_label("first 6 characters of the digest")
        request = asked(site.store)
        typed.fill("000000" if request.digest[:6] != "000000" else "111111")
        press(ana, "Change…")
        press(ana, "Back")
        expect(yes).to_be_disabled()
        answer = {"id": request.id, "digest": request.digest, "say": "approve"}
        assert site.post(answer)[0] == 409
        assert site.store.pending()
        typed.fill(request.digest[:6])
        press(ana, "Approve")
    assert site.paid == [("ch_1", 900, "")]


def test_what_is_too_large_cannot_be_approved_here(site, ana):
    """A dialog that cannot show everything offers no yes, only a way to where it can be read."""
    with site.agent("ch_1", 900, "x" * 30_000) as agent:
        expect(dialog(ana)).to_contain_text("too large")
        assert dialog(ana).get_by_role("button", name="Approve").count() == 0
        request = asked(site.store)
        read = dialog(ana).get_by_role("link")
        expect(read).to_have_attribute("href", f"/requests/{request.id}")
        answer = {"id": request.id, "digest": request.digest, "say": "approve"}
        assert site.post(answer)[0] == 409
        press(ana, "Reject…")
        ana.get_by_label("Why not").fill("shorter")
        press(ana, "Reject")
    assert isinstance(agent.error, Rejected) and site.paid == []


def test_hostile_text_is_text(site, ana):
    """Markup runs nothing, hidden characters are visible, and a line feed forges no line."""
    opened = []
    ana.on("dialog", lambda found: (opened.append(found.message), found.dismiss()))
    with site.agent("ch_1", 900, HOSTILE, preview=lambda: HOSTILE_PREVIEW, environment=HOSTILE):
        expect(dialog(ana)).to_be_visible()
        shown = dialog(ana).inner_text()
        assert shown.count("<script>alert(1)</script>") >= 9
        assert "⟨U+202E⟩⟨U+200B⟩&amp;" in shown
        assert not {"\u202e", "\u200b"} & set(ana.content())
        assert ana.locator(".gate-confirm img, .gate-confirm script").count() == 0
        press(ana, "Approve")
    assert (opened, site.paid) == ([], [("ch_1", 900, HOSTILE)])


def test_the_keyboard_is_enough_and_enter_decides_nothing(site, ana):
    """What was typed for the page decides nothing; every answer can be given without a mouse."""
    with site.agent("ch_1", 900) as agent:
        expect(dialog(ana)).to_be_visible()
        for _ in range(5):
            ana.keyboard.press("Enter")
            ana.keyboard.press("Space")
        ana.wait_for_timeout(800)
        ana.keyboard.press("Enter")
        assert site.store.pending()
        ana.keyboard.press("Escape")
        expect(dialog(ana)).to_have_count(0)
        assert site.store.pending()
        ana.get_by_role("button", name="1 question waits").press("Enter")
        change = dialog(ana).get_by_role("button", name="Change…")
        expect(change).to_be_enabled()
        reach(ana, "Reject…")
        ana.keyboard.press("Enter")
        ana.keyboard.type("not like this")
        reach(ana, "Reject")
        ana.keyboard.press("Enter")
    assert "rejected by ana: not like this." in str(agent.error)


def reach(page, name):
    """Press Tab until the button of that name has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == name:
            return
    raise AssertionError(f"Tab never came to {name}")


class Plain:
    """What somebody answers to window.confirm and window.prompt, one after another."""

    def __init__(self, page, *answers):
        self.asked, self.answers = [], list(answers)
        page.on("dialog", self.hear)

    def hear(self, found):
        self.asked.append(found.message)
        answer = self.answers.pop(0) if self.answers else CANCEL
        if answer is CANCEL:
            found.dismiss()
        elif answer is OK:
            found.accept()
        else:
            found.accept(answer)


def plain(site, person, *answers):
    """A browser without <dialog>, and what its person answers."""
    page = person()
    page.add_init_script(WITHOUT_DIALOGS)
    said = Plain(page, *answers)
    site.visit(page, "ana-1")
    return page, said


def until(page, thread):
    """Let a page work until an agent has ended; its native dialogs need this thread."""
    for _ in range(200):
        if not thread.running:
            return
        page.wait_for_timeout(50)
    raise AssertionError("the agent still waits")


def test_without_dialogs_the_browser_asks_plainly(site, person):
    """Where there is no <dialog>, window.confirm shows all of it and OK approves."""
    page, said = plain(site, person, OK)
    with site.agent("ch_1", 900, "as\nagreed") as agent:
        until(page, agent)
    assert site.paid == [("ch_1", 900, "as\nagreed")]
    (text,) = said.asked
    assert "May the assistant run refund?" in text and "amount = 900" in text


def test_without_dialogs_a_reason_can_be_given(site, person):
    """Cancel approves nothing; what is written then is the reason for the agent."""
    page, said = plain(site, person, CANCEL, "a voucher instead")
    with site.agent("ch_1", 900) as agent:
        until(page, agent)
    assert "rejected by ana: a voucher instead." in str(agent.error)
    assert (len(said.asked), site.paid) == (2, [])


def test_without_dialogs_an_argument_can_be_changed(site, person):
    """A change is written as name = value, shown, and confirmed once more."""
    page, said = plain(site, person, CANCEL, "amount = 500", OK)
    with site.agent("ch_1", 900) as agent:
        until(page, agent)
    assert site.paid == [("ch_1", 500, "")]
    assert "amount: 900 -> 500" in said.asked[2]


def test_without_dialogs_cancel_decides_nothing(site, person):
    """Twice Cancel puts the question off, and it is still open."""
    page, said = plain(site, person, CANCEL, CANCEL)
    with site.agent("ch_1", 900):
        expect(page.get_by_role("button", name="1 question waits")).to_be_visible()
        assert (len(said.asked), len(site.store.pending())) == (2, 1)
        site.store.cancel(asked(site.store).id, by="ben", because="the end")
    assert site.paid == []


def test_without_dialogs_what_is_long_cannot_be_approved(site, person):
    """What a browser may cut off is not offered for a yes."""
    page, said = plain(site, person, OK)
    with site.agent("ch_1", 900, "x" * 2_000):
        expect(page.get_by_role("button", name="1 question waits")).to_be_visible()
        assert "too large to be shown here" in said.asked[0]
        site.store.cancel(asked(site.store).id, by="ben", because="the end")
    assert site.paid == []


def test_without_dialogs_the_worst_needs_the_digest(site, person):
    """A CRITICAL call asks for the digest in words; OK alone approves nothing."""
    page, said = plain(site, person, "", CANCEL)
    with site.agent("ch_1", 900, risk=Risk.CRITICAL):
        expect(page.get_by_role("button", name="1 question waits")).to_be_visible()
        assert asked(site.store).digest in said.asked[0]
        said.answers.append(asked(site.store).digest[:6])
        page.get_by_role("button", name="1 question waits").click()
        eventually(lambda: page.wait_for_timeout(50) or site.paid)
    assert site.paid == [("ch_1", 900, "")]


def test_whoever_asks_is_not_asked(site):
    """A request made for the visitor, or for another panel, is not theirs to answer: it fails."""
    from core import run

    with site.agent("ch_1", 900, panel=Panel(members=frozenset({"cleo"}))) as agent:
        pass
    assert isinstance(agent.error, Rejected) and "ana may not decide" in str(agent.error)

    def work():
        with run("letters", acting_for="ana"):
            site.tool(panel=Panel())("ch_1", 900)

    with Background(work) as agent:
        pass
    assert isinstance(agent.error, Rejected) and "ana may not decide" in str(agent.error)
    assert site.paid == []


@pytest.mark.parametrize("missing", [{"session": " ", "name": "ana"}, {"session": "1", "name": ""}])
def test_nobody_in_particular_cannot_be_asked(missing):
    """A visitor without a session or a name is an error where it is made."""
    with pytest.raises(ValueError, match="a session and a name"):
        Visitor(**missing)


def test_a_secret_belongs_to_one_session(site):
    """Other session, other name, other server: other secret; and a session never shows."""
    others = [
        Visitor(session=ANA.session + "a", name="na"),
        Visitor(session=ANA.session, name="anna"),
        BEN,
    ]
    secrets = {site.confirm.secret(one) for one in [ANA, *others]}
    secrets.add(BrowserConfirm(site.store).secret(ANA))
    assert len(secrets) == 5
    assert ANA.session not in repr(ANA)


@contextmanager
def started():
    """Start the example page by hand; yield its process and address."""
    command = [sys.executable, "-m", "core.approvers.browser", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        stop = threading.Timer(60, process.kill)
        stop.start()
        yield process, re.search(r"http://[\d.:]+/", process.stdout.readline())[0]
        process.terminate()
        stop.cancel()


@pytest.fixture
def example():
    """The address of the example page."""
    with started() as (_, address):
        yield address


def test_the_example_can_be_tried(example, person):
    """Its assistant refunds little by itself, asks for more, and goes on after a no."""
    page = person()
    page.goto(example)
    page.get_by_role("button", name="Answer the letters").click()
    expect(dialog(page)).to_contain_text("Pays 249.00 back to Jon")
    page.reload()
    press(page, "Reject…")
    page.get_by_label("Why not").fill("a voucher of 20.00")
    press(page, "Reject")
    expect(dialog(page)).to_contain_text("Pays 1,900.00 back to Ada")
    digest = dialog(page).locator(".pane code").inner_text()
    page.get_by_label("first 6 characters").fill(digest[:6])
    press(page, "Approve")
    expect(page.locator("#lines")).to_contain_text("All letters are answered.")
    expect(page.locator("#lines")).to_contain_text("rejected by shopkeeper 1: a voucher of 20.00.")
    assert page.locator("#till td:last-child").all_inner_texts() == ["12.00", "0.00", "1,900.00"]


def test_the_example_ends_at_once(person):
    """Ctrl-C ends it without a word, although a page listens and a question is open."""
    with started() as (process, address):
        page = person()
        page.goto(address)
        page.get_by_role("button", name="Answer the letters").click()
        expect(dialog(page)).to_be_visible()
        process.send_signal(signal.SIGINT)
        assert (process.wait(10), process.stderr.read()) == (0, "")
        press(page, "Approve")
        expect(page.get_by_role("alert")).to_contain_text("nothing was decided")


def test_the_example_explains_itself():
    """--help says what it is, and a port that is taken is one sentence."""
    module = [sys.executable, "-m", "core.approvers.browser"]
    shown = subprocess.run([*module, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0 and "--port" in shown.stdout
    wrong = subprocess.run([*module, "--port", "99999"], cwd=ROOT, capture_output=True, text=True)
    assert wrong.returncode == 1
    assert re.fullmatch(r"port 99999 cannot be used: .+\n", wrong.stderr)


@pytest.mark.parametrize(
    "window",
    [{}, {"color_scheme": "dark"}, {"viewport": browsers.PHONE}],
    ids=["light", "dark", "phone"],
)
def test_the_question_can_be_read(example, person, window):
    """Names, headings, contrast and width are right in light, in dark and on a phone."""
    page = person(**window)
    page.goto(example)
    wrong = flaws(page, within="the page")
    page.get_by_role("button", name="Answer the letters").click()
    press(page, "Change…")
    wrong += flaws(page, within="the change")
    page.get_by_label("amount").fill("190000")
    press(page, "See the change")
    expect(dialog(page).locator("ins")).to_be_visible()
    wrong += flaws(page, within="the change, shown")
    press(page, "Back")
    press(page, "Back")
    press(page, "Reject…")
    press(page, "Reject")
    expect(page.get_by_role("alert")).to_be_visible()
    wrong += flaws(page, within="the reason")
    dialog_width = dialog(page).evaluate("one => one.scrollWidth - one.clientWidth")
    assert (wrong, dialog_width) == ([], 0)


def test_what_cannot_be_read_is_found(person):
    """The look that finds nothing wrong above finds each of these."""
    page = person(viewport=browsers.PHONE)
    page.set_content(
        "<h1>One</h1><h3 id=a>Three</h3><input id=a><p style='color:#999;background:#fff'>Faint</p>"
        "<p style='background:#ffff'><span style='color:rgb(0 0 0 / 40%)'>Fainter</span></p>"
        "<div style='width:400px'>Wide</div>"
    )
    found = " ".join(flaws(page))
    for what in ("without a name: <input", "level: h3", "2.85 <p", "<span", "twice: a", "pixels"):
        assert what in found
    assert "a language: none" in found and "one h1" not in found

"""Looking back on the web: what is found, told, drawn and proven is what the store holds."""

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape
from statistics import median

import pytest
from asking import NOON, Clock, asked, raw, sqlite, without_triggers, world
from hypothesis import given, settings
from hypothesis import strategies as st
from looking_back import (
    ADA,
    ANA,
    BEN,
    VERA,
    Visitor,
    ask,
    dashboard,
    filled,
    one_call,
    unclear,
)

from core import audit
from core.approvers.dashboard import figures, finding, history, pictures
from core.model import Approve, Edit, Panel, Reject, Risk, State, StoredRequest, Vote
from core.stores.memory import MemoryStore

HOSTILE = '<script>alert("x")</script>\u202e\u200b\nname'


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = sqlite(tmp_path, clock=clock)
    yield store
    store.close()


@pytest.fixture
def app(store, clock):
    return dashboard(store, now=clock)


def visit(app, person=ADA):
    """Return a browser in which that person is logged in."""
    return Visitor(app, person)


def ids(page):
    """The ids of the requests that a page of the history lists, in its order."""
    return re.findall(r'href="/requests/(\w+)/story"', page.text)


def followed(visitor, path):
    """Every id on a page and on all that come after it."""
    found = []
    while path:
        page = visitor.get(path)
        assert page.status_code == 200
        found += ids(page)
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = unescape(older[1]) if older else ""
    return found


def test_the_pages_of_the_history_hold_every_request_once(tmp_path):
    """Whoever turns all pages sees each request once, the newest first."""
    store, clock = filled(tmp_path, count=70)
    found = followed(visit(dashboard(store, now=clock)), "/history")
    assert found == [stored.request.id for stored in store.search(limit=1000)]
    assert len(found) == 70


def test_what_happens_meanwhile_moves_nothing_out_of_the_pages(store, clock):
    """A request that is decided or asked while somebody turns pages is not skipped."""
    everything = [ask(store, n, asked_at=clock()) for n in range(60)]
    visitor = visit(dashboard(store, now=clock))
    first = visitor.get("/history?state=pending")
    last = store.get(ids(first)[-1]).request
    store.vote(last.id, Approve(by="ana"), digest=last.digest)
    ask(store, 99)
    older = unescape(re.search(r'href="([^"]+)" rel="next"', first.text)[1])
    seen = [*ids(first), *followed(visitor, older)]
    assert sorted(seen) == sorted(one.id for one in everything)


QUESTIONS = [
    ("state=REJECTED", lambda s: s.state is State.REJECTED),
    ("action=refund", lambda s: s.request.name == "refund"),
    ("person=BEN", lambda s: any(v.by == "Ben" for v in s.votes)),
    ("person=carl", lambda s: s.request.acting_for == "carl"),
    ("since=2026-02-20", lambda s: s.request.asked_at >= datetime(2026, 2, 20, tzinfo=UTC)),
    ("until=2026-02-20", lambda s: s.request.asked_at < datetime(2026, 2, 21, tzinfo=UTC)),
    (
        "state=SUCCEEDED&action=ops.deploy",
        lambda s: s.state is State.SUCCEEDED and s.request.action == "ops.deploy",
    ),
]


def test_a_search_finds_exactly_what_fits(tmp_path):
    """State, action, person and days each narrow the list to what they say, and nothing else."""
    store, clock = filled(tmp_path, count=70)
    visitor = visit(dashboard(store, now=clock))
    for query, fits in QUESTIONS:
        wanted = [s.request.id for s in store.search(limit=1000) if fits(s)]
        assert wanted
        assert followed(visitor, f"/history?{query}") == wanted, query


@pytest.mark.parametrize(
    "query", ["state=nonsense", "since=yesterday", "until=9999-12-31", f"action={'a' * 501}",
              "after=unknown", "since=0001-01-01T00:00:00%2B23:59"],
)  # fmt: skip
def test_a_search_that_means_nothing_is_told_so(query, app, store):
    """A bad search is a page with a sentence and never a failure."""
    ask(store)
    before = world(store)
    answer = visit(app).get(f"/history?{query}")
    assert answer.status_code == 400
    assert world(store) == before


def test_a_story_tells_every_record_in_order(store, app, clock):
    """The story of a request has each of its records, who made it, and what an edit changed."""
    one_call(store, clock, 3)
    stored = store.search(limit=1)[0]
    page = visit(app, VERA).get(f"/requests/{stored.request.id}/story")
    told = re.findall(r'<p class="step"><strong>(.*?)</strong>.*?record (\d+)', page.text, re.S)
    records = [r for r in store.trail() if r.request_id == stored.request.id]
    assert [int(seq) for _, seq in told] == [r.seq for r in records]
    assert [words for words, _ in told] == [
        "night agent asked",
        "ana changed the call; earlier votes no longer count",
        "ana approved; more votes are needed",
        "Ben approved, which was enough",
        "The call started",
        "The call succeeded",
    ]
    assert "amount: 3 -&gt; 1, by ana" in page.text


def test_every_event_has_words(tmp_path):
    """There is no step of a request that the story would tell in the words of a program."""
    store, clock = filled(tmp_path, count=24)
    lost = unclear(store)
    store.report(lost.id, finding="nothing")
    store.resolve(lost.id, by="ana", happened=False)
    store.resolve(unclear(store).id, by="ana", happened=True)
    store.record(asked(1), Approve(by="policy"))
    store.record(asked(2), Reject(by="policy", reason="no"))
    proposed = ask(store, expires_at=clock() + timedelta(hours=1))
    edit = Edit(by="ana", arguments={"amount": 2})
    store.propose(proposed.id, edit, digest=proposed.digest)
    store.refuse(proposed.id, problem="no")
    events = {record.event for record in store.trail() if record.request_id}
    assert events == set(history.WORDS)


@pytest.mark.parametrize("path", ["", "/story"])
def test_hostile_words_are_shown_as_text(path, store, app):
    """Names, reasons and actions from outside show as text, with nothing invisible in them."""
    request = ask(store, requester=HOSTILE, acting_for=HOSTILE, environment=HOSTILE)
    store.vote(request.id, Reject(by="ana", reason=HOSTILE), digest=request.digest)
    address = f"/requests/{request.id}{path}" if path else "/history"
    text = visit(app).get(address).text
    assert "<script>alert" not in text and "\u202e" not in text and "\u200b" not in text
    assert "&lt;script&gt;alert" in text and "⟨U+202E⟩⟨U+200B⟩" in text


@pytest.mark.parametrize("path", ["/requests/unknown/story", "/requests/..%2f/story"])
def test_a_story_of_nothing_is_not_found(path, app):
    """An id that no request has leads to a page that says so."""
    assert visit(app).get(path).status_code == 404


def test_a_reviewer_resolves_what_nobody_knows(store, app):
    """What a person found out is written down once, under their name, and nothing runs again."""
    for says, state in (("yes", State.RESOLVED_HAPPENED), ("no", State.RESOLVED_NOT_HAPPENED)):
        lost = unclear(store)
        visitor = visit(app, BEN)
        assert "Did it happen?" in visitor.get(f"/requests/{lost.id}/story").text
        path = f"/requests/{lost.id}/resolve"
        answer = visitor.fill(path, happened=says, sure="yes", note="I looked")
        assert (answer.status_code, store.get(lost.id).state) == (303, state)
        assert [*store.trail()][-1].by == "ben"
        assert visitor.fill(path, happened=says, sure="yes").status_code == 409


@pytest.mark.parametrize(
    ("person", "fields", "status"),
    [
        (VERA, {"happened": "yes", "sure": "yes"}, 403),
        (BEN, {"happened": "yes"}, 400),
        (BEN, {"sure": "yes"}, 400),
        (BEN, {"happened": "maybe", "sure": "yes"}, 400),
        (BEN, {"happened": "yes", "sure": "yes", "note": "n" * 2001}, 400),
    ],
)
def test_nothing_is_resolved_by_accident(person, fields, status, store, app):
    """A viewer, a missing answer and a missing confirmation change nothing."""
    lost = unclear(store)
    before = world(store)
    answer = visit(app, person).fill(f"/requests/{lost.id}/resolve", **fields)
    assert (answer.status_code, world(store)) == (status, before)


def test_whoever_asked_does_not_resolve(store, app):
    """The person an agent acts for cannot say what became of their own request."""
    lost = unclear(store, acting_for="Ben ")
    answer = visit(app, BEN).fill(f"/requests/{lost.id}/resolve", happened="yes", sure="yes")
    assert answer.status_code == 409
    assert store.get(lost.id).state is State.OUTCOME_UNKNOWN


def test_the_trail_is_proven_up_to_the_checkpoint(store, app):
    """A checkpoint taken before proves all records up to it, and the page says up to which."""
    ask(store)
    visitor = visit(app, VERA)
    mark = visitor.get("/checkpoint.txt")
    assert mark.text == str(audit.checkpoint(store.trail()))
    assert "attachment" in mark.headers["content-disposition"]
    ask(store, 2)
    page = visitor.fill("/verify", checkpoint=mark.text)
    assert "The trail holds" in page.text and "2 records hold together" in page.text
    assert "proven by a checkpoint up to record 1" in page.text
    assert "no checkpoint was given" in visitor.fill("/verify").text


def test_a_changed_trail_is_shown_as_broken(store, app, tmp_path):
    """Whoever changes a record or a row is found, and there is no checkpoint of that."""
    ask(store)
    ask(store, 2)
    mark = str(audit.checkpoint(store.trail()))
    with without_triggers(tmp_path / "store.db") as forger:
        forger.execute("UPDATE requests SET state = 'approved' WHERE n = 1")
    visitor = visit(app)
    assert "is not as the audit trail last saw it" in visitor.fill("/verify").text
    with without_triggers(tmp_path / "store.db") as forger:
        forger.execute("UPDATE audit SET body = replace(body, 'agent', 'saint') WHERE seq = 2")
    page = visitor.fill("/verify")
    assert "does not hold" in page.text and "record 2 is bad" in page.text
    assert visitor.get("/checkpoint.txt").status_code == 409
    with without_triggers(tmp_path / "store.db") as forger:
        forger.execute("DELETE FROM audit WHERE seq = 2")
    page = visitor.fill("/verify", checkpoint=mark)
    assert "a checkpoint has seen 2 records" in page.text


def test_what_is_no_checkpoint_is_refused(app):
    """Text that is none leads to a sentence, however long it is."""
    for text in ("hello", "x" * 5000):
        assert visit(app).fill("/verify", checkpoint=text).status_code == 400


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1203])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_in_pieces_is_the_export(kind, count):
    """However many records there are, the pieces together are what is exported at once."""
    store, whole = MemoryStore(), io.StringIO(newline="")
    for n in range(count):
        store.submit(asked(n, requester=f"=agent,{n}\r\n"))
    audit.export(store.trail(), whole, kind)
    assert "".join(history.exported(store.trail(), kind)) == whole.getvalue()


def test_exports_hold_the_whole_trail(tmp_path):
    """CSV and JSON Lines have every record, and a spreadsheet reads no name as a formula."""
    store, clock = filled(tmp_path, count=30)
    ask(store, requester="=cmd()")
    visitor = visit(dashboard(store, now=clock), VERA)
    records = [*store.trail()]
    table = [*csv.DictReader(io.StringIO(visitor.get("/export.csv").text))]
    assert [row["hash"] for row in table] == [r.hash for r in records]
    assert table[-1]["by"] == "'=cmd()"
    lines = visitor.get("/export.jsonl").text.splitlines()
    assert [json.loads(line)["body"] for line in lines] == [r.body for r in records]
    assert visitor.get("/export.exe").status_code == 404


def test_the_button_shows_and_withdraws_what_has_not_started(store, app):
    """What the page counts is what is withdrawn; calls are refused until somebody resumes."""
    waiting = [ask(store, n).id for n in range(23)]
    agreed = ask(store, 99)
    store.vote(agreed.id, Approve(by="ana"), digest=agreed.digest)
    visitor = visit(app)
    page = visitor.get("/stop").text
    assert re.findall(r"<dt>(.*?)</dt><dd>(\d+)</dd>", page) == [
        ("pending requests", "23"),
        ("approved, not started", "1"),
    ]
    assert "… and 3 more." in page
    answer = visitor.fill("/stop", because="it runs wild", sure="yes")
    assert answer.status_code == 303
    states = {store.get(one).state for one in [*waiting, agreed.id]}
    assert (states, store.stopped()) == ({State.CANCELLED}, "stopped by ada: it runs wild")
    for path in ("/stop", "/history", "/pictures"):
        assert "it runs wild" in visit(app, VERA).get(path).text
    assert visitor.fill("/stop", because="again", sure="yes").status_code == 409
    assert visitor.fill("/resume").status_code == 400
    assert visitor.fill("/resume", sure="yes").status_code == 303
    assert store.stopped() == ""
    assert [r.event for r in store.trail() if not r.request_id] == ["stopped", "resumed"]
    assert visitor.fill("/resume", sure="yes").status_code == 409


@pytest.mark.parametrize(
    ("person", "fields", "status"),
    [
        (ANA, {"because": "now", "sure": "yes"}, 403),
        (VERA, {"because": "now", "sure": "yes"}, 403),
        (ADA, {"because": "now"}, 400),
        (ADA, {"because": "  ", "sure": "yes"}, 400),
        (ADA, {"because": "n" * 2001, "sure": "yes"}, 400),
    ],
)
def test_nothing_is_stopped_by_accident(person, fields, status, store, app):
    """Only an admin with a reason and a tick stops anything."""
    ask(store)
    before = world(store)
    assert visit(app, person).fill("/stop", **fields).status_code == status
    assert world(store) == before


def test_only_an_admin_resumes(store, app):
    """Whoever may vote may not let the agents loose again."""
    store.stop(by="ada", because="now")
    assert visit(app, ANA).fill("/resume", sure="yes").status_code == 403
    assert store.stopped()
    assert "<form" not in visit(app, ANA).get("/stop").text.partition("<main")[2]


def drawn(page):
    """The numbers of each day, read back from the titles of the bars."""
    found = {}
    for day, text in re.findall(r"<title>(\d{4}-\d\d-\d\d): (.*?)</title>", page):
        counts = [] if text == "nothing" else text.split(", ")
        found[day] = {kind: int(n) for n, kind in (one.split(" ", 1) for one in counts)}
    return found


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_picture_of_days_has_the_numbers_of_the_store(days, tmp_path):
    """Each bar is as long as the store has requests of that day and outcome; no day is left out."""
    store, clock = filled(tmp_path, count=60)
    page = visit(dashboard(store, now=clock), VERA).get(f"/pictures?days={days}").text
    first = clock().date() - timedelta(days=days - 1)
    wanted = {str(first + timedelta(days=n)): Counter() for n in range(days)}
    for stored in store.search(limit=1000):
        day = str(stored.request.asked_at.date())
        if day in wanted:
            wanted[day][figures.ending(stored.state).value] += 1
    assert drawn(page) == {day: dict(counts) for day, counts in wanted.items()}


def test_a_picture_of_nothing_says_so(app, store):
    """Without requests there is a sentence instead of empty axes; other spans do not exist."""
    page = visit(app).get("/pictures?days=7")
    assert "Nothing was asked in the last 7 days" in page.text and "<svg" not in page.text
    assert visit(app).get("/pictures?days=8").status_code == 400
    ask(store, asked_at=NOON)
    assert "People have decided nothing" in visit(app).get("/pictures").text


def test_a_picture_says_what_it_left_out(store):
    """When there is more than is counted, the newest are, and the page knows."""
    for n in range(6):
        ask(store, n, asked_at=NOON + timedelta(seconds=n))
    cut = pictures.counted(store, NOON + timedelta(hours=1), 7, most=5)
    assert (cut["counted"], cut["is_cut"], cut["totals"][figures.Ending.WAITING]) == (5, True, 5)
    whole = pictures.counted(store, NOON + timedelta(hours=1), 7, most=6)
    assert (whole["counted"], whole["is_cut"]) == (6, False)


def test_pages_carry_no_styles_or_scripts_of_their_own(tmp_path):
    """Nothing in a page needs what the content security policy forbids."""
    store, clock = filled(tmp_path, count=30)
    lost = unclear(store)
    visitor = visit(dashboard(store, now=clock))
    for path in ("/history", "/pictures", "/stop", f"/requests/{lost.id}/story"):
        text = visitor.get(path).text
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)", text), path


@pytest.mark.parametrize(
    "path", ["/history", "/pictures", "/stop", "/export.csv", "/checkpoint.txt"]
)
def test_strangers_see_nothing(path, app, store):
    """Without a session every page leads to the login, and every button is refused."""
    ask(store)
    before = world(store)
    stranger = visit(app)
    stranger.client.cookies.clear()
    assert stranger.get(path).headers["location"].startswith("/login")
    for button in ("/verify", "/stop", "/resume"):
        assert stranger.fill(button, sure="yes", because="x").status_code == 401
    assert world(store) == before


seconds = st.integers(-60, 10**6)
names = st.sampled_from(["ana", "Ana ", "ben", "cleo"])


@st.composite
def decided(draw):
    """A request with votes as a store would keep them, decided or not."""
    votes = draw(st.integers(1, 3))
    panel = Panel(votes=votes)
    request = asked(
        action=draw(st.sampled_from(["a.x", "b.y"])),
        risk=draw(st.sampled_from(Risk)),
        panel=panel,
        asked_at=NOON + timedelta(hours=draw(st.integers(-100, 100))),
    )
    said = [
        Vote(
            by=draw(names),
            choice="approve",
            digest="",
            at=request.asked_at + timedelta(seconds=draw(seconds)),
        )
        for _ in range(draw(st.integers(0, votes)))
    ]
    if len(said) < votes and draw(st.booleans()):
        at = request.asked_at + timedelta(seconds=draw(seconds))
        said.append(Vote(by=draw(names), choice="reject", digest="", at=at))
    return StoredRequest(
        request=request,
        state=draw(st.sampled_from(State)),
        votes=tuple(said),
        changed=draw(st.sampled_from(["", "amount: 1 -> 2"])),
    )


@given(st.lists(decided(), max_size=30))
def test_figures_count_everything_once(found):
    """Days, waits and shares add up to what there was, counted in the plainest way."""
    done = [
        s
        for s in found
        if s.votes and (s.votes[-1].choice == "reject" or len(s.votes) == s.request.panel.votes)
    ]
    days = figures.per_day(found, NOON - timedelta(days=5), NOON + timedelta(days=5))
    assert sum(day.total for day in days) == len(found)
    for risk in Risk:
        taken = [
            max((s.votes[-1].at - s.request.asked_at).total_seconds(), 0)
            for s in done
            if s.request.risk is risk
        ]
        waits = [w for w in figures.waits(found) if w.risk is risk]
        assert [(w.count, w.median.total_seconds()) for w in waits] == (
            [(len(taken), pytest.approx(median(taken)))] if taken else []
        )
    for share in figures.by_action(found):
        mine = [s for s in done if s.request.action == share.name]
        rejected = [s for s in mine if s.votes[-1].choice == "reject"]
        changed = [s for s in mine if s.changed and s not in rejected]
        assert (share.total, share.rejected, share.changed) == (
            len(mine),
            len(rejected),
            len(changed),
        )
        assert 0 <= share.percent <= 100
        assert (share.percent == 100) == (share.as_asked == share.total)
    people = figures.by_person(found)
    assert sum(p.total for p in people) == sum(len(s.votes) for s in done)
    assert len({p.name.strip().lower() for p in people}) == len(people)


@given(st.lists(decided(), max_size=30))
def test_bars_fill_the_picture_without_gaps(found):
    """The blocks of a bar lie on each other from the ground up; the fullest day has full height."""
    days = figures.per_day(found, NOON - timedelta(days=5), NOON + timedelta(days=5))
    bars = figures.stacked(days)
    highest = max(day.total for day in days)
    for day, blocks in bars:
        ground = 100
        for block in blocks:
            assert block.y + block.height == pytest.approx(ground, abs=0.01)
            ground = block.y
        height = 100 * day.total / highest if highest else 0
        assert 100 - ground == pytest.approx(height, abs=0.01)


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_an_instant_is_read_or_refused(text):
    """Any text is a time in UTC, or a ValueError; nothing else happens."""
    try:
        read = finding.instant(text, end_of_day=True)
    except ValueError:
        return
    assert read.tzinfo is UTC


def test_a_damaged_store_is_no_secret_and_no_riddle(store, app, tmp_path):
    """A row that cannot be read is a 503 that names no file and does not say what was in it."""
    request = ask(store)
    with without_triggers(tmp_path / "store.db") as forger:
        forger.execute("UPDATE requests SET request = '[]'")
    with raw(tmp_path / "store.db") as reader:
        assert reader.execute("SELECT request FROM requests").fetchall() == [("[]",)]
    for path in ("/history", f"/requests/{request.id}/story"):
        answer = visit(app).get(path)
        assert answer.status_code == 503
        assert str(tmp_path) not in answer.text

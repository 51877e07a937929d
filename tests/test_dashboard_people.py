"""Laws of the dashboard's door: who comes in, for how long, and what every answer carries."""

import asyncio
import json
import os
import re
import subprocess
import sys

import httpx2
import pytest
from argon2 import PasswordHasher

from core import Approve, MemoryStore
from core.approvers.dashboard import Dashboard, serving
from core.approvers.dashboard.guard import Guard
from core.approvers.dashboard.limits import Limit, Limits
from core.approvers.dashboard.people import OnePerson, PeopleError, Role
from core.approvers.dashboard.sessions import Links, Sessions, hashed
from core.approvers.dashboard.users import Users
from core.model import END_OF_TIME
from core.stores.sqlite import SqliteStore
from tests.asking import Clock, asked
from tests.houses import COOKIE, HOME, OURS, PASSWORD, QUICK, House, csrf, log_in, told
from tests.people import Background, Breaking, eventually


@pytest.fixture
def house(tmp_path):
    """A dashboard with ana (admin), Bo (reviewer) and cy (viewer)."""
    return House(tmp_path)


def press_stop(browser, headers=OURS, **fields):
    """Press the stop button with everything that belongs to it, except what is replaced."""
    known = {"csrf": csrf(browser) if "csrf" not in fields else "", "because": "a test"}
    known |= {"sure": "yes", "confirm": "yes"} | fields
    return browser.post("/stop", data=known, headers=headers)


def addresses(house):
    """Yield each method and path that the dashboard answers to."""
    for route in house.web.routes:
        for method in getattr(route, "methods", None) or ():
            yield method, re.sub(r"\{[^}]*\}", "0" * 32, route.path)


LOGGED_OUT = {"303 /login", "401 "}

# Nobody comes in without saying who they are


def test_a_stranger_sees_nothing_but_the_login(house):
    """Every address sends a stranger away, and nothing that they send changes anything."""
    before = [*house.store.trail()]
    found = {}
    for method, path in addresses(house):
        if path == "/login" or path.startswith("/login/"):
            continue
        browser = house.browser()
        found[method, path] = told(browser.request(method, path, headers=OURS))
    assert len(found) > 10
    assert set(found.values()) <= LOGGED_OUT
    assert [*house.store.trail()] == before


def test_a_page_that_was_wanted_is_there_after_the_login(house):
    """Whoever is sent to the login comes out where they wanted to go."""
    browser = house.browser()
    sent = browser.get("/history?state=FAILED&person=a%26b")
    form = browser.get(sent.headers["location"]).text
    wanted = re.search(r'name="next" value="([^"]+)"', form)[1].replace("&amp;", "&")
    assert log_in(browser, "ana", next=wanted).headers["location"] == (
        "/history?state=FAILED&person=a%26b"
    )


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09//evil.example\n",
        "javascript:alert(1)",
        " //evil.example",
        "",
    ],
)
def test_the_login_leads_nowhere_else(house, elsewhere):
    """A link to the login of ours cannot send somebody on to a site of others."""
    answer = log_in(house.browser(), "ana", next=elsewhere)
    assert told(answer) == "303 /"


def test_a_wrong_password_and_an_unknown_name_look_the_same(house):
    """The answer does not tell which names there are."""
    wrong = log_in(house.browser(), "ana", "not the password")
    unknown = log_in(house.browser(), "eve", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("ana", "eve") == unknown.text


def test_an_unknown_name_costs_one_hash_too(house, monkeypatch):
    """How long the answer takes does not tell which names there are."""
    checked = []
    verify = QUICK.verify
    monkeypatch.setattr(
        house.users,
        "_hasher",
        type(
            "Spy",
            (),
            {"verify": lambda _, *a: checked.append(a[0]) or verify(*a), "hash": QUICK.hash},
        )(),
    )
    assert house.users.by_password("ana", "wrong") is None
    assert house.users.by_password("eve", "wrong") is None
    known, nobodys = checked
    assert known.split("$")[:4] == nobodys.split("$")[:4]


def test_somebody_without_a_password_cannot_log_in_with_an_empty_one(house):
    """Who comes in another way has no password, not even the empty one."""
    house.users.add("dee", Role.VIEWER)
    assert house.users.by_password("dee", "") is None
    assert log_in(house.browser(), "dee", "").status_code == 401


# Sessions


def test_the_id_changes_at_login_and_the_old_one_is_worthless(house):
    """An id that somebody else has planted or seen before the login is no way in after it."""
    browser = house.browser()
    browser.cookies.set(COOKIE, "planted", domain="127.0.0.1")
    log_in(browser, "ana")
    first = browser.cookies[COOKIE]
    log_in(browser, "Bo")
    assert len({"planted", first, browser.cookies[COOKIE]}) == 3
    for old in ("planted", first):
        other = house.browser()
        other.cookies.set(COOKIE, old)
        assert told(other.get("/history")) == "303 /login"
    assert "Bo" in browser.get("/history").text


def test_a_cookie_is_worth_nothing_after_logging_out(house):
    """Logging out ends the session on the server, so a copied cookie is no way in."""
    browser = house.inside()
    copied = browser.cookies[COOKIE]
    assert told(browser.post("/logout", data={"csrf": csrf(browser)}, headers=OURS)) == "303 /login"
    other = house.browser()
    other.cookies.set(COOKIE, copied)
    assert told(other.get("/history")) == "303 /login"


def test_the_server_keeps_no_id_of_a_session(house):
    """Whoever reads the server's memory of sessions cannot come in with it."""
    browser = house.inside()
    token = browser.cookies[COOKIE]
    found = house.context.sessions.find(token)
    assert token not in repr(found) and found.key == hashed(token)
    assert house.context.sessions.find(found.key) is None


def test_whoever_does_nothing_is_out(house):
    """Half an hour without a click ends a session, to the second; a click begins it anew."""
    browser = house.inside()
    house.clock.set(30 * 60 - 1)
    assert browser.get("/history").status_code == 200
    house.clock.set(60 * 60 - 1)
    assert told(browser.get("/history")) == "303 /login"


def test_a_page_that_fetches_by_itself_keeps_nobody_in(house):
    """What a script asks for does not mean that somebody still sits there."""
    browser = house.inside()
    house.clock.set(20 * 60)
    assert browser.get("/history", headers={"sec-fetch-mode": "cors"}).status_code == 200
    house.clock.set(30 * 60)
    assert told(browser.get("/history")) == "303 /login"


def test_the_busiest_session_ends_after_twelve_hours(house):
    """However much somebody clicks, they log in again after half a day."""
    browser = house.inside()
    for minutes in range(20, 12 * 60, 20):
        house.clock.set(minutes * 60)
        assert browser.get("/history").status_code == 200
    house.clock.set(12 * 60 * 60)
    assert told(browser.get("/history")) == "303 /login"


def test_a_clock_set_back_revives_no_session(house):
    """A session that was over at some time stays over."""
    browser = house.inside()
    house.clock.set(31 * 60)
    assert house.context.sessions.find("somebody else") is None
    house.clock.set(0)
    assert told(browser.get("/history")) == "303 /login"


def test_sessions_are_bounded():
    """Logging in over and over takes a bounded amount of memory; the oldest session goes."""
    sessions = Sessions(most=3)
    tokens = [sessions.open("ana")[0] for _ in range(5)]
    assert [sessions.find(token) is not None for token in tokens] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_who_is_removed_is_out_at_once(house):
    """Taking somebody out of the file ends what they have open."""
    browser = house.inside("Bo")
    house.users.remove("bo")
    assert told(browser.get("/history")) == "303 /login"
    house.users.add("Bo", Role.REVIEWER, PASSWORD)
    assert told(browser.get("/history")) == "303 /login"


def test_a_new_password_ends_what_the_old_one_opened(house):
    """Whoever got in with a stolen password is out once it is changed."""
    browser = house.inside("Bo")
    house.clock.set(1)
    house.users.set_password("Bo", "another good password")
    assert told(browser.get("/history")) == "303 /login"
    assert log_in(house.browser(), "Bo").status_code == 401
    assert log_in(house.browser(), "bo ", "another good password").status_code == 303


def test_a_stream_ends_with_its_session(house):
    """An open stream hears within seconds that its session is over."""
    token, session = house.context.sessions.open("ana")
    heard, sent = [], []

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        heard.append(await receive())

    async def never():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("more_body"))
        house.context.sessions.close(session)

    headers = [(b"host", b"127.0.0.1:8321"), (b"cookie", f"{COOKIE}={token}".encode())]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/events",
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "app": house.web,
    }
    guard = Guard(stream, context=house.context)
    asyncio.run(asyncio.wait_for(guard(scope, never, send), 5))
    assert heard == [{"type": "http.disconnect"}]
    assert sent == [None, True, False]


# Other sites


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8321"},
        {"origin": HOME + ".evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": HOME, "sec-fetch-site": "cross-site"},
    ],
)
def test_another_site_changes_nothing(house, headers):
    """A form on another site is refused, although the browser sends the cookie with it."""
    browser = house.inside()
    assert press_stop(browser, headers).status_code == 403
    assert not house.store.stopped()
    stranger = house.browser()
    words = {"name": "ana", "password": PASSWORD}
    assert stranger.post("/login", data=words, headers=headers).status_code == 403
    assert not stranger.cookies


@pytest.mark.parametrize("given", ["", "wrong", "ü", None])
def test_a_form_without_the_secret_of_the_session_changes_nothing(house, given):
    """Only a page that this very session was given can change something."""
    browser = house.inside()
    fields = {"csrf": given} if given is not None else {"csrf": csrf(house.inside())}
    assert press_stop(browser, **fields).status_code == 403
    assert not house.store.stopped()


def test_a_planted_pair_of_secrets_changes_nothing(house):
    """A cookie and a field that agree with each other, but not with the session, are refused."""
    browser = house.inside()
    for name in ("csrf", "csrftoken", "XSRF-TOKEN"):
        browser.cookies.set(name, "planted")
    assert press_stop(browser, csrf="planted").status_code == 403
    assert press_stop(browser, {**OURS, "x-csrf-token": "planted"}).status_code == 403
    assert not house.store.stopped()


def test_our_own_form_changes_something(house):
    """What the refusals above are compared with: the same press, whole, is taken."""
    assert press_stop(house.inside()).status_code == 303
    assert "ana" in house.store.stopped()


def test_a_browser_that_leaves_out_the_origin_may_say_same_origin(house):
    """The browser's own word on where a form comes from is as good as the origin."""
    assert press_stop(house.inside(), {"sec-fetch-site": "same-origin"}).status_code == 303
    assert house.store.stopped()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "127.0.0.1/login?",
        "127.0.0.1@evil.example",
        "127.0.0.1:8321:1",
        "[::1",
        "0.0.0.0:8321",
    ],
)
def test_another_name_gets_nothing(house, host):
    """A site whose name was made to lead here (DNS rebinding) is turned away."""
    browser = house.inside()
    answer = browser.get("/history", headers={"host": host})
    assert answer.status_code == 421 and "Log out" not in answer.text


@pytest.mark.parametrize("path", ["/history", "/static/../history", "//history", "/history?/login"])
def test_no_spelling_of_an_address_gets_past(house, path):
    """An address that looks like the login to one part and like a page to another opens nothing."""
    answers = [house.browser().get(path), house.browser().get("/login/%2e%2e" + path)]
    assert all('id="records"' not in a.text and a.status_code in {303, 401, 404} for a in answers)


# What every answer carries


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login", 303),
        ("GET", "/login/oidc/back", 404),
        ("GET", "/history", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/static/style.css", 200),
        ("GET", "/static/nothing.css", 404),
        ("PUT", "/login", 405),
        ("POST", "/stop", 403),
        ("GET", "/api/nowhere", 401),
        ("GET", "/login/oidc", 404),
    ],
)
def test_every_answer_carries_the_headers(house, method, path, status):
    """Pages, problems, files and the API: no answer leaves without what protects the browser."""
    answer = house.inside().request(method, path, headers=OURS)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
    assert {"referrer-policy", "x-frame-options", "permissions-policy"} <= {*answer.headers}


def test_a_page_that_breaks_tells_nothing(house, tmp_path, caplog):
    """What goes wrong inside is logged, and leaves as one sentence with all headers."""

    class Broken(MemoryStore):
        def stopped(self):
            raise ValueError("a secret of the server")

    folder = tmp_path / "other"
    folder.mkdir()
    answer = House(folder, store=Broken()).inside().get("/history")
    assert answer.status_code == 500 and "content-security-policy" in answer.headers
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert "a secret of the server" in caplog.text


def test_a_store_that_fails_is_one_sentence(tmp_path):
    """Without its store the dashboard says so, and shows nothing else."""
    broken = Breaking(MemoryStore(), "stopped")
    answer = House(tmp_path, store=broken).inside().get("/history")
    assert answer.status_code == 503 and "The store cannot be used" in answer.text


def test_too_much_is_not_read(house):
    """A body beyond all meaning is refused before anybody looks at it."""
    browser = house.inside()
    answer = press_stop(browser, because="x" * 1_000_001)
    assert answer.status_code == 413 and "at most 1,000,000 bytes" in answer.text
    assert not house.store.stopped()


def test_the_cookie_is_for_the_server_only(house):
    """Scripts cannot read it, other sites cannot send it along with a form."""
    given = log_in(house.browser(), "ana").headers["set-cookie"].lower()
    assert "httponly" in given and "samesite=lax" in given and "path=/" in given
    assert "domain" not in given


def test_on_https_the_cookie_never_travels_in_the_open(tmp_path):
    """Behind https the cookie has the strictest prefix, and browsers are told to stay there."""
    fields = {"origin": "https://gate.example.org", "hosts": frozenset({"gate.example.org"})}
    browser = House(tmp_path, **fields).browser("https://gate.example.org")
    answer = log_in(browser, "ana")
    assert answer.headers["set-cookie"].startswith("__Host-gate=")
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers
    assert browser.get("/history").status_code == 200


# Not too often


def test_guessing_ends_soon(tmp_path):
    """After a few wrong passwords for one name the right one is refused too, for a while."""
    now = [0.0]
    limits = Limits(name_at_address=Limit(6, 1 / 30, now=lambda: now[0]))
    house = House(tmp_path, limits=limits)
    tries = [log_in(house.browser(), "ana", f"guess {n}").status_code for n in range(6)]
    assert tries == [401] * 6
    answer = log_in(house.browser(), "ANA ")
    assert answer.status_code == 429 and 0 < int(answer.headers["retry-after"]) <= 30
    assert log_in(house.browser(), "Bo").status_code == 303
    now[0] += 30
    assert log_in(house.browser(), "ana").status_code == 303


def test_guessing_many_names_ends_too(tmp_path):
    """One address runs out of tries, whatever names it tries."""
    still = Limit(3, 1 / 1000, now=lambda: 0.0)
    house = House(tmp_path, limits=Limits(address=still))
    tries = [log_in(house.browser(), f"name {n}").status_code for n in range(5)]
    assert tries == [401, 401, 401, 429, 429]


def test_guessing_tokens_ends_too(tmp_path):
    """Wrong bearer tokens are counted like wrong passwords."""
    house = House(tmp_path, limits=Limits(address=Limit(3, 1 / 1000, now=lambda: 0.0)))
    tries = [bearer(house.browser(), f"gate_{n}").status_code for n in range(5)]
    assert tries == [401, 401, 401, 429, 429]


def test_asking_without_end_is_slowed_down(tmp_path):
    """One session cannot keep the server busy for everybody, and others do not notice."""
    house = House(tmp_path, limits=Limits(requests=Limit(10, 1 / 1000, now=lambda: 0.0)))
    one, other = house.inside(), house.inside("Bo")
    assert {one.get("/history").status_code for _ in range(12)} == {200, 429}
    assert other.get("/history").status_code == 200


def test_a_limit_forgets_rather_than_grow():
    """Counting addresses takes a bounded amount of memory."""
    limit = Limit(1, 1 / 1000, now=lambda: 0.0, most=100)
    assert [limit.wait(str(n)) for n in range(1000)] == [0] * 1000
    assert len(limit._left) == 100 and limit.wait("999") > 0


# Roles and tokens


@pytest.mark.parametrize(("name", "status"), [("cy", 403), ("Bo", 403), ("ana", 303)])
def test_a_role_is_what_somebody_may_do(house, name, status):
    """Only an admin presses the stop button."""
    assert press_stop(house.inside(name)).status_code == status
    assert bool(house.store.stopped()) == (status == 303)


def test_a_role_that_is_taken_away_is_gone_at_once(house):
    """What somebody may do is looked up at every request, not at the login."""
    browser = house.inside()
    house.users.set_role("ana", Role.VIEWER)
    assert press_stop(browser).status_code == 403
    assert not house.store.stopped()


def bearer(browser, token, path="/api/openapi.json"):
    """Ask the API with a token."""
    return browser.get(path, headers={"authorization": f"Bearer {token}"})


def test_a_token_is_shown_once_and_kept_as_a_hash(house):
    """The file holds nothing that could be used as a token, and revoking ends it at once."""
    token = house.users.new_token("bo")
    assert token not in house.users.path.read_text("utf-8")
    assert house.users.by_token(token).name == "Bo"
    assert house.users.by_token(hashed(token)) is None and house.users.by_token("") is None
    assert bearer(house.browser(), token).status_code == 200
    house.users.revoke_tokens("bo")
    assert bearer(house.browser(), token).status_code == 401


def test_a_session_is_no_way_into_the_api_and_a_token_none_into_the_pages(house):
    """A browser's cookie counts for nothing under /api, so no site can use it there."""
    token = house.users.new_token("ana")
    assert house.inside().get("/api/openapi.json").status_code == 401
    assert told(bearer(house.browser(), token, "/history")) == "303 /login"


# A link for one person


def alone(tmp_path, **fields):
    """Return a dashboard for one person at this machine."""
    clock = Clock()
    links = Links("zoe", now=clock)
    house = House(tmp_path, people=OnePerson("zoe"), links=links, passwords=False, **fields)
    return house, links, clock


def test_a_link_lets_in_once(tmp_path):
    """The link that was printed opens one session, for the person at this machine."""
    house, links, _ = alone(tmp_path)
    path = f"/login/once/{links.new()}"
    browser = house.browser()
    assert browser.head(path).status_code == 404
    assert browser.get(path, headers={"sec-purpose": "prefetch;prerender"}).status_code == 404
    assert told(browser.get(path)) == "303 /"
    assert "zoe" in browser.get("/history").text
    assert house.browser().get(path).status_code == 403


def test_a_link_is_good_for_minutes_only(tmp_path):
    """A link that lies around in a terminal lets nobody in later; a newer one ends it too."""
    house, links, clock = alone(tmp_path)
    late, older, newer = links.new(), "", ""
    clock.set(600)
    assert house.browser().get(f"/login/once/{late}").status_code == 403
    older, newer = links.new(), links.new()
    assert house.browser().get(f"/login/once/{older}").status_code == 403
    assert house.browser().get(f"/login/once/{newer}").status_code == 303


def test_a_new_link_is_printed_where_the_dashboard_was_started(tmp_path):
    """Whoever asks for a link does not get it in the browser, but in the terminal."""
    house, _, _ = alone(tmp_path)
    answer = house.browser().post("/login/link", headers=OURS)
    (line,) = house.said
    token = line.rpartition("/")[2]
    assert token not in answer.text and line == f"Open {HOME}/login/once/{token}"
    assert house.browser().get(f"/login/once/{token}").status_code == 303


def test_there_is_no_password_where_there_is_a_link(tmp_path):
    """One person at a machine has no password, so none can be guessed."""
    house, _, _ = alone(tmp_path)
    assert log_in(house.browser(), "zoe", "").status_code == 404
    assert 'type="password"' not in house.browser().get("/login").text


# The file


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_text("{}\n", "utf-8"), "damaged"),
        (lambda path: path.write_text("not json\n", "utf-8"), "damaged"),
        (lambda path: path.write_bytes(b"\xff\xfe\n"), "damaged"),
        (lambda path: path.write_text(path.read_text("utf-8") * 2, "utf-8"), "damaged"),
        (lambda path: path.write_text('{"name":"x","role":"king"}\n', "utf-8"), "damaged"),
        (lambda path: path.unlink(), "no users file"),
        (lambda path: path.chmod(0o644), "chmod 600"),
    ],
)
def test_a_file_that_cannot_be_trusted_lets_nobody_in(house, damage, says):
    """A damaged, missing or open users file is one sentence, and the door stays shut."""
    browser = house.inside()
    damage(house.users.path)
    with pytest.raises(PeopleError, match=says) as caught:
        house.users.by_name("ana")
    assert "\n" not in str(caught.value)
    assert browser.get("/history").status_code == 503
    assert log_in(house.browser(), "ana").status_code == 503


def test_the_file_is_for_its_owner_and_holds_no_password(house):
    """Nobody else on the machine reads it, and whoever does finds argon2 hashes."""
    assert house.users.path.stat().st_mode & 0o777 == 0o600
    text = house.users.path.read_text("utf-8")
    assert PASSWORD not in text and text.count("$argon2id$") == 3
    assert [path.name for path in house.users.path.parent.iterdir()] == ["people.jsonl"]


def test_a_weaker_hash_is_renewed_at_login(house):
    """Whoever logs in gets the hash of today, and stays in."""
    stronger = Users(
        house.users.path, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    )
    assert stronger.by_password("ana", PASSWORD).name == "ana"
    hash_now = json.loads(house.users.path.read_text("utf-8").splitlines()[0])["password"]
    assert "m=16,t=2" in hash_now
    assert stronger.by_password("ana", PASSWORD) and not stronger.by_password("ana", "wrong")


@pytest.mark.parametrize("name", ["", " ana", "an\u202ea", "\uff21na", "nobody", "x" * 101, "a\nb"])
def test_a_name_belongs_to_one_person_and_everybody_can_see_it(house, name):
    """Two spellings are not two people, and no name hides, or is that of silence."""
    before = house.users.path.read_bytes()
    with pytest.raises(PeopleError):
        house.users.add(name, Role.ADMIN, PASSWORD)
    assert house.users.path.read_bytes() == before


@pytest.mark.parametrize("password", ["short", "x" * 1001])
def test_a_password_has_a_decent_length(house, password):
    """Too short is guessed, too long is an attack."""
    with pytest.raises(PeopleError, match="12 to 1,000"):
        house.users.add("dee", Role.VIEWER, password)


def core(*words, given="", **environ):
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "core", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
    )


@pytest.mark.slow
def test_people_are_added_and_removed_on_the_command_line(tmp_path):
    """`user` makes the file, asks for the password, and tells in one sentence what is wrong."""
    file = str(tmp_path / "people.jsonl")
    added = core("user", "add", "ana", "--role", "admin", "--users", file, given=PASSWORD + "\n")
    assert added.returncode == 0, added.stderr
    users = Users(tmp_path / "people.jsonl")
    assert users.by_password("ana", PASSWORD).role is Role.ADMIN
    twice = core("user", "add", "ANA", "--users", file, given=PASSWORD + "\n")
    assert (twice.returncode, twice.stderr) == (2, "ana is there already\n")
    assert core("user", "add", "bo", "--users", file).returncode == 2
    token = core("user", "token", "ana", "--users", file).stdout.strip().rstrip(".")
    assert users.by_token(token).name == "ana"
    assert "ana" in core("user", "list", "--users", file).stdout
    assert core("user", "remove", "ana", "--users", file).returncode == 0
    assert users.by_name("ana") is None


# Starting it


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gate.example.org", ""])
def test_nothing_listens_elsewhere_without_a_login(host):
    """Beyond this machine people have to log in, or nothing is started."""
    with pytest.raises(serving.NotServed, match="--users FILE or --oidc FILE"):
        serving.dashboard(MemoryStore(), serving.Place(host=host, by="zoe"))
    with pytest.raises(serving.NotServed, match="--users FILE or --oidc FILE"):
        serving.dashboard(MemoryStore(), serving.Place(origin="https://a.example", by="zoe"))


def test_an_empty_users_file_starts_nothing(tmp_path):
    """A dashboard that nobody could come into says so at once."""
    file = tmp_path / "people.jsonl"
    file.touch(0o600)
    with pytest.raises(serving.NotServed, match="nobody in it"):
        serving.dashboard(MemoryStore(), serving.Place(users=file))


def test_with_a_login_it_listens_where_it_is_told_to(house):
    """With a users file any address will do, if browsers have a name for it."""
    users = house.users.path
    with pytest.raises(serving.NotServed, match="--origin"):
        serving.dashboard(MemoryStore(), serving.Place(host="0.0.0.0", users=users))
    place = serving.Place(host="0.0.0.0", users=users, origin="https://Gate.example.org/")
    made = serving.dashboard(MemoryStore(), place)
    assert (made.origin, made.hosts) == ("https://gate.example.org", {"gate.example.org"})


def test_a_port_that_is_taken_is_one_sentence():
    """Two dashboards do not share a port, and the second one says so."""
    with serving.listening(serving.Place(port=0)) as first:
        place = serving.Place(port=first.getsockname()[1])
        with pytest.raises(serving.NotServed, match="Address already in use") as caught:
            serving.listening(place)
    assert "\n" not in str(caught.value)


def test_time_goes_on_while_nobody_looks(house):
    """The dashboard writes down what has expired, without anybody asking for it."""
    request = house.store.submit(asked()).request
    house.clock.set(60 * 60)
    with house.browser():
        eventually(lambda: [r for r in house.store.trail() if r.event == "expired"])
    assert request.id in {record.request_id for record in house.store.trail()}


def test_a_store_that_cannot_be_swept_stops_no_dashboard(tmp_path):
    """When the store fails in the background, the pages still say so themselves."""
    house = House(tmp_path, store=Breaking(MemoryStore(), "sweep"))
    with house.browser() as browser:
        assert browser.get("/login").status_code == 200


@pytest.mark.slow
def test_the_command_serves_until_interrupted(tmp_path):
    """`dashboard` prints a link that lets in once, answers, and ends in good order."""
    SqliteStore(tmp_path / "store.db").close()
    words = [sys.executable, "-m", "core", "dashboard", "--store", str(tmp_path / "store.db")]
    with subprocess.Popen(
        [*words, "--port", "0", "--by", "zoe"], stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            assert "The dashboard is at http://127.0.0.1:" in started.stdout.readline()
            link = started.stdout.readline().strip()
            with httpx2.Client(follow_redirects=True) as browser:
                answer = eventually(lambda: answered(browser, link))
                assert "zoe" in answer.text and "server" not in answer.headers
            assert httpx2.get(link).status_code == 403
        finally:
            started.send_signal(2)
        assert started.wait(10) == 0
        assert "has stopped" in started.stdout.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "--users FILE or --oidc FILE"),
        (["--users", "nowhere.jsonl"], "there is no users file"),
        (["--oidc", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--webhooks", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--origin", "gate.example.org"], "is no address of a site"),
        (["--port", "70000"], "argument --port"),
    ],
)
def test_a_dashboard_that_cannot_be_meant_is_one_sentence(tmp_path, words, says):
    """What is wrong with the command is said before anything listens."""
    SqliteStore(tmp_path / "store.db").close()
    done = core("dashboard", "--store", str(tmp_path / "store.db"), *words)
    assert done.returncode == 2 and says in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def answered(browser, url):
    """Return the answer of a server, `None` while there is none."""
    try:
        return browser.get(url)
    except httpx2.ConnectError:
        return None


def test_an_approver_brings_its_dashboard():
    """The first question starts a dashboard, says where, and returns what people vote."""
    store, said = MemoryStore(), []
    request = asked(expires_at=END_OF_TIME)
    store.submit(request)
    approver = Dashboard(store, by="zoe", say=said.append)
    assert said == []
    try:
        with Background(asyncio.run, approver(request)) as waiting:
            link = eventually(lambda: said[1:])[0].strip()
            with httpx2.Client() as browser:
                assert eventually(lambda: answered(browser, link)).status_code == 303
            store.vote(request.id, Approve(by="zoe"), digest=request.digest)
        assert waiting.result.by == "zoe"
        assert len(said) == 2
    finally:
        approver.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(link)

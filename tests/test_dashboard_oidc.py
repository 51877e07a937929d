"""Laws of coming in from an identity provider: forged, stale and stolen words open nothing."""

import re
from datetime import timedelta

import httpx2
import pytest

from core import MemoryStore
from core.approvers.dashboard import serving
from core.approvers.dashboard.context import Context
from core.approvers.dashboard.oidc import OpenID
from core.approvers.dashboard.people import FirstOf, PeopleError, Role
from core.approvers.dashboard.provider import Provider
from core.approvers.dashboard.sessions import Sessions
from core.approvers.dashboard.web import web
from tests.houses import COOKIE, HOME, House, told
from tests.provider import CLIENT, SECRET, provider


@pytest.fixture
def identities():
    """A provider on this machine that sends browsers back to the dashboard."""
    with provider(f"{HOME}/login/oidc/back") as made:
        yield made


def known_by(identities, **fields):
    """Return how the dashboard knows a provider."""
    ours = {"domains": ("example.org",), "roles": {"release": Role.REVIEWER, "ops": Role.ADMIN}}
    return OpenID(
        Provider(
            issuer=identities.issuer, client_id=CLIENT, client_secret=SECRET, **(ours | fields)
        )
    )


@pytest.fixture
def joined(identities, tmp_path):
    """A dashboard whose people come from the provider."""
    return House(tmp_path, oidc=(found := known_by(identities)), people=FirstOf((found,)))


def away(browser, path="/login/oidc?next=%2Fpictures"):
    """Send the browser to the provider and return the path on which it is sent back."""
    leaving = browser.get(path)
    assert leaving.status_code == 303
    returning = httpx2.get(leaving.headers["location"])
    assert returning.status_code == 302
    return returning.headers["location"].removeprefix(HOME)


@pytest.mark.parametrize(
    ("groups", "role"),
    [(None, "viewer"), (["release"], "reviewer"), (["x", "ops"], "admin"), ("ops", "admin")],
)
def test_a_person_comes_in_from_the_provider(identities, joined, groups, role):
    """The verified address is the name, a group is the role, and no group means looking only."""
    identities.claims = {"groups": groups}
    browser = joined.browser()
    assert told(browser.get(away(browser))) == "303 /pictures"
    page = browser.get("/history").text
    assert "ana@example.org" in page and f'class="role">{role}<' in page


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"email": "ana@evil.example"},
        {"email": "ana@example.org@evil.example"},
        {"email": "an\u202ea@example.org"},
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"], "azp": CLIENT},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000},
        {"iat": None},
        {"sub": None},
    ],
)
def test_a_word_that_does_not_hold_lets_nobody_in(identities, joined, claims):
    """Unverified, forged, stale, or meant for others: nobody comes in."""
    identities.claims = claims
    browser = joined.browser()
    assert browser.get(away(browser)).status_code == 403
    assert COOKIE not in browser.cookies


def test_a_key_that_is_not_the_providers_lets_nobody_in(identities, joined):
    """A token signed by somebody else is worth nothing, even under the name of the right key."""
    identities.published = type(identities.key).generate_key(2048, {"kid": "first"}, private=True)
    browser = joined.browser()
    assert browser.get(away(browser)).status_code == 403


def test_an_answer_to_another_browser_lets_nobody_in(joined):
    """A way back that was started elsewhere logs nobody in as somebody else."""
    mine, theirs = joined.browser(), joined.browser()
    back = away(theirs)
    away(mine)
    assert mine.get(back).status_code == 403
    assert joined.browser().get(away(theirs)).status_code == 403


def test_a_forged_state_lets_nobody_in(joined):
    """The state that comes back must be the one that was sent, and a trip is tried once."""
    browser = joined.browser()
    back = away(browser)
    assert browser.get(re.sub("state=[^&]+", "state=forged", back)).status_code == 403
    assert browser.get(back).status_code == 403


def test_a_code_counts_once(identities, joined):
    """The way back cannot be walked again, neither here nor at the provider."""
    browser = joined.browser()
    back = away(browser)
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403
    other = joined.browser()
    code = re.search("code=([^&]+)", back)[1]
    assert other.get(re.sub("code=[^&]+", f"code={code}", away(other))).status_code == 403


def test_a_stolen_code_is_worthless_without_the_verifier(identities, joined):
    """A code that was begun by one browser cannot be finished by another (PKCE)."""
    victim, thief = joined.browser(), joined.browser()
    code = re.search("code=([^&]+)", away(victim))[1]
    assert thief.get(re.sub("code=[^&]+", f"code={code}", away(thief))).status_code == 403


def test_the_answer_of_another_provider_lets_nobody_in(joined):
    """A provider that names itself must be the one that was asked."""
    browser = joined.browser()
    assert browser.get(away(browser) + "&iss=https://evil.example").status_code == 403


def test_a_provider_that_is_down_is_one_sentence(tmp_path):
    """Nobody comes in, nobody is thrown out, and the page says so."""
    gone = OpenID(Provider(issuer="http://127.0.0.1:1", client_id=CLIENT, domains=("*",)))
    house = House(tmp_path, oidc=gone)
    answer = house.browser().get("/login/oidc")
    assert answer.status_code == 503 and "Traceback" not in answer.text
    assert house.inside().get("/history").status_code == 200


def test_a_person_in_the_file_has_the_role_that_stands_there(identities, tmp_path):
    """Whom the users file knows by that address, it has the say about."""
    found = known_by(identities)
    house = House(tmp_path, oidc=found)
    house.users.add("Ana@example.org", Role.ADMIN)
    other = House.__new__(House)
    other.context = Context(
        store=house.store, people=FirstOf((house.users, found)), sessions=Sessions(), oidc=found
    )
    other.web = web(other.context)
    browser = other.browser()
    browser.get(away(browser))
    assert 'class="role">admin<' in browser.get("/history").text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("issuer = 'https://a'\nclient_id = 'x'\n", "domains"),
        ("issuer = 'http://login.example.org'\nclient_id = 'x'\ndomains = ['a']\n", "https"),
        ("issuer = 'https://a'\nclient_id = 'x'\ndomains = ['a']\nroles = {x = 'king'}\n", "KING"),
        ("not toml", "does not describe"),
        ("issuer = 'https://a'\nclient_id = 'x'\ndomains = ['a']\ntypo = 1\n", "typo"),
    ],
)
def test_a_description_of_a_provider_that_makes_no_sense_is_one_sentence(tmp_path, text, says):
    """Whom to trust is never guessed."""
    file = tmp_path / "provider.toml"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    with pytest.raises(PeopleError, match=says) as caught:
        serving.dashboard(MemoryStore(), serving.Place(oidc=file))
    assert "\n" not in str(caught.value)


def test_a_description_of_a_provider_is_read(tmp_path):
    """What stands in the file is what the dashboard trusts."""
    file = tmp_path / "provider.toml"
    words = "issuer = 'https://login.example.org'\nclient_id = 'x'\ndomains = ['Example.org']\n"
    file.write_text(words + "[roles]\nops = 'admin'\n", "utf-8")
    file.chmod(0o600)
    made = serving.dashboard(MemoryStore(), serving.Place(oidc=file, idle=timedelta(minutes=5)))
    assert made.oidc.provider.domains == ("example.org",)
    assert made.oidc.provider.roles == {"ops": Role.ADMIN} and not made.passwords

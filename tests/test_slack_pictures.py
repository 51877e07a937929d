"""The pictures and the set-up in Slack's README are those of the program as it is."""

import ast
import re
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest
import yaml

from core.approvers.slack.door import PATH
from core.approvers.slack.settings import read_settings
from tests.slack_pictures import FOLDER, PICTURES

SLACK = Path(__file__).parent.parent / "core" / "approvers" / "slack"
README = (SLACK / "README.md").read_text("utf-8")
SVG = "{http://www.w3.org/2000/svg}"
NEEDS = {
    "apps.connections.open": set(),
    "auth.test": set(),
    "api.test": set(),
    "chat.postMessage": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": {"channels:history", "groups:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.members": {"channels:read", "groups:read"},
    "conversations.open": {"im:write"},
    "conversations.replies": {"channels:history", "groups:history"},
    "team.info": {"team:read"},
    "users.info": {"users:read"},
    "views.open": set(),
    "views.update": set(),
}
"""Methods of Slack's API, and the scopes of a bot that they take."""


def blocks_of(language):
    """The blocks of one language in the README."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)


def manifest():
    """The manifest that the README tells to paste."""
    [text] = blocks_of("yaml")
    return yaml.safe_load(text)


def called():
    """The methods of Slack's API that the window calls, by the names in its code."""
    names = {
        str(node.value)
        for path in SLACK.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
    }
    kinds = "admin|api|apps|auth|chat|conversations|files|im|reactions|team|users|views"
    return {name for name in names if re.fullmatch(rf"(?:{kinds})(?:\.[a-zA-Z]+)+", name)}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_is_drawn_today(name):
    """A change to a message changes its picture; `python -m tests.slack_pictures` draws it anew."""
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_needs_nothing_else(name):
    """A picture is one well-formed file with a title, and fetches nothing."""
    drawing = ElementTree.fromstring(PICTURES[name]())
    assert drawing.find(f"{SVG}title").text
    links = [one for node in drawing.iter() for one in node.attrib if "href" in one]
    assert links == [] and "url(" not in PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_drawn_outside_a_picture(name):
    """Every line of letters ends inside the card."""
    drawing = ElementTree.fromstring(PICTURES[name]())
    wide, high = float(drawing.get("width")), float(drawing.get("height"))
    for text in drawing.iter(f"{SVG}text"):
        if "textLength" in text.attrib:
            assert 0 < float(text.get("x")) + float(text.get("textLength")) < wide
            assert 0 < float(text.get("y")) < high


def test_every_picture_is_in_the_prose():
    """The README shows each picture once, with words for those who cannot see it."""
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/(\w+)\.svg\)", README)
    assert sorted(name for _, name in shown) == sorted(PICTURES)
    assert {path.stem for path in FOLDER.iterdir()} == set(PICTURES)
    assert all(len(words.split()) >= 5 for words, _ in shown)


def test_the_manifest_turns_on_what_the_window_needs():
    """Buttons work in an app made from the manifest, over Socket Mode, and the bot has a name."""
    found = manifest()
    assert found["settings"]["interactivity"]["is_enabled"] is True
    assert found["settings"]["socket_mode_enabled"] is True
    assert "event_subscriptions" not in found["settings"]
    assert found["features"]["app_home"]["messages_tab_enabled"] is True
    name = found["features"]["bot_user"]["display_name"]
    assert 0 < len(found["display_information"]["name"]) <= 35 and f"/invite @{name}" in README
    assert len(found["display_information"]["description"]) <= 140


def test_the_manifest_asks_for_the_scopes_of_what_is_called():
    """No call fails for want of a scope, and none is asked for that nothing needs."""
    assert "chat.update" in called()
    assert called() - set(NEEDS) == set()
    looks = {"conversations.info", "users.info"}
    needed = {scope for method in called() | looks for scope in NEEDS[method]}
    assert needed == set(manifest()["oauth_config"]["scopes"]["bot"])


def test_every_scope_says_what_it_is_for():
    """A scope stands in the manifest with its reason in the table below it, and no other does."""
    table = README.partition("| Scope |")[2].partition("\n\n")[0]
    scopes = manifest()["oauth_config"]["scopes"]["bot"]
    assert sorted(re.findall(r"`([a-z]+:[a-z]+)`", table)) == sorted(scopes)
    assert set(manifest()["oauth_config"]["scopes"]) == {"bot"}


def test_the_settings_in_the_prose_can_be_used(tmp_path):
    """The settings file of the README is read as it stands, with and without HTTP."""
    file, (settings, http) = tmp_path / "slack.toml", blocks_of("toml")
    tokens = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    file.write_text(settings, "utf-8")
    found = read_settings(file, tokens)
    assert found.http is None and found.people.user("Bo") and found.escalate.to
    file.write_text(settings + dedent(http), "utf-8")
    found = read_settings(file, {**tokens, "SLACK_SIGNING_SECRET": "s"})
    assert (found.http.host, found.http.port) == ("127.0.0.1", 8322)


def test_the_address_in_the_prose_is_the_one_that_listens():
    """Whoever copies the request URL reaches the place where clicks are heard."""
    assert f"https://slack.example.org{PATH}" in README

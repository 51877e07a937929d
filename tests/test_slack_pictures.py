"""The pictures and the set-up in Slack's README are those of the program as it is."""

import ast
import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.slack_pictures import FOLDER, PICTURES

SLACK = Path(__file__).parent.parent / "core" / "approvers" / "slack"
README = (SLACK / "README.md").read_text("utf-8")
SVG = "{http://www.w3.org/2000/svg}"
NEEDS = {
    "apps_connections_open": set(),
    "auth_test": set(),
    "api_test": set(),
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_members": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "team_info": {"team:read"},
    "users_info": {"users:read"},
    "views_open": set(),
    "views_update": set(),
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
    """The methods of Slack's API that the window calls."""
    trees = [ast.parse(path.read_text("utf-8")) for path in SLACK.glob("*.py")]
    names = {
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    kinds = "admin|api|apps|auth|chat|conversations|files|im|reactions|team|users|views"
    return {name for name in names if re.match(rf"(?:{kinds})_[a-z]+[A-Za-z]*$", name)}


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
    """No call fails for want of a scope."""
    assert called() - set(NEEDS) == set()
    needed = {scope for method in called() for scope in NEEDS[method]}
    assert needed - set(manifest()["oauth_config"]["scopes"]["bot"]) == set()


def test_every_scope_says_what_it_is_for():
    """A scope stands in the manifest with its reason in the table below it, and no other does."""
    table = README.partition("| Scope |")[2].partition("\n\n")[0]
    scopes = manifest()["oauth_config"]["scopes"]["bot"]
    assert sorted(re.findall(r"`([a-z]+:[a-z]+)`", table)) == sorted(scopes)
    assert set(manifest()["oauth_config"]["scopes"]) == {"bot"}


def test_the_settings_in_the_prose_can_be_read():
    """The settings file of the README is TOML, and its people have names of their own."""
    settings, http = map(tomllib.loads, blocks_of("toml"))
    assert set(settings) == {"team", "channel", "dashboard", "people", "escalate"}
    assert set(http) == {"http"} and set(http["http"]) == {"host", "port"}
    assert len(set(settings["people"].values())) == len(settings["people"])

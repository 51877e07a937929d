"""The README of Teams shows what is sent; its manifest and settings can be used as they stand."""

import json
import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from core.approvers.teams.door import PATH
from core.approvers.teams.settings import read_settings
from tests.teams_pictures import FOLDER, PICTURES

TEAMS = Path(__file__).parent.parent / "core" / "approvers" / "teams"
README = (TEAMS / "README.md").read_text("utf-8")
SVG = "{http://www.w3.org/2000/svg}"


def blocks_of(language):
    """The blocks of one language in the README."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_is_drawn_today(name):
    """A change to a card changes its picture; `python -m tests.teams_pictures` draws it anew."""
    assert (FOLDER / f"{name}.svg").read_text("utf-8") == PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_drawn_outside_a_picture(name):
    """A picture is one well-formed file with a title, and every line of it ends inside."""
    drawing = ElementTree.fromstring(PICTURES[name]())
    wide, high = float(drawing.get("width")), float(drawing.get("height"))
    assert drawing.find(f"{SVG}title").text and "url(" not in PICTURES[name]()
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


def test_the_manifest_is_one():
    """It names a bot for channels and chats, in the lengths that Teams takes."""
    [text] = blocks_of("json")
    found = json.loads(text)
    [bot] = found["bots"]
    assert bot["botId"] == found["id"] and "team" in bot["scopes"]
    assert len(found["name"]["short"]) <= 30 and len(found["description"]["short"]) <= 80
    assert not bot["isNotificationOnly"]


def test_the_settings_in_the_prose_can_be_used(tmp_path):
    """The settings file of the README is read as it stands, and so is its address."""
    http, settings = blocks_of("toml")
    file = tmp_path / "teams.toml"
    file.write_text(f"{settings}\n{http}", "utf-8")
    found = read_settings(file, {"TEAMS_CLIENT_SECRET": "s"})
    assert found.escalate.to and sorted(found.people.names.values()) == ["Ana", "Bo"]
    assert found.http.port == tomllib.loads(http)["http"]["port"] and PATH in README

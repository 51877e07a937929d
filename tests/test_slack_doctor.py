"""The doctor looks at everything that can be wrong, and names it in plain words."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from people import eventually
from slack_api import SlackApi
from test_slack import ROOT, TOML, shown, until_it_says

from core import SqliteStore, gate
from core.approvers.chat.looking import told as tell
from core.approvers.inbox import Inbox
from core.approvers.slack.doctor import findings


@pytest.fixture
def api():
    with SlackApi() as made:
        for user in ("U1ANA", "U2BO"):
            made.user(user)
        yield made


def looked(api, tmp_path, environ=None, **changes):
    """Return the exit code and what was told."""
    text = TOML.format(team=api.team, api=api.url)
    for old, new in changes.get("toml", {}).items():
        text = text.replace(old, new)
    (tmp_path / "slack.toml").write_text(text)
    known = {"SLACK_BOT_TOKEN": api.bot_token, "SLACK_APP_TOKEN": api.app_token}
    told = []
    code = tell(findings(tmp_path / "slack.toml", {**known, **(environ or {})}), told.append)
    assert not any("xoxb" in line or "xapp-test" in line for line in told if "begins" not in line)
    return code, told


def wrong(told):
    """The lines that say that something is wrong."""
    return [line for line in told if line.startswith("wrong")]


def test_all_is_well(api, tmp_path):
    """Settings, token, workspace, clock, scopes, channel, people and socket: a line each."""
    code, told = looked(api, tmp_path)
    assert code == 0 and not wrong(told) and told[-1] == "All is well." and len(told) == 13


def archived(api):
    api.channels["C024BE91L"].is_archived = True


def left(api):
    api.channels["C024BE91L"].has_bot = False


def gone(api):
    del api.channels["C024BE91L"]


def dismissed(api):
    api.users["U2BO"].is_deleted = True


def bot(api):
    api.users["U2BO"].is_bot = True


def unknown(api):
    del api.users["U2BO"]


def unscoped(api):
    api.scopes.discard("channels:history")


def slow(api):
    api.clock = lambda: time.time() + 120


def no_socket(api):
    api.fail("apps.connections.open", times=9, error="missing_scope")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (archived, "the channel C024BE91L: it is archived"),
        (left, "the channel C024BE91L: the app is not in it: write /invite"),
        (gone, "the channel C024BE91L: Slack knows no such channel"),
        (dismissed, "bo (U2BO): the account was deactivated"),
        (bot, "bo (U2BO): that is an app, not a person"),
        (unknown, "bo (U2BO): Slack knows nobody by that id"),
        (unscoped, "the scope channels:history: add it"),
        (slow, "seconds slow, so Slack's signatures look old"),
        (no_socket, "does the app's token have connections:write?"),
    ],
)
def test_what_is_wrong_is_named(api, tmp_path, change, said):
    """One line says what is wrong and what to do; the exit code says that something is."""
    change(api)
    code, told = looked(api, tmp_path)
    assert code == 1 and len(wrong(told)) == 1 and said in wrong(told)[0]
    assert told[-1] == "One thing is wrong."


@pytest.mark.parametrize(
    ("environ", "toml", "said"),
    [
        ({"SLACK_BOT_TOKEN": ""}, {}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxp-1"}, {}, "it begins with xoxb-"),
        ({"SLACK_BOT_TOKEN": "xoxb-other"}, {}, "Slack does not take the bot's token"),
        ({"SLACK_APP_TOKEN": ""}, {}, "SLACK_APP_TOKEN is not set"),
        ({}, {"T024BE7LD": "T0OTHER"}, 'write team = "T024BE7LD"'),
        ({}, {"channel =": "chanel ="}, "chanel, which means nothing here"),
        ({}, {'U2BO = "bo"': 'U2BO = "ana"'}, "two users have one name"),
        ({}, {"api =": "api = 'http://127.0.0.1:9/'\ndashboard ="}, "Slack cannot be reached"),
    ],
)
def test_wrong_settings_are_named(api, tmp_path, environ, toml, said):
    """What cannot work is told before anybody waits for an answer."""
    code, told = looked(api, tmp_path, environ, toml=toml)
    assert code == 1 and said in wrong(told)[0]


def command(*words, api, cwd):
    """Start the program."""
    env = {
        "SLACK_BOT_TOKEN": api.bot_token,
        "SLACK_APP_TOKEN": api.app_token,
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    return subprocess.Popen(
        [sys.executable, "-m", "core.approvers.slack", *words],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_the_programs(api, tmp_path):
    """`doctor` ends with 0; `serve` shows what waits and what comes, until it is interrupted."""
    looked(api, tmp_path)
    with command("doctor", api=api, cwd=tmp_path) as child:
        assert child.wait(20) == 0 and "All is well." in child.stdout.read()
    store = SqliteStore(tmp_path / "approvals.db")

    def ship(what: str) -> str:
        """Ship."""
        return f"{what} shipped"

    ended = []

    def call(what):
        shipping = gate(ship, approver=Inbox(store, 0.1), store=store)
        threading.Thread(target=lambda: ended.append(shipping(what)), daemon=True).start()

    call("first")
    eventually(store.pending)
    with command("serve", "--store", "approvals.db", api=api, cwd=tmp_path) as child:
        assert "Ctrl-C ends it" in child.stdout.readline()
        first = shown(api)
        call("second")
        second = shown(api, number=1)
        for message in (first, second):
            api.users["U1ANA"].click(message, "approve")
        eventually(lambda: sorted(ended) == ["first shipped", "second shipped"], 20)
        until_it_says(api, first, "It ran and succeeded")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--store", "memory:"], "name a store in a file"),
        (["serve", "--store", "nothing.db"], "there is no store at nothing.db"),
        (["doctor", "--settings", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(api, tmp_path, words, said):
    """A clear sentence and an exit code, and no traceback."""
    with command(*words, api=api, cwd=tmp_path) as child:
        text = child.stdout.read()
        assert child.wait(20) == 1 and said in text and "Traceback" not in text

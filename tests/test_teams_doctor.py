"""The doctor of Teams looks at everything that can be wrong, and names it in plain words."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from people import eventually
from teams_api import TeamsApi
from test_teams import ANA, BO, ROOT, shown, until_it_says, written

from core import SqliteStore, gate
from core.approvers.chat.looking import told as tell
from core.approvers.inbox import Inbox
from core.approvers.teams.doctor import findings
from core.model import utc_now


@pytest.fixture
def api():
    with TeamsApi() as made:
        for user in (ANA, BO):
            made.user(user)
        yield made


def looked(api, tmp_path, secret=None, **toml):
    """Return the exit code and what was told."""
    written(tmp_path, api)
    text = (tmp_path / "teams.toml").read_text()
    for old, new in toml.items():
        text = text.replace(old, new)
    (tmp_path / "teams.toml").write_text(text)
    told = []
    environ = {"TEAMS_CLIENT_SECRET": api.secret if secret is None else secret}
    code = tell(findings(tmp_path / "teams.toml", environ), told.append)
    assert not any("Xy~8Q" in line for line in told)
    return code, told


def wrong(told):
    """The lines that say that something is wrong."""
    return [line for line in told if line.startswith("wrong")]


def test_all_is_well(api, tmp_path):
    """Settings, keys and clock, token, conversation, people and address: a line each."""
    code, told = looked(api, tmp_path)
    assert code == 0 and not wrong(told) and told[-1] == "All is well." and len(told) == 8


def thrown_out(api):
    api.conversations[api.conversation].has_bot = False


def left(api):
    api.conversations[api.conversation].members.remove(BO)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (thrown_out, "add it to the team or chat"),
        (left, f"bo ({BO}): nobody with that object id is in the conversation"),
    ],
)
def test_what_is_wrong_is_named(api, tmp_path, change, said):
    """One line says what is wrong and what to do; the exit code says that something is."""
    change(api)
    code, told = looked(api, tmp_path)
    assert code == 1 and said in " ".join(wrong(told))


@pytest.mark.parametrize(("minutes", "which"), [(2, "fast"), (-2, "slow")])
def test_a_wrong_clock_is_named(api, tmp_path, minutes, which):
    """Tokens are good for a while only, so the time has to be right."""
    written(tmp_path, api)
    told, environ = [], {"TEAMS_CLIENT_SECRET": api.secret}
    wrong_time = utc_now() + timedelta(minutes=minutes)
    found = findings(tmp_path / "teams.toml", environ, lambda: wrong_time)
    assert tell(found, told.append) == 1
    assert f"seconds {which}, so tokens look old" in " ".join(wrong(told))


@pytest.mark.parametrize(
    ("secret", "toml", "said"),
    [
        ("", {}, "TEAMS_CLIENT_SECRET is not set"),
        ("guessed", {}, "there is no token for the bot"),
        (None, {"conversation =": "channel ="}, "channel, which means nothing here"),
        (None, {"19:releases": "19:nowhere"}, "no such conversation"),
        (None, {'"bo"': '"ana"'}, "two users have one name"),
    ],
)
def test_wrong_settings_are_named(api, tmp_path, secret, toml, said):
    """What cannot work is told before anybody waits for an answer."""
    code, told = looked(api, tmp_path, secret, **toml)
    assert code == 1 and said in " ".join(wrong(told))


@pytest.mark.slow
def test_the_programs(api, tmp_path):
    """`doctor` ends with 0; `serve` shows what waits until it is interrupted."""
    written(tmp_path, api)
    env = {**os.environ, **api.environ, "TEAMS_CLIENT_SECRET": api.secret, "PYTHONPATH": str(ROOT)}

    def started(*words):
        program = [sys.executable, "-m", "core.approvers.teams", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(program, cwd=tmp_path, env=env, **pipes)

    with started("doctor") as child:
        assert child.wait(30) == 0 and "All is well." in child.stdout.read()
    store, ended = SqliteStore(tmp_path / "approvals.db"), []

    def ship(what: str) -> str:
        """Ship."""
        return f"{what} shipped"

    shipping = gate(ship, approver=Inbox(store, 0.1), store=store)
    threading.Thread(target=lambda: ended.append(shipping("it")), daemon=True).start()
    eventually(store.pending)
    with started("serve", "--store", "approvals.db") as child:
        api.bot_url = child.stdout.readline().strip().rpartition(" ")[2]
        assert "Ctrl-C ends it" in child.stdout.readline()
        message = shown(api)
        api.users[ANA].execute(message, "approve")
        eventually(lambda: ended == ["it shipped"], 20)
        until_it_says(api, message, "It ran and succeeded")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130
    store.close()

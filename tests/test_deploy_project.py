"""What an agent and the people behind it can do with a real repository and real services."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import repositories
from places import FakeTarget
from small_shop import release_of, shop, stored, tree

from apps.deploy.errors import (
    Busy,
    CommandFailed,
    ConfigError,
    DeployError,
    Moved,
    RepositoryError,
    Unhealthy,
    UnknownRef,
    Unreachable,
)
from apps.deploy.model import sha_of
from apps.deploy.opening import opened
from apps.deploy.project import Project

FREEZE = """
[[freeze]]
environments = ["production"]
first = 2026-12-21
last = 2027-01-03
because = "holidays"
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a shop and its deploy.toml; production is frozen over Christmas."""
    shop(tmp_path, more=FREEZE, health_seconds=0.8)
    return tmp_path


@pytest.fixture
def told():
    """What was told while things happened."""
    return []


@pytest.fixture
def project(folder, told):
    """The shop, opened; its services are stopped at the end."""
    with opened(folder / "deploy.toml", by="ana", progress=told.append) as opened_project:
        yield opened_project
        opened_project.stop()


def current(folder, environment="staging"):
    """Return the name of the release that `current` leads to."""
    return (folder / "environments" / environment / "current").resolve().name


def events(folder, environment="staging"):
    """Return the journal, as pairs of kind and commit."""
    lines = (folder / "environments" / environment / "journal.jsonl").read_text("utf-8")
    return [(said["kind"], said["commit"]) for said in map(json.loads, lines.splitlines())]


def test_a_commit_goes_live_byte_for_byte(project, folder):
    """What lies in the release is what git has stored, and the text says what is live now."""
    text = project.deploy("v1", "staging")
    sha = repositories.sha(folder / "shop", "v1")
    assert tree(folder / "environments/staging/current/") == stored(folder, sha)
    assert text.startswith(f"{sha[:10]} (v1) is live in staging and healthy. It took ")
    assert re.search(r"checkout \d\.\d s, build \d\.\d s, .*, health \d\.\d s\.$", text)


def test_what_was_live_before_is_said(project, folder):
    """The second deploy names both releases."""
    project.deploy("v1", "staging")
    second = release_of(folder, {"health": "201"}, tag="v2", minute=1)
    text = project.deploy("main", "staging")
    assert f"{second[:10]} (v2) is live in staging and healthy, in place of " in text
    assert " (v1). It took" in text


def test_what_is_live_and_healthy_is_left_alone(project, folder):
    """The same commit twice is one deploy, and the second answer says so."""
    project.deploy("v1", "staging")
    release = current(folder)
    assert project.deploy("v1", "staging").endswith("already, and healthy: nothing was done.")
    assert current(folder) == release
    assert [kind for kind, _ in events(folder)].count("began") == 1


@pytest.mark.slow
def test_what_is_live_but_down_is_deployed_again(project, folder):
    """A commit whose service does not answer is no success to rest on."""
    project.deploy("v1", "staging")
    project.stop("staging")
    sha = sha_of(current(folder))
    assert not project.is_up(sha, "staging")
    release = current(folder)
    assert "in place of" in project.deploy("v1", "staging")
    assert current(folder) != release and project.is_up(sha, "staging")


def test_the_branch_may_move_while_the_commit_ships(project, folder):
    """`ship` brings the commit that it was given, wherever the branch has gone."""
    approved = project.resolve("main")
    release_of(folder, {"health": "500"}, minute=1)
    project.ship(approved, "staging")
    assert sha_of(current(folder)) == approved
    assert tree(folder / "environments/staging/current/") == stored(folder, approved)


def test_a_commit_that_was_pushed_away_is_refused_before_anything_happens(project, folder):
    """Once git has thrown it away the sentence says so, and what is live stays live."""
    project.deploy("v1", "staging")
    lost = release_of(folder, {"health": "200", "x": "y"}, minute=1)
    repositories.forced(folder / "shop")
    repositories.collected(folder / "shop")
    before = events(folder)
    with pytest.raises(RepositoryError, match=lost[:10]):
        project.ship(lost, "staging")
    assert events(folder) == before


@pytest.mark.slow
def test_an_unhealthy_commit_is_taken_back(project, folder):
    """The earlier commit answers again, and no one needs to do anything for it."""
    project.deploy("v1", "staging")
    good = current(folder)
    release_of(folder, {"health": "503"}, minute=1)
    with pytest.raises(Unhealthy, match=r"status 503 .*staging is back at \w{10} \(v1\), which is"):
        project.deploy("main", "staging")
    assert current(folder) == good and project.is_up(sha_of(good), "staging")


def test_a_failing_test_stops_it(project, folder):
    """The service never notices, and the agent reads what the test has printed."""
    project.deploy("v1", "staging")
    good = current(folder)
    release_of(folder, {"test.sh": "echo 2 + 2 is 5; exit 1"}, minute=1)
    with pytest.raises(CommandFailed, match=r"live there as before\.\nIt printed last:\n  2 \+ 2"):
        project.deploy("main", "staging")
    assert current(folder) == good
    assert "test:\n  2 + 2 is 5" in project.logs("staging")


def test_a_command_has_a_deadline(tmp_path):
    """A build that never ends is ended, and nothing of it runs on."""
    shop(tmp_path, seconds=0.5)
    release_of(tmp_path, {"build.sh": "sleep 61 & sleep 62"}, minute=1)
    with opened(tmp_path / "deploy.toml") as project:
        with pytest.raises(CommandFailed, match="never current: nothing is live there"):
            project.deploy("main", "staging")
        assert project.live("staging") is None
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert not {"sleep 61", "sleep 62"} & {*running.splitlines()}


def test_commands_come_from_the_file_beside_and_never_from_a_commit(project, folder):
    """A commit with a deploy.toml of its own changes nothing about how it is deployed."""
    evil = f'[commands]\nbuild = ["touch", "{folder}/evil"]\n'
    release_of(folder, {"deploy.toml": evil, ".deploy/deploy.toml": evil}, minute=1)
    project.deploy("main", "staging")
    assert not (folder / "evil").exists()


@pytest.mark.slow
def test_nothing_is_done_over_another_release_than_was_looked_at(project, folder):
    """Whoever looked at an older state is told what is live now, for a deploy and a way back."""
    first = project.resolve("v1")
    with pytest.raises(Moved, match="nothing is live there"):
        project.ship(first, "staging", over="20260101T000000000000-" + "a" * 40)
    project.ship(first, "staging", over="")
    looked_at = current(folder)
    second = release_of(folder, {"x": "y"}, minute=1)
    project.ship(second, "staging", over=looked_at)
    third = release_of(folder, {"x": "z"}, minute=2)
    before = events(folder)
    with pytest.raises(Moved, match=rf"{second[:10]} is live there .* and no longer {first[:10]}"):
        project.ship(third, "staging", over=looked_at)
    with pytest.raises(Moved):
        project.return_to(looked_at, "staging", over=looked_at)
    assert events(folder) == before


@pytest.mark.slow
def test_a_rollback_goes_to_the_last_healthy_release(project, folder):
    """Past the one that failed; and when there is none left, the sentence says what stays."""
    project.deploy("v1", "staging")
    second = release_of(folder, {"x": "y"}, tag="v2", minute=1)
    project.deploy("v2", "staging")
    release_of(folder, {"health": "500"}, minute=2)
    with pytest.raises(Unhealthy):
        project.deploy("main", "staging")
    assert sha_of(current(folder)) == second
    assert re.search(
        r"\(v1\) is live in staging .*in place of \w+ \(v2\)", project.rollback("staging")
    )
    assert project.is_up(project.resolve("v1"), "staging")
    with pytest.raises(DeployError, match=r"there is none: \w{10} \(v1\) stays\.$"):
        project.rollback("staging")


def test_only_what_was_healthy_is_gone_back_to(project, folder):
    """Neither a release that never was, nor the current one, nor a path."""
    project.deploy("v1", "staging")
    for name in ("", current(folder), "../../etc", "20260101T000000000000-" + "a" * 40):
        with pytest.raises(DeployError, match="goes back only to what was healthy"):
            project.return_to(name, "staging")
    assert [kind for kind, _ in events(folder)].count("began") == 1


def test_one_at_a_time(project, folder):
    """While somebody holds the environment, everything that changes it is refused with who."""
    project.deploy("v1", "staging")
    works = (
        lambda: project.deploy("v1", "staging"),
        lambda: project.return_to(current(folder), "staging"),
        lambda: project.run_task("tell", "staging"),
    )
    with opened(folder / "deploy.toml", by="bo") as other, other._targets["staging"].locked("bo"):
        for work in works:
            with pytest.raises(Busy, match="bo deploys"):
                work()
        assert "(v1)" in project.status()
        assert "Somebody is at work there" in project.finding(project.resolve("v1"), "staging")


@pytest.mark.slow
def test_a_task_runs_in_the_live_release(project, folder):
    """With its variables, in its folder, and with its words in the answer; a failure is quoted."""
    project.deploy("v1", "staging")
    text = project.run_task("tell", "staging")
    sha, here = project.resolve("v1"), folder / "environments/staging/releases" / current(folder)
    assert text.splitlines()[1:] == ["It printed last:", f"  staging {sha}", f"  {here}", "  200"]
    release_of(folder, {"code": "3"}, minute=1)
    project.deploy("main", "staging")
    with pytest.raises(
        CommandFailed, match=r"(?s)The task tell failed in \w{10} in staging: .*  200$"
    ):
        project.run_task("tell", "staging")
    with pytest.raises(CommandFailed, match="The task sleep failed"):
        project.run_task("sleep", "staging")


def test_a_name_that_is_not_there_lists_those_that_are(project, told):
    """Unknown tasks, environments and refs are one line each, and nothing was begun."""
    with pytest.raises(ConfigError, match=r"^There is no task 'x'; there is: tell, sleep\.$"):
        project.run_task("x", "staging")
    for call in (project.logs, project.live, project.rollback, project.way_back, project.frozen):
        with pytest.raises(
            ConfigError, match=r"^There is no environment .*: staging, production\.$"
        ):
            call("prod\n\x1b[2K")
    for ref in ("nope", "--all", "a\nb", "", "\x1b[2K"):
        for call in (project.deploy, project.changes):
            with pytest.raises(UnknownRef) as unknown:
                call(ref, "staging")
            assert str(unknown.value).isprintable()
    with pytest.raises(DeployError, match="Nothing is live in staging that tell could run in"):
        project.run_task("tell", "staging")
    with pytest.raises(UnknownRef):
        project.ship("main", "staging")
    assert told == []


def test_status_says_what_runs_where(project, folder):
    """Commit and tag, since when, whether it answers right now, and what is newer."""
    assert re.search(r"^staging +nothing", project.status(), re.M)
    project.deploy("v1", "staging")
    release_of(folder, {"x": "y"}, minute=1)
    release_of(folder, {"x": "z"}, tag="v2", minute=2, message="The \x1b[2K newest")
    text = project.status()
    first, second = project.resolve("v1")[:10], project.resolve("v2")[:10]
    [row] = [line for line in text.splitlines() if line.startswith("staging")]
    assert f"{first} (v1)" in row and " healthy " in row
    assert row.endswith(f"+2 to {second} (v2)")
    assert re.search(rf"^main, v2 +{second} .*The \\x1b\[2K newest$", text, re.M)
    project.stop("staging")
    [row] = [line for line in project.status().splitlines() if line.startswith("staging")]
    assert "connection refused" in row


@pytest.mark.slow
def test_changes_show_what_comes_and_what_goes(project, folder):
    """Forward, back, and for the first time; with what deserves attention."""
    assert "the first release there" in project.changes("v1", "staging")
    release_of(folder, {"migrations/1.sql": "x", "x": "y\n"}, tag="v2", minute=1, message="Second")
    project.deploy("v2", "staging")
    release_of(folder, {"x": "z\n"}, branch="other", minute=2)
    back = project.changes("v1", "staging")
    assert "takes staging back" in back and "1 commit go" in back and "Second" in back
    project.deploy("v1", "staging")
    forth = project.changes("v2", "staging")
    assert "1 commit more" in forth and "2 files, 2 lines come, 0 go" in forth
    assert re.search(r"^migrations/1\.sql +migration", forth, re.M)


def test_what_a_service_prints_is_never_interpreted(project):
    """Its log is shown with every control character written out."""
    project.deploy("v1", "staging")
    text = project.logs("staging")
    assert "serving" in text and "Last in staging:" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_logs_are_bounded(project, folder):
    """Of a build that prints without end the agent reads the end."""
    noisy = "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"
    release_of(folder, {"build.sh": noisy}, minute=1)
    project.deploy("main", "staging")
    text = project.logs("staging")
    assert "line 4999" in text and len(text) < 10_000


@pytest.mark.slow
def test_a_proof_is_about_this_commit_and_this_environment(project, folder):
    """Tested and healthy in staging says nothing about production, nor about another commit."""
    project.deploy("v1", "staging")
    sha = project.resolve("v1")
    proven = project.proof(sha, "staging")
    assert proven.is_live and proven.tested_at < proven.healthy_from
    assert project.proof(sha, "production") is None
    second = release_of(folder, {"x": "y"}, minute=1)
    assert project.proof(second, "staging") is None
    project.deploy("main", "staging")
    assert project.proof(sha, "staging").healthy_until is not None
    assert project.live("staging").sha == second and project.live("production") is None


def test_services_can_be_stopped_and_started_again(project, folder):
    """After the machine was off, `start` brings back what was current, in all environments."""
    project.deploy("v1", "staging")
    sha = project.resolve("v1")
    assert project.stop().splitlines() == ["staging is stopped.", "production is stopped."]
    assert not project.is_up(sha, "staging")
    assert project.start().splitlines() == [
        "staging was started, and is healthy.",
        "Nothing is live in production.",
    ]
    assert project.start("staging") == "staging runs, and is healthy."
    assert project.is_up(sha, "staging")


def test_a_project_follows_the_freeze_and_its_lifting(folder):
    """In the freeze it says when it opens; lifted, it may move, and says until when."""
    now = [datetime(2026, 12, 24, 12, tzinfo=UTC)]
    with opened(folder / "deploy.toml", by="ana", now=lambda: now[0]) as project:
        assert project.frozen("production").because == "holidays"
        assert project.frozen("staging") is None
        assert (
            "production is frozen until Monday 2027-01-04 00:00 UTC: holidays." in project.status()
        )
        with pytest.raises(DeployError, match="1 to 240"):
            project.lift_freeze("production", 10**12, "the shop is down")
        said = project.lift_freeze("production", 30, "the shop is down")
        assert said == "production may move until Thursday 2026-12-24 12:30 UTC."
        assert project.frozen("production") is None
        now[0] += timedelta(minutes=30)
        assert project.frozen("production")


def test_a_place_that_cannot_be_reached_hides_no_other(project, folder):
    """The status of what can be looked at is shown, with a sentence about what cannot."""
    lost = FakeTarget()
    lost.unreachable("current", "history")
    real = project._targets["staging"]
    both = Project(project.config, project.repository, {"staging": real, "production": lost})
    project.deploy("v1", "staging")
    text = both.status()
    assert re.search(r"^staging +\w{10} \(v1\)", text, re.M)
    assert re.search(r"^production +\? +cannot be looked at$", text, re.M)
    assert "production: memory cannot be reached." in text
    with pytest.raises(Unreachable):
        both.live("production")


@pytest.mark.slow
def test_a_release_is_complete_or_not_there(project, folder):
    """Beside complete releases nothing lies in the folder, however many have failed."""
    project.deploy("v1", "staging")
    for n in range(4):
        release_of(folder, {"x": str(n), "test.sh": "exit 1" if n % 2 else "exit 0"}, minute=n + 1)
        try:
            project.deploy("main", "staging")
        except CommandFailed:
            continue
    names = sorted(path.name for path in (folder / "environments/staging/releases").iterdir())
    assert len(names) == 3 and not any("unfinished" in name for name in names)
    assert current(folder) == names[-1]


@pytest.mark.slow
def test_only_what_is_used_is_loaded(folder):
    """A project of this machine needs no SSH library."""
    code = (
        "import sys; from pathlib import Path; from apps.deploy.opening import opened\n"
        f"with opened(Path({str(folder / 'deploy.toml')!r})) as project: project.status()\n"
        "print('asyncssh' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_host_over_ssh_is_opened_when_it_is_used(folder):
    """Opening connects to nobody; a look at it says that it cannot be reached."""
    far = """
    [environments.far]
    host = "nobody@127.0.0.1"
    port = 1
    folder = "/srv/shop"
    known_hosts = "known_hosts"
    restart = ["true"]
    health = "http://127.0.0.1:1/"
    """
    config = folder / "deploy.toml"
    config.write_text(config.read_text("utf-8") + far, "utf-8")
    with opened(config) as project:
        assert re.search(r"^far +\? +cannot be looked at$", project.status(), re.M)

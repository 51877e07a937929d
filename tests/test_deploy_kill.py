"""A deploy may be killed at any instant, and two may begin at once: `current` is always whole."""

import json
import os
import random
import signal
import time
from contextlib import suppress

import pytest
from children import in_child, said
from small_shop import release_of, shop, stored, tree

from apps.deploy.errors import Busy
from apps.deploy.model import sha_of
from apps.deploy.opening import opened

pytestmark = pytest.mark.slow

SEED = 20261123
LINES = ("began", "tested", "completed", "switched", "healthy")
STAGES = ("checkout", "build", "test", "release", "switch", "restart", "health")
GO_BACK = ("unhealthy", "switched", "healthy", "returned")


@pytest.fixture
def folder(tmp_path):
    """A shop whose `v1` is live in staging; its service is stopped at the end."""
    config = shop(tmp_path, health_seconds=3)
    with opened(config, by="before") as project:
        project.deploy("v1", "staging")
        yield tmp_path
        project.stop("staging")


def die():
    """Be killed; nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def ship(folder, sha, *, at_line=(), at_stage=()):
    """Deploy a commit in this process, which is killed when it gets to a line or a stage.

    Args:
        at_line: "before" or "after", and a kind of event.
        at_stage: "running" or "done", and the name of a stage.
    """

    def progress(stage):
        if (stage.state, stage.name) == at_stage:
            die()

    with opened(folder / "deploy.toml", by="worker", progress=progress) as project:
        target = project._targets["staging"]
        append = target.append

        def dying(line):
            kind = json.loads(line)["kind"]
            if at_line == ("before", kind):
                die()
            append(line)
            if at_line == ("after", kind):
                die()

        target.append = dying
        return project.ship(sha, "staging")


def killed(folder, sha, *, after=None, **where):
    """Deploy in a child, and kill it after some seconds if it is not to kill itself."""
    pid, reading = in_child(lambda: ship(folder, sha, **where))
    if after is not None:
        time.sleep(after)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(reading)
    return os.WIFSIGNALED(status)


def check(folder, project, good, sha):
    """Look at what a killed deploy of `sha` over `good` has left; then deploy once more."""
    current = project.live("staging")
    assert current.sha in {good, sha}
    assert tree(folder / "environments/staging/current/") == stored(folder, current.sha)
    lines = journal(folder)
    found = project.finding(sha, "staging")
    assert f"Current in staging is {current.sha[:10]}" in found
    kinds = [kind for kind, commit in lines if commit == sha]
    if current.sha == sha and "healthy" in kinds:
        assert "succeeded: it was healthy" in found
        assert current.verdict == "healthy"
    elif current.sha == sha and "unhealthy" not in kinds:
        assert "it is current, but nobody has seen it healthy" in found
        assert current.verdict == "unknown"
    elif not kinds:
        assert found.startswith(f"No deploy of {sha[:10]} to staging has begun.")
    else:
        assert "was cut off when" in found or "was not healthy" in found
    assert ("is healthy right now" in found) == (project._place("staging").why_not_healthy() == "")


def journal(folder):
    """Return the journal as pairs; every line of it can be read."""
    lines = (folder / "environments/staging/journal.jsonl").read_text("utf-8").splitlines()
    return [(event["kind"], event["commit"]) for event in map(json.loads, lines)]


def recovered(folder, project, sha):
    """Deploy a good commit after a kill, and see that nothing is left of what was cut off."""
    project.ship(sha, "staging")
    assert project.is_up(sha, "staging")
    releases = folder / "environments/staging/releases"
    assert not [path.name for path in releases.iterdir() if path.name.startswith(".")]
    assert tree(folder / "environments/staging/current/") == stored(folder, sha)


def commits(folder, number, **files):
    """Yield new commits, each with something of its own in it."""
    for n in range(number):
        yield release_of(folder, {"number": str(n), **files}, minute=n + 1)


EACH_LINE = [(when, kind) for kind in LINES for when in ("before", "after")]
EACH_STAGE = [(state, name) for name in STAGES for state in ("running", "done")]


def test_killed_at_every_line_of_the_journal(folder):
    """Before and after each line, the finding is true and the next deploy succeeds."""
    good = sha_of((folder / "environments/staging/current").resolve().name)
    places = commits(folder, 2 * len(EACH_LINE))
    with opened(folder / "deploy.toml", by="after") as project:
        for where, sha in zip(EACH_LINE, places, strict=False):
            assert killed(folder, sha, at_line=where), where
            check(folder, project, good, sha)
            recovered(folder, project, good := next(places))


def test_killed_at_every_stage(folder):
    """At the beginning and the end of each stage, what is current is a whole release."""
    good = sha_of((folder / "environments/staging/current").resolve().name)
    places = commits(folder, 2 * len(EACH_STAGE))
    with opened(folder / "deploy.toml", by="after") as project:
        for where, sha in zip(EACH_STAGE, places, strict=False):
            assert killed(folder, sha, at_stage=where), where
            check(folder, project, good, sha)
            recovered(folder, project, good := next(places))


def test_killed_at_any_instant(folder):
    """Whenever it comes: a release is whole or not there, and the environment is free again."""
    chance = random.Random(SEED)
    good = sha_of((folder / "environments/staging/current").resolve().name)
    places = commits(folder, 40, **{"build.sh": "sleep 0.02", "test.sh": "sleep 0.02"})
    count = 0
    with opened(folder / "deploy.toml", by="after") as project:
        for _ in range(12):
            sha = next(places)
            count += killed(folder, sha, after=chance.uniform(0.0, 0.6))
            check(folder, project, good, sha)
            recovered(folder, project, good := next(places))
    assert count >= 4


def test_killed_on_the_way_back(folder):
    """An unhealthy release that was being taken back is never taken for a healthy one."""
    good = sha_of((folder / "environments/staging/current").resolve().name)
    config = folder / "deploy.toml"
    config.write_text(
        config.read_text("utf-8").replace("health_seconds = 3", "health_seconds = 0.5"), "utf-8"
    )
    with opened(config, by="after") as project:
        for n, kind in enumerate(GO_BACK):
            bad = release_of(folder, {"health": "500", "number": str(n)}, minute=2 * n + 1)
            assert killed(folder, bad, at_line=("before", kind)), kind
            now = project.live("staging")
            assert now.sha in {good, bad}
            assert tree(folder / "environments/staging/current/") == stored(folder, now.sha)
            assert project.proof(bad, "staging") is None
            if now.sha == bad:
                assert sha_of(project.way_back("staging")) == good
            good = release_of(folder, {"health": "200", "number": f"{n}+"}, minute=2 * n + 2)
            recovered(folder, project, good)


def test_two_deploys_are_one_after_the_other(folder):
    """Of two that begin at the same instant, one is told that the other is at work."""
    places = commits(folder, 40)
    busy = 0
    for _ in range(20):
        start = time.time() + 0.05
        children = [in_child(at(start, folder, sha)) for sha in (next(places), next(places))]
        answers = [said(child) for child in children]
        busy += answers.count("busy")
        assert "shipped" in answers
        assert set(answers) <= {"busy", "shipped"}
    assert busy >= 10
    begun = [n for n, (kind, _) in enumerate(journal(folder)) if kind == "began"]
    ends = [*begun[1:], len(journal(folder))]
    for first, end in zip(begun, ends, strict=True):
        stint = journal(folder)[first:end]
        assert [kind for kind, _ in stint] == list(LINES)
        assert len({commit for _, commit in stint}) == 1


def at(start, folder, sha):
    """Return what deploys a commit at an instant, and says how it went."""

    def work():
        with opened(folder / "deploy.toml", by="worker") as project:
            time.sleep(max(0.0, start - time.time()))
            try:
                project.ship(sha, "staging")
            except Busy:
                return "busy"
            return "shipped"

    return work

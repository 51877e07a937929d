"""Two people in two windows decide one deploy: a browser here, a command line there."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import browsers
import pytest
from shipping import live, made, project_of

pytestmark = pytest.mark.slow  # services, programs and a browser start

browser, person = browsers.browser, browsers.person
__all__ = ["browser", "person"]  # fixtures that the tests name

ROOT = Path(__file__).parents[1]


@pytest.fixture
def config(tmp_path):
    """A shop with v1.0 in production, and v1.2 proven in staging."""
    config = made(tmp_path)
    with project_of(config) as project:
        project.deploy("v1.0", "staging")
        project.deploy("v1.0", "production")
        project.deploy("v1.2", "staging")
    yield config
    with project_of(config):
        pass  # stops what the programs of the test have started


@contextmanager
def started(config, *words):
    """Start the app as a person does; it does not outlive the block."""
    command = [sys.executable, "-m", "apps.deploy", "--config", str(config), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as program:
        try:
            yield program
        finally:
            program.kill()


def voted(config, *words):
    """Vote on the command line, and return its status and what it said."""
    store = config.parent / ".deploy" / "approvals.db"
    command = [sys.executable, "-m", "core", "--store", str(store), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def found(program, pattern):
    """Read what the program tells until it has told something."""
    return next(hit for line in program.stderr if (hit := re.search(pattern, line)))


def test_two_people_through_two_windows_ship_it(config, person):
    """Ana clicks in a browser, bo types a command; before the second vote nothing has moved."""
    page, before = person(), live(config, "production")
    with started(config, "--by", "ana", "--as", "dee", "deploy", "v1.2", "production") as program:
        page.goto(found(program, r"http\S+/once/\S+")[0])
        request = found(program, r"approve (\w+)")[1]
        page.locator("a[href*='/requests/']").first.click()
        page.get_by_role("button", name="Approve", exact=True).click()
        page.get_by_text("1 of 2").first.wait_for()
        assert live(config, "production") == before
        for nobody in ("dee", "ana", "agent", "eve"):
            voted(config, "approve", request, "--by", nobody, "--yes")
            assert live(config, "production") == before
        status, said = voted(config, "approve", request, "--by", "bo", "--yes")
        out, _ = program.communicate(timeout=60)
    assert status == 0 and "approved" in said
    assert program.returncode == 0 and "is live in production and healthy" in out
    assert live(config, "production") == live(config, "staging") != before


def test_whoever_asks_is_refused_as_a_voter(config):
    """Ana asks for a deploy, so ana's own vote is refused in one sentence; bo's no ends it."""
    before = live(config, "production")
    inbox = ("--approver", "inbox", "--as", "ana")
    with started(config, *inbox, "deploy", "v1.2", "production") as program:
        request = found(program, r"approve (\w+)")[1]
        status, said = voted(config, "approve", request, "--by", "Ana", "--yes")
        assert status == 1 and "may not decide this" in said
        voted(config, "reject", request, "--by", "bo", "--reason", "after the weekend")
        _, err = program.communicate(timeout=60)
    assert program.returncode == 1 and "after the weekend" in err
    assert live(config, "production") == before


def test_a_killed_deploy_is_found_looked_at_and_resolved(config):
    """Its process died in a stage: that is told with what is live, and a person resolves it."""
    before = live(config, "staging")
    quick = config.read_text("utf-8")
    config.write_text(quick.replace('test = ["true"]', 'test = ["sleep", "60"]'), "utf-8")
    with started(config, "deploy", "v1.0", "staging") as program:
        found(program, "checkout")
        program.kill()
    config.write_text(quick, "utf-8")
    assert live(config, "staging") == before
    with started(config, "deploy", "v1.3", "staging") as program:
        out, err = program.communicate(timeout=60)
    assert "was cut off" in err and "is live in staging and healthy" in out
    request = re.search(r"resolve (\w+)", err)[1]
    words = ("resolve", request, "--by", "bo", "--did-not-happen", "--note", "it is not current")
    assert voted(config, *words)[0] == 0
    with started(config, "status") as program:
        assert "cut off" not in program.communicate(timeout=60)[1]

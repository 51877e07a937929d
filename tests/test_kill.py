"""Kill the worker five hundred times, and see the harness catch a store that breaks its promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def kill(*words):
    """Run the harness in a process of its own, because it forks."""
    command = [sys.executable, "-m", "tests.kill", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_and_nothing_runs_twice_however_often_it_is_killed():
    """Over 500 kills -9, at random and at writes: no loss, no double run, the unknown is named."""
    ended = kill("--kills", "500")
    print(ended.stdout)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = re.findall(r"^(\D+?) +([\d,]+)$", ended.stdout, re.MULTILINE)
    counts = {name: int(number.replace(",", "")) for name, number in found}
    assert counts["kills"] >= 500
    assert min(counts["kills at random"], counts["kills at a write"]) >= 250
    assert counts["effects"] == 8 * counts["jobs done"] > 0
    assert counts["double executions"] == counts["lost"] == 0
    known = counts["of which had happened"] + counts["of which had not"]
    assert counts["outcome unknown"] == known > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", ["write", "random"])
def test_the_harness_catches_a_claim_that_comes_after_the_run(moment):
    """A store that claims too late is found out by either kind of kill."""
    ended = kill("--kills", "500", "--careless", "--only", moment)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert re.search("BROKEN .*(ran twice|ran without a claim|began too often)", ended.stderr)

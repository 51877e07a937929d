"""What was done stays done: marks outlive the process, and a kill repeats rather than loses."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.approvers.marks import Marks

# Does the thing, marks it, and dies: before the thing, between both, or after the mark.
PROGRAM = """
import os, sys
from pathlib import Path
from core.approvers.marks import Marks

folder, end = Path(sys.argv[1]), sys.argv[2]
marks = Marks(folder / "marks")
if marks.has("reminder"):
    sys.exit()
if end == "before":
    os.kill(os.getpid(), 9)
with (folder / "done").open("a") as done:
    done.write("x")
if end == "between":
    os.kill(os.getpid(), 9)
marks.put("reminder")
if end == "after":
    os.kill(os.getpid(), 9)
"""


def start(folder, end=""):
    """Run the program to some end, and return how often the thing has been done by then."""
    subprocess.run([sys.executable, "-c", PROGRAM, str(folder), end], check=not end)
    done = folder / "done"
    return len(done.read_text("utf-8")) if done.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(("end", "times"), [("before", 1), ("between", 2), ("after", 1)])
def test_a_kill_loses_nothing(tmp_path, end, times):
    """It is done at least once; only a kill between doing and marking has it done once more."""
    start(tmp_path, end)
    assert start(tmp_path) == times
    assert start(tmp_path) == times


def test_without_a_folder_it_is_known_here_only():
    """Marks in memory hold within the object, and leave nothing behind."""
    marks = Marks()
    marks.put("one")
    assert marks.has("one") and not marks.has("two") and not Marks().has("one")


def test_nothing_is_made_before_the_first_mark(tmp_path):
    """Looking makes no folder."""
    marks = Marks(tmp_path / "a" / "b")
    assert not marks.has("one") and not (tmp_path / "a").exists()
    marks.put("one")
    marks.put("one")
    assert len([*(tmp_path / "a" / "b").iterdir()]) == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    """A mark that is lost is told, and in this process the thing counts as done."""
    (tmp_path / "file").write_text("", "utf-8")
    marks = Marks(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        marks.put("one")
    assert marks.has("one") and not Marks(tmp_path / "file").has("one")


@given(st.text(), st.text())
def test_every_text_has_a_mark_of_its_own(tmp_path_factory, one, other):
    """No key leaves the folder, is too long for a file, or stands for another."""
    folder = tmp_path_factory.mktemp("marks")
    Marks(folder).put(one)
    assert Marks(folder).has(one) and Marks(folder).has(other) == (one == other)
    assert len([*folder.iterdir()]) == 1 and all(path.is_file() for path in folder.iterdir())

"""An environment in a folder, files to put there, and a look at which processes it has."""

import os
import signal
import stat
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apps.deploy.local.target import LocalTarget
from apps.deploy.model import Command, Entry, release_name

START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MODES = {"100644": 0o644, "100755": 0o755}


def name(n=0):
    """Return the name of the n-th release."""
    return release_name(f"{n:040x}", START + timedelta(minutes=n))


def entry(path, content=b"", mode="100644"):
    """Return one file of a commit."""
    return Entry(path=path, mode=mode, oid="0" * 40), content


def link(path, target):
    """Return one symbolic link of a commit."""
    return entry(path, target, "120000")


def words(*given, seconds=20.0, **env):
    """Return a command."""
    return Command(words=given, env=env, seconds=seconds)


def target(folder, *start, shared=(), **env):
    """Return the environment in a folder."""
    return LocalTarget(folder, shared=shared, start=words(*(start or ("sleep", "1000")), **env))


def make(place, files, n=0):
    """Write a release and complete it; return its name."""
    place.begin(name(n), files)
    place.complete(name(n))
    return name(n)


def names(folder):
    """Return the names of what lies in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def tree(folder):
    """Return every path below a folder, as the entry and the content it could come from."""
    found = {}
    for top, folders, files in os.walk(os.fsencode(folder)):
        for one in [*files, *folders]:
            path = top + b"/" + one
            kind = os.lstat(path).st_mode
            inside = os.path.relpath(path, os.fsencode(folder))
            if stat.S_ISLNK(kind):
                found[inside] = "120000", os.readlink(path)  # noqa: PTH115 - as bytes
            elif stat.S_ISREG(kind):
                mode = {0o644: "100644", 0o755: "100755"}.get(stat.S_IMODE(kind), oct(kind))
                found[inside] = mode, Path(os.fsdecode(path)).read_bytes()
            else:
                assert stat.S_IMODE(kind) == 0o755
    return found


def as_tree(files):
    """Return files of a commit as `tree` would find them."""
    return {one.path: (one.mode, content) for one, content in files}


def processes(folder):
    """Return the processes that work in a folder or were told of it, with what they run."""
    found = {}
    for pid in map(int, filter(str.isdigit, names(Path("/proc")))):
        with suppress(OSError):
            run = Path(f"/proc/{pid}/cmdline").read_bytes()
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            cwd = str(Path(f"/proc/{pid}/cwd").readlink()).removesuffix(" (deleted)")
            near = Path(cwd).is_relative_to(folder)
            if state != "Z" and pid != os.getpid() and (near or os.fsencode(folder) in run):
                found[pid] = run.replace(b"\0", b" ").decode().strip()
    return found


@contextmanager
def nobody_left(folder):
    """Fail when a process of this folder is still there after the block, and end it."""
    yield
    if not until(lambda: not processes(folder), seconds=3):
        left = processes(folder)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise AssertionError(f"still there: {left}")


def until(true, seconds=10.0):
    """Wait until something is true; return whether it came to that."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(found)

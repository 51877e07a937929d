"""What shipping costs: the pipeline and a preview next to plain git, and a whole gated deploy.

The repository is the large one of `tests/repositories.py`: 10,000 files and 2,000 commits. Where a
disk takes seconds for so many small files, whoever writes them, ratios say more than seconds.
"""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from apps.deploy.approvals import gated
from apps.deploy.opening import opened
from apps.deploy.pipeline.stages import Stage
from apps.deploy.project import Project
from core import ApprovalRequest, Approve, Decision, Reject, Rejected, SqliteStore
from core.approvers.scripted import Scripted

from . import repositories
from .shipping import made, project_of

ROUNDS = 5
FIRST, LAST = "v1000", "v2000"  # a thousand commits apart
SERVICE = """
import os, socketserver

class Page(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 x\\r\\nContent-Length: 0\\r\\n\\r\\n")

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

Server(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""
CONFIG = """
repository = "large"
keep = 1
[commands]
start = ["{python}", "-IS", "{service}"]
[people]
release_managers = ["ana", "bo"]
[environments.production]
protected = true
folder = "production"
health = "http://127.0.0.1:{port}/"
env = {{ PORT = "{port}" }}
"""
NEW_PROCESS = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from tests.bench_deploy import asking, opened
with opened(Path(sys.argv[1])) as project:
    print(time.perf_counter() - start)
    print(asking(project, sys.argv[2]))
"""


class Figure(NamedTuple):
    """A figure in seconds, the one to compare it with, and the most that it should be."""

    name: str
    seconds: float
    base: float = 0.0
    to: str = ""
    wanted: str = ""


def measure(folder: Path) -> Iterator[Figure]:
    """Yield what a pipeline, a preview and a whole deploy cost."""
    repositories.large(folder / "large")
    (folder / "service.py").write_text(SERVICE, "utf-8")
    config, python = folder / "deploy.toml", sys.executable
    words = {"service": folder / "service.py", "port": free_port(), "python": python}
    config.write_text(CONFIG.format(**words), "utf-8")
    with opened(config) as project:
        try:
            yield from pipeline(config, project)
            yield from previews(config, project)
        finally:
            project.stop()
    yield from decided(folder)


def pipeline(config: Path, project: Project) -> Iterator[Figure]:
    """Ship 10,000 files again and again without a command, in turn with git on its own."""
    project.deploy("v1900", "production")
    ours, theirs = list[dict[str, float]](), list[dict[str, float]]()
    for number in range(ROUNDS):
        ours.append(shipped(config, "v1900" if number % 2 else FIRST))
        theirs.append(plain(config.parent))
    stages, peers = medians(ours), medians(theirs)
    name, archive = "10,000 files: the pipeline beyond its commands", "git archive | tar -x"
    service = peers.pop(ALONE)
    yield Figure(name, stages["all"] - service, peers[archive], f"{archive} alone", "1 s")
    yield from (Figure(f"  {name}", seconds) for name, seconds in stages.items() if name != "all")
    yield Figure(f"  of restart and health, {ALONE}", service)
    yield from (Figure(f"  {name}", seconds) for name, seconds in peers.items())


def shipped(config: Path, ref: str) -> dict[str, float]:
    """Ship once; return the time of each stage, and of what lies between and around them."""
    told = list[Stage]()
    with opened(config, progress=told.append) as project:
        start = time.perf_counter()
        project.deploy(ref, "production")
        seconds = {"all": time.perf_counter() - start}
    seconds |= {stage.name: stage.seconds for stage in told if stage.state == "done"}
    seconds["all the rest: an old release goes, a ref is looked up"] = 2 * seconds["all"] - sum(
        seconds.values()
    )
    return seconds


ALONE = "the service alone until it answers"


def plain(folder: Path) -> dict[str, float]:
    """Let git write the same files, and start the service, without any of ours."""
    large, out, tree = folder / "large", folder / "plain", folder / "tree"
    out.mkdir()
    seconds = {
        "git archive | tar -x": timed(f"git -C {large} archive {FIRST} | tar -x -C {out}"),
        "sync -f behind it, as a release is synced": timed(f"sync -f {out}"),
        "rm -r of as many files": timed(f"rm -r {out}"),
        "git worktree add": timed(f"git -C {large} worktree add --quiet --detach {tree} {FIRST}"),
        "open, write and close, nothing else": written(folder / "bare"),
        ALONE: answered(folder / "service.py"),
    }
    timed(f"git -C {large} worktree remove --force {tree}; rm -r {folder}/bare")
    return seconds


def written(folder: Path) -> float:
    """Return how long the disk takes for as many small files: nobody can be quicker."""
    start = time.perf_counter()
    for number in range(100):
        part = folder / str(number)
        part.mkdir(parents=True)
        for name in range(100):
            with (part / str(name)).open("xb", buffering=0) as file:
                file.write(b"x" * 500)
    return time.perf_counter() - start


def answered(service: Path) -> float:
    """Return how long the service takes from its start to its first answer."""
    port, start = free_port(), time.perf_counter()
    words = [sys.executable, "-IS", str(service)]
    with subprocess.Popen(words, env={"PORT": str(port)}) as process:
        while process.poll() is None:
            with suppress(OSError):
                http.client.HTTPConnection("127.0.0.1", port).request("GET", "/")
                break
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def previews(config: Path, project: Project) -> Iterator[Figure]:
    """Look at a thousand commits as people do who are asked about them."""
    project.deploy(FIRST, "production")
    large = config.parent / "large"
    git = f"git -C {large} log --oneline {FIRST}..{LAST} && git -C {large} diff {FIRST} {LAST}"
    bare, imports, first, later = [], [], [], []
    for number in range(ROUNDS):
        bare.append(timed(f"{{ {git}; }} >{config.parent}/printed"))
        words = [sys.executable, "-c", NEW_PROCESS, str(config), LAST]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for figures, line in zip((imports, first), printed.split(), strict=True):
            figures.append(float(line))
        later.append(asking(project, f"{LAST}~{number}"))
    again = median(asking(project, LAST) for _ in range(ROUNDS + 1))
    base, to = median(bare), "git log and git diff"
    name = "1,000 commits: from the call until people are asked"
    yield Figure(f"{name}, first in a process", median(first), base, to, "1 s")
    yield Figure("  imports before it, and opening", median(imports))
    yield Figure("  later ones", median(later), base, to, "1 s")
    yield Figure("  the same once more", again, base, to)
    yield Figure(f"  {to} of the same", base)


def asking(project: Project, ref: str) -> float:
    """Return the seconds from the agent's call until somebody is asked; they say no."""
    seen = list[float]()

    def no(_: ApprovalRequest) -> Decision:
        seen.append(time.perf_counter())
        return Reject(by="ana", reason="not today")

    tools = gated(project, no)
    start = time.perf_counter()
    with suppress(Rejected):
        tools.deploy(ref, "production")
    return seen[0] - start


def decided(folder: Path) -> Iterator[Figure]:
    """Bring releases of the sample to production, with two who agree at once and without."""
    config = made(folder)
    asked, bare = list[float](), list[float]()
    with project_of(config) as project, SqliteStore(folder / "approvals.db") as store:

        def agreed(request: ApprovalRequest) -> Decision:
            store.vote(request.id, Approve(by="bo"), digest=request.digest, window="bench")
            return Approve(by="ana")

        tools = gated(project, Scripted(deploy=agreed), store=store)
        for ref in ("v1.0", "v1.2"):
            project.deploy(ref, "staging")
            project.deploy(ref, "production")
        for _ in range(ROUNDS):
            for ship, seconds, ref in (
                (tools.deploy, asked, "v1.0"),
                (project.deploy, bare, "v1.2"),
            ):
                start = time.perf_counter()
                ship(ref, "production")
                seconds.append(time.perf_counter() - start)
    name = "the sample: a production deploy, gated, two approve at once"
    yield Figure(name, median(asked), median(bare), "without the gate")


def timed(script: str) -> float:
    """Return how long a line of shell takes."""
    start = time.perf_counter()
    subprocess.run(["sh", "-ec", script], check=True, capture_output=True)
    return time.perf_counter() - start


def medians(rounds: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    every = list(rounds)
    return {name: median(one[name] for one in every) for name in every[0]}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])

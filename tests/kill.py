"""Kill a worker hundreds of times and look at what it leaves behind: `python -m tests.kill`.

Half of the kills come at random moments, with two workers on the same job; half at a write: the
worker dies right before or right after its k-th statement, file write or side effect, for every k.
After every kill the world is held against the promises, and a person's part is played: whoever
finds a call whose outcome is unknown reads in the log of side effects whether it has happened.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from core import audit
from core.audit import START, Checkpoint
from core.model import EDGES, State
from core.stores.sqlite import SqliteStore
from tests.kill_worker import ALLOWED, BROKEN, DONE, LOOK, work

HAPPENED = {State.SUCCEEDED, State.RESOLVED_HAPPENED}
KILLED = -signal.SIGKILL
EVERYTHING = 1_000_000


class Broken(AssertionError):
    """A promise was not kept."""


def promise(kept, *words):
    """Go on only when a promise was kept."""
    if not kept:
        raise Broken(" ".join(map(str, words)))


def after(state):
    """Return the states that can follow `state`, itself included."""
    found = {state}
    for following in EDGES.get(state, ()):
        found |= after(following)
    return found


@dataclass
class World:
    """One folder with a store, the log of its effects and the log of its answers."""

    folder: Path
    counts: Counter = field(default_factory=Counter)
    mark: Checkpoint = field(default_factory=lambda: Checkpoint(count=0, root=START))

    def lines(self, name):
        """Return the lines of a log; a line that was cut off by a kill is no line."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def effects(self, word):
        """Count what has begun, or has been done, by tool, job and number."""
        found = (line for line in self.lines("effects.log") if line[0] == word)
        return Counter((name, job, int(n)) for _, name, job, n in found)

    def look(self):
        """Hold the world against the promises, then resolve what is unknown."""
        with SqliteStore(self.folder / "store.db") as store:
            self.look_at_trail(store)
            store.sweep()
            rows = {s.request.id: s for s in store.search(limit=EVERYTHING)}
            self.look_at_answers(rows)
            self.look_at_effects(rows)
            self.resolve(store, rows)
            self.look_at_trail(store)

    def look_at_trail(self, store):
        """State and record agree, and nothing of what was on record is gone."""
        trail = [*store.trail()]
        found = audit.verify(trail, self.mark)
        promise(found and found.proven >= self.mark.count, "the trail:", found)
        promise(not [*store.unexplained()], "unexplained:", *store.unexplained())
        self.mark = audit.checkpoint(trail)

    def look_at_answers(self, rows):
        """What the store has said of a request is still so, or came before what is so now."""
        for request_id, state in self.lines("said.log"):
            promise(request_id in rows, "lost:", request_id)
            now = rows[request_id].state
            promise(now in after(State(state)), "went back:", request_id, state, "->", now.value)

    def look_at_effects(self, rows):
        """Nothing ran twice, after a no, or without a trace, and no machine calls it failed."""
        began, did = self.effects("began"), self.effects("did")
        states = Counter((key(s), s.state) for s in rows.values())
        total = lambda call, wanted: sum(states[call, state] for state in wanted)  # noqa: E731 - reads as words
        for call in {*began, *did}:
            started_ = total(call, HAPPENED | {State.OUTCOME_UNKNOWN})
            tries = started_ + states[call, State.RESOLVED_NOT_HAPPENED]
            promise(call[0] in ALLOWED, "ran after a no:", call)
            promise(did[call] <= 1, "ran twice:", call)
            promise(did[call] <= started_, "ran without a claim:", call)
            promise(began[call] <= tries, "began too often:", call)
        for call, state in states:
            promise(state is not State.FAILED, "called failed:", call)
            promise(state is not State.EXECUTING, "still executing:", call)
            promise(total(call, HAPPENED) <= did[call], "recorded, but never done:", call)

    def resolve(self, store, rows):
        """Play the person who looks at the world and says what became of an unknown call."""
        did = self.effects("did")
        for stored in rows.values():
            if stored.state is State.OUTCOME_UNKNOWN:
                happened = did[key(stored)] == 1
                store.resolve(stored.request.id, by="dora", happened=happened, note="in the log")
                self.counts["outcome unknown"] += 1
                self.counts["of which had happened" if happened else "of which had not"] += 1

    def complete(self, job):
        """Every allowed call of a finished job has happened once, and no other has."""
        did = {call for call in self.effects("did") if call[1] == job}
        promise(did == {(name, job, n) for name in ALLOWED for n in (1, 2)}, "incomplete:", did)
        self.counts["jobs done"] += 1
        self.counts["effects"] += len(did)


def key(stored):
    """The call as the log of effects names it."""
    arguments = stored.request.arguments
    return stored.request.name, arguments["job"], arguments["n"]


def start(folder, job, **named):
    """Start a worker in a process of its own and return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = BROKEN
    try:
        code = work(folder, job, **named)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def end(pid):
    """Wait for a worker and return how it ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    promise(code in {DONE, LOOK, KILLED}, "a worker failed on its own:", code)
    return code


def kill_at(world, job, k, **named):
    """Let a worker die at its k-th point. Returns how it ended and counts a kill."""
    code = end(start(world.folder, job, k=k, **named))
    world.counts["kills at a write"] += code == KILLED
    world.look()
    return code


def at_every_write(counts, folder, rng, kills, report, careless=False):
    """Kill at the first write, the second, …, in fresh stores; then again while it recovers."""
    longest = points(folder)
    step, k = max(1.0, longest * 2 / kills), 1.0
    goal = counts["kills at a write"] + kills
    while counts["kills at a write"] < goal:
        world, job = World(folder / f"write-{k:g}-{len(counts)}-{rng.random()}", counts), "job-1"
        world.folder.mkdir()
        code = kill_at(world, job, int(k), careless=careless)
        for _ in range(20):
            if code == DONE:
                break
            again = rng.randint(1, longest) if code == KILLED else 0
            code = kill_at(world, job, again, careless=careless)
        world.complete(job)
        shutil.rmtree(world.folder)
        k = k + step if k + step <= longest else 1.0
        report(counts)


def points(folder):
    """Count the points in a job that nobody disturbs, which is how far k can go."""
    world = World(folder / "undisturbed")
    world.folder.mkdir()
    low, high = 1, 2
    while end(start(world.folder, f"job-{high}", k=high)) == KILLED:
        world.look()
        low, high = high, high * 2
    while high - low > 8:
        middle = (low + high) // 2
        code = end(start(world.folder, f"job-{middle}", k=middle))
        world.look()
        low, high = (middle, high) if code == KILLED else (low, middle)
    return high


def at_random(counts, folder, rng, kills, report, careless=False):
    """Kill two workers on the same job at moments nobody chose, job after job in one store."""
    goal, stores = counts["kills at random"] + kills, 0
    while counts["kills at random"] < goal:
        stores += 1
        world = World(folder / f"random-{stores}", counts)
        world.folder.mkdir()
        for number in range(8):
            seconds = 0.12
            while not together(world, rng, f"job-{number}", seconds, careless):
                seconds *= 1.05  # where a start takes long, a job would never come to its end
                report(counts)
            world.complete(f"job-{number}")
        shutil.rmtree(world.folder)


def together(world, rng, job, seconds, careless):
    """Start two workers on a job and kill both. Returns whether one of them came to the end."""
    pids = [start(world.folder, job, careless=careless) for _ in range(2)]
    codes = []
    for pid in rng.sample(pids, 2):
        time.sleep(rng.uniform(0, seconds))
        os.kill(pid, signal.SIGKILL)
        codes.append(end(pid))
    world.counts["kills at random"] += codes.count(KILLED)
    world.look()
    return DONE in codes


ROWS = (
    "kills",
    "kills at random",
    "kills at a write",
    "jobs done",
    "effects",
    "double executions",
    "lost",
    "outcome unknown",
    "of which had happened",
    "of which had not",
)


def table(counts):
    """Return the counts as text, one line each."""
    counts["kills"] = counts["kills at random"] + counts["kills at a write"]
    return "\n".join(f"{name:24}{counts[name]:8,}" for name in ROWS)


def harness(kills, seed, report=lambda counts: None, careless=False, only=""):
    """Kill so many times, and return the counts.

    Args:
        report: Told the counts now and then.
        careless: Let the workers' store claim after the run, to see it caught.
        only: `"write"` or `"random"` for one kind of kill.

    Raises:
        Broken: A promise was not kept; the sentence says which.
    """
    counts, rng = Counter(), random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="gated-kill-"))
    try:
        if only != "random":
            at_every_write(counts, folder, rng, kills - kills // 2, report, careless)
        if only != "write":
            at_random(counts, folder, rng, kills // 2, report, careless)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return counts


def main(words=None):
    """Run the harness from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="for the same moments again")
    parser.add_argument("--careless", action="store_true", help="claim after the run; must fail")
    parser.add_argument("--only", choices=["write", "random"], default="")
    options = parser.parse_args(words)

    def report(counts):
        done = counts["kills at random"] + counts["kills at a write"]
        if sys.stderr.isatty():
            print(f"\r{done:,} of {options.kills:,} kills", end="", file=sys.stderr)

    try:
        counts = harness(options.kills, options.seed, report, options.careless, options.only)
    except Broken as broken:
        print(f"BROKEN  {broken}", file=sys.stderr)
        return 1
    print(f"\n{table(counts)}" if sys.stderr.isatty() else table(counts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Refunds from many processes, killed at random with their Stripe: `python -m tests.storm`.

Every refund has a customer, a ticket and a charge of its own, and goes through the gates of the
support app. Small ones go through within the day's budget; the rest is approved by a voter. What a
kill leaves unknown is looked up at Stripe by the request's id, as a person would, and resolved;
what has not happened is asked for anew. In the end store, Stripe and plan are held side by side.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apps.support.config import read
from apps.support.errors import SupportError
from apps.support.helpdesk import Helpdesk
from apps.support.money import Money
from apps.support.payments import Payments
from apps.support.sandbox import KEY, seeding
from core import Approve, State, StoreError
from core.audit import verify
from core.model import NotCounted
from core.stores.sqlite import SqliteStore
from tests.support_desk import TOML, mail

ROOT = Path(__file__).parent.parent
HAPPENED = {State.SUCCEEDED, State.RESOLVED_HAPPENED}
NOT_HAPPENED = {State.FAILED, State.REJECTED, State.RESOLVED_NOT_HAPPENED, State.EXPIRED}
NOT_HAPPENED |= {State.CANCELLED}
PAID = 200_00


class Broken(AssertionError):
    """A promise was not kept."""


def promise(kept, *words):
    """Go on only when a promise was kept."""
    if not kept:
        raise Broken(" ".join(map(str, words)))


@dataclass
class Job:
    """One refund of the plan.

    Attributes:
        attempt: Counts up when the last one is known not to have happened.
    """

    number: int
    charge: str
    amount: int
    ticket: str
    attempt: int = 1

    @property
    def name(self):
        """Of the run."""
        return f"refund-{self.number}.{self.attempt}"


@dataclass
class Storm:
    """A folder with a help desk, and the processes that work on it."""

    folder: Path
    source: random.Random
    processes: int
    kills: Counter = field(default_factory=Counter)
    jobs: list = field(default_factory=list)
    sandboxes: list = field(default_factory=list)
    urls: list = field(default_factory=list)

    @property
    def store_path(self):
        return self.folder / "approvals.db"

    def set_up(self, refunds):
        """Write the plan: who has paid what, who wrote, and how much goes back."""
        amounts = [self.amount() for _ in range(refunds)]
        self.budget = sum(amounts) // 2
        toml = TOML.replace('day_budget = "500.00"', f'day_budget = "{self.budget / 100:.2f}"')
        (self.folder / "support.toml").write_text(toml)
        config = read(self.folder / "support.toml")
        config.state.mkdir()
        helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
        month = datetime.now(UTC) - timedelta(days=30)
        with seeding(config.state / "stripe.db") as past:
            for number, amount in enumerate(amounts):
                who = f"customer{number}@mail.example"
                payer = past.customer(who, created=month)
                money = Money(amount=PAID, currency="eur")
                charge = past.charge(payer, money, created=month, description=f"Order #{number}")
                ticket = helpdesk.deliver(mail(who, f"Order {number}", "It is broken."))
                self.jobs.append(Job(number, charge, amount, ticket))
        SqliteStore(self.store_path).close()

    def amount(self):
        """Most are small, one in ten has to be asked about."""
        asked = self.source.random() < 0.1
        return self.source.randint(50_01, PAID) if asked else self.source.randint(1, 50_00)

    def serve(self, place):
        """Start a sandbox, or start it again where it was."""
        port = self.urls[place].rpartition(":")[2] if place < len(self.urls) else "0"
        state = self.folder / "state" / "stripe.db"
        words = ["-m", "apps.support.sandbox", "--state", str(state), "--port", port]
        made = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        url = made.stdout.readline().split()[0]
        if place == len(self.urls):
            self.urls.append(url)
            self.sandboxes.append(made)
        else:
            self.sandboxes[place] = made

    def round(self, todo, rough):
        """Let all workers go through what is left, and kill them and their Stripe meanwhile."""
        shares = [todo[start :: self.processes] for start in range(self.processes)]
        places = [Worker(self, number, share) for number, share in enumerate(shares) if share]
        for worker in places:
            worker.start()
        while any(not worker.is_over() for worker in places):
            time.sleep(self.source.uniform(0.05, 0.5))
            if not rough:
                continue
            victim = self.source.choice(places)
            if not victim.is_over():
                victim.kill()
                self.kills["workers"] += 1
                victim.start()
            if self.source.random() < 0.3:
                place = self.source.randrange(len(self.sandboxes))
                kill(self.sandboxes[place])
                self.kills["sandboxes"] += 1
                self.serve(place)
        for worker in places:
            promise(worker.process.returncode == 0, "a worker ended with an error")

    def resolve(self, store, payments):
        """Play the person who looks at Stripe and says what became of each unknown refund."""
        store.sweep()
        for stored in store.search(state=State.OUTCOME_UNKNOWN, limit=10**6):
            request = stored.request
            made = payments.find(request.id, str(request.arguments["charge"]))
            self.kills["unknown, had happened" if made else "unknown, had not"] += 1
            store.resolve(request.id, by="ana", happened=made is not None, note="looked at Stripe")

    def left(self, store):
        """Return the jobs that have not happened; those known not to are attempted anew."""
        newest_first = store.search(limit=10**6)
        states = {stored.request.run: stored.state for stored in reversed(newest_first)}
        todo = []
        for job in self.jobs:
            state = states.get(job.name)
            if state in HAPPENED:
                continue
            if state in NOT_HAPPENED:
                job.attempt += 1
            todo.append(job)
        return todo

    def check(self, store, payments):
        """Hold store, Stripe and plan side by side."""
        by_run = {}
        for stored in store.search(limit=10**6):
            promise(stored.state in HAPPENED | NOT_HAPPENED, "a request is left in", stored.state)
            if not is_asked_again(stored):
                by_run.setdefault(stored.request.run, []).append(stored)
        promise(all(len(found) == 1 for found in by_run.values()), "a run has asked twice")
        free = 0
        for job in self.jobs:
            names = [f"refund-{job.number}.{n}" for n in range(1, job.attempt + 1)]
            attempts = [stored for name in names for stored in by_run.get(name, ())]
            done = [one for one in attempts if one.state in HAPPENED]
            promise(len(done) == 1, f"refund {job.number} is on record {len(done)} times")
            made = payments.refunds(job.charge)
            promise(len(made) == 1, f"refund {job.number} was made {len(made)} times")
            promise(made[0].money.amount == job.amount, f"refund {job.number} has another amount")
            promise(made[0].key == done[0].request.id, f"refund {job.number} has another key")
            free += job.amount if done[0].decision and done[0].decision.by == "policy" else 0
        promise(free <= self.budget, f"{free} went through alone, and {self.budget} was the budget")
        problems = [*store.unexplained()]
        promise(not problems, *problems)
        promise(verify(store.trail()), "the trail does not hold")
        return free


@dataclass
class Worker:
    """One process of the help desk, and what it has to do."""

    storm: Storm
    number: int
    jobs: list
    process: subprocess.Popen = None

    def start(self):
        """Start it, or start it again after a kill."""
        stem = f"{self.number}-{self.jobs[0].name}"
        jobs, done = (self.storm.folder / f"{stem}.{kind}" for kind in ("jobs", "done"))
        jobs.write_text(json.dumps([[j.name, j.charge, j.amount, j.ticket] for j in self.jobs]))
        url = self.storm.urls[self.number % len(self.storm.urls)]
        words = ["-m", "tests.storm_worker", str(self.storm.folder), url, str(jobs), str(done)]
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT)

    def is_over(self):
        return self.process.poll() is not None

    def kill(self):
        kill(self.process)


def is_asked_again(stored):
    """Whether the gate withdrew it, since Stripe could not be looked at any more."""
    return stored.state is State.CANCELLED and stored.decision.by == "gate"


def kill(process):
    """Kill -9, and wait until it is gone."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def vote(path, stop):
    """Approve whatever waits, as a colleague would in another window."""
    with closing(SqliteStore(path, synchronous="NORMAL", patience=60)) as store:
        while not stop.wait(0.02):
            for stored in store.pending(limit=50):
                by = "mia" if "mia" in stored.request.panel.members else "ana"
                yes, digest = Approve(by=by), stored.request.digest
                with suppress(NotCounted, StoreError):
                    store.vote(stored.request.id, yes, digest=digest, window="storm")


def storm(folder, refunds, processes, seed, rounds=3):
    """Run it, and return what was seen.

    Args:
        rounds: In so many rounds there are kills; then the work is let finish.
    """
    made = Storm(folder, random.Random(seed), processes)
    made.set_up(refunds)
    started, stop = time.monotonic(), threading.Event()
    with ExitStack() as stack:
        stack.callback(lambda: [kill(sandbox) for sandbox in made.sandboxes])
        for place in range(2):
            made.serve(place)
        voter = threading.Thread(target=vote, args=(made.store_path, stop))
        voter.start()
        stack.callback(voter.join)
        stack.callback(stop.set)
        store = stack.enter_context(closing(SqliteStore(made.store_path, patience=60)))
        for number in range(100):
            todo = made.left(store)
            if not todo:
                break
            made.round(todo, rough=number < rounds)
            with suppress(SupportError):  # a sandbox that was just killed; the next round looks
                made.resolve(store, Payments(KEY, base=made.urls[0]))
        took = time.monotonic() - started
        payments = Payments(KEY, base=made.urls[0])
        made.resolve(store, payments)
        free = made.check(store, payments)
        asked = sum(1 for stored in store.search(limit=10**6) if stored.votes)
    attempts = sum(job.attempt for job in made.jobs)
    return {
        "refunds": refunds,
        "attempts": attempts,
        "asked": asked,
        "went through alone": f"{free / 100:.2f} of {made.budget / 100:.2f}",
        **made.kills,
        "seconds": round(took, 1),
    }


def main():
    words = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    words.add_argument("--refunds", type=int, default=1000)
    words.add_argument("--processes", type=int, default=8)
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--rounds", type=int, default=3, help="with kills; then it is let finish")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        seen = storm(Path(folder), given.refunds, given.processes, given.seed, given.rounds)
    for name, value in seen.items():
        print(f"{name:>24}  {value}")
    print("No refund was made twice, none is lost, and the budget has held.")


if __name__ == "__main__":
    sys.exit(main())

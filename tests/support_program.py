"""The help desk as a program among others, for tests: processes, votes, and what they left."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from people import eventually
from support_desk import address, set_up

from apps.support.helpdesk import Helpdesk
from apps.support.payments import Payments
from apps.support.sandbox import serving
from apps.support.sandbox.faults import ordered
from apps.support.sandbox.state import State as Kept
from core import State
from core.stores.open import open_store

ROOT = Path(__file__).parent.parent
APP = [sys.executable, "-m", "apps.support"]
PATIENCE = 60  # seconds


def environment(**more):
    """What a program finds around it: none of the developer's switches, no key, no proxy."""
    ours = ("STRIPE_", "SUPPORT_", "GATE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def ended(words, folder, *, stdin="", **more):
    """Run a program to its end with nobody at a terminal; `stdin` is text."""
    return subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env=environment(**more),
        input=stdin,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=PATIENCE,
    )


def one_sentence(done):
    """Whether a program failed and said why in one line, and nothing else."""
    assert "Traceback" not in done.stderr, done
    return done.returncode > 0 and done.stderr.count("\n") == 1 and done.stdout == ""


class Counter:
    """A folder with a help desk in it, where people start programs."""

    def __init__(self, folder):
        self.folder, self.shop = folder, set_up(folder)
        self.config, self.store = self.shop.config, folder / "approvals.db"

    # Programs

    def run(self, *words, **more):
        """Run the app to its end."""
        return ended([*APP, *words], self.folder, **more)

    def core(self, *words):
        """Run what a colleague has, who knows no more than where requests are kept."""
        return ended([sys.executable, "-m", "core", "--store", self.store, *words], ROOT)

    @contextmanager
    def started(self, *words, **more):
        """Start the app and leave it running for the time of the block."""
        with subprocess.Popen(
            [*APP, *map(str, words)],
            cwd=self.folder,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as program:
            try:
                yield program
            finally:
                program.kill()

    def refund(self, name, amount, *more):
        """The words of a refund to somebody."""
        wanted = ("--ticket", self.shop.tickets[name], "--note", "it broke")
        return ("refund", self.shop.charges[name], amount, *wanted, "--approver", "inbox", *more)

    # Requests

    def asked(self, number=1):
        """Wait until so many questions wait, and return them."""

        def waiting():
            found = [stored.request for stored in self.stored() if stored.state is State.PENDING]
            return found if len(found) == number else []

        return eventually(waiting, seconds=PATIENCE)

    def stored(self):
        """What is in the store, the newest first."""
        if not self.store.exists():
            return []
        with open_store(str(self.store)) as store:
            return [*store.search()]

    def get(self, request):
        """A request as it stands now."""
        with open_store(str(self.store)) as store:
            return store.get(request.id)

    def says(self, word, request, by, *more):
        """Let a person say something on the command line, having read the request."""
        seen = ["--digest", request.digest[:8]] if word == "approve" else []
        return self.core(word, request.id[:8], "--by", by, *seen, *more)

    # The world

    def gone_back(self, name):
        """What Stripe has sent back to a customer, in the smallest unit."""
        with self.paying() as payments:
            made = payments.refunds_of(address(name))
        return [one.money.amount for one in made if one.status != "failed"]

    @contextmanager
    def paying(self, **options):
        """Yield Stripe as the program meets it."""
        with serving(self.config.state / "stripe.db", **options) as sandbox:
            yield Payments(sandbox.key, base=sandbox.url)

    def fault(self, kind, times, to):
        """Let the next such requests to Stripe meet a fault, in whichever process."""
        with self.kept() as state, state.writing() as rows:
            ordered(rows, kind, times, to)

    @contextmanager
    def kept(self):
        """Yield what the sandbox's file holds."""
        state = Kept(self.config.state / "stripe.db")
        try:
            yield state
        finally:
            state.close()

    @property
    def mails(self):
        """The mails of the desk, opened here."""
        config = self.config
        return Helpdesk(config.mail, address=config.address, name=config.name)

    def ticket(self, name):
        """Somebody's ticket, as it is now."""
        return self.mails.ticket(self.shop.tickets[name])

    def world(self):
        """All that a call could change: states and mails of tickets, and refunds."""
        with self.kept() as state, state.reading() as rows:
            return self.mails.tickets(), rows.all("refund")

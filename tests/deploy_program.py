"""The deploy app as a program among others, for tests: processes, windows, and what they left.

- `begun(folder, *deploys)` makes a shop with a history; its services are stopped.
- `sat_at(config, folder)` yields a `Desk` at a copy of it, and nothing of it runs afterwards.
- `house(desk, *people)` yields a dashboard in a process of its own; `Browser` is one before it.
"""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
from environments import nobody_left
from houses import PASSWORD, QUICK
from people import eventually
from shipping import copied, live, made, project_of

from apps.deploy.opening import opened
from core.approvers.dashboard.people import Role
from core.approvers.dashboard.users import Users
from core.model import Approve, Risk, State, utc_now
from core.stores.open import open_store

ROOT = Path(__file__).parent.parent
NEVER = "first = 2020-01-01\nlast = 2020-01-02"
PATIENCE = 60  # seconds


def begun(folder, *deploys):
    """Make a shop where that was deployed: pairs of a ref and an environment.

    Its freeze is over for ever, so that no weekday makes a difference.
    """
    config = made(folder)
    text = config.read_text("utf-8")
    rule = re.compile(r'days = \["friday"\]\nfrom = .*\nuntil = .*\ntimezone = .*')
    assert rule.search(text)
    config.write_text(rule.sub(NEVER, text), "utf-8")
    with project_of(config, utc_now) as project:
        for ref, environment in deploys:
            project.deploy(ref, environment)
    return config


@contextmanager
def sat_at(config, folder):
    """Yield a desk at a copy of a shop; no process of that copy is there afterwards."""
    with nobody_left(folder):
        desk = Desk(copied(config, folder))
        with project_of(desk.config, utc_now) as desk.project:
            yield desk


def environment(**more):
    """What a program finds around it: none of the developer's switches, no proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GATE_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


class Desk:
    """A folder with a shop in it, where people start programs.

    Attributes:
        project: The shop, for a look at it, or for a deploy that nobody is asked about.
    """

    def __init__(self, config):
        self.config, self.folder = config, config.parent
        self.store = self.folder / ".deploy" / "approvals.db"
        self.project = None

    # Programs

    def words(self, *words):
        """The command line of the app."""
        return [sys.executable, "-m", "apps.deploy", "--config", str(self.config), *words]

    def run(self, *words, **more):
        """Run the app with nobody at a terminal."""
        return ended(self.words(*words), self.folder, **more)

    def core(self, *words):
        """Run what a colleague has, who knows no more than where requests are kept."""
        return ended([sys.executable, "-m", "core", "--store", str(self.store), *words], ROOT)

    @contextmanager
    def started(self, *words, **more):
        """Start the app and leave it running for the time of the block."""
        with subprocess.Popen(
            self.words(*words),
            cwd=self.folder,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    # Requests

    def stored(self, **wanted):
        """What is in the store, the newest first."""
        if not self.store.exists():
            return []
        with open_store(str(self.store)) as store:
            return [*store.search(**wanted)]

    def get(self, request):
        """A request as it stands now."""
        with open_store(str(self.store)) as store:
            return store.get(request.id)

    def asked(self, *before):
        """Wait until a question waits that is none of those before, and return it."""
        known = {request.id for request in before}

        def new():
            time.sleep(0.02)  # leaves the machine to whoever is to ask
            waiting = self.stored(state=State.PENDING)
            return [one.request for one in waiting if one.request.id not in known]

        return eventually(new, seconds=PATIENCE)[0]

    def votes(self, request, *names):
        """Let people approve what they were shown, each in a window of their own."""
        with open_store(str(self.store)) as store:
            for name in names:
                store.vote(request.id, Approve(by=name), digest=request.digest, window="test")

    def says(self, word, request, by, *more):
        """Let a person say something on the command line, having read the request."""
        seen = ["--digest", request.digest[:8]] if word in {"approve", "edit"} else []
        return self.core(word, request.id[:8], "--by", by, *seen, *more)

    # The world

    def commit(self, ref):
        """The commit of a ref."""
        return self.project.repository.resolve(ref)

    def live(self, environment):
        """The commit that the link `current` names."""
        return live(self.config, environment)

    def journal(self, environment):
        """The journal as pairs of an event and a commit."""
        path = self.folder / "environments" / environment / "journal.jsonl"
        return [
            (event["kind"], event["commit"])
            for event in map(json.loads, path.read_text("utf-8").splitlines())
        ]

    def version(self, environment):
        """The version that the running service says it is; nothing when none answers."""
        try:
            answer = httpx2.get(self.project.config.environments[environment].health, timeout=5)
        except httpx2.TransportError:
            return ""
        assert answer.status_code == 200
        return answer.json()["version"]

    def is_frozen(self, environment):
        """Whether nothing goes there, as a program finds it that starts now."""
        with opened(self.config) as project:
            return project.frozen(environment) is not None

    def world(self):
        """Everything that a deploy could change: links, releases, and every line of a journal."""
        top = self.folder / "environments"
        links = {path: path.readlink() for path in top.glob("*/current")}
        names = sorted(top.glob("*/releases/*"))
        return links, names, {path: path.read_bytes() for path in top.glob("*/journal.jsonl")}

    def amend(self, old, new):
        """Change what deploy.toml says."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")


def ended(words, folder, **more):
    """Run a program to its end with nobody at a terminal."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=PATIENCE,
    )


def one_sentence(done):
    """Whether a program failed and said why in one line, and nothing else."""
    assert "Traceback" not in done.stderr
    return done.returncode > 0 and done.stderr.count("\n") == 1 and done.stdout == ""


@contextmanager
def house(desk, *people):
    """Yield where a dashboard is in which people log in, and its process."""
    eventually(desk.stored, seconds=PATIENCE)
    users = Users(desk.folder / "people.jsonl", hasher=QUICK)
    for name in people:
        users.add(name, Role.REVIEWER, PASSWORD)
    words = ["--store", str(desk.store), "dashboard", "--users", str(users.path), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "core", *words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield re.search(r"http://[\d.:]+", process.stdout.readline())[0], process
        finally:
            process.kill()


class Browser:
    """A browser before a dashboard; `link` lets in who has it, else a name and a password do."""

    def __init__(self, where, name="", *, link=""):
        self.http = httpx2.Client(base_url=where, headers={"origin": where}, follow_redirects=True)
        if link:
            self.http.get(link)
        else:
            self.http.post("/login", data={"name": name, "password": PASSWORD})

    def says(self, word, request, **fields):
        """Send the form of a request's page, also where the page has none; return the answer."""
        fields["csrf"] = re.search(r'name="csrf" value="([^"]+)"', self.http.get("/stop").text)[1]
        if word == "approve" and request.risk is Risk.CRITICAL:
            fields["confirm"] = request.digest[:6]
        fields["digest"] = request.digest
        return self.http.post(f"/requests/{request.id}/{word}", data=fields)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

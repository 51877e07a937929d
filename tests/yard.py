"""A yard from which any repository ships to one protected environment, with people who agree.

- `yard(folder, repository)` yields one; production asks two of ana, bo and ben.
- `stored(repository, sha)` is what a commit has, as git stores it, in the form of
  `environments.tree`.

The service does nothing; the test answers in its place when it is asked how it is.
"""

import json
import subprocess
from contextlib import contextmanager

import repositories
from environments import nobody_left, tree
from places import http, response

from apps.deploy.approvals import gated
from apps.deploy.opening import opened
from core import Approve, MemoryStore, Reject, Rejected
from core.approvers.scripted import Scripted

CONFIG = """
repository = {repository}
keep = {keep}
[commands]
start = ["sleep", "1000"]
[people]
release_managers = ["ana", "bo", "ben"]
[environments.production]
protected = true
folder = "production"
health = "http://127.0.0.1:{port}/health"
health_seconds = 0.3
"""


class Yard:
    """One environment, `production`, its gated tools, and those who decide.

    Attributes:
        folder: Where `deploy.toml` is.
        asked: The requests that people saw, in order.
        meanwhile: Called with each request before anybody answers it.
        sick: Commits that answer as unhealthy.
    """

    def __init__(self, folder, project, store):
        self.folder, self.place = folder, folder / "production"
        self.project, self.store = project, store
        self.asked, self.sick = [], set()
        self.meanwhile = lambda request: None
        self.tools = gated(project, Scripted(deploy=self._agree, rollback=self._agree), store=store)

    def _agree(self, request):
        self.asked.append(request)
        self.meanwhile(request)
        if request.panel.votes > 1:
            self.store.vote(request.id, Approve(by="bo"), digest=request.digest)
        return Approve(by="ana")

    def deploy(self, ref):
        """Ship with the consent of two; return what the agent is told."""
        return self.tools.deploy(ref, "production")

    def rollback(self):
        """Go back with the consent of one."""
        return self.tools.rollback("production")

    def look(self, ref):
        """Return what people are shown who then say no."""
        seen = []

        def no(request):
            seen.append(request.preview)
            return Reject(by="ana", reason="not today")

        try:
            gated(self.project, no).deploy(ref, "production")
        except Rejected:
            return seen[0]
        raise AssertionError("it shipped")

    @property
    def live(self):
        """The commit that is current; nothing when none is."""
        return self.release.rpartition("-")[2]

    @property
    def release(self):
        """The release that is current; nothing when none is."""
        link = self.place / "current"
        return link.readlink().name if link.is_symlink() else ""

    def tree(self):
        """What lies in the current release."""
        return tree(self.place / "current/")

    def releases(self):
        """Everything where releases lie, complete or not."""
        found = self.place / "releases"
        return sorted(path.name for path in found.iterdir()) if found.is_dir() else []

    def answer(self, _):
        """Answer for the service that should run."""
        return response(500 if self.live in self.sick else 200)


@contextmanager
def yard(folder, repository, *, keep=5, store=None):
    """Yield a yard for a repository, by path or URL; nothing of it runs afterwards."""
    folder.mkdir(exist_ok=True)
    yards = []

    def answer(request):
        return yards[0].answer(request)

    with nobody_left(folder), http(answer) as port:
        config = folder / "deploy.toml"
        words = {"repository": json.dumps(str(repository)), "keep": keep, "port": port}
        config.write_text(CONFIG.format(**words), "utf-8")
        with opened(config, by="dee") as project:
            yards.append(Yard(folder, project, store or MemoryStore()))
            try:
                yield yards[0]
            finally:
                project.stop()


def stored(repository, sha):
    """Return what a commit has: path, in bytes, to mode and bytes; no replacement counts."""
    plain = ["git", "-c", "safe.directory=*", "--no-replace-objects", "-C", repository]

    def git(*words, given=b""):
        done = subprocess.run(
            [*plain, *words],
            input=given,
            capture_output=True,
            env=repositories.SEALED,
            check=True,
        )
        return done.stdout

    found = {}
    for line in git("ls-tree", "-rz", sha).split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, oid = about.decode().split()
        found[path] = mode, oid
    given = "".join(f"{oid}\n" for _, oid in found.values()).encode()
    printed, at = git("cat-file", "--batch", given=given), 0
    for path, (mode, _) in found.items():
        head = printed.index(b"\n", at)
        size = int(printed[at:head].split()[2])
        found[path] = mode, printed[head + 1 : head + 1 + size]
        at = head + size + 2
    return found

"""Whatever the history of a repository, what two people saw is what ships, or nothing does."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from html import unescape
from pathlib import Path

import pytest
import repositories as make
from environments import until
from looking_back import ANA, Visitor, dashboard, program
from people import Background, pending
from rich.console import Console
from yard import stored, yard

from apps.deploy.__main__ import main
from apps.deploy.approvals import gated
from apps.deploy.errors import DeployError, Unhealthy, Unshippable
from core import Approve, NotCounted, Rejected, SqliteStore, run
from core.approvers.drawing import draw
from core.approvers.inbox import Inbox
from core.approvers.scripted import Scripted
from core.approvers.story import Story
from tests.hostile_repository import hostile

pytestmark = pytest.mark.slow  # releases are written, and services start

ROOT = Path(__file__).parent.parent
UNSHIPPABLE = ("submodule", "escaping", "absolute")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A repository with every oddity, and what each name is in it."""
    folder = tmp_path_factory.mktemp("odd") / "odd"
    return folder, make.odd(folder)


@pytest.fixture
def line(tmp_path):
    """A repository of three commits, and their ids, oldest first."""
    states = ({"app.txt": b"one\n"}, {"app.txt": b"two\n"}, {"app.txt": b"three\n"})
    return tmp_path / "line", make.line(tmp_path / "line", *states)


def standing(of):
    """All that a deploy could change: what is current, what lies in it, and what else there is."""
    return of.release, of.tree() if of.release else None, of.releases()


def rows(preview, title):
    """The rows of the table whose title begins like that; none when there is no such table."""
    return [row for table in preview.tables if table.title.startswith(title) for row in table.rows]


# What ships


def test_every_oddity_that_can_ship_ships_byte_for_byte(odd, tmp_path):
    """Each file, mode and link of `current` is the commit's own, whatever its names and refs."""
    repository, ids = odd
    shippable = {sha: name for name, sha in ids.items() if name not in UNSHIPPABLE}
    assert len(shippable) >= 11
    with yard(tmp_path / "yard", repository, keep=1) as of:
        for sha in shippable:
            of.deploy(sha)
            assert of.live == sha
            assert of.tree() == stored(repository, sha)


@pytest.mark.parametrize(
    ("name", "what"), [("submodule", "vendor/lib"), ("escaping", "out"), ("absolute", "out")]
)
def test_what_cannot_ship_is_refused_and_nothing_changes(odd, tmp_path, name, what):
    """A submodule or a link out of the release: two agree, and still nothing of it is written."""
    repository, ids = odd
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids["main"])
        before = standing(of)
        with pytest.raises(Unshippable, match=what):
            of.deploy(name)
        assert standing(of) == before
        warned = [text for text in of.asked[-1].preview.warnings if "vendor/lib" in text]
        assert bool(warned) == (name == "submodule")


def test_a_pointer_to_lfs_is_told_before_it_ships(odd, tmp_path):
    """Reviewers read that the film is not in the commit; what ships is the pointer."""
    repository, ids = odd
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids["main"])
        of.deploy("lfs")
        [word] = [text for text in of.asked[-1].preview.warnings if "film.mp4" in text]
        assert "LFS" in word
        assert of.tree()[b"film.mp4"] == ("100644", make.LFS_POINTER)


def test_names_that_are_no_utf8_are_shown_and_shipped(odd, tmp_path):
    """A name of any bytes has a row of its own for the reviewer, and the same bytes on disk."""
    repository, ids = odd
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids["merge"])
        of.deploy("main")
        preview = of.asked[-1].preview
        changed = {row[0]: row[1:] for row in rows(preview, "files that change")}
        assert changed[r"latin-\xe9.txt"] == ("modified", "1", "0")
        assert len(changed) == len(make.ODD_CHANGES)
        assert of.tree()[b"latin-\xe9.txt"][1] == b"caf\xe9\nand more\n"


def test_a_replacement_is_neither_shown_nor_shipped(odd, tmp_path):
    """A ref that tells git to show another commit in the place of one changes nothing."""
    repository, ids = odd
    assert b"side" in make.git(repository, "log", "-1", "--format=%s", ids["second"])  # it works
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids["first"])
        of.deploy(ids["second"])
        preview = of.asked[-1].preview
        assert dict(preview.facts)["then"] == f"{ids['second']}: second"
        assert [row[0] for row in rows(preview, "files that change")] == ["README.md"]
        assert of.tree()[b"README.md"][1] == b"# odd\n\nmore\n"


def test_a_name_of_two_commits_is_refused_with_both(odd, tmp_path):
    """A tag and a branch of one name: nobody is asked, and the agent reads what it could say."""
    repository, _ = odd
    with yard(tmp_path / "yard", repository) as of:
        with pytest.raises((Rejected, DeployError)) as refused:
            of.deploy("twin")
        assert "refs/tags/twin" in str(refused.value) and "refs/heads/twin" in str(refused.value)
        assert not of.asked and not of.release
        of.deploy("refs/tags/twin")
        assert of.live == make.sha(repository, "refs/tags/twin")


def test_a_shallow_clone_ships_and_says_what_it_does_not_know(odd, tmp_path):
    """All files of the last commit are there; that its history is not, is told to the reviewer."""
    repository, ids = odd
    clone = make.shallow(tmp_path / "shallow", repository, depth=1)
    with yard(tmp_path / "yard", clone) as of:
        of.deploy("main")
        assert any("cut off" in text for text in of.asked[-1].preview.warnings)
        assert of.live == ids["main"]
        assert of.tree() == stored(repository, ids["main"])
        of.deploy("lfs")
        assert any("cut off" in text for text in of.asked[-1].preview.warnings)


def test_what_is_checked_out_ships_also_when_it_is_no_branch(tmp_path):
    """A detached HEAD is a commit like any other."""
    first, _ = make.line(tmp_path / "work", {"a": b"1"}, {"a": b"2"}, bare=False)
    make.git(tmp_path / "work", "checkout", "--quiet", "--detach", first)
    with yard(tmp_path / "yard", tmp_path / "work") as of:
        of.deploy("HEAD")
        assert of.live == first and of.tree() == {b"a": ("100644", b"1")}


# What people see


def test_merges_are_counted_as_git_counts_them(odd, tmp_path):
    """From each commit to each other: exactly the commits that come, and those that go away."""
    repository, ids = odd
    commits = [ids[name] for name in ("merge", "side", "main", "first", "second", "latin", "lfs")]
    with yard(tmp_path / "yard", repository) as of:
        for live in commits[:3]:
            of.deploy(live)
            for target in {*commits} - {live}:
                preview = of.look(target)
                for title, way in (
                    ("commits that come", f"{live}..{target}"),
                    ("that go away", f"{target}..{live}"),
                ):
                    counted = make.git(repository, "--no-replace-objects", "rev-list", way)
                    wanted = {sha[:10] for sha in counted.decode().split()}
                    assert {row[0] for row in rows(preview, title)} == wanted
                    assert not wanted or any(f"({len(wanted)})" in t.title for t in preview.tables)


def test_a_downgrade_shows_and_says_what_goes_away(line, tmp_path):
    """Going back by two commits names both, warns, and shows the lines as they will be."""
    repository, ids = line
    with yard(tmp_path / "yard", repository) as of:
        of.deploy("main")
        of.deploy(ids[0])
        preview = of.asked[-1].preview
        assert [row[3] for row in rows(preview, "that go away")] == ["state 2", "state 1"]
        assert not rows(preview, "commits that come")
        assert "takes away 2 commits" in preview.warnings[0]
        assert "-three" in preview.diff and "+one" in preview.diff
        assert of.live == ids[0]


# Branches that move while people think


def test_a_branch_that_moves_on_takes_nothing_along(line, tmp_path):
    """What was approved ships; what came to the branch meanwhile does not, and nobody is asked."""
    repository, ids = line
    with yard(tmp_path / "yard", repository) as of:
        of.meanwhile = lambda request: make.commit(repository, {"app.txt": b"four\n"}, minute=9)
        of.deploy("main")
        assert of.live == ids[2] != make.sha(repository, "refs/heads/main")
        assert of.tree()[b"app.txt"][1] == b"three\n" and len(of.asked) == 1


def test_a_commit_that_was_pushed_away_ships_with_a_word(line, tmp_path):
    """No branch leads to it any more: whoever is asked about it reads so, and may still agree."""
    repository, _ = line
    with yard(tmp_path / "yard", repository) as of:
        assert not of.look("main").warnings
        old, _ = make.forced(repository)
        of.deploy(old)
        assert any("No branch and no tag leads to" in text for text in of.asked[0].preview.warnings)
        assert of.live == old and of.tree() == stored(repository, old)
        assert "No branch and no tag" in of.project.changes(old, "production")


def test_a_commit_that_is_pushed_away_meanwhile_is_asked_about_again(line, tmp_path):
    """People agreed to what was on the branch: when it is no longer, they are asked once more."""
    repository, _ = line
    with yard(tmp_path / "yard", repository) as of:
        of.meanwhile = lambda request: len(of.asked) > 1 or make.forced(repository)
        of.deploy("main")
        first, second = of.asked
        assert first.arguments == second.arguments
        assert not first.preview.warnings and "No branch" in second.preview.warnings[0]
        assert of.live == first.arguments["ref"]


def test_a_damaged_branch_beside_it_stops_nothing(line, tmp_path):
    """A commit is missing in a history that nobody ships from: the others ship, without a word."""
    repository, ids = line
    between = make.commit(repository, {"b": b"1"}, branch="broken", parents=[ids[0]])
    make.commit(repository, {"b": b"2"}, branch="broken", minute=9)
    make.without(repository, between)
    with yard(tmp_path / "yard", repository) as of:
        of.deploy("main")
        assert of.live == ids[2] and not of.asked[-1].preview.warnings


def test_a_commit_that_is_gone_meanwhile_is_refused_and_nothing_changes(line, tmp_path):
    """Two have agreed, and then it is thrown away: nothing is begun, and the reason is told."""
    repository, ids = line

    def lose(request):
        make.forced(repository)
        make.collected(repository)

    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids[0])
        before, of.meanwhile = standing(of), lose
        with pytest.raises(Rejected, match=f"{ids[2]} is not in the repository"):
            of.deploy("main")
        assert standing(of) == before
        of.meanwhile = lambda request: None
        with pytest.raises((Rejected, DeployError), match=f"no commit {ids[2]}"):
            of.deploy(ids[2])
        assert standing(of) == before and len(of.asked) == 2


def test_a_file_that_is_gone_meanwhile_stops_it_and_nothing_changes(line, tmp_path):
    """A file that both commits have, so that no difference reads it, is missing: no release."""
    repository, _ = line
    kept = make.commit(repository, {"same.txt": b"the same\n"}, minute=5)
    make.commit(repository, {"app.txt": b"four\n"}, minute=6)
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(kept)
        lost = make.sha(repository, f"{kept}:same.txt")
        before, of.meanwhile = standing(of), lambda request: make.without(repository, lost)
        with pytest.raises(DeployError, match=lost):
            of.deploy("main")
        assert standing(of) == before


def test_a_live_commit_that_is_gone_is_no_obstacle(line, tmp_path):
    """What goes away cannot be told then, which is told; all that comes is shown, and ships."""
    repository, ids = line
    with yard(tmp_path / "yard", repository) as of:
        of.deploy(ids[0])
        of.deploy("main")
        _, new = make.forced(repository)
        make.collected(repository)
        preview = of.look("main")
        assert any(f"{ids[2][:10]}, is no longer in" in text for text in preview.warnings)
        assert len(rows(preview, "commits that come")) == 3
        assert f"{ids[2]}: no longer in" in dict(preview.facts)["live now"]
        assert "production" in of.tools.status()
        of.deploy("main")
        assert of.live == new and of.tree() == stored(repository, new)


def test_what_is_gone_from_the_repository_can_be_gone_back_to(line, tmp_path):
    """A release that was healthy lies there complete: its commit is not needed to return to it."""
    repository, ids = line
    with yard(tmp_path / "yard", repository) as of:
        of.deploy("main")
        old, new = make.forced(repository)
        of.deploy("main")
        make.collected(repository)
        of.rollback()
        assert (old, of.live) == (ids[2], ids[2]) != (new, new)
        [word] = of.asked[-1].preview.warnings
        assert f"{old} is not in the repository" in word
        assert of.tree() == {b"app.txt": ("100644", b"three\n")}


# Somebody else's repository


@pytest.mark.parametrize("by", ["path", "url"])
def test_nothing_of_a_hostile_repository_runs_in_the_whole_story(tmp_path, by):
    """Looks, previews, two deploys and a rollback spring no trap; plain git then springs one."""
    repository, marker = tmp_path / "hostile", tmp_path / "marker"
    ids = hostile(repository, marker)
    (repository / ".git/refs/heads/missing").unlink()  # a clone asks for all that has a name
    before = contents(repository)
    with yard(tmp_path / "yard", repository if by == "path" else f"file://{repository}") as of:
        for sha in ids:
            of.look(sha)
            of.deploy(sha)
            assert of.tree() == stored(repository, sha)
        assert ids[1][:10] in of.tools.status()
        assert "app.py" in of.tools.changes(ids[0], "production")
        of.tools.logs("production")
        of.rollback()
        assert of.live == ids[0]
    assert contents(repository) == before and not marker.exists()
    words = ["git", "-C", repository, "status"]
    subprocess.run(words, env=make.SEALED, capture_output=True, check=False)
    assert marker.exists()


def contents(folder):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scheme", ["file", "git"])
def test_what_is_new_at_a_url_is_fetched_and_what_was_forced_is_told(line, tmp_path, scheme):
    """New commits ship as they come; of a branch that lost commits the agent reads how many."""
    repository, ids = line
    with served(repository, scheme) as url, yard(tmp_path / "yard", url) as of:
        of.deploy("main")
        assert of.live == ids[2] and of.tree() == stored(repository, ids[2])
        new = make.commit(repository, {"app.txt": b"four\n"}, "the fourth", minute=4)
        assert "the fourth" in of.tools.changes("main", "production")
        of.deploy("main")
        assert of.live == new and dict(of.asked[-1].preview.facts)["repository"] == url
        make.forced(repository)
        make.collected(repository)
        told = of.tools.changes("main", "production")
        assert "branch main was force-pushed" in told and "1 commit went away" in told
        assert [row[0] for row in rows(of.look("main"), "that go away")] == [new[:10]]
        of.deploy("main")
        of.rollback()
        assert of.live == new  # there it was thrown away; what was fetched is kept
        assert any("No branch and no tag" in text for text in of.asked[-1].preview.warnings)


@contextmanager
def served(repository, scheme):
    """Yield a URL at which the repository can be fetched."""
    if scheme == "file":
        yield f"file://{repository}"
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", "--reuseaddr"]
    words += [f"--base-path={repository.parent}", str(repository)]
    with subprocess.Popen(["git", *words], env=make.SEALED, start_new_session=True) as daemon:
        try:
            assert until(lambda: socket_answers(port))
            yield f"git://127.0.0.1:{port}/{repository.name}"
        finally:
            os.killpg(daemon.pid, signal.SIGTERM)


def socket_answers(port):
    """Whether somebody listens."""
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("empty", "is no git repository"),
        ("file.txt", "is no git repository"),
        ("nowhere", "No such file"),
        ("file:///nowhere/x", "file:///nowhere/x could not be fetched"),
        ("ext::id", "ext::id"),
        ("--upload-pack=id", "No such file"),
    ],
)
def test_what_is_no_repository_is_one_sentence(line, tmp_path, capsys, monkeypatch, where, why):
    """`--repo` with a folder, a file or a URL of something else: nothing is asked, or made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("no repository", "utf-8")
    with yard(tmp_path / "yard", line[0]) as of:
        config = str(of.folder / "deploy.toml")
    ended = main(["--config", config, f"--repo={where}", "deploy", "main", "production"])
    out, told = capsys.readouterr()
    assert ended == 1 and not out
    assert len(told.splitlines()) == 1 and why in told
    assert not of.releases() and not (of.folder / ".deploy/approvals.db").exists()


# After it has shipped


def test_after_two_failures_the_way_back_is_the_last_healthy_release(tmp_path):
    """Two sick releases in a row: each is taken back, and neither is what a rollback goes to."""
    states = [{"app.txt": b"%d\n" % number} for number in range(4)]
    ids = make.line(tmp_path / "line", *states)
    with yard(tmp_path / "yard", tmp_path / "line") as of:
        of.deploy(ids[0])
        of.deploy(ids[1])
        of.sick |= {*ids[2:]}
        for sick in ids[2:]:
            with pytest.raises(Unhealthy, match=f"is back at {ids[1][:10]}"):
                of.deploy(sick)
            assert of.live == ids[1]
        of.rollback()
        assert of.live == ids[0] and of.tree() == stored(tmp_path / "line", ids[0])
        with pytest.raises(Rejected, match="nothing healthy to go back to"):
            of.rollback()
        assert of.live == ids[0]


def test_so_many_releases_stay_and_the_current_one_always(tmp_path):
    """With `keep = 2` the newest two are left, and what is live, and the way back from it."""
    states = [{"app.txt": b"%d\n" % number} for number in range(5)]
    ids = make.line(tmp_path / "line", *states)
    with yard(tmp_path / "yard", tmp_path / "line", keep=2) as of:
        for sha in ids[:3]:
            of.deploy(sha)
        assert [name.rpartition("-")[2] for name in of.releases()] == ids[1:3]
        of.rollback()
        oldest = of.release
        of.sick |= {*ids[3:]}
        for sick in ids[3:]:
            with pytest.raises(Unhealthy):
                of.deploy(sick)
            assert of.release == oldest and oldest in of.releases()
            assert of.tree() == stored(tmp_path / "line", ids[1])
        of.sick.clear()
        of.deploy(ids[0])
        assert len(of.releases()) == 3 and {of.release, oldest} < {*of.releases()}
        of.rollback()
        assert of.release == oldest


# Who decides


def test_two_people_in_two_windows_ship_it(line, tmp_path):
    """Ana clicks on the web, Bo types a command; after the first nothing moves, then it ships."""
    repository, ids = line
    with (
        SqliteStore(tmp_path / "approvals.db") as store,
        yard(tmp_path / "yard", repository, store=store) as of,
    ):
        tools = gated(of.project, Inbox(store), store=store)
        with Background(tools.deploy, "main", "production") as agent:
            asked = pending(store).request
            browser = Visitor(dashboard(store), ANA)
            page = browser.get(f"/requests/{asked.id}").text
            assert asked.arguments["ref"] == ids[2] and ids[2] in page
            browser.fill(f"/requests/{asked.id}/approve", digest=asked.digest)
            assert [vote.by for vote in store.get(asked.id).votes] == ["ana"]
            assert agent.running and not of.release
            words = ["--store", str(store.path), "--by", "bo", "approve", asked.id]
            words += ["--digest", asked.digest]
            subprocess.run([sys.executable, "-m", "core", *words], cwd=ROOT, check=True)
        assert agent.error is None and of.live == ids[2]
        windows = {vote.by: vote.window for vote in store.get(asked.id).votes}
        assert windows["ana"] != windows["bo"]


def test_who_asks_is_none_of_the_two(line, tmp_path):
    """The agent works for ana, so she does not count; bo and ben do."""
    repository, ids = line
    with yard(tmp_path / "yard", repository) as of:

        def others(request):
            with pytest.raises(NotCounted):
                of.store.vote(request.id, Approve(by="Ana"), digest=request.digest)
            of.store.vote(request.id, Approve(by="ben"), digest=request.digest)
            return Approve(by="bo")

        tools = gated(of.project, Scripted(deploy=others), store=of.store)
        with run("r", acting_for="ana"):
            tools.deploy("main", "production")
        assert of.live == ids[2]


# Made up for this test: each has the form of a secret, and none opens anything.
SECRETS = {
    "settings.py": 'password = "hunter2-{0}-Correct-Horse"\n',
    "deploy.env": "AWS_ACCESS_KEY_ID=AKIA{1}\n",
    "notes.txt": "postgres://shop:p{0}w@db.example/shop\n",
}


def test_a_secret_is_named_and_shown_in_no_window(tmp_path):
    """Terminal, web page, JSON, story, store and agent: which file and line, never the value."""
    values = "Zq8Lw3Xv", "Q4WZ7XK2MPL9TRB3"
    files = {name: text.format(*values).encode() for name, text in SECRETS.items()}
    first, _ = make.line(tmp_path / "line", {"a.txt": b"1\n"}, files)
    told = io.StringIO()
    story = Story(console=Console(file=told, width=200), lines=10_000)
    with (
        SqliteStore(tmp_path / "approvals.db") as store,
        yard(tmp_path / "yard", tmp_path / "line", store=store) as of,
    ):
        of.deploy(first)
        of.deploy("main")
        asked = of.asked[-1]
        story.asks(asked)
        story.sees(of.tools.changes("main", "production"))
        drawn = "\n".join(text.plain for text in draw(asked, width=200))
        app = dashboard(store)
        page = unescape(Visitor(app, ANA).get(f"/requests/{asked.id}").text)
        answer = program(app, ANA).get(f"/api/requests/{asked.id}").text
        noticed = rows(asked.preview, "look at these")
        assert {row[0] for row in noticed if row[1] == "secret"} == {*SECRETS}
        for window in (drawn, page, answer, told.getvalue()):
            assert all(name in window for name in SECRETS)
            assert "looks like a secret" in window or window is told.getvalue()
            assert not any(value in window for value in values)
        assert of.tree()[b"settings.py"][1] == files["settings.py"]
    written = [path for path in tmp_path.glob("approvals.db*") if path.is_file()]
    written += (tmp_path / "yard/.deploy").rglob("*.log")
    assert written
    for path in written:
        assert not any(value.encode() in path.read_bytes() for value in values)


# Histories as they grow


def test_this_project_ships_itself(tmp_path):
    """What is checked out here ships byte for byte; then a commit on top of it, and back again.

    It needs git's own folder of this checkout; one commit and a history that is cut off are enough.
    """
    head = make.git(ROOT, "-c", "safe.directory=*", "rev-parse", "HEAD").decode()
    with yard(tmp_path / "here", ROOT) as of:
        of.deploy("HEAD")
        assert of.live == head and of.tree() == stored(ROOT, head)
        assert b"core/gate.py" in of.tree()
    clone, anybodys = tmp_path / "clone", tmp_path / "gitconfig"
    anybodys.write_text("[safe]\n\tdirectory = *\n", "utf-8")  # whoever has checked it out
    words = ["clone", "--quiet", "--bare", f"file://{ROOT}", str(clone)]
    make.git(tmp_path, *words, GIT_CONFIG_GLOBAL=str(anybodys))
    new = make.commit(
        clone, {"core/gate.py": b"raise SystemExit\n", "LICENSE": None}, parents=[head]
    )
    with yard(tmp_path / "there", clone) as of:
        of.deploy(head)
        of.deploy(new)
        preview = of.asked[-1].preview
        assert [row[0] for row in rows(preview, "commits that come")] == [new[:10]]
        assert not rows(preview, "that go away")
        changed = {row[0]: row[1] for row in rows(preview, "files that change")}
        assert changed == {"LICENSE": "deleted", "core/gate.py": "modified"}
        assert of.tree() == stored(clone, new)
        oldest = make.git(clone, "rev-list", head).decode().split()[-1]
        away = make.git(clone, "rev-list", "--count", f"{oldest}..{new}").decode()
        titles = [table.title for table in of.look(oldest).tables]
        assert any(t.startswith("that go away") and re.search(rf"\b{away}\)$", t) for t in titles)
        of.rollback()
        assert of.tree() == stored(clone, head)


def test_a_large_history_ships_and_is_shown_in_part(tmp_path):
    """Ten thousand files ship; of a thousand commits all are counted, and the newest are shown."""
    repository = make.large(tmp_path / "large")
    with yard(tmp_path / "yard", repository) as of:
        of.deploy("v1000")
        assert of.tree() == stored(repository, make.sha(repository, "v1000"))
        preview = of.look("v2000")
        titles = {table.title.partition(" (")[0]: table for table in preview.tables}
        assert "the newest 50 of 1,000" in titles["commits that come"].title
        assert "the first 50 of 3,000" in titles["files that change"].title
        assert dict(preview.facts)["changes"] == "3,000 files, 3,000 lines come, 3,000 go"
        assert any("only the beginning is shown" in text for text in preview.warnings)

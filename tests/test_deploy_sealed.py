"""A hostile repository is read like any other: nothing of what it names is run."""

import os
import subprocess
from time import monotonic

import pytest

from apps.deploy.errors import RepositoryError
from apps.deploy.repository import Repository
from apps.deploy.repository.plumbing import Git
from tests import repositories as make
from tests.hostile_repository import SPRINGING, hostile


@pytest.fixture
def trap(tmp_path):
    """A hostile repository, the ids of its commits, and the file that tells whether it won."""
    marker = tmp_path / "marker"
    return tmp_path / "hostile", hostile(tmp_path / "hostile", marker), marker


def state(folder):
    """Every file below a folder with its bytes and when it was written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("words", SPRINGING.values(), ids=SPRINGING.keys())
def test_the_traps_work(trap, words):
    """Plain git runs into each trap: what the next tests find unsprung is armed."""
    folder, _, marker = trap
    subprocess.run(
        ["git", "-C", folder, *words.split()],
        env=make.SEALED,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    assert marker.exists()


def look_everywhere(repository, ids):
    """Ask a repository for all that it can be asked for."""
    refs = ("main", "HEAD", "main~1", "missing", *ids, ids[1][:8])
    shas = [repository.resolve(ref) for ref in refs]
    assert {sha for _, sha in repository.refs()} <= set(shas)
    repository.refresh()
    for sha in {*ids}:
        assert repository.commit(sha).sha == sha
        assert repository.is_reachable(sha)
        assert repository.tags(sha) == ()
        assert repository.problems(sha) == ()
        assert [entry.path for entry, _ in repository.files(sha)] == [b".gitattributes", b"app.py"]
    move = repository.between(*ids)
    assert [(one.path, one.added, one.removed) for one in move.files] == [("app.py", 1, 1)]
    assert repository.diff(*ids, most=9_999).text.endswith("-print(1)\n+print(2)\n")


def test_a_hostile_repository_runs_nothing(trap, tmp_path, monkeypatch):
    """By path, from inside, or through a linked tree, all of it is read and no trap is sprung."""
    folder, ids, marker = trap
    linked = tmp_path / "linked"
    linked.mkdir()
    own = folder / ".git" / "worktrees" / "linked"
    own.mkdir(parents=True)
    (linked / ".git").write_text(f"gitdir: {own}\n", "utf-8")
    (own / "commondir").write_text("../..\n", "utf-8")
    (own / "HEAD").write_text("ref: refs/heads/main\n", "utf-8")
    before = state(folder)
    monkeypatch.chdir(folder)
    for where in (folder, linked, "."):
        repository = Repository.open(where, cache=tmp_path / "cache")
        look_everywhere(repository, ids)
        lost = repository.resolve("missing")
        for ask in (
            lambda sha=lost, of=repository: list(of.files(sha)),
            lambda sha=lost, of=repository: of.between(ids[0], sha),
            lambda sha=lost, of=repository: of.diff(ids[0], sha, most=10),
        ):
            with pytest.raises(RepositoryError):
                ask()
    assert not marker.exists()
    assert state(folder) == before


def test_a_hostile_repository_is_cloned_and_runs_nothing(trap, tmp_path):
    """Fetched by its URL it runs nothing either, and its config does not come along."""
    folder, ids, marker = trap
    missing = folder / ".git" / "refs" / "heads" / "missing"
    missing.unlink()  # what is not there can be sent by nobody
    repository = Repository.open(f"file://{folder}", cache=tmp_path / "cache")
    missing.write_text(f"{ids[0]}\n", "utf-8")
    repository.refresh()
    look_everywhere(repository, ids)
    assert not marker.exists()
    assert not [path for path in (tmp_path / "cache").rglob("*") if "evil" in path.name]


def hostile_environment(marker):
    """What could be set in the environment of the one who deploys, each to run or write a file."""
    touch = f"touch {marker}"
    names = "GIT_EXTERNAL_DIFF GIT_SSH_COMMAND GIT_SSH GIT_ASKPASS SSH_ASKPASS GIT_PAGER PAGER"
    return {
        **dict.fromkeys([*names.split(), "GIT_EDITOR", "GIT_PROXY_COMMAND"], touch),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": touch,
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={touch}'",
        "GIT_DIR": "/nonexistent",
        "GIT_WORK_TREE": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent",
        "GIT_OBJECT_DIRECTORY": "/nonexistent",
        "GIT_COMMON_DIR": "/nonexistent",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_TRACE": str(marker),
        "GIT_TRACE2_EVENT": str(marker),
        "GIT_SHALLOW_FILE": "/nonexistent",
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_EXEC_PATH": "/nonexistent",
        "GIT_TEMPLATE_DIR": "/nonexistent",
    }


def test_our_own_environment_says_nothing_to_git(trap, tmp_path, monkeypatch):
    """Variables that steer git, inherited from wherever we were started, steer nothing."""
    folder, ids, marker = trap
    plain = make.line(tmp_path / "plain", {"a": b"1\n2\n3\n"}, {"a": b"1\n2\n4\n"})
    git = Repository.open(tmp_path / "plain", cache=tmp_path / "cache")
    shown = git.diff(*plain, most=999)
    for name, value in hostile_environment(marker).items():
        monkeypatch.setenv(name, value)
    repository = Repository.open(tmp_path / "plain", cache=tmp_path / "other")
    assert repository.diff(*plain, most=999) == shown
    assert repository.resolve("main") == plain[1]
    look_everywhere(Repository.open(folder, cache=tmp_path / "cache"), ids)
    cloned = Repository.open(f"file://{tmp_path / 'plain'}", cache=tmp_path / "cache")
    assert cloned.diff(*plain, most=999) == shown
    assert not marker.exists()


def test_what_git_is_told_is_all_that_it_knows(tmp_path, monkeypatch):
    """Git finds no key and no token of ours, and may reach a repository elsewhere only to fetch."""
    monkeypatch.setenv("STRIPE_SECRET", "s3cret")
    seen = tmp_path / "seen"
    seen.mkdir()
    stand_in(tmp_path, f'env > {seen}/$$; exec {real_git()} "$@"', monkeypatch)
    (sha,) = make.line(tmp_path / "r", {"a": b"1\n"})
    for where, protocols in ((tmp_path / "r", {"none"}), (f"file://{tmp_path / 'r'}", {"file"})):
        repository = Repository.open(where, cache=tmp_path / "cache")
        for file in seen.iterdir() if protocols == {"none"} else ():
            file.unlink()
        repository.between("", repository.resolve("main"))
        assert repository.commit(sha).subject == "state 0"
        repository.refresh()
        environments = [
            dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines())
            for file in seen.iterdir()
        ]
        assert {one["GIT_ALLOW_PROTOCOL"] for one in environments} == protocols | {"none"}
        for one in environments:
            ours = {name for name in one if not name.startswith("GIT_")}
            assert "s3cret" not in str(one)
            assert one["GIT_NO_REPLACE_OBJECTS"] == one["GIT_NO_LAZY_FETCH"] == "1"
            assert {name for name in ours if name.lower() not in ALLOWED} == set()


# What git, ssh and curl need, and what a shell that stands in for git adds.
ALLOWED = {
    *("path", "home", "lc_all", "language", "ssh_auth_sock", "ssl_cert_file", "ssl_cert_dir"),
    *("https_proxy", "all_proxy", "no_proxy", "pwd", "oldpwd", "shlvl", "_"),
}


def real_git():
    """Where git is."""
    found = subprocess.run(["which", "git"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def stand_in(tmp_path, script, monkeypatch):
    """Put a program of the name `git` before the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_repository_of_somebody_else_is_read(tmp_path, monkeypatch):
    """Who owns a repository does not matter where nothing of it is obeyed."""
    ids = make.line(tmp_path / "r", {"a": b"1\n"})
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    refused = subprocess.run(
        ["git", "-C", tmp_path / "r", "log"], capture_output=True, env=make.SEALED | other
    )
    assert b"dubious ownership" in refused.stderr
    exports = "export GIT_TEST_ASSUME_DIFFERENT_OWNER=1"
    stand_in(tmp_path, f'{exports}; exec {real_git()} "$@"', monkeypatch)
    assert Repository.open(tmp_path / "r", cache=tmp_path / "cache").resolve("main") == ids[0]
    with pytest.raises(RepositoryError, match="dubious ownership"):
        Repository.open(f"file://{tmp_path / 'r'}", cache=tmp_path / "cache")


def test_a_command_that_hangs_is_ended(tmp_path, monkeypatch):
    """Git is given a while; then it and all that it has started are gone."""
    make.empty(tmp_path / "r")
    pids = tmp_path / "pids"
    stand_in(tmp_path, f"sleep 60 & echo $! $$ > {pids}; wait", monkeypatch)
    begun = monotonic()
    with pytest.raises(RepositoryError, match=r"git rev-list took longer than 0\.5 seconds"):
        Git(tmp_path / "r").read("rev-list", "--all", seconds=0.5)
    assert monotonic() - begun < 10
    for pid in map(int, pids.read_text("ascii").split()):
        assert is_gone(pid)


def is_gone(pid):
    """Whether a process has ended, be it that nobody has asked how."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return listed.stdout.strip()[:1] in {"", "Z"}


def test_a_flood_of_words_is_stopped(tmp_path, monkeypatch):
    """More output than anybody would read is an error, and so is a flood of complaints survived."""
    make.empty(tmp_path / "r")
    stand_in(tmp_path, "yes complaint | head -c 1000000 >&2; yes | head -c 5000", monkeypatch)
    git = Git(tmp_path / "r")
    assert len(git.read("rev-list", most=5_000)) == 5_000
    with pytest.raises(RepositoryError, match=r"more than 4,999 bytes"):
        git.read("rev-list", most=4_999)

"""The sample to practise on: its history is the same for everybody and does what it promises."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from contextlib import contextmanager
from itertools import pairwise

import pytest
from repositories import git

from apps.deploy.attention import attention
from apps.deploy.config import read
from apps.deploy.errors import DeployError, RepositoryError
from apps.deploy.model import Diff, FileChange, Range
from apps.deploy.sample import advance, make_sample

TAGS = ("v1.0", "v1.1", "v1.2", "v1.3", "v1.4")
# The history as it is known: a change to the sample's files moves these on purpose.
MAIN = "07faa4818d1276e85fdc37bd8981b6c1efaa6df2"
NEXT = "8e1af18c13f69f31da669b5de8d3a952f7d618ba"
AT_ONCE = 1.0  # seconds; the service takes a tenth of them on a machine with nothing else to do


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """One sample in which v1.4 has arrived, for tests that only look."""
    folder = tmp_path_factory.mktemp("sample") / "practice"
    make_sample(folder)
    advance(folder / "shop")
    return folder


@pytest.fixture(scope="session")
def commands(made):
    """The sample's deploy.toml."""
    return tomllib.loads((made / "deploy.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def releases(made, tmp_path_factory):
    """Tag to a folder with exactly its files."""
    top = tmp_path_factory.mktemp("releases")
    for tag in TAGS:
        (top / tag).mkdir()
        packed = subprocess.run(
            ["git", "-C", made / "shop", "archive", tag], capture_output=True, check=True
        )
        subprocess.run(["tar", "x", "-C", top / tag], input=packed.stdout, check=True)
    return top


@pytest.fixture
def release(releases, tmp_path):
    """Return a copy of a tag's files, with a data folder as it is shared between releases."""

    def copied(tag, data=None):
        folder = shutil.copytree(releases / tag, tmp_path / tag)
        shared = data or tmp_path / "data"
        shared.mkdir(exist_ok=True)
        (folder / "data").symlink_to(shared)
        return folder

    return copied


def run(words, folder, **env):
    """Run words of deploy.toml as the pipeline does: without a shell, and with little around it."""
    return subprocess.run(
        words,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def get(port, path="/"):
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def running(words, folder, port):
    """Start the service and wait until it listens."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(port)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        for _ in range(1_000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.01)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            process.kill()


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def names(folder):
    """Branch or tag to commit."""
    listed = git(folder, "for-each-ref", "--format=%(refname) %(objectname)").decode()
    return dict(line.split() for line in listed.splitlines())


def test_two_samples_have_the_same_commits(tmp_path):
    """Whoever makes a sample, whenever, gets the same ids; those that prose and tests may name."""
    make_sample(tmp_path / "a")
    make_sample(tmp_path / "b", ports=(1, 2, 3))
    assert names(tmp_path / "a/shop") == names(tmp_path / "b/shop")
    assert names(tmp_path / "a/shop")["refs/heads/main"] == MAIN
    assert names(tmp_path / "a/shop")["refs/heads/next"] == NEXT


def test_settings_of_whoever_makes_it_change_nothing(tmp_path, monkeypatch):
    """Signing, hooks, line ends and another first branch in somebody's own git play no part."""
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-commit").write_text("#!/bin/sh\ntouch ran\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[init]\ndefaultBranch = trunk\n"
        f"templateDir = {tmp_path / 'template'}\n"
        "[commit]\ngpgSign = true\n[tag]\ngpgSign = true\nforceSignAnnotated = true\n"
        "[i18n]\ncommitEncoding = latin1\n[user]\nname = Somebody\nemail = else@example.com\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    make_sample(tmp_path / "a")
    assert names(tmp_path / "a/shop")["refs/heads/main"] == MAIN
    assert not (tmp_path / "a/shop/.git/hooks").exists()


def test_the_history_is_one_that_people_could_have_made(made):
    """Several people, a merge, dates in order, subjects of a line, and a clean working tree."""
    shop = made / "shop"
    log = git(shop, "log", "--reverse", "--date-order", "--format=%an|%at|%P|%s", "main").decode()
    commits = [line.split("|") for line in log.splitlines()]
    assert 12 <= len(commits) <= 20
    assert len({author for author, *_ in commits}) == 4
    assert sum(len(parents.split()) == 2 for _, _, parents, _ in commits) == 1
    assert all(int(one[1]) < int(two[1]) for one, two in pairwise(commits))
    assert len({subject for *_, subject in commits}) == len(commits)
    assert git(shop, "status", "--porcelain") == b""
    assert git(shop, "fsck", "--strict", "--no-progress") == b""


def test_the_last_release_arrives_later(tmp_path):
    """At first main ends at v1.3; when v1.4 arrives, main has moved and nothing else."""
    shop = make_sample(tmp_path / "a").parent / "shop"
    before = names(shop)
    assert before["refs/heads/main"] == before["refs/tags/v1.3"] == MAIN
    assert "refs/tags/v1.4" not in before
    assert advance(shop) == NEXT
    moved = {"refs/heads/main": NEXT, "refs/tags/v1.4": NEXT}
    assert names(shop) == before | moved
    assert 'VERSION = "1.4"' in (shop / "service.py").read_text()
    assert git(shop, "status", "--porcelain") == b""
    assert advance(shop) == NEXT


def test_what_deploy_toml_says_about_the_last_release_works(tmp_path):
    """The two commands in its comment let v1.4 arrive by hand."""
    config = make_sample(tmp_path / "a")
    (line,) = re.findall(r"^# +(git -C shop .+)$", config.read_text("utf-8"), re.M)
    for words in line.split(" && "):
        git(config.parent, *words.split()[1:])
    assert names(config.parent / "shop")["refs/tags/v1.4"] == NEXT
    assert names(config.parent / "shop")["refs/heads/main"] == NEXT


def test_a_main_that_went_elsewhere_stays_there(tmp_path):
    """What somebody practised with is not thrown away."""
    shop = make_sample(tmp_path / "a").parent / "shop"
    git(shop, "commit", "--quiet", "--allow-empty", "--message=mine")
    before = names(shop)
    with pytest.raises(RepositoryError, match="it is as it was"):
        advance(shop)
    git(shop, "switch", "--quiet", "by-name")
    for folder in (shop, tmp_path):
        with pytest.raises(RepositoryError):
            advance(folder)
    assert names(shop) == before


@pytest.mark.parametrize("tag", TAGS)
def test_a_release_builds_and_its_tests_end_as_promised(tag, commands, release):
    """Without a network and at once: only the tests of v1.1 fail, for five cents."""
    folder = release(tag)
    assert run(commands["commands"]["build"], folder).returncode == 0
    began = time.monotonic()
    tested = run(commands["commands"]["test"], folder)
    assert time.monotonic() - began < 5 * AT_ONCE
    assert (tested.returncode == 0) == (tag != "v1.1"), tested.stderr
    if tag == "v1.1":
        assert "'3.05' not found in '3.5 EUR'" in tested.stderr


@pytest.mark.parametrize("tag", TAGS)
def test_a_release_starts_and_is_as_healthy_as_promised(tag, commands, release):
    """Every release starts at once and ends when told to; only v1.4 is unhealthy, and says why."""
    port, folder = free_port(), release(tag)
    began = time.monotonic()
    with running(commands["commands"]["start"], folder, port) as process:
        assert time.monotonic() - began < 5 * AT_ONCE
        status, text = get(port, "/health")
        health = json.loads(text)
        assert health["version"] == tag[1:]
        assert (status, health["healthy"]) == ((503, False) if tag == "v1.4" else (200, True))
        assert ("SHOP_CURRENCY" in health["problem"]) == (tag == "v1.4")
        if tag != "v1.4":
            status, page = get(port)
            assert status == 200 and f"version {tag[1:]}" in page
    assert process.returncode == 0
    assert f"listens on port {port}" in (folder / "log").read_text()


def test_a_release_takes_the_port_of_the_one_before(commands, release, tmp_path):
    """The port is free again at once, and both see the same data."""
    port = free_port()
    old, new = release("v1.0", tmp_path / "shared"), release("v1.2", tmp_path / "shared")
    assert run(commands["tasks"]["migrate"]["run"], old).stdout == "applied 0001_greetings.sql\n"
    for folder in (old, new):
        with running(commands["commands"]["start"], folder, port):
            assert "my favourite" in get(port)[1]


def test_a_migration_follows_the_release_that_brings_it(commands, release):
    """v1.3 is healthy before and after; what needs the new table shows once it is there."""
    port, folder = free_port(), release("v1.3")
    migrate = commands["tasks"]["migrate"]["run"]
    with running(commands["commands"]["start"], folder, port):
        assert "stars" not in get(port)[1] and get(port, "/health")[0] == 200
        told = run(migrate, folder)
        assert told.stdout == "applied 0001_greetings.sql\napplied 0002_ratings.sql\n"
        assert "(4.0 of 5 stars)" in get(port, "/?name=Ana")[1]
        assert run(migrate, folder).stdout == "nothing to do, the database is up to date\n"
        assert get(port, "/health")[0] == 200


def test_a_migration_happens_as_a_whole_or_not_at_all(commands, release):
    """A script that fails half-way leaves the database as it was before any of them."""
    folder = release("v1.3")
    broken = folder / "migrations" / "0003_broken.sql"
    broken.write_text("CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n")
    assert run(commands["tasks"]["migrate"]["run"], folder).returncode == 1
    broken.unlink()
    again = run(commands["tasks"]["migrate"]["run"], folder)
    assert again.stdout.count("applied") == 2


def test_a_name_from_outside_stays_text(commands, release):
    """The page that people practise on has no hole of its own."""
    port, folder = free_port(), release("v1.3")
    with running(commands["commands"]["start"], folder, port):
        assert "<script>" not in get(port, "/?name=%3Cscript%3E")[1]
        assert get(port, "/nowhere")[0] == 404


def changed(shop, live, target):
    """The range between two names as far as `attention` looks at it."""
    listed = git(shop, "diff", "--name-only", live, target).decode().split()
    files = tuple(FileChange(path=path, kind="modified", added=1, removed=1) for path in listed)
    text = git(shop, "diff", live, target).decode()
    return Range(live=live, target=target, files=files), Diff(text=text, size=len(text))


def test_only_the_range_with_the_migration_is_critical(made, commands):
    """v1.2 is the smaller step that people can be asked about first; v1.3 has one of each kind."""
    rules = commands["attention"]
    small = attention(*changed(made / "shop", "v1.0", "v1.2"), rules)
    assert small.kinds == frozenset() and not small.is_critical
    large = attention(*changed(made / "shop", "v1.0", "v1.3"), rules)
    assert large.kinds == {"migration", "dependencies", "configuration"} and large.is_critical
    last = attention(*changed(made / "shop", "v1.3", "v1.4"), rules)
    assert last.files == () and last.problems == ()


def test_deploy_toml_names_three_environments_on_this_machine(commands):
    """Each has a port of its own, which its health check asks; only production is protected."""
    environments = commands["environments"]
    assert list(environments) == ["development", "staging", "production"]
    ports = [one["env"]["PORT"] for one in environments.values()]
    assert len(set(ports)) == 3
    assert [one["health"] for one in environments.values()] == [
        f"http://127.0.0.1:{port}/health" for port in ports
    ]
    assert [one.get("protected", False) for one in environments.values()] == [False, False, True]
    assert environments["production"]["needs"] == "staging"
    assert commands["people"]["release_managers"] == ["ana", "bo", "chi"]
    assert commands["freeze"][0]["days"] == ["friday"]


def test_deploy_toml_is_one_that_the_pipeline_reads(made):
    """The file that teaches passes the strict reading, down to every key."""
    config = read(made / "deploy.toml")
    assert list(config.environments) == ["development", "staging", "production"]


def test_ports_that_are_named_are_taken(tmp_path):
    """In the order of the environments, whether or not they are free."""
    config = tomllib.loads(make_sample(tmp_path / "a", ports=(8001, 8002, 8003)).read_text("utf-8"))
    assert [one["env"]["PORT"] for one in config["environments"].values()] == [
        "8001",
        "8002",
        "8003",
    ]


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    """Nothing of anybody is overwritten or mixed with the sample; a file is no folder either."""
    (tmp_path / "mine.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(DeployError, match="Nothing was written"):
            make_sample(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_sample_that_cannot_be_made_leaves_nothing(tmp_path):
    """Whether the folder was there or not, it is afterwards as it was before."""

    def stops(done, _of):
        if done == 5:
            raise KeyboardInterrupt

    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with pytest.raises(KeyboardInterrupt):
            make_sample(tmp_path / name, progress=stops)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_full_or_forbidden_place_is_one_sentence(tmp_path, monkeypatch):
    """What git could not write is told with its reason, and what it did write is removed."""
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/dev/null/objects")
    with pytest.raises(DeployError, match=r"a cannot be used for a sample: .+\.$"):
        make_sample(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_up_to_the_end(tmp_path):
    """Whoever watches sees every commit and the last one."""
    seen = []
    make_sample(tmp_path / "a", progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, seen[-1][1]) for done in range(seen[-1][1] + 1)]


def test_a_missing_library_is_one_sentence(tmp_path, monkeypatch):
    """Without GitPython it says what to install, and makes nothing."""
    monkeypatch.setitem(sys.modules, "git", None)
    with pytest.raises(DeployError, match=r"pip install 'gated-agents\[deploy\]'"):
        make_sample(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_several_requests_are_served_side_by_side(commands, release):
    """A health check gets its answer while visitors have theirs."""
    port, folder, seen = free_port(), release("v1.3"), []
    with running(commands["commands"]["start"], folder, port):
        asking = [threading.Thread(target=lambda: seen.append(get(port)[0])) for _ in range(20)]
        for thread in asking:
            thread.start()
        assert get(port, "/health")[0] == 200
        for thread in asking:
            thread.join()
    assert seen == [200] * 20

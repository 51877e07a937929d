"""A repository that lies elsewhere: cloned whole or not at all, and fetched again."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest

from apps.deploy.errors import RepositoryError, UnknownRef
from apps.deploy.repository import Repository
from apps.deploy.repository.addresses import address
from tests import repositories as make


@pytest.fixture
def there(tmp_path):
    """A repository of three commits, and its address."""
    folder = tmp_path / "there"
    ids = make.line(folder, {"a": b"1\n"}, {"a": b"2\n"}, {"a": b"3\n"})
    return folder, ids, f"file://{folder}"


def contents(repository):
    """All that a repository says of its refs and their files."""
    return {name: (sha, list(repository.files(sha))) for name, sha in repository.refs()}


def test_a_clone_is_read_as_the_repository_is(tmp_path):
    """By URL or by path, the same refs, files and differences come."""
    ids = make.odd(tmp_path / "odd")
    for name in ("submodule", "lfs"):
        make.git(tmp_path / "odd", "update-ref", "-d", f"refs/heads/{name}")
    here = Repository.open(tmp_path / "odd", cache=tmp_path / "cache")
    cloned = Repository.open(f"file://{tmp_path / 'odd'}", cache=tmp_path / "cache")
    assert contents(cloned) == contents(here)
    assert cloned.resolve("HEAD") == here.resolve("HEAD") == ids["main"]
    for live, target in ((ids["first"], ids["main"]), ("", ids["merge"])):
        assert cloned.between(live, target) == here.between(live, target)
        assert cloned.diff(live, target, most=9_999) == here.diff(live, target, most=9_999)
    assert cloned.name == f"file://{tmp_path / 'odd'}"


def test_a_clone_is_made_once(there, tmp_path, monkeypatch):
    """Opening again neither fetches nor needs the other side; refreshing does."""
    folder, ids, url = there
    Repository.open(url, cache=tmp_path / "cache")
    folder.rename(tmp_path / "away")
    repository = Repository.open(url, cache=tmp_path / "cache")
    assert repository.resolve("main") == ids[2]
    with pytest.raises(RepositoryError, match=r"could not be fetched: .*stays as it was"):
        repository.refresh()
    assert repository.resolve("main") == ids[2]


def test_what_is_new_comes_with_a_refresh(there, tmp_path):
    """New commits, branches, tags and another HEAD are there after a refresh, and not before."""
    folder, ids, url = there
    repository = Repository.open(url, cache=tmp_path / "cache")
    new = make.commit(folder, {"a": b"4\n"}, "new", minute=9)
    make.tag(folder, "v1", ids[0], message="one")
    make.git(folder, "update-ref", "refs/heads/other", ids[1])
    make.git(folder, "symbolic-ref", "HEAD", "refs/heads/other")
    assert repository.resolve("main") == ids[2]
    with pytest.raises(UnknownRef):
        repository.resolve("v1")
    assert repository.refresh() == ()
    found = [repository.resolve(ref) for ref in ("main", "v1", "other", "HEAD")]
    assert found == [new, ids[0], ids[1], ids[1]]


def test_a_force_push_is_taken_and_told(there, tmp_path):
    """A branch that lost commits and a tag that moved are followed, and each is one sentence."""
    folder, ids, url = there
    make.tag(folder, "v1", ids[0])
    repository = Repository.open(url, cache=tmp_path / "cache")
    old, new = make.forced(folder)
    make.tag(folder, "v1", ids[1])
    make.collected(folder)
    said = repository.refresh()
    assert len(said) == 2
    assert f"branch main was force-pushed from {old[:10]} to {new[:10]}: 1 commit went" in said[0]
    assert f"tag v1 was moved from {ids[0][:10]} to {ids[1][:10]}" in said[1]
    assert repository.resolve("main") == new and repository.resolve("v1") == ids[1]
    assert repository.refresh() == ()


def test_what_was_live_can_be_looked_at_after_it_was_force_pushed_away(there, tmp_path):
    """A commit that was fetched once stays readable, and is known to be on no branch any more."""
    folder, _, url = there
    repository = Repository.open(url, cache=tmp_path / "cache")
    old, new = make.forced(folder)
    make.collected(folder)
    repository.refresh()
    assert not repository.is_reachable(old)
    move = repository.between(old, new)
    assert [one.sha for one in move.removed] == [old] and move.problems == ()
    assert [data for _, data in repository.files(old)] == [b"3\n"]


def test_what_is_gone_there_is_gone_here(there, tmp_path):
    """Deleted branches and tags go, also where a folder of branches takes a branch's place."""
    folder, ids, url = there
    make.git(folder, "update-ref", "refs/heads/topic", ids[0])
    make.tag(folder, "v1", ids[0])
    repository = Repository.open(url, cache=tmp_path / "cache")
    make.git(folder, "update-ref", "-d", "refs/heads/topic")
    make.git(folder, "update-ref", "-d", "refs/tags/v1")
    make.git(folder, "update-ref", "refs/heads/topic/one", ids[1])
    said = repository.refresh()
    assert [sentence.partition(" is gone")[0] for sentence in said] == [
        "The branch topic",
        "The tag v1",
    ]
    assert {name for name, _ in repository.refs()} == {"main", "topic/one"}


def test_a_shallow_source_is_cloned_as_shallow(there, tmp_path):
    """A source whose own history is cut off is cloned, and the cut is a problem here as there."""
    folder, ids, _ = there
    make.shallow(tmp_path / "shallow", folder, depth=1)
    repository = Repository.open(f"file://{tmp_path / 'shallow'}", cache=tmp_path / "cache")
    assert repository.resolve("main") == ids[2]
    assert len(repository.between("", ids[2]).problems) == 1


CLONE = """
import sys
from pathlib import Path
from apps.deploy.repository import Repository
Repository.open(sys.argv[1], cache=Path(sys.argv[2]))
"""


def slow_git(tmp_path, before):
    """Put a git first on the path that hangs before or after it fetches; return its marker."""
    folder, reached = tmp_path / "bin", tmp_path / "reached"
    folder.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True)
    plain = f'{real.stdout.strip()} "$@"'
    fetch = "" if before else f"{plain}; "
    program = folder / "git"
    program.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" fetch "*) {fetch}echo $$ > {reached}.part; mv {reached}.part {reached};'
        f" exec sleep 60;; *) exec {plain};; esac\n",
        "utf-8",
    )
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}, reached


@pytest.mark.parametrize("before", [True, False], ids=["before the fetch", "after it"])
def test_a_clone_that_was_killed_is_made_again(there, tmp_path, before):
    """Whenever a cloning process is killed, the next one finds a whole clone or makes one."""
    _, ids, url = there
    env, reached = slow_git(tmp_path, before)
    words = [sys.executable, "-c", CLONE, url, str(tmp_path / "cache")]
    with subprocess.Popen(words, env=env) as cloning:
        end = monotonic() + 30
        while not reached.exists() and monotonic() < end:
            sleep(0.02)
        cloning.kill()
    assert cloning.returncode == -signal.SIGKILL
    assert not list((tmp_path / "cache").glob("*.git"))
    repository = Repository.open(url, cache=tmp_path / "cache")
    os.kill(int(reached.read_text("ascii")), signal.SIGKILL)
    assert [repository.resolve(ref) for ref in ("main", "main~2")] == [ids[2], ids[0]]
    assert not list((tmp_path / "cache").glob("*.unfinished"))


def test_many_may_clone_and_refresh_at_once(there, tmp_path):
    """Whoever comes second waits, and all end with the same whole clone."""
    _, ids, url = there

    def look(_):
        repository = Repository.open(url, cache=tmp_path / "cache")
        return repository.refresh(), repository.resolve("main")

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(look, range(6))) == {((), ids[2])}
    assert len(list((tmp_path / "cache").glob("*.git"))) == 1


REFUSED = [
    *("ext::sh -c 'touch {marker}'", "ext::touch% {marker}", "fd::17", "ssh::x", "EXT::x"),
    *("ext://x/y", "http://h/x", "ftp://h/x", "rsync://h/x", "HTTPS://h/x", "javascript://h/x"),
    *("-u touch", "--upload-pack=touch {marker}", "", "a\nb", "https://h/x\n", "\u202ehttps://h/x"),
    *("https://user:s3cret@h/x", "https://s3cret@h/x", "git://s3cret@h/x", "ssh://u:s3cret@h/x"),
    *("https://h/x?token=s3cret", "https://h/x#s3cret", "https://h/a b", "https://h/\u00e9"),
    *("ssh://-oProxyCommand=touch/x", "ssh://-o@h/x", "git@-oProxyCommand=x:y", "git@h:-x"),
    *("ssh://git@h:99999/x", "ssh://[h/x", "https:///x", "https://h", "https://h/", "file://x"),
    *("file://h/x", "file:///", "https://h;touch/x", "https://$(touch)/x", "ssh://u;v@h/x"),
]


@pytest.mark.parametrize("where", REFUSED)
def test_an_address_that_could_do_more_than_name_a_place_is_refused(tmp_path, where):
    """Command transports, options, credentials and what cannot be seen: one sentence each."""
    marker = tmp_path / "marker"
    with pytest.raises(RepositoryError) as refused:
        Repository.open(where.format(marker=marker), cache=tmp_path / "cache")
    assert not marker.exists() and not (tmp_path / "cache").exists()
    assert str(refused.value).isprintable()
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("where", "scheme"),
    [
        ("https://git.example/team/shop.git", "https"),
        ("https://git.example:8443/~ana/shop%20floor", "https"),
        ("https://[::1]/x", "https"),
        ("ssh://git@git.example:2222/shop.git", "ssh"),
        ("git@git.example:team/shop.git", "ssh"),
        ("git://git.example/shop.git", "git"),
        ("file:///srv/git/shop.git", "file"),
    ],
)
def test_an_address_may_be_spoken_to_in_its_own_protocol_only(where, scheme):
    """The usual addresses are taken as they are, each with the one protocol that it names."""
    assert address(where) == (where, scheme)


@pytest.mark.parametrize("where", ["shop", "/srv/shop", "../shop", "C", "a:b", "shop@home", "~/x"])
def test_a_path_is_no_address(where):
    """What names no scheme and no host is a path."""
    assert address(where) is None


@pytest.mark.parametrize("scheme", ["https", "ssh", "git"])
def test_a_place_that_does_not_answer_is_a_sentence(tmp_path, scheme):
    """Nobody is asked for a password, nothing is left, and the sentence says who did not answer."""
    url = f"{scheme}://127.0.0.1:1/x"
    with pytest.raises(RepositoryError, match=f"^{url} could not be fetched: ") as failed:
        Repository.open(url, cache=tmp_path / "cache")
    assert str(failed.value).isprintable()
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_an_address_is_followed_as_it_stands(there, tmp_path):
    """No `insteadOf` of whoever deploys turns an address into another one."""
    _, ids, url = there
    make.git(tmp_path, "init", "--quiet", "--bare", "home")
    (tmp_path / "home" / ".gitconfig").write_text(
        '[url "ext::false"]\n    insteadOf = file://\n', "utf-8"
    )
    words = [sys.executable, "-c", CLONE, url, str(tmp_path / "cache")]
    env = os.environ | {"HOME": str(tmp_path / "home")}
    assert subprocess.run(["git", "ls-remote", url], env=env, capture_output=True).returncode
    subprocess.run(words, env=env, check=True)
    assert Repository.open(url, cache=tmp_path / "cache").resolve("main") == ids[2]


def test_a_cache_that_cannot_be_written_is_a_sentence(there, tmp_path):
    """A file where the cache should be ends in an error about the cache."""
    folder, _, url = there
    (tmp_path / "cache").write_text("", "utf-8")
    for where in (folder, url):
        with pytest.raises(RepositoryError, match="cache"):
            Repository.open(where, cache=tmp_path / "cache")

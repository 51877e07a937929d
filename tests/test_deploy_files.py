"""The files of a commit as they are shipped: every byte, or nothing."""

import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest

from apps.deploy.errors import RepositoryError, Unshippable
from apps.deploy.repository import Repository
from apps.deploy.repository.objects import Missing
from tests import repositories as make


@pytest.fixture
def opened(tmp_path):
    """Open a repository with a cache of the test's own."""
    return lambda where: Repository.open(where, cache=tmp_path / "cache")


@pytest.fixture
def bare(tmp_path):
    """The folder of a repository without a commit."""
    return make.empty(tmp_path / "r")


def stored(folder, sha):
    """Ask git itself for each file of a commit, one by one; return path -> mode and bytes."""
    files = {}
    for line in make.git(folder, "ls-tree", "-rz", sha).split(b"\0")[:-1]:
        facts, path = line.split(b"\t", 1)
        mode, _, oid = facts.decode().split()
        raw = subprocess.run(
            ["git", "-C", folder, "cat-file", "blob", oid],
            capture_output=True,
            check=True,
            env=make.SEALED | {"GIT_NO_REPLACE_OBJECTS": "1"},
        )
        files[path] = (mode, raw.stdout)
    return files


def test_files_come_byte_for_byte(opened, tmp_path):
    """Whatever names, modes, line ends and attributes there are, each file is as it is stored."""
    ids = make.odd(tmp_path / "odd")
    repository = opened(tmp_path / "odd")
    for name in ("first", "merge", "main", "lfs", "escaping", "absolute"):
        came = [(entry.path, (entry.mode, data)) for entry, data in repository.files(ids[name])]
        assert dict(came) == stored(tmp_path / "odd", ids[name])
        assert [path for path, _ in came] == sorted(path for path, _ in came)


def test_nothing_is_made_of_a_file_on_its_way(opened, tmp_path):
    """No filter, no export attribute, no end of line and no replaced object changes what ships."""
    ids = make.odd(tmp_path / "odd")
    blob = make.blob(tmp_path / "odd", b"replaced\n")
    make.git(tmp_path / "odd", "replace", make.sha(tmp_path / "odd", "main:crlf.txt"), blob)
    files = {entry.path: data for entry, data in opened(tmp_path / "odd").files(ids["main"])}
    assert files[b"version.txt"] == b"$Format:%H$\n"
    assert files[b"secret.txt"] == b"git archive leaves this out\n"
    assert files[b"crlf.txt"] == b"one\r\ntwo\r\n"
    assert files[b"README.md"] == b"# odd\n\nmore\n"
    assert files[b"empty.txt"] == b""
    assert files[b"no-end.txt"] == b"no newline at the end"


def test_a_pointer_ships_as_it_is(opened, tmp_path):
    """A file of Git LFS is shipped as the pointer that the commit has."""
    ids = make.odd(tmp_path / "odd")
    files = {entry.path: data for entry, data in opened(tmp_path / "odd").files(ids["lfs"])}
    assert files[b"film.mp4"] == make.LFS_POINTER


def test_a_submodule_is_not_shipped(opened, tmp_path):
    """A commit with a submodule yields no file at all, and the sentence names the submodule."""
    ids = make.odd(tmp_path / "odd")
    files = opened(tmp_path / "odd").files(ids["submodule"])
    with pytest.raises(Unshippable, match="vendor/lib cannot be shipped"):
        next(files)


HARMFUL = [
    *([("100644", name)] for name in ("..", ".", ".git", ".GIT", ".gIt.", "git~1", "")),
    *([("40000", name)] for name in ("..", ".", ".git")),
    [("100644", "a/b")],
    [("100644", "../up")],
    [("120000", "..")],
    [("100644", "twice"), ("100644", "twice")],
    [("40000", "twice"), ("100644", "twice")],
    [("120000", "twice"), ("40000", "twice")],
    [("140000", "socket")],
    [("10644", "fifo")],
    [("0", "nothing")],
]


@pytest.mark.parametrize("names", HARMFUL, ids=str)
@pytest.mark.parametrize("depth", [0, 2])
def test_a_name_that_no_release_can_hold_stops_everything(opened, bare, names, depth):
    """A tree that git would never make yields no file at all, however deep it lies."""
    blob = make.blob(bare, b"x\n")
    folder = make.tree(bare, [("100644", "inside", blob)])
    kinds = {"40000": folder}
    tree = make.tree(bare, [(mode, name, kinds.get(mode, blob)) for mode, name in names])
    for _ in range(depth):
        tree = make.tree(bare, [("100644", "a", blob), ("40000", "b", tree)])
    sha = make.committed(bare, tree)
    with pytest.raises(Unshippable):
        next(opened(bare).files(sha))
    with pytest.raises(Unshippable):
        opened(bare).between("", sha)


def test_old_modes_are_read_as_git_reads_them(opened, bare):
    """A mode that git once wrote is the mode it stands for now."""
    blob = make.blob(bare, b"x\n")
    tree = make.tree(
        bare, [("100664", "a", blob), ("100744", "b", blob), ("040000", "c", make.tree(bare, []))]
    )
    modes = {entry.path: entry.mode for entry, _ in opened(bare).files(make.committed(bare, tree))}
    assert modes == {b"a": "100644", b"b": "100755"}


def test_a_commit_without_files_has_none(opened, bare):
    """An empty tree is a commit of no files, not an error."""
    sha = make.committed(bare, make.tree(bare, []))
    assert list(opened(bare).files(sha)) == []
    assert opened(bare).between("", sha).files == ()


def overwrite(folder, oid, what, data):
    """Put another object in the place of one, under its id, as a broken disk would."""
    path = folder / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"%s %d\0%s" % (what, len(data), data)))


def test_damage_is_found_before_anything_is_believed(opened, bare):
    """A file, a folder or a commit whose bytes are not those of its id is an error."""
    blob, other = make.blob(bare, b"good\n"), make.blob(bare, b"evil\n")
    tree = make.tree(bare, [("100644", "a", blob)])
    sha = make.committed(bare, tree)
    evil = bytes.fromhex(other)
    commit = make.git(bare, "cat-file", "commit", sha) + b"\n"
    for oid, what, good, bad in (
        (blob, b"blob", b"good\n", b"evil\n"),
        (tree, b"tree", b"100644 a\0" + bytes.fromhex(blob), b"100644 a\0" + evil),
        (sha, b"commit", commit, commit.replace(b"own", b"odd")),
    ):
        assert len(list(opened(bare).files(sha))) == 1
        overwrite(bare, oid, what, bad)
        with pytest.raises(RepositoryError, match=f"{oid} is damaged"):
            list(opened(bare).files(sha))
        overwrite(bare, oid, what, good)


def test_a_missing_object_is_named(opened, bare):
    """A file whose bytes the repository lost stops the reading with its id."""
    blob = make.blob(bare, b"lost\n")
    sha = make.committed(bare, make.tree(bare, [("100644", "a", blob)]))
    make.without(bare, blob)
    with pytest.raises(Missing, match=blob):
        list(opened(bare).files(sha))
    with pytest.raises(RepositoryError):
        opened(bare).between("", sha)


def test_objects_may_lie_in_another_repository(opened, tmp_path):
    """A clone that shares the objects of its source is read as if it had them."""
    (sha,) = make.line(tmp_path / "r", {"a": b"1\n"})
    make.git(tmp_path, "clone", "--quiet", "--shared", "--bare", "r", "shared")
    alternates = tmp_path / "shared" / "objects" / "info" / "alternates"
    alternates.write_text("../../r/objects\n", "utf-8")
    assert [data for _, data in opened(tmp_path / "shared").files(sha)] == [b"1\n"]


def children():
    """The processes that this one has started and not yet forgotten."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text("ascii").split()}


def test_whoever_stops_reading_leaves_no_process(opened, tmp_path):
    """A reader that goes away in the middle, or fails, leaves nothing running and nothing open."""
    folder = make.large(tmp_path / "r", files=3_000, commits=2)
    repository = opened(folder)
    sha, before = repository.resolve("main"), children()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    files = repository.files(sha)
    for _ in range(200):
        next(files)
    assert len(children() - before) == 1
    files.close()
    assert children() == before
    with pytest.raises(RepositoryError):
        repository.commit("0" * 40)
    assert children() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_many_threads_may_read_at_once(opened, tmp_path):
    """Readers in several threads each get what they asked for."""
    ids = make.odd(tmp_path / "odd")
    repository = opened(tmp_path / "odd")
    names = ["first", "merge", "main", "lfs"] * 4

    def look(name):
        sha = repository.resolve(ids[name][:9])
        files = [(entry, data) for entry, data in repository.files(sha)]
        return files, repository.between(ids["first"], sha), repository.commit(sha)

    alone = [look(name) for name in names]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(look, names)) == alone


def quickest(work):
    """Return the seconds of the best of three."""
    seconds = []
    for _ in range(3):
        begun = perf_counter()
        work()
        seconds.append(perf_counter() - begun)
    return min(seconds)


@pytest.mark.slow
def test_a_large_repository_is_read_at_once(opened, tmp_path):
    """Ten thousand files, and a range of a thousand commits with its diff, take half a second."""
    repository = opened(make.large(tmp_path / "r"))
    live, sha = repository.resolve("v1000"), repository.resolve("v2000")
    move = repository.between(live, sha)
    assert (len(move.added), len(move.files), move.problems) == (1_000, 3_000, ())
    assert sum(1 for _ in repository.files(sha)) == 10_000
    assert quickest(lambda: all(data for _, data in repository.files(sha))) < 0.5
    assert (
        quickest(lambda: (repository.between(live, sha), repository.diff(live, sha, most=60_000)))
        < 0.5
    )


READ = """
import resource, sys
from pathlib import Path
from apps.deploy.repository import Repository
repository = Repository.open(Path(sys.argv[1]), cache=Path(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sizes = [len(data) for _, data in repository.files(sys.argv[3])]
shown = repository.diff("", sys.argv[3], most=1000)
print(sum(sizes), shown.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_one_large_file_at_a_time_is_in_memory(bare, tmp_path):
    """Files of 30 MB are read with room for about one of them, a long diff with room for none."""
    size = 30 * 1024**2
    lines = [b"%064d\n" % n for n in range(size // 65)]
    blobs = [make.blob(bare, first + b"".join(lines)) for first in (b"a\n", b"b\n", b"c\n")]
    sha = make.committed(bare, make.tree(bare, [("100644", oid, oid) for oid in sorted(blobs)]))
    words = [sys.executable, "-c", READ, str(bare), str(tmp_path / "cache"), sha]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    total, shown, kilobytes = map(int, done.stdout.split())
    assert total > 2.9 * size and shown > total
    assert kilobytes * 1024 < 2.3 * size

"""A folder of releases: what is current is complete and exact, whatever happens meanwhile."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from children import in_child, said
from environments import as_tree, entry, link, make, name, names, target, tree, words
from hypothesis import given, settings
from hypothesis import strategies as st
from test_full_disk import as_nobody, small_disk

from apps.deploy.errors import ConfigError, DeployError, Unreachable, Unshippable
from apps.deploy.local.durable import write_whole
from apps.deploy.local.lines import append_line, whole_lines
from apps.deploy.local.links import look_at_links

FILES = [
    entry(b"README", b"read me\r\n\x00\xff"),
    entry(b"bin/start", b"#!/bin/sh\n", "100755"),
    entry(b"empty"),
    entry(b"a/b/c/d", b"deep"),
    entry(b"a/b2", b"x"),
    entry(b"a.b/c", b"git sorts this before a/b"),
    entry("ünï/\N{SNOWMAN}".encode(), b"snow"),
    entry(b"not \xff utf-8/\x80\n", b"odd"),
    entry(b"-rf", b"--no-preserve-root"),
    link(b"link", b"bin/start"),
    link(b"a/b/up", b"../../README"),
    link(b"dangling", b"made/by/the/build"),
    link(b"here", b"."),
    link(b"into-data", b"data/settings"),
]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "environment"


@pytest.fixture
def place(folder):
    """An environment that shares `data`, held."""
    one = target(folder, shared=["data"])
    with one.locked("ana"):
        yield one


def refused(kind, work, *given, **named):
    """Do something that is refused; return the one sentence."""
    with pytest.raises(kind) as caught:
        work(*given, **named)
    text = str(caught.value)
    assert text.isprintable() and text.endswith(".")
    return text


# Writing


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_a_release_is_its_files_byte_for_byte(place, folder, umask):
    """Every byte, every name, every mode and every link is as the commit has it."""
    before = os.umask(umask)
    try:
        place.begin(name(), FILES)
    finally:
        os.umask(before)
    assert tree(folder / "releases" / f".unfinished-{name()}") == as_tree(FILES)
    assert (place.releases(), place.current()) == ([], "")


PART = st.binary(min_size=1, max_size=3).filter(
    lambda part: not {0, 47}.intersection(part) and part not in {b".", b".."}
)


@given(
    paths=st.lists(st.lists(PART, min_size=1, max_size=4).map(b"/".join), unique=True),
    modes=st.lists(st.sampled_from(["100644", "100755"]), min_size=1),
    content=st.binary(),
)
@settings(max_examples=60)
def test_whatever_the_order_a_tree_is_written_or_refused(paths, modes, content):
    """Files in any order make the same tree; those in each other's way are refused."""
    files = [entry(path, content, modes[n % len(modes)]) for n, path in enumerate(paths)]
    clash = any(one != two and two.startswith(one + b"/") for one in paths for two in paths)
    folder = Path(tempfile.mkdtemp())
    try:
        place = target(folder)
        with place.locked("ana"):
            if clash:
                assert "two entries" in refused(Unshippable, place.begin, name(), files)
            else:
                place.begin(name(), files)
                found = tree(folder / "releases" / f".unfinished-{name()}")
                assert found == as_tree(files)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "path",
    [
        *(b"../x", b"a/../../x", b"/etc/x", b"", b"a//b", b"a/", b"./a", b"a/./b", b"..", b"."),
        *(b".git/config", b"a/.GIT/hooks/x", b".git", b"a\0b", b"x" * 3001, b"d/" * 300 + b"x"),
    ],
)
@pytest.mark.parametrize("mode", ["100644", "120000"])
def test_a_path_that_leads_out_is_refused(place, folder, path, mode):
    """Nothing is written anywhere, and nothing is left of what was."""
    files = [entry(b"first", b"x"), entry(path, b"y", mode), entry(b"last", b"z")]
    assert "leads out" in refused(Unshippable, place.begin, name(), files)
    assert names(folder / "releases") == []
    assert not (folder.parent / "x").exists()


@pytest.mark.parametrize(
    "links",
    [
        {b"a": b"/etc"},
        {b"a": b".."},
        {b"a": b"../x"},
        {b"a/b": b"../../x"},
        {b"a": b"b/../.."},
        {b"a": b"b", b"b": b"c", b"c": b"../x"},
        {b"a": b"b/x", b"b": b"/tmp"},
        {b"d/e/f": b"../..", b"a": b"d/e/f/../x"},
        {b"d": b".", b"a": b"d/../x"},
        {b"a": b"a"},
        {b"a": b"b", b"b": b"a"},
        {b"a": b"b/c", b"b": b"a/d"},
        {b"a": b"a/x"},
        {b"a": b"data/../../x"},
        {b"a": b"b/..", b"b": b"data"},
        {b"a": b""},
        {b"a": b"x\0y"},
        {b"a": b"x" * 5000},
    ],
)
def test_a_link_that_leads_out_is_refused(place, folder, links):
    """Straight, through others, through a shared folder, or in circles: no such release is made."""
    files = [entry(b"x", b"x"), *(link(path, to) for path, to in links.items())]
    assert "link" in refused(Unshippable, place.begin, name(), files)
    assert names(folder / "releases") == []


TARGETS = st.lists(st.sampled_from([b"..", b".", b"", b"a", b"b", b"c"]), max_size=5)
PATHS = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=3).map(b"/".join)


@given(st.dictionaries(PATHS, TARGETS.map(b"/".join), max_size=4), PATHS)
@settings(max_examples=400)
def test_a_link_that_is_let_through_stays_inside(links, file):
    """Whatever the links are, the system itself finds that what was let through stays inside."""
    top = Path(tempfile.mkdtemp()).resolve()
    try:
        place = target(top)
        with place.locked("ana"):
            try:
                place.begin(name(), [entry(file), *(link(*one) for one in links.items())])
            except Unshippable:
                assert names(top / "releases") == []
                return
        release = top / "releases" / f".unfinished-{name()}"
        for path in links:
            assert (release / os.fsdecode(path)).resolve().is_relative_to(release)
    finally:
        shutil.rmtree(top)


def test_most_links_are_let_through():
    """Ordinary links inside a tree, chains and links to folders among them, are no problem."""
    links = {b"lib/x.so": b"x.so.1", b"lib/x.so.1": b"x.so.1.2", b"current": b"lib/../lib"}
    look_at_links(links | {b"a/b/c": b"../../lib/x.so", b"d": b"data/x"}, [b"data"])


@pytest.mark.parametrize(
    "files",
    [
        [link(b"a", b"b"), entry(b"a/x", b"!")],
        [entry(b"a/x", b"!"), link(b"a", b"b")],
        [entry(b"a", b"!"), entry(b"a/x", b"!")],
        [entry(b"a", b"!"), entry(b"a", b"?")],
        [link(b"a", b"b"), link(b"a", b"c")],
        [link(b"a", b"b"), link(b"a/x", b"c")],
    ],
)
def test_nothing_is_written_through_a_link(place, folder, files):
    """A link and what would lie in it cannot both be written, in whichever order they come."""
    files = [entry(b"b/in", b""), *files]
    assert "two entries" in refused(Unshippable, place.begin, name(), files)
    assert names(folder / "releases") == []


def test_who_meddles_meanwhile_leads_no_byte_elsewhere(place, folder, tmp_path):
    """A folder that is swapped for a link while it is written to is noticed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    release = folder / "releases" / f".unfinished-{name()}"

    def files():
        yield entry(b"a/one", b"1")
        yield entry(b"b", b"b")
        shutil.rmtree(release / "a")
        (release / "a").symlink_to(outside)
        yield entry(b"a/two", b"2")

    assert "two entries" in refused(Unshippable, place.begin, name(), files())
    assert (names(outside), names(folder / "releases")) == ([], [])


def test_a_failing_source_leaves_nothing(place, folder):
    """When the repository breaks in the middle, its error comes through and nothing is left."""

    def files():
        yield entry(b"one", b"1")
        raise DeployError("The repository is gone.")

    assert refused(DeployError, place.begin, name(), files()) == "The repository is gone."
    assert names(folder / "releases") == []


def test_a_name_that_is_too_long_is_a_sentence(place, folder):
    """What the file system cannot hold is said, and nothing is left of the release."""
    text = refused(Unreachable, place.begin, name(), [entry(b"x" * 300)])
    assert "a name is too long" in text and "nothing became current" in text
    assert names(folder / "releases") == []


@pytest.mark.parametrize("release", ["", "../x", "x", "a/b", "20261123T0930", f"{name()}\n"])
def test_only_a_release_has_the_name_of_one(place, release):
    """Whatever else is named is refused by everything that takes the name of a release."""
    steps = [
        lambda: place.begin(release, []),
        lambda: place.complete(release),
        lambda: place.switch(release),
        lambda: place.run(release, words("true"), print),
    ]
    for step in steps:
        refused(Unreachable, step)


def test_a_release_is_made_once(place):
    """A name that is taken, by a complete release or an unfinished one, is refused."""
    place.begin(name(), [])
    assert "there already" in refused(Unreachable, place.begin, name(), [])
    place.complete(name())
    assert "there already" in refused(Unreachable, place.begin, name(), [])


# Completing and switching


def test_a_release_goes_from_unfinished_to_current(place, folder):
    """It is complete by its place alone, has what is shared, and `current` leads to it."""
    make(place, FILES)
    release = folder / "releases" / name()
    assert tree(release) == as_tree([*FILES, link(b"data", b"../../shared/data")])
    assert (place.releases(), place.current()) == ([name()], "")
    place.switch(name())
    assert (place.current(), str((folder / "current").readlink())) == (name(), f"releases/{name()}")
    (folder / "current" / "data" / "kept").write_text("1")
    place.switch(make(place, [], 1))
    assert (folder / "current" / "data" / "kept").read_text() == "1"
    assert names(folder / "releases") == [name(0), name(1)]
    assert {path.name for path in folder.iterdir()} == {
        *("releases", "shared", "current", "lock", "commands.lock")
    }


def test_shared_folders_may_lie_deeper(folder):
    """A shared folder inside another folder of the release is linked there."""
    place = target(folder, shared=["public/uploads", "log/"])
    with place.locked("ana"):
        make(place, [entry(b"public/index.html", b"hello")])
    (folder / "releases" / name() / "public" / "uploads" / "one").write_text("1")
    assert (folder / "shared" / "public" / "uploads" / "one").read_text() == "1"
    assert (folder / "releases" / name() / "log").resolve() == (folder / "shared" / "log").resolve()


@pytest.mark.parametrize("own", [entry(b"data/x"), entry(b"data"), link(b"data", b"x")])
def test_what_is_shared_is_not_in_the_commit(place, folder, own):
    """A release with something of that name stays unfinished, and a sentence says what to do."""
    place.begin(name(), [own])
    assert "`shared`" in refused(Unshippable, place.complete, name())
    assert (place.releases(), names(folder / "shared" / "data")) == ([], [])


def test_a_shared_folder_is_not_made_through_a_link(folder, tmp_path):
    """A link on the way to a shared folder is not followed."""
    (tmp_path / "outside").mkdir()
    place = target(folder, shared=["a/b"])
    with place.locked("ana"):
        place.begin(name(), [])
        release = folder / "releases" / f".unfinished-{name()}"
        (release / "a").symlink_to(tmp_path / "outside")
        refused(Unshippable, place.complete, name())
    assert names(tmp_path / "outside") == []


@pytest.mark.parametrize(
    "shared", [["../x"], ["/x"], [""], ["."], ["a/../b"], ["a\0"], ["a", "a"], ["a", "a/b"]]
)
def test_a_shared_folder_lies_in_the_release(folder, shared):
    """A name that leads elsewhere, or twice to one place, is an error of the configuration."""
    with pytest.raises(ConfigError, match="shared"):
        target(folder, shared=shared)


def test_only_a_complete_release_becomes_current(place):
    """An unfinished one, one that is not there: `current` stays as it was."""
    place.switch(make(place, []))
    place.begin(name(1), [])
    for other in (name(1), name(2)):
        assert "no complete release" in refused(Unreachable, place.switch, other)
    assert place.current() == name()


@pytest.mark.parametrize("kind", ["folder", "file", "outside", "absolute", "deeper", "dangling"])
def test_what_no_deploy_has_made_is_never_current(place, folder, tmp_path, kind):
    """A foreign `current` is neither followed nor replaced, and nothing is swept beside it."""
    release, now = make(place, []), folder / "current"
    targets = {
        "outside": tmp_path,
        "absolute": folder / "releases" / release,
        "deeper": f"releases/{release}/..",
        "dangling": f"releases/{name(5)}",
    }
    if kind == "folder":
        now.mkdir()
    elif kind == "file":
        now.write_text("mine")
    else:
        now.symlink_to(targets[kind])
    before = os.lstat(now)
    assert "move it away" in refused(Unreachable, place.current)
    refused(Unreachable, place.switch, release)
    refused(Unreachable, place.sweep, keep=0)
    assert os.lstat(now) == before and place.releases() == [release]


def test_a_command_runs_in_the_release_it_is_for(place, folder):
    """Unfinished or complete, that is its folder; what it makes is part of the release."""
    place.begin(name(), [entry(b"file", b"1")])
    output = []
    place.run(name(), words("sh", "-c", "cat file; pwd; echo 2 > made"), output.append)
    place.complete(name())
    place.run(name(), words("sh", "-c", "cat made; pwd"), output.append)
    at = os.fsencode(folder / "releases")
    unfinished = b"%s/.unfinished-%s" % (at, name().encode())
    complete = b"%s/%s" % (at, name().encode())
    assert b"".join(output) == b"1%s\n2\n%s\n" % (unfinished, complete)
    assert "no release" in refused(Unreachable, place.run, name(1), words("true"), print)


# Sweeping


def test_the_newest_releases_stay(place, folder):
    """What is current, protected, or among the newest stays; what is not a release, too."""
    for n in range(8):
        make(place, [entry(b"a/b", b"x"), link(b"l", b"a")], n)
    place.switch(name(1))
    place.begin(name(9), FILES)
    (folder / "releases" / "mine").mkdir()
    (folder / "releases" / name(20)).symlink_to(folder)
    (folder / "releases" / f".unfinished-{name(10)}").symlink_to(folder / "releases" / name(1))
    gone = place.sweep(keep=2, protect=[name(3), "unheard-of"])
    assert sorted(gone) == [name(0), name(2), name(4), name(5), name(9), name(10)]
    assert place.releases() == [name(1), name(3), name(6), name(7)]
    left = {name(1), name(3), name(6), name(7), name(20), "mine"}
    assert set(names(folder / "releases")) == left
    assert place.sweep(keep=2, protect=[name(3)]) == []


def test_sweeping_follows_no_link_and_minds_no_mode(place, folder, tmp_path):
    """Folders that may not be written, links out of a release, and depth without end all go."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("1")
    make(place, [entry(b"a/b/c", b"x"), entry(b"d/e", b"x")])
    release = folder / "releases" / name()
    (release / "out").symlink_to(precious)
    os.mkfifo(release / "pipe")
    deep = os.open(release, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("x", dir_fd=deep)
        above, deep = deep, os.open("x", os.O_RDONLY, dir_fd=deep)
        os.close(above)
    os.close(deep)
    for inside, mode in {"a/b": 0, "a": 0, "d": 0o500, ".": 0o500}.items():
        (release / inside).chmod(mode)
    assert place.sweep(keep=0) == [name()]
    assert names(folder / "releases") == []
    assert (precious / "file").read_text() == "1"


@pytest.fixture
def anybodys():
    """A folder in which any user of this machine can work."""
    made = Path(tempfile.mkdtemp(prefix="gated-test-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


def test_who_is_not_root_can_sweep_what_may_not_be_written(anybodys):
    """Our own releases go even when nobody may write or even enter their folders."""

    def work():
        as_nobody()
        place = target(anybodys / "environment")
        with place.locked("ana"):
            make(place, [entry(b"a/b/c", b"x"), entry(b"d/e", b"x"), entry(b"f/g/h", b"x")])
            top = anybodys / "environment" / "releases" / name()
            for inside, mode in {"a/b": 0, "a": 0, "f/g": 0o500, "d": 0o500, ".": 0o500}.items():
                (top / inside).chmod(mode)
            gone = place.sweep(keep=0)
        return gone, names(anybodys / "environment" / "releases")

    assert said(in_child(work)) == [[name()], []]


# When the disk refuses


def test_on_a_full_disk_nothing_becomes_current(tmp_path):
    """What runs stays as it is, one sentence says why, and the next one that fits is deployed."""

    def work():
        word = small_disk(tmp_path)
        place = target(tmp_path / "environment")
        with place.locked("ana"):
            place.switch(make(place, [entry(b"a", b"x" * 1000)]))
            place.append("one")
        with place.locked("ana"):
            large = [entry(b"%d" % n, b"x" * 210_000) for n in range(3)]
            text = refused(Unreachable, place.begin, name(1), large)
            kept = names(tmp_path / "environment" / "releases")
            place.switch(make(place, [entry(b"b", b"y")], 2))
            place.append("two")
        good = "the disk is full" if word == "full" else "larger than it may be"
        return good in text, kept, place.current(), [*place.history()]

    told, kept, current, history = said(in_child(work))
    assert (told, kept) == (True, [name()])
    assert (current, history) == (name(2), ["one", "two"])


@pytest.mark.parametrize("step", ["locked", "begin", "complete", "switch", "sweep", "append"])
def test_where_nothing_may_be_written_nothing_happens(anybodys, step):
    """A folder that can only be read is one sentence at every step; `current` is as it was."""
    folder = anybodys / "environment"
    place = target(folder)
    with place.locked("ana"):
        place.switch(make(place, []))
        make(place, [], 1)
        place.begin(name(2), [])
    if step == "locked":
        (folder / "lock").unlink()
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o666 if path.name.endswith("lock") else 0o555)
    steps = {
        "locked": lambda: place.locked("bo").__enter__(),
        "begin": lambda: place.begin(name(3), []),
        "complete": lambda: place.complete(name(2)),
        "switch": lambda: place.switch(name(1)),
        "sweep": lambda: place.sweep(keep=0),
        "append": lambda: place.append("x"),
    }

    def work():
        as_nobody()
        return refused(Unreachable, steps[step]), place.current(), place.releases()

    text, current, complete = said(in_child(work))
    assert "may not be written" in text
    assert (current, complete) == (name(), [name(), name(1)])


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    """Where the folder should be is something else: nothing is touched."""
    (tmp_path / "environment").write_text("mine")
    place = target(tmp_path / "environment")
    refused(Unreachable, place.locked("ana").__enter__)
    refused(Unreachable, place.releases)
    refused(Unreachable, place.current)
    assert (tmp_path / "environment").read_text() == "mine"


def test_before_the_first_deploy_all_is_empty(folder):
    """Looking at an environment that does not exist yet makes nothing and fails at nothing."""
    place = target(folder)
    assert (place.current(), place.releases(), place.history()) == ("", [], [])
    assert (place.service(), place.service_log(10)) == ("stopped", "")
    assert not folder.exists()


# The journal


def test_a_torn_line_is_no_line(tmp_path):
    """What a killed process has left of a line is not read, and not glued to the next one."""
    path = tmp_path / "journal"
    append_line(path, "one \N{SNOWMAN} \u2028 \x85 \r")
    with path.open("ab") as file:
        file.write(b"x" * 10_000)
    assert whole_lines(path) == ["one \N{SNOWMAN} \u2028 \x85 \r"]
    append_line(path, "two")
    assert whole_lines(path) == ["one \N{SNOWMAN} \u2028 \x85 \r", "two"]
    with pytest.raises(ValueError, match="line break"):
        append_line(path, "a\nb")


@given(st.lists(st.text().filter(lambda text: "\n" not in text)), st.binary(max_size=5000))
def test_lines_come_back_as_they_went(lines, torn):
    """Every line that was added is read again, in order, whatever was torn between."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        for line in lines:
            append_line(path, line)
            with path.open("ab") as file:
                file.write(torn.replace(b"\n", b""))
        assert whole_lines(path) == lines


def test_a_line_that_does_not_fit_is_not_there(tmp_path):
    """On a full disk the lines before stay as they were, and no part of the new one is read."""

    def work():
        small_disk(tmp_path)
        path, added = tmp_path / "journal", 0
        append_line(path, "first")
        try:
            for _ in range(100):
                append_line(path, "x" * 9000)
                added += 1
        except OSError:
            size = path.stat().st_size
        append_line(path, "y")
        found = whole_lines(path)
        return added, size == 6 + added * 9001, len(found), found[-1]

    added, whole, count, last = said(in_child(work))
    assert (whole, count, last) == (True, added + 2, "y") and added > 3


def test_a_file_is_old_or_new(tmp_path):
    """A file that cannot be written anew keeps its old bytes."""
    path = tmp_path / "file"
    write_whole(path, b"old", mode=0o600)

    def work():
        small = small_disk(tmp_path)
        write_whole(path, b"old", mode=0o600)
        try:
            write_whole(path, b"x" * 900_000)
        except OSError:
            return small, path.read_bytes().decode(), oct(path.stat().st_mode)
        return None

    assert said(in_child(work))[1:] == ["old", "0o100600"]


@pytest.fixture
def quick_disk(tmp_path):
    """A folder in memory where there is one: how long a disk takes is not ours to test."""
    shared_memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=shared_memory if shared_memory.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)


@pytest.mark.slow
def test_ten_thousand_files_cost_a_fraction_of_a_second(quick_disk):
    """A large commit is written, completed and made current in well below a second."""
    place = target(quick_disk / "environment")
    files = [entry(b"d%d/f%d" % (n // 100, n), b"x" * 2000) for n in range(10_000)]
    times = []
    with place.locked("ana"):
        for n in range(3):
            began = time.monotonic()
            place.switch(make(place, files, n))
            times.append(time.monotonic() - began)
    assert min(times) < 0.6

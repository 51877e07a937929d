"""Laws of every place to deploy to: a folder of this machine, and one on a host over SSH."""

import os
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from people import eventually

from apps.deploy.errors import Busy, CommandFailed, DeployError, Unreachable, Unshippable
from apps.deploy.local.target import LocalTarget
from apps.deploy.model import Command, Entry, Target, release_name
from apps.deploy.ssh.target import SshTarget
from tests import sshd as ssh_server

sshd = ssh_server.sshd

SLEEP = Command(words=("sleep", "60"))
SHARED = ("data", "public/uploads")
ODD = [
    b"-rf",
    b"--checkpoint-action=exec=touch hacked",
    b"$(touch hacked)",
    b"; touch hacked #",
    b"'\"`touch hacked`",
    b"two\nlines",
    b"caf\xe9",
    b"\xff\xfe/\x80",
    b" blank /\t",
    "🚀/ü".encode(),
    b"long/" + b"n" * 200 + b"/" + b"m" * 200,
]


@dataclass
class Place:
    """A target, and the folder where a test can see what it does."""

    target: Target
    folder: Path

    @property
    def names(self):
        """What lies among the releases, whatever it is."""
        return sorted(path.name for path in (self.folder / "releases").iterdir())

    @property
    def unfinished(self):
        """Where the first release is made."""
        return self.folder / "releases" / f".unfinished-{release()}"

    def ship(self, release, files=()):
        """Bring a release to where complete ones lie."""
        self.target.begin(release, files or [blob(b"file", release.encode())])
        self.target.complete(release)


@pytest.fixture(params=["local", "ssh"])
def place(request, tmp_path):
    """One target after the other, with nothing in it."""
    folder = tmp_path / "an environment's folder"
    if request.param == "local":
        target = LocalTarget(folder, shared=SHARED, start=SLEEP)
    else:
        server = request.getfixturevalue("sshd")
        target = SshTarget(
            server.host,
            server.port,
            str(folder),
            known_hosts=server.known_hosts,
            key=server.key,
            shared=SHARED,
            restart=SLEEP,
        )
    yield Place(target, folder)
    target.close()


def release(number=1):
    """Return the name of a release; a greater number is a later one."""
    at = datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(minutes=number)
    return release_name(f"{number:040x}", at)


def blob(path, content=b"", mode="100644"):
    """Return one file of a commit."""
    return Entry(path=path, mode=mode, oid="0" * 40), content


def link(path, target):
    """Return one symbolic link of a commit."""
    return blob(path, target, "120000")


def words(*script, **fields):
    """Return a command that a shell of the release runs."""
    return Command(words=("sh", "-c", *script), **fields)


def is_alive(pid):
    """Whether a process runs; one that has ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_before_anything_there_is_nothing(place):
    """A look at a folder that does not exist finds nothing, and makes nothing."""
    target = place.target
    assert (target.current(), [*target.releases()], [*target.history()]) == ("", [], [])
    assert not place.folder.exists()


def test_files_arrive_byte_for_byte(place):
    """Content and mode of every file are those of the commit, whatever it is called."""
    files = [blob(path, path * 9) for path in ODD]
    files += [
        blob(b"bin/run", b"#!/bin/sh\n", "100755"),
        blob(b"empty"),
        blob(b"big", b"x" * 3**13),
    ]
    with place.target.locked("ana"):
        place.target.begin(release(), files)
    for entry, content in files:
        path = place.unfinished / os.fsdecode(entry.path)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == int(entry.mode[-3:], 8)
    assert len([path for path in place.unfinished.rglob("*") if path.is_file()]) == len(files)
    assert not [*Path.cwd().glob("*hacked*"), *place.folder.rglob("hacked")]


def test_links_arrive_as_links(place):
    """A link of the commit points where it points there, and nothing was written through it."""
    links = [link(b"a", b"folder/file"), link(b"folder/up", b"../a"), link(b"b\xff", b"nowhere")]
    with place.target.locked("ana"):
        place.target.begin(release(), [links[0], blob(b"folder/file", b"1"), *links[1:]])
    for entry, content in links:
        assert (place.unfinished / os.fsdecode(entry.path)).readlink() == Path(content.decode())
    assert (place.unfinished / "folder" / "up").read_bytes() == b"1"


@pytest.mark.parametrize(
    "files",
    [
        [link(b"a", b"/etc/passwd")],
        [link(b"a", b"../../current")],
        [link(b"a", b"b/../../x"), link(b"b", b".")],
        [link(b"a", b"a")],
        [blob(b"../x", b"1")],
        [blob(b"a/../../x", b"1")],
        [blob(b".git/hooks/x", b"1")],
        [blob(b"a", b"1"), blob(b"a", b"2")],
        [blob(b"a", b"1"), blob(b"a/b", b"2")],
        [blob(b"a/b", b"1"), blob(b"a", b"2")],
        [link(b"a", b"b"), blob(b"b/c", b"1"), blob(b"a/c", b"2")],
    ],
    ids=lambda files: b" ".join(entry.path for entry, _ in files).decode(),
)
def test_what_leads_out_is_refused(place, files):
    """A path or link that leaves the release, or two in each other's way: nothing of it stays."""
    with place.target.locked("ana"), pytest.raises(Unshippable, match="nothing became current"):
        place.target.begin(release(), [blob(b"first", b"1"), *files])
    assert place.names == []


def test_an_unfinished_release_is_none(place):
    """Only what was completed counts as a release, and nothing is current by itself."""
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        assert [*place.target.releases()] == []
        place.target.complete(release())
    assert [*place.target.releases()] == [release()]
    assert place.target.current() == ""


def test_a_switch_is_a_relative_link(place):
    """`current` is a link to `releases/NAME`, so the folder can be moved as a whole."""
    with place.target.locked("ana"):
        for number in (1, 2):
            place.ship(release(number))
            place.target.switch(release(number))
            assert (place.folder / "current").readlink() == Path("releases", release(number))
            assert place.target.current() == release(number)
        place.target.switch(release(1))
    assert place.target.current() == release(1)


def test_only_what_is_complete_becomes_current(place):
    """A release that is missing or unfinished is not switched to; what was current stays."""
    with place.target.locked("ana"):
        place.ship(release(1))
        place.target.switch(release(1))
        place.target.begin(release(2), [blob(b"file")])
        for name in (release(2), release(3), "../..", f".unfinished-{release(2)}", ""):
            with pytest.raises(Unreachable):
                place.target.switch(name)
    assert place.target.current() == release(1)


def test_a_name_that_is_none_reaches_no_other_folder(place):
    """Every step refuses a release whose name is not one."""
    with place.target.locked("ana"):
        for name in ("../x", "x", f"{release()}\n", f"../{release()}", "$(touch hacked)"):
            for step in (
                lambda name=name: place.target.begin(name, [blob(b"file")]),
                lambda name=name: place.target.complete(name),
                lambda name=name: place.target.run(name, words("touch hacked"), print),
            ):
                with pytest.raises(Unreachable):
                    step()
    assert place.names == []


@pytest.mark.parametrize("kind", ["folder", "file", "elsewhere", "foreign", "dangling"])
def test_a_foreign_current_is_not_touched(place, kind):
    """What no deploy has made is neither believed nor replaced; the sentence says so."""
    with place.target.locked("ana"):
        place.ship(release(1))
        current = place.folder / "current"
        match kind:
            case "folder":
                current.mkdir()
            case "file":
                current.write_text("somebody's")
            case "elsewhere":
                current.symlink_to("/")
            case "foreign":
                (place.folder / "releases" / "mine").mkdir()
                current.symlink_to("releases/mine")
            case "dangling":
                current.symlink_to(f"releases/{release(9)}")
        before = os.lstat(current)
        with pytest.raises(Unreachable, match="no deploy has made it"):
            place.target.current()
        with pytest.raises(Unreachable, match="no deploy has made it"):
            place.target.switch(release(1))
    assert os.lstat(current) == before


def test_a_release_is_not_written_twice(place):
    """A release that is there, complete or not, stays as it is."""
    with place.target.locked("ana"):
        place.ship(release(1), [blob(b"file", b"first")])
        place.target.begin(release(2), [blob(b"file", b"first")])
        for number in (1, 2):
            with pytest.raises(Unreachable, match="there already"):
                place.target.begin(release(number), [blob(b"file", b"second")])
    for name in place.names:
        assert (place.folder / "releases" / name / "file").read_bytes() == b"first"
    assert len(place.names) == 2


def test_shared_folders_are_linked(place):
    """What is shared is one folder for all releases, and outlives each of them."""
    with place.target.locked("ana"):
        for number in (1, 2):
            place.ship(release(number), [blob(b"public/page", b"1")])
    one, two = (place.folder / "releases" / release(number) for number in (1, 2))
    for name in SHARED:
        (one / name / "kept").write_text(name)
        assert (two / name / "kept").read_text() == name
        assert (two / name).resolve() == (place.folder / "shared" / name).resolve()
        assert not (two / name).readlink().is_absolute()


@pytest.mark.parametrize(
    "file",
    [blob(b"data", b"1"), blob(b"data/x", b"1"), link(b"public", b"."), blob(b"public", b"1")],
    ids=["file", "folder", "link", "on-the-way"],
)
def test_what_is_shared_is_not_in_the_commit(place, file):
    """A commit with a file where something shared belongs is refused, not half hidden."""
    with place.target.locked("ana"):
        with pytest.raises(Unshippable, match="nothing became current"):
            place.ship(release(), [blob(b"file"), file])
        assert [*place.target.releases()] == []


def test_a_sweep_keeps_what_counts(place):
    """The newest stay, what is current, and what is protected; the rest and the unfinished go."""
    outside = place.folder.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    with place.target.locked("ana"):
        for number in range(1, 7):
            place.ship(release(number))
        place.target.switch(release(1))
        place.target.begin(release(7), [blob(b"locked/file")])
        (place.folder / "releases" / release(3) / "away").symlink_to(outside)
        (place.folder / "releases" / "mine").mkdir()
        gone = place.target.sweep(keep=2, protect=[release(2)])
    assert {*gone} == {release(number) for number in (3, 4, 7)}
    assert place.names == sorted([*(release(number) for number in (1, 2, 5, 6)), "mine"])
    assert (outside / "kept").exists()
    assert place.target.current() == release(1)


def test_the_journal_keeps_whole_lines(place):
    """A line is there for good; one that was torn is left out, and gone when the next one comes."""
    journal = place.folder / "journal.jsonl"
    with place.target.locked("ana"):
        place.target.append('{"at": "ü", "quote": "it\'s $HOME `id` \\\\n"}')
        with journal.open("ab") as file:
            file.write(b'{"torn')
        assert len(place.target.history()) == 1
        place.target.append("-n two")
        place.target.append("")
        with pytest.raises(ValueError, match="line"):
            place.target.append("three\nfour")
    lines = ['{"at": "ü", "quote": "it\'s $HOME `id` \\\\n"}', "-n two", ""]
    assert [*place.target.history()] == lines
    assert journal.read_text() == "".join(f"{line}\n" for line in lines)


def test_a_journal_of_one_torn_line_is_empty(place):
    """What is left of the very first line goes away as well."""
    with place.target.locked("ana"):
        (place.folder / "journal.jsonl").write_bytes(b"x" * 70_000)
        assert [*place.target.history()] == []
        place.target.append("first")
    assert (place.folder / "journal.jsonl").read_text() == "first\n"


def test_a_command_sees_only_what_it_may(place):
    """It runs in the release, with its own variables beside three, and with nothing to read."""
    seen = []
    script = 'pwd; tr "\\0" "\\n" </proc/$$/environ | sort; echo end; cat; echo "$1"'
    odd = "it's; a $(test) \n=1"
    command = Command(words=("sh", "-c", script, "sh", odd), env={"PORT": "1 2", "ODD": odd})
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        place.target.run(release(), command, seen.append)
    where, *variables = b"".join(seen).decode().partition("end\n")[0].strip().split("\n")
    assert where == str(place.unfinished)
    names = {line.partition("=")[0] for line in variables if "=" in line} - {""}
    assert names - {"LANG"} == {"PATH", "HOME", "PORT", "ODD"}
    assert b"".join(seen).decode().endswith(f"end\n{odd}\n")


def test_a_command_runs_in_a_complete_release_as_well(place):
    """A task runs where the files are, whether the release is complete or not."""
    seen = []
    with place.target.locked("ana"):
        place.ship(release(), [blob(b"file", b"inside")])
        place.target.run(release(), Command(words=("cat", "file")), seen.append)
        with pytest.raises(Unreachable):
            place.target.run(release(2), Command(words=("cat", "file")), seen.append)
    assert seen == [b"inside"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (words("echo broken >&2; exit 3"), "ended with 3; it printed last: broken"),
        (words("kill -9 $$"), "SIGKILL"),
        (Command(words=("no-such-program",)), "could not be started: no such file"),
        (Command(words=("A=1", "true")), "could not be started: no such file"),
    ],
    ids=["status", "signal", "missing", "assignment"],
)
def test_a_command_that_fails_says_how(place, command, sentence):
    """Status, signal, and what is missing: one sentence, with what was printed last."""
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        with pytest.raises(CommandFailed) as failed:
            place.target.run(release(), command, lambda _: None)
    assert sentence in str(failed.value)


@pytest.mark.slow
def test_a_command_ends_in_time_with_all_it_started(place):
    """After its time nothing of it runs, not even what ignores being asked."""
    script = "trap '' TERM; sleep 60 & echo $! >child; echo $$ >main; wait; sleep 60"
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        with pytest.raises(CommandFailed, match=r"took more than 0\.5 seconds"):
            place.target.run(release(), words(script, seconds=0.5), lambda _: None)
    top = place.unfinished
    pids = [(top / name).read_text().strip() for name in ("main", "child")]
    eventually(lambda: not any(map(is_alive, pids)))


def test_a_command_leaves_nothing_running(place):
    """What a command has left in the background ends with it, and does not hold it up."""
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        place.target.run(release(), words("sleep 60 & echo $! >child"), lambda _: None)
    top = place.unfinished
    eventually(lambda: not is_alive((top / "child").read_text().strip()))


def test_output_comes_as_it_is_printed(place):
    """A line is handed on before the command has ended, and an error of whoever reads ends it."""
    top = place.unfinished

    def stop(piece):
        assert piece == b"now\n"
        raise KeyError("enough")

    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        with pytest.raises(KeyError):
            place.target.run(release(), words("echo $$ >main; echo now; sleep 60"), stop)
        pid = (top / "main").read_text().strip()
        gone = f"for n in $(seq 200); do kill -0 {pid} || exit 0; sleep 0.05; done 2>&-; exit 1"
        place.target.run(release(), words(gone), print)  # far away it takes a moment


@pytest.mark.slow
def test_large_output_is_cut(place):
    """Ten million bytes are kept, then the end; the command does not notice."""
    size = 0

    def count(piece):
        nonlocal size
        size += len(piece)

    command = words("head -c 30000000 /dev/zero | tr '\\0' x; echo the end")
    with place.target.locked("ana"):
        place.target.begin(release(), [blob(b"file")])
        place.target.run(release(), command, count)
    assert 10_000_000 <= size < 10_100_000


def test_one_holds_it_at_a_time(place):
    """Whoever comes second is told who was first and since when; then it is free again."""
    with place.target.locked("ana (agent)"):
        with pytest.raises(Busy) as busy, place.target.locked("bo"):
            pass
        assert "ana (agent) deploys there since 20" in str(busy.value)
    with place.target.locked("bo"):
        pass


def test_many_at_once_never_overlap(place):
    """Of many who try at once one holds it, and the others are told so."""
    inside, most, refused = [], [], []

    def visit(number):
        try:
            with place.target.locked(f"person {number}"):
                inside.append(number)
                most.append(len(inside))
                place.target.append(f"{number}")
                inside.remove(number)
        except Busy as busy:
            refused.append(busy)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*most} == {1}
    assert len(most) + len(refused) == 4
    assert len(place.target.history()) == len(most)


def test_an_error_inside_lets_go(place):
    """Whatever happens while it is held, it is free afterwards."""
    with pytest.raises(DeployError, match="stop"), place.target.locked("ana"):
        raise DeployError("stop")
    with place.target.locked("bo"):
        pass

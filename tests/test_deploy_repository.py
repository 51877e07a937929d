"""A repository as it is read before a deploy: refs, commits, ranges and differences."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha1
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.deploy.errors import RepositoryError, UnknownRef, Unshippable
from apps.deploy.repository import Repository
from tests import repositories as make

OURSELVES = Path(__file__).parents[1]
NOBODY = "0123456789" * 4


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The folder of a repository with every oddity, what its names mean, and it opened."""
    folder = tmp_path_factory.mktemp("odd")
    ids = make.odd(folder / "odd")
    return folder / "odd", ids, Repository.open(folder / "odd", cache=folder / "cache")


@pytest.fixture
def opened(tmp_path):
    """Open a repository with a cache of the test's own."""
    return lambda where: Repository.open(where, cache=tmp_path / "cache")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """The history of the project that these tests belong to."""
    assert (OURSELVES / ".git").exists(), "the tests need this project's own git history"
    return Repository.open(OURSELVES, cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize(
    ("ref", "of"),
    [
        ("main", "main"),
        ("HEAD", "main"),
        ("refs/heads/main", "main"),
        ("heads/main", "main"),
        ("v1", "first"),
        ("nested", "first"),
        ("refs/tags/v1", "first"),
        ("same", "first"),
        ("main~1", "merge"),
        ("main^", "merge"),
        ("main^^2", "side"),
        ("main~2", "second"),
        ("main~0", "main"),
        ("refs/heads/twin", "second"),
        ("refs/tags/twin", "first"),
        ("refs/heads/--all", "first"),
        ("$(id>X)", "first"),
    ],
)
def test_a_ref_means_one_commit(odd, ref, of):
    """A ref of any sort leads to the whole id of a commit, through tags of tags as well."""
    _, ids, repository = odd
    assert repository.resolve(ref) == ids[of]


def test_an_id_is_known_by_its_beginning(odd):
    """Seven digits of a commit's id are enough, in either case, and all forty stay as they are."""
    _, ids, repository = odd
    for sha in set(ids.values()):
        for digits in (sha, sha[:7], sha[:20], sha[:12].upper(), sha.upper()):
            assert repository.resolve(digits) == sha


def test_a_tag_and_a_branch_of_one_name_are_told_apart(odd):
    """A name that means two commits is refused with the full names of both."""
    _, ids, repository = odd
    with pytest.raises(UnknownRef) as refused:
        repository.resolve("twin")
    for full, of in (("refs/tags/twin", "first"), ("refs/heads/twin", "second")):
        assert full in str(refused.value)
        assert ids[of][:10] in str(refused.value)


def test_a_branch_named_like_another_commit_is_refused(opened, tmp_path):
    """A name that is also the beginning of another commit's id means neither of them."""
    folder = tmp_path / "r"
    first, second = make.line(folder, {"a": b"1"}, {"a": b"2"})
    make.git(folder, "update-ref", f"refs/heads/{first[:8]}", second)
    repository = opened(folder)
    with pytest.raises(UnknownRef, match=f"refs/heads/{first[:8]}.* and {first}"):
        repository.resolve(first[:8])
    assert repository.resolve(f"refs/heads/{first[:8]}") == second
    make.git(folder, "update-ref", f"refs/heads/{first}", second)
    assert repository.resolve(first) == first


def alike(tree):
    """Return two commits of a tree, as bytes, whose ids have the first seven digits in common."""
    known = {}
    for n in count():
        raw = b"tree %s\nauthor A <a> %d +0000\ncommitter A <a> 0 +0000\n\n" % (tree.encode(), n)
        digits = sha1(b"commit %d\0" % len(raw) + raw).hexdigest()[:7]
        if digits in known:
            return known[digits], raw
        known[digits] = raw
    raise AssertionError


def test_an_id_that_begins_two_commits_is_refused(opened, tmp_path):
    """An id cut so short that two commits have it is refused with both."""
    folder = make.empty(tmp_path / "r")
    words = ["hash-object", "-t", "commit", "-w", "--stdin"]
    pair = alike(make.tree(folder, []))
    ids = [make.git(folder, *words, given=raw).decode() for raw in pair]
    with pytest.raises(UnknownRef) as refused:
        opened(folder).resolve(ids[0][:7])
    assert all(sha in str(refused.value) for sha in ids)


@pytest.mark.parametrize("ref", ["a-tree", "a-blob", "refs/tags/a-tree"])
def test_a_tag_of_something_else_is_no_commit(odd, ref):
    """A tag of a folder or a file is refused, and the sentence says what it is a tag of."""
    with pytest.raises(UnknownRef, match=r"is a (tree|blob), not a commit"):
        odd[2].resolve(ref)


@pytest.mark.parametrize(
    "ref",
    [
        *("", " ", "main ", "--all", "-h", "--output=F", "a..b", "main...v1", "..", "main@{1}"),
        *("@", "@{-1}", "main^{tree}", "main^{/first}", ":/first", "HEAD:README.md", "main:", ":"),
        *("a\nb", "main\n", "a\tb", "main\0", "*", "ma?n", "[m]ain", "a\\b", "a//b", "/main"),
        *("main/", "main.", ".main", "a/.b", "main.lock", "^main", "~1", "main~1x", "main~999999"),
        *("zero\u200bwidth", "right\u202eoverride", "\u2066main", "main\u3164", "ma\u00adin"),
        *("blank\u3164", "main\ufe0f", "\udcff", "x" * 2_000),
    ],
)
def test_more_than_a_name_is_no_ref(odd, ref):
    """Options, ranges, searches, paths, and what cannot be seen are refused, though they exist."""
    with pytest.raises(UnknownRef, match=r"is no ref: .* Name a branch, a tag, HEAD, ") as refused:
        odd[2].resolve(ref)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("ref", ["FETCH_HEAD", "ORIG_HEAD", "stash", "config", "objects", "refs"])
def test_files_of_git_are_no_refs(odd, ref):
    """What lies about in a git directory is no branch and no tag."""
    with pytest.raises(UnknownRef, match="no branch, tag or commit"):
        odd[2].resolve(ref)


@settings(max_examples=60)
@given(st.text(max_size=12) | st.from_regex(r"\A(main|v1|HEAD)[~^0-9]{0,6}\Z"))
@example("main~00001")
def test_any_text_is_a_commit_or_a_sentence(odd, text):
    """Whatever is asked for ends in the id of a commit, or in one error with one sentence."""
    try:
        said = odd[2].resolve(text)
    except UnknownRef as refused:
        said = str(refused)
    assert re.fullmatch(r"[0-9a-f]{40}|.+\.", said)
    assert said.isprintable()


def test_a_ref_whose_commit_is_gone_says_so(opened, tmp_path):
    """A branch that points to nothing is told from one that does not exist, and hides no other."""
    folder = tmp_path / "r"
    make.line(folder, {"a": b"1"})
    (folder / "refs" / "heads" / "broken").write_text(f"{NOBODY}\n", "utf-8")
    repository = opened(folder)
    with pytest.raises(UnknownRef, match="refs/heads/broken points to 0123456789, which is not in"):
        repository.resolve("broken")
    with pytest.raises(UnknownRef, match="no branch, tag or commit 'other'"):
        repository.resolve("other")
    with pytest.raises(UnknownRef, match=f"no commit {NOBODY}"):
        repository.resolve(NOBODY)
    assert [name for name, _ in repository.refs()] == ["main"]
    assert repository.is_reachable(repository.resolve("main"))


def test_a_detached_head_is_a_commit(opened, tmp_path):
    """HEAD is what is checked out, on a branch or not, and nothing before the first commit."""
    folder = tmp_path / "r"
    first, second = make.line(folder, {"a": b"1"}, {"a": b"2"}, bare=False)
    assert opened(folder).resolve("HEAD") == second
    make.git(folder, "checkout", "--quiet", "--detach", first)
    assert opened(folder).resolve("HEAD") == first
    make.git(folder, "update-ref", "refs/heads/main", first)
    make.git(folder, "checkout", "--quiet", "--detach", second)
    assert opened(folder).is_reachable(second)
    with pytest.raises(UnknownRef, match="no commit yet"):
        opened(make.empty(tmp_path / "empty")).resolve("HEAD")


def test_a_repository_is_found_from_inside(opened, tmp_path):
    """A folder of the working tree, a linked working tree and a bare repository all lead there."""
    folder = tmp_path / "r"
    (sha,) = make.line(folder, {"deep/er/file": b"1"}, bare=False)
    make.git(folder, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    for where in (folder, folder / "deep" / "er", tmp_path / "linked", folder / ".git"):
        repository = opened(where)
        assert repository.resolve("main") == repository.resolve("HEAD") == sha
    assert opened(folder / "deep").name == str(folder)


def test_what_is_no_repository_is_said_in_a_sentence(opened, tmp_path):
    """A missing folder, an empty one, a `.git` that lies, another format: one sentence each."""
    lying, sha256 = tmp_path / "lying", tmp_path / "sha256"
    lying.mkdir()
    (lying / ".git").write_bytes(b"gitdir: \0\xff")
    subprocess.run(["git", "init", "--quiet", "--object-format=sha256", sha256], check=True)
    for where, said in (
        (tmp_path / "nowhere", "No such file"),
        (tmp_path, "no git repository"),
        (lying, "makes no sense"),
        (sha256, "SHA-256"),
        ("a\nb", "cannot be seen"),
        ("", "cannot be seen"),
        ("-upload", "begins with a dash"),
    ):
        with pytest.raises(RepositoryError, match=said):
            opened(where)


def test_refs_come_newest_first_and_mean_what_they_say(odd):
    """Each listed name is one that leads to the commit beside it."""
    _, ids, repository = odd
    listed = repository.refs()
    assert all(repository.resolve(name) == sha for name, sha in listed)
    dates = [repository.commit(sha).at for _, sha in listed]
    assert dates == sorted(dates, reverse=True)
    names = [name for name, _ in listed]
    assert len(names) == len(set(names))
    assert {"main", "v1", "same", "refs/tags/twin", "refs/heads/twin"} <= set(names)
    assert repository.tags(ids["first"]) == ("nested", "same", "twin", "v1")
    assert repository.tags(ids["main"]) == ()


@pytest.mark.parametrize(
    ("name", "author", "subject"),
    [
        ("latin", "Jos\u00e9", "caf\u00e9"),
        ("unlabelled", "Jos\ufffd", "caf\ufffd"),
        ("nonsense", "Ana", "\\x41"),
        ("silent", "Ana", ""),
        ("distant", "Ana", "distant"),
    ],
)
def test_a_commit_is_read_whatever_it_says(odd, name, author, subject):
    """Odd encodings, empty messages and impossible dates still give a commit."""
    _, ids, repository = odd
    commit = repository.commit(ids[name])
    assert (commit.sha, commit.author, commit.subject) == (ids[name], author, subject)
    year = 9999 if name == "distant" else 2026
    assert commit.at.tzinfo is UTC and commit.at.year == year


def test_a_commit_knows_its_time(odd):
    """The time of a commit is that of its object, in UTC."""
    _, ids, repository = odd
    assert repository.commit(ids["merge"]).at == datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("sha", ["main", "", "-x", "a" * 39, "A" * 40, f"{NOBODY}\n", "--" * 20])
def test_only_whole_ids_travel(odd, sha):
    """What was not resolved is refused wherever a commit's id belongs."""
    repository = odd[2]
    for ask in (
        repository.commit,
        repository.tags,
        repository.is_reachable,
        repository.problems,
        lambda one: list(repository.files(one)),
        lambda one: repository.between("", one),
        lambda one: repository.diff("", one, most=10),
    ):
        with pytest.raises(UnknownRef):
            ask(sha)


def test_a_commit_that_is_not_there_is_a_sentence(odd):
    """An id that no object has, or that a file has, ends in an error about the repository."""
    folder, ids, repository = odd
    blob = make.sha(folder, f"{ids['main']}:README.md")
    for sha in (NOBODY, blob):
        for ask in (
            repository.commit,
            repository.problems,
            lambda one: list(repository.files(one)),
            lambda one: repository.between(ids["main"], one),
        ):
            with pytest.raises(RepositoryError):
                ask(sha)
        assert not repository.is_reachable(sha)


def test_a_range_is_what_comes_and_what_goes(odd):
    """A move forward brings commits, back takes the same ones away, and sideways does both."""
    _, ids, repository = odd
    forward = repository.between(ids["first"], ids["merge"])
    back = repository.between(ids["merge"], ids["first"])
    sideways = repository.between(ids["side"], ids["second"])
    subjects = ["octopus", "second", "other", "side"]
    assert [one.subject for one in forward.added] == subjects and forward.removed == ()
    assert [one.subject for one in back.removed] == subjects and back.added == ()
    assert [one.subject for one in sideways.added] == ["second"]
    assert [one.subject for one in sideways.removed] == ["side"]
    assert repository.between(ids["main"], ids["main"]).files == ()


def test_a_clock_that_was_wrong_does_not_mix_up_a_range(opened, tmp_path):
    """A commit comes before those that it builds on, whatever their dates say."""
    folder = make.empty(tmp_path / "r")
    base = make.commit(folder, {"a": b"1"}, "base", minute=50)
    late = make.commit(folder, {"a": b"2"}, "late", minute=90)
    early = make.commit(folder, {"a": b"3"}, "early", minute=10)
    side = make.commit(folder, {"b": b"1"}, "side", branch="side", minute=60, parents=[base])
    merge = make.commit(folder, {"b": b"1"}, "merge", minute=95, parents=[early, side])
    move = opened(folder).between("", merge)
    assert [one.sha for one in move.added] == [merge, side, early, late, base]


def test_a_range_names_every_file_that_changes(odd):
    """Odd names, modes and kinds are all in the list; what git cannot count has no numbers."""
    _, ids, repository = odd
    found = repository.between(ids["merge"], ids["main"]).files
    assert [(one.path, one.kind, one.added, one.removed) for one in found] == [
        ("becomes-link", "retyped", 1, 1),
        ("becomes-program", "modified", 0, 0),
        ("binary.bin", "modified", None, None),
        ("goes", "deleted", 0, 2),
        ("latin-\\xe9.txt", "modified", 1, 0),
        ("line\nbreak.txt", "modified", 1, 0),
        ("moved/tab\there.txt", "added", 1, 0),
        ("tab\there.txt", "deleted", 0, 1),
    ]


def test_from_nothing_everything_is_new(odd):
    """A first release brings every commit and every file there is."""
    _, ids, repository = odd
    move = repository.between("", ids["main"])
    assert (move.live, len(move.added), move.removed) == ("", 6, ())
    paths = [
        entry.path.decode(errors="backslashreplace") for entry, _ in repository.files(ids["main"])
    ]
    assert [one.path for one in move.files] == paths
    assert {one.kind for one in move.files} == {"added"}


def changed(repository, live, target):
    """Compare two commits by their files alone; return path -> kind, as a referee."""
    before, after = (
        {entry.path: (entry.mode, data) for entry, data in repository.files(sha)}
        for sha in (live, target)
    )
    kinds = {}
    for path in before.keys() | after.keys():
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            kinds[path] = "added" if old is None else "deleted"
        elif (old[0] == make.LINK) != (new[0] == make.LINK):
            kinds[path] = "retyped"
        elif old != new:
            kinds[path] = "modified"
    return {path.decode(errors="backslashreplace"): kind for path, kind in sorted(kinds.items())}


def test_a_range_agrees_with_the_files_themselves(odd, ours):
    """Between any two commits the changed files are exactly those whose bytes or modes differ."""
    dice = Random(4)
    shippable = [odd[1][name] for name in ("first", "side", "second", "merge", "main", "lfs")]
    for repository, commits in (
        (odd[2], shippable),
        (ours, [one.sha for one in ours.between("", ours.resolve("HEAD")).added]),
    ):
        for live, target in [dice.choices(commits, k=2) for _ in range(6)]:
            files = repository.between(live, target).files
            assert {one.path: one.kind for one in files} == changed(repository, live, target)


def test_what_a_diff_shows_is_what_ships(ours, tmp_path):
    """The diff that a person reads turns the files that are live into those of the target."""
    commits = [one.sha for one in ours.between("", ours.resolve("HEAD")).added]
    target, live = commits[0], commits[-1]
    for release, start, end in (("up", live, target), ("down", target, live), ("new", "", target)):
        folder = tmp_path / release
        folder.mkdir()
        for entry, data in ours.files(start) if start else ():
            path = folder / entry.path.decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(int(entry.mode, 8) & 0o777)
        shown = ours.diff(start, end, most=100_000_000)
        assert shown.is_whole and shown.size == len(shown.text.encode())
        make.git(folder, "apply", "--whitespace=nowarn", "-", given=shown.text.encode())
        written = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
        files = {name: path.read_bytes() for name, path in written.items() if path.is_file()}
        assert files == {entry.path.decode(): data for entry, data in ours.files(end)}


def test_a_diff_is_cut_at_a_line_and_says_how_long_it_is(odd):
    """However little is asked for, what comes is whole lines of the diff, and its true size."""
    _, ids, repository = odd
    whole = repository.diff(ids["first"], ids["main"], most=100_000)
    lines = whole.text.splitlines(keepends=True)
    assert whole.is_whole and whole.size > 1_000
    for most in (0, 1, 20, 100, 500, whole.size - 1):
        cut = repository.diff(ids["first"], ids["main"], most=most)
        assert not cut.is_whole and cut.size == whole.size
        shown = cut.text.splitlines(keepends=True)
        assert shown == lines[: len(shown)]
        assert len(cut.text.encode()) <= 2 * most
    for most in (whole.size, sys.maxsize):
        assert repository.diff(ids["first"], ids["main"], most=most) == whole


def test_a_diff_says_what_it_cannot_show(odd):
    r"""Bytes that are no text are named or written as \xNN, and modes and links are shown."""
    _, ids, repository = odd
    shown = repository.diff(ids["merge"], ids["main"], most=100_000).text
    for line in (
        "Binary files a/binary.bin and b/binary.bin differ",
        "+++ b/latin-\\xe9.txt",
        " caf\\xe9",
        "old mode 100644\nnew mode 100755",
        "new file mode 120000",
        "deleted file mode 100644\nindex 814f4a4",
    ):
        assert line in shown


def test_nothing_in_a_repository_hides_a_change(opened, tmp_path):
    """Attributes, replaced objects and grafts change neither the diff nor the numbers."""
    folder = tmp_path / "r"
    attributes = {".gitattributes": b"* -diff -text linguist-generated export-ignore\n"}
    first, second = make.line(folder, attributes | {"a": b"1\n"}, {"a": b"2\n"}, bare=False)
    third = make.commit(folder, {"a": b"3\n"}, "third")
    asked = [(first, second), (second, first), ("", third), (first, third)]
    before = [
        (opened(folder).between(*one), opened(folder).diff(*one, most=9_999)) for one in asked
    ]
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* -diff\n", "utf-8")
    (folder / ".git" / "info" / "grafts").write_text(f"{third}\n", "utf-8")
    make.git(folder, "replace", second, first)
    make.git(folder, "replace", make.sha(folder, f"{third}:a"), make.sha(folder, f"{first}:a"))
    repository = opened(folder)
    after = [(repository.between(*one), repository.diff(*one, most=9_999)) for one in asked]
    assert after == before
    assert [one.subject for one in after[3][0].added] == ["third", "state 1"]
    assert after[0][0].files[0].added == 1 and "\n-1\n+2\n" in after[0][1].text


def test_a_shallow_history_is_said_to_be_cut_off(opened, tmp_path):
    """A clone without its past is read, and each answer that its end could spoil says so."""
    ids = make.line(tmp_path / "r", *({"a": b"%d\n" % n} for n in range(5)))
    repository = opened(make.shallow(tmp_path / "s", tmp_path / "r", depth=3))
    inside = repository.between(ids[3], ids[4])
    assert [one.sha for one in inside.added] == [ids[4]] and inside.problems == ()
    whole = repository.between("", ids[4])
    assert len(whole.added) == 3
    assert ["cut off" in said for said in whole.problems] == [True]
    assert len(repository.problems(ids[4])) == 1
    with pytest.raises(UnknownRef, match="does not go back so far"):
        repository.resolve("main~3")


def test_a_live_commit_that_is_gone_makes_everything_new(opened, tmp_path):
    """After a force push and a clean-up all of the target is shown, and the sentence says why."""
    folder = tmp_path / "r"
    make.line(folder, {"a": b"1\n"}, {"a": b"2\n", "b": b"b\n"})
    repository = opened(folder)
    live, target = make.forced(folder)
    assert not repository.is_reachable(live) and repository.is_reachable(target)
    kept = repository.between(live, target)
    assert len(kept.added) == len(kept.removed) == 1 and kept.problems == ()
    make.collected(folder)
    move = repository.between(live, target)
    assert (len(move.added), move.removed) == (2, ())
    assert [one.path for one in move.files] == ["a", "forced.txt"]
    assert len(move.problems) == 1 and live[:10] in move.problems[0]
    assert repository.diff(live, target, most=9_999) == repository.diff("", target, most=9_999)


def test_pointers_are_said_to_be_pointers(odd):
    """A file of Git LFS and a submodule are named: neither holds what it stands for."""
    _, ids, repository = odd
    for name, path in (("lfs", "film.mp4"), ("submodule", "vendor/lib")):
        for problems in (
            repository.between(ids["main"], ids[name]).problems,
            repository.problems(ids[name]),
        ):
            assert len(problems) == 1 and problems[0].startswith(f"{path}: ")
        assert repository.between(ids[name], ids["main"]).problems == ()
    assert repository.problems(ids["main"]) == ()


def test_a_few_small_trees_cannot_keep_git_busy(opened, tmp_path):
    """A commit of ten billion files is refused before anybody counts their lines."""
    folder = make.empty(tmp_path / "r")
    below = make.tree(folder, [("100644", f"f{n}", make.blob(folder, b"")) for n in range(10)])
    for _ in range(9):
        below = make.tree(folder, [("40000", f"d{n}", below) for n in range(10)])
    sha = make.committed(folder, below)
    with pytest.raises(Unshippable, match="more than 1,000,000 files"):
        opened(folder).between("", sha)

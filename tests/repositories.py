"""Git repositories for tests, made on the spot, with the same dates and so the same ids each time.

- `empty(folder)` makes a repository without a commit; `bare=False` gives it a working tree.
- `commit(folder, files, ...)` adds one commit to a branch and returns its id.
- `tag(folder, name, sha)` names a commit, with `message=` by a tag object of its own.
- `line(folder, *states)` makes one commit of each state of the files and returns their ids.
- `large(folder)` has 10,000 files and 2,000 commits; tags `v100`, `v200` … `v2000`.
- `odd(folder)` has every oddity there is, one branch or tag each; returns name -> commit.
- `shallow(folder, source, depth)` is a clone whose history is cut off.
- `forced(folder, branch)` replaces the last commit of a branch; returns the old and the new one.
- `collected(folder)` throws away all that no branch and no tag reaches.
- `without(folder, oid)` loses one object.
- `tree(folder, entries)` writes a tree object that git itself would never make, `blob` a file's
  bytes, and `committed` a commit of a tree.

One that runs commands of its owner's is in `tests/hostile_repository.py`.
"""

import os
import subprocess

START = 1_767_225_600  # 2026-01-01 00:00 UTC
MINUTE = 60
ANA = b"Ana <ana@example.com>"
REGULAR, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345\n"
)
SEALED = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.com",
    "GIT_AUTHOR_DATE": f"{START} +0000",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.com",
    "GIT_COMMITTER_DATE": f"{START} +0000",
}


def git(folder, *words, given=None, **env):
    """Run git as somebody who works in the folder would, and return what it prints, in bytes."""
    done = subprocess.run(
        ["git", "-C", os.fspath(folder), *words],
        input=given,
        capture_output=True,
        env=SEALED | env,
    )
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.rstrip(b"\n")


def sha(folder, name):
    """Return the id that a name has in the repository; of a tag object, its own."""
    return git(folder, "rev-parse", "--verify", "--end-of-options", name).decode()


def empty(folder, *, bare=True):
    """Make a repository without a commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--template=", "--initial-branch=main", *["--bare"] * bare)
    git(folder, "config", "gc.auto", "0")
    return folder


def commit(folder, files, message="change", *, branch="main", minute=0, parents=None, **odd):
    """Add a commit to a branch.

    Args:
        files: Path, as text or bytes, to bytes; to a mode and bytes; or to None for a file that
            goes. What is not named stays as it is in the first parent.
        minute: When, counted from `START`.
        parents: By default what the branch has.
        odd: Raw `author`, `committer` and `encoding`, in bytes.
    """
    ref = f"refs/heads/{branch}"
    if parents is None:
        known = git(folder, "for-each-ref", "--format=%(objectname)", ref).decode()
        parents = [known] if known else []
    stream = commit_stream(ref, files, message, minute=minute, parents=parents, **odd)
    imported(folder, [stream])
    return sha(folder, ref)


def commit_stream(ref, files, message, *, minute=0, parents=(), **odd):
    """Return a commit as `git fast-import` reads it."""
    when = b" %d +0000\n" % (START + minute * MINUTE)
    text = message if isinstance(message, bytes) else message.encode()
    parts = [b"commit %s\n" % os.fsencode(ref)]
    parts += [b"author %s" % odd.get("author", ANA), when]
    parts += (
        [b"committer %s" % odd["committer"] + b"\n"]
        if "committer" in odd
        else [
            b"committer %s" % ANA,
            when,
        ]
    )
    if "encoding" in odd:
        parts.append(b"encoding %s\n" % odd["encoding"])
    parts.append(b"data %d\n%s\n" % (len(text), text))
    for word, parent in zip([b"from", *[b"merge"] * len(parents)], parents, strict=False):
        parts.append(b"%s %s\n" % (word, parent.encode()))
    parts += [file_stream(path, content) for path, content in files.items()]
    return b"".join(parts) + b"\n"


def file_stream(path, content):
    """Return one changed file as `git fast-import` reads it."""
    name = b'"%s"' % b"".join(b"\\%03o" % byte for byte in os.fsencode(path))
    if content is None:
        return b"D %s\n" % name
    mode, data = content if isinstance(content, tuple) else (REGULAR, content)
    if mode == SUBMODULE:
        return b"M %s %s %s\n" % (mode.encode(), data, name)
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), name, len(data), data)


def imported(folder, streams):
    """Hand commits to `git fast-import`."""
    git(folder, "fast-import", "--quiet", "--force", given=b"".join(streams))


def tag(folder, name, of, *, message=None):
    """Name a commit, or anything else, with a tag object of its own if there is a message."""
    if message is None:
        git(folder, "update-ref", f"refs/tags/{name}", of)
    else:
        git(folder, "tag", "--annotate", f"--message={message}", "--", name, of)


def line(folder, *states, bare=True):
    """Make a repository with one commit per state of the files; return the ids, oldest first."""
    empty(folder, bare=bare)
    ids = [commit(folder, files, f"state {n}", minute=n) for n, files in enumerate(states)]
    if not bare:
        git(folder, "reset", "--quiet", "--hard", "main")
    return ids


def large(folder, *, files=10_000, commits=2_000):
    """Make a repository as large as a grown product's; each commit changes three files."""
    empty(folder)
    ref = "refs/heads/main"
    names = [f"src/part{n % 100:02}/module{n:05}.py" for n in range(files)]
    everything = {name: module(name, 0) for name in names}
    streams = [b"feature done\n", commit_stream(ref, everything, "everything")]
    for n in range(1, commits):
        some = {name: module(name, n) for name in (names[(3 * n + k) % files] for k in range(3))}
        streams.append(commit_stream(ref, some, f"change {n}", minute=n))
        if (n + 1) % 100 == 0:
            streams.append(b"reset refs/tags/v%d\nfrom %s\n\n" % (n + 1, ref.encode()))
    imported(folder, [*streams, b"done\n"])
    return folder


def module(name, edition):
    """Return a small source file that differs in one line per edition."""
    lines = [f"def step_{n}():\n    return {n}\n" for n in range(12)]
    return "".join([f'"""{name}"""\n\nEDITION = {edition}\n\n', *lines]).encode()


def odd(folder, *, bare=True):
    """Make a repository with every oddity; return what each name is in it."""
    empty(folder, bare=bare)
    first = commit(folder, ODD_FILES, "first", minute=1)
    side = commit(folder, {"side.txt": b"side\n"}, "side", branch="side", minute=2, parents=[first])
    other = commit(
        folder, {"other.txt": b"o\n"}, "other", branch="other", minute=3, parents=[first]
    )
    second = commit(folder, {"README.md": b"# odd\n\nmore\n"}, "second", minute=4)
    merged = {"side.txt": b"side\n", "other.txt": b"o\n"}
    merge = commit(folder, merged, "octopus", minute=5, parents=[second, side, other])
    changed = commit(folder, ODD_CHANGES, "odd changes", minute=6)
    ids = {"first": first, "side": side, "second": second, "merge": merge, "main": changed}
    for name, files in ODD_BRANCHES.items():
        ids[name] = commit(folder, files, name, branch=name, minute=7, parents=[changed])
    for name, fields in ODD_COMMITS.items():
        message = fields.get("message", name)
        rest = {key: value for key, value in fields.items() if key != "message"}
        ids[name] = commit(folder, {}, message, branch=name, minute=8, parents=[changed], **rest)
    ids |= odd_names(folder, first, second)
    git(folder, "replace", "-f", second, side)
    return ids


ODD_FILES = {
    "README.md": b"# odd\n",
    "run.sh": (PROGRAM, b"#!/bin/sh\n"),
    "empty.txt": b"",
    "crlf.txt": b"one\r\ntwo\r\n",
    "no-end.txt": b"no newline at the end",
    "binary.bin": bytes(range(256)) * 4,
    b"latin-\xe9.txt": b"caf\xe9\n",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}.txt": b"coffee\n",
    "line\nbreak.txt": b"a name of two lines\n",
    "tab\there.txt": b"a tab\n",
    '"quoted" \\ name.txt': b"quotes\n",
    " leading and trailing ": b"spaces\n",
    "-dash": b"looks like an option\n",
    ".gitattributes": (
        b"secret.txt export-ignore\nversion.txt export-subst\n*.txt filter=odd -diff\n"
    ),
    "secret.txt": b"git archive leaves this out\n",
    "version.txt": b"$Format:%H$\n",
    "link": (LINK, b"README.md"),
    "deep/er/file.txt": b"deep\n",
    "deep/er/up": (LINK, b"../../README.md"),
    "becomes-link": b"a file\n",
    "becomes-program": b"#!/bin/sh\n",
    "goes": b"one\ntwo\n",
}
ODD_CHANGES = {
    "becomes-link": (LINK, b"README.md"),
    "becomes-program": (PROGRAM, b"#!/bin/sh\n"),
    "goes": None,
    b"latin-\xe9.txt": b"caf\xe9\nand more\n",
    "line\nbreak.txt": b"a name of two lines\nchanged\n",
    "tab\there.txt": None,
    "moved/tab\there.txt": b"a tab\n",
    "binary.bin": bytes(range(255, -1, -1)) * 4,
}
ODD_BRANCHES = {
    "lfs": {"film.mp4": LFS_POINTER},
    "submodule": {"vendor/lib": (SUBMODULE, b"1" * 40)},
    "escaping": {"out": (LINK, b"../../../etc/passwd")},
    "absolute": {"out": (LINK, b"/etc/passwd")},
}
ODD_COMMITS = {
    "latin": {
        "author": b"Jos\xe9 <jose@example.com>",
        "encoding": b"ISO-8859-1",
        "message": b"caf\xe9",
    },
    "unlabelled": {"author": b"Jos\xe9 <jose@example.com>", "message": b"caf\xe9"},
    "nonsense": {"encoding": b"unicode_escape", "message": b"\\x41"},
    "silent": {"message": b""},
    "distant": {"committer": b"Ana <ana@example.com> 99999999999999 +0000"},
}


def odd_names(folder, first, second):
    """Give commits names that are hard to read or to tell apart; return what each of them is."""
    tag(folder, "v1", first, message="the first")
    tag(folder, "nested", sha(folder, "refs/tags/v1"), message="a tag of a tag")
    tag(folder, "twin", first)
    git(folder, "update-ref", "refs/heads/twin", second)
    tag(folder, "same", first)
    git(folder, "update-ref", "refs/heads/same", first)
    tag(folder, "a-tree", sha(folder, f"{first}^{{tree}}"))
    tag(folder, "a-blob", sha(folder, f"{first}:README.md"), message="of a file")
    for name in (
        "--all",
        "$(id>X)",
        "zero\N{ZERO WIDTH SPACE}width",
        "right\N{RIGHT-TO-LEFT OVERRIDE}",
        "blank\N{HANGUL FILLER}",
    ):
        git(folder, "update-ref", f"refs/heads/{name}", first)
    return {"v1": first, "nested": first, "same": first}


def shallow(folder, source, *, depth=2):
    """Clone the last commits of each branch only."""
    url = f"file://{source}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = ["--quiet", "--bare", f"--depth={depth}", "--no-single-branch", url, str(folder)]
    git(folder.parent, "clone", *words)
    return folder


def forced(folder, branch="main", *, minute=1_000):
    """Put another commit in place of a branch's last one; return the old and the new id."""
    old = sha(folder, f"refs/heads/{branch}")
    parents = git(folder, "rev-list", "--parents", "-n1", old).decode().split()[1:]
    new = commit(
        folder,
        {"forced.txt": b"forced\n"},
        "instead",
        branch=branch,
        minute=minute,
        parents=parents[:1],
    )
    return old, new


def collected(folder):
    """Throw away every object that no branch and no tag reaches."""
    git(folder, "reflog", "expire", "--expire=now", "--all")
    git(folder, "repack", "-q", "-a", "-d")
    git(folder, "prune", "--expire=now")
    return folder


def without(folder, oid):
    """Take one object out of a repository."""
    inside = folder / ".git" if (folder / ".git").exists() else folder
    packs = list((inside / "objects" / "pack").glob("*.pack"))
    data = [pack.read_bytes() for pack in packs]
    for path in (inside / "objects" / "pack").iterdir():
        path.unlink()
    for pack in data:
        git(folder, "unpack-objects", "-q", given=pack)
    (inside / "objects" / oid[:2] / oid[2:]).unlink()


def tree(folder, entries):
    """Write a tree object of (mode, name, id) as they are; return its id."""
    raw = b"".join(
        b"%s %s\0%s" % (mode.encode(), os.fsencode(name), bytes.fromhex(oid))
        for mode, name, oid in entries
    )
    words = ["hash-object", "--literally", "-w", "-t", "tree", "--stdin"]
    return git(folder, *words, given=raw).decode()


def committed(folder, of, message="a tree of its own"):
    """Write a commit of a tree object; return its id. It is on no branch."""
    return git(folder, "commit-tree", of, "-m", message).decode()


def blob(folder, data):
    """Write a file's bytes; return their id."""
    return git(folder, "hash-object", "-w", "--stdin", given=data).decode()

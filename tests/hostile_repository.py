"""A git repository that would run a command of its owner's wherever git has a place for one.

- `hostile(folder, marker)` makes it; each command would touch the marker.
- `SPRINGING` are plain git commands that run into its traps, each through another one.
"""

import shlex

from tests.repositories import commit, git, line, sha, without

HOOKS = (
    "post-checkout pre-commit post-commit post-merge pre-auto-gc reference-transaction post-rewrite"
    " post-index-change fsmonitor-watchman update pre-receive post-receive post-update pre-push"
).split()
# One trap each: fsmonitor, external diff, textconv, signatures, filters, hooks, two transports,
# and a remote that is asked for an object which is not there.
SPRINGING = {
    "fsmonitor": "status",
    "external diff": "diff HEAD~1 HEAD",
    "external diff of plumbing": "diff-tree -p --ext-diff HEAD~1 HEAD",
    "textconv": "cat-file --textconv HEAD:app.py",
    "smudge": "cat-file --filters HEAD:app.py",
    "archive": "archive HEAD",
    "signature": "log -1",
    "verify": "verify-commit HEAD",
    "hook": "update-ref refs/heads/new HEAD",
    "checkout": "checkout --force --quiet HEAD~1",
    "remote": "fetch origin",
    "ssh": "ls-remote ssh://nowhere.invalid/x",
    "lazy fetch": "cat-file -p missing:app.py",
}
HOSTILE_CONFIG = """
[core]
    repositoryformatversion = 1
    fsmonitor = "{touch}"
    sshCommand = "{touch}"
    alternateRefsCommand = "{touch}"
    hooksPath = "{hooks}"
    attributesFile = "{folder}/attributes"
[diff]
    external = "{script}"
[diff "evil"]
    command = "{script}"
    textconv = "{script}"
[filter "evil"]
    clean = "{touch}"
    smudge = "{touch}"
    process = "{touch}"
    required = true
[merge "evil"]
    driver = "{touch}"
[credential]
    helper = "!{touch}"
[gpg]
    program = "{script}"
[gpg "ssh"]
    program = "{script}"
[log]
    showSignature = true
[include]
    path = "{folder}/included"
[uploadpack]
    packObjectsHook = "{touch}"
[extensions]
    partialClone = evil
[remote "evil"]
    url = "ext::{touch}"
    promisor = true
    uploadpack = "{touch}"
[remote "origin"]
    url = "ext::{touch}"
    uploadpack = "{touch}"
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[gc]
    recentObjectsHook = "{touch}"
"""


def hostile(folder, marker):
    """Make a repository with a working tree that would run a command wherever git has a place.

    Its last commit is signed (by nobody), all its files have a filter and a diff driver, and of one
    commit, `refs/heads/missing`, an object is left out, as if it could be had from a remote.

    Returns:
        The ids of its two commits, oldest first.
    """
    files = {"app.py": b"print(1)\n", ".gitattributes": b"* filter=evil diff=evil merge=evil\n"}
    ids = line(folder, files, {"app.py": b"print(2)\n"}, bare=False)
    head, _, body = git(folder, "cat-file", "commit", ids[1]).partition(b"\n\n")
    fake = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n"
    words = ["hash-object", "-t", "commit", "-w", "--stdin"]
    ids[1] = git(folder, *words, given=head + fake + body).decode()
    git(folder, "update-ref", "refs/heads/main", ids[1])
    lost = commit(folder, {"app.py": b"lost\n"}, "lost", branch="missing", parents=[ids[1]])
    without(folder, sha(folder, f"{lost}:app.py"))
    spring(folder, marker)
    return ids


def spring(folder, marker):
    """Set every trap that a `.git` folder has a place for; each would touch the marker."""
    inside = folder / ".git"
    script = inside / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(marker))}\n", "utf-8")
    script.chmod(0o755)
    hooks = inside / "evil-hooks"
    for place in (hooks, inside / "hooks"):
        place.mkdir(exist_ok=True)
        for name in HOOKS:
            (place / name).symlink_to(script)
    for path in (inside / "attributes", inside / "info" / "attributes"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("* filter=evil diff=evil -text\n", "utf-8")
    names = {"touch": f"touch {marker}", "script": script, "hooks": hooks, "folder": inside}
    filled = HOSTILE_CONFIG.format(**names)
    (inside / "included").write_text(f'[core]\n    fsmonitor = "touch {marker}"\n', "utf-8")
    with (inside / "config").open("a", encoding="utf-8") as config:
        config.write(filled)

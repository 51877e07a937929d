"""What runs on a host: short scripts for a POSIX shell, and how words get into them.

The host needs a shell, coreutils, tar, and util-linux (flock, setsid), and nothing of ours. A
script goes to the shell's standard input as a whole, never on a command line, and as one `{ … }`:
one that was cut off on its way does nothing at all. Every word is quoted; names of a commit's files
never become words, they travel inside a tar archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

NEEDED = ("head", "dd", "cat", "tail", "wc", "mkdir", "mv", "ln", "rm", "chmod", "readlink", "date")
ALSO_NEEDED = ("timeout", "truncate", "sync", "env", "tar", "flock", "setsid")

NOT_THERE = 70  # the folder of the environment
TAKEN = 75  # the lock, by somebody
NOT_OURS = 76  # the lock, any more
STILL_BUSY = 77  # with what a killed deploy has left
OWN = 78  # what a script has to say itself

HELLO = "ready"


def script(*parts: str, words: Sequence[str] = (), **named: str) -> bytes:
    """Put a script together.

    Args:
        words: Its positional parameters.
        named: Variables that it finds.
    """
    given = "".join(f"{name}={quote(value)}\n" for name, value in named.items())
    text = (
        f"{{\nset -eu\numask 022\nLC_ALL=C; export LC_ALL\n{given}"
        f"set -- {' '.join(map(quote, words))}\n{''.join(parts)}\n}}\n"
    )
    return text.encode("utf-8", "surrogateescape")


# Which of the programs that we need are missing?
CHECK = f"""
echo {HELLO}
for program in {" ".join(NEEDED + ALSO_NEEDED)}; do
    command -v "$program" >/dev/null || echo "$program"
done
[ "$(uname -s)" = Linux ] || echo Linux
"""

# The folder of the environment; whoever only looks finds nothing where there is none.
LOOK = f"""
[ -d "$folder" ] || exit {NOT_THERE}
cd -- "$folder"
"""

# Two locks. `lock` is held by this shell, as long as somebody at the other end is heard: it reads a
# dot every few seconds, because a machine that lost its power says no goodbye, and its connection
# may stay open for hours. `commands.lock` is shared by all that a deploy has running here, so after
# one that was killed the next begins when the last step of it has ended.
LOCK = f"""
mkdir -p -- "$folder"
cd -- "$folder"
mkdir -p releases shared
exec 9>>lock
flock -n 9 || {{ cat lock; exit {TAKEN}; }}
since=$(date -u +%Y-%m-%dT%H:%M:%S+00:00)
printf '{{"who": %s, "pid": %s, "since": "%s", "token": "%s"}}\\n' \\
    "$who" "$$" "$since" "$token" >lock
exec 8>>commands.lock
flock -w "$patience" 8 || exit {STILL_BUSY}
exec 8>&-
echo held
while [ -n "$(exec 9>&-; timeout "$silence" dd bs=512 count=1 2>/dev/null)" ]; do :; done
: >lock
"""

# A step of a deploy: is the lock still ours? It is asked while `commands.lock` is shared, so nobody
# else can begin between the answer and the end of the step. A process that was asleep while others
# deployed ends here.
STEP = f"""
cd -- "$folder" || exit {NOT_OURS}
exec 8>>commands.lock
flock -s -w "$patience" 8 || exit {NOT_OURS}
read -r holder <lock || exit {NOT_OURS}
case $holder in *"$token"*) ;; *) exit {NOT_OURS} ;; esac
if flock -n lock true; then exit {NOT_OURS}; fi
"""

# -m: files are as old as their release. -o: they belong to whoever unpacks.
# Links come last in the archive, so nothing is written through one.
UNPACK = f"""
new=releases/.unfinished-$release
if [ -e "releases/$release" ] || [ -e "$new" ]; then exit {OWN}; fi
mkdir "$new"
tar -x -m -o -C "$new" -f -
"""

# What could not be written whole may be what fills the disk.
DISCARD = """
rm -rf "releases/.unfinished-$release"
"""

# The words are pairs: a shared path, and where its link leads. A link of the commit on the way
# there would take ours to another place.
COMPLETE = f"""
cd "releases/.unfinished-$release"
while [ $# -gt 0 ]; do
    mkdir -p -- "../../shared/$1"
    way=
    rest=$1
    while [ "$rest" != "${{rest#*/}}" ]; do
        way=$way${{rest%%/*}}
        rest=${{rest#*/}}
        [ -d "$way" ] || [ -L "$way" ] || mkdir -- "$way" 2>/dev/null || :
        if [ -L "$way" ] || [ ! -d "$way" ]; then printf '%s' "$1"; exit {OWN}; fi
        way=$way/
    done
    if [ -e "$1" ] || [ -L "$1" ]; then printf '%s' "$1"; exit {OWN}; fi
    ln -s -- "$2" "$1"
    shift 2
done
sync -f .
cd ..
if [ -e "$release" ]; then echo "the release $release was there already" >&2; exit 1; fi
mv -T -- ".unfinished-$release" "$release"
sync .
"""

# A rename of a link over a link: whoever looks sees the old one or the new one.
SWITCH = """
if [ ! -d "releases/$release" ] || [ -L "releases/$release" ]; then
    echo "$release was no complete release" >&2
    exit 1
fi
rm -f .current.new
ln -s "releases/$release" .current.new
mv -T .current.new current
sync .
"""

CURRENT = """
if [ -L current ]; then
    if [ -d current/. ]; then printf 'link '; else printf 'nowhere '; fi
    printf '%s' "$(readlink current)"
elif [ -e current ]; then
    printf 'other '
fi
"""

RELEASES = """
for path in releases/*; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then printf '%s\\0' "${path#releases/}"; fi
done
"""

# What is to go is renamed first: a release that is half removed no longer looks like one.
SWEEP = """
[ -d releases ] || exit 0
cd releases
for release do
    [ "$(readlink ../current || :)" != "releases/$release" ] || continue
    if [ -d "$release" ]; then mv -T -- "$release" ".removing-$release"; fi
done
for path in .unfinished-* .removing-*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    rm -rf -- "$path" 2>/dev/null || {
        chmod -R u+rwX -- "$path"  # a build may have locked its folders
        rm -rf -- "$path"
    }
    printf '%s\\0' "$path"
done
"""

# What a full disk or a power cut has left of a line goes away before the next one comes; `cat` says
# why it cannot write, where the shell's own `printf` does not.
APPEND = """
touch journal.jsonl
if [ -s journal.jsonl ] && [ "$(tail -c 1 journal.jsonl | wc -l)" -eq 0 ]; then
    truncate -s "-$(tail -n 1 journal.jsonl | wc -c)" journal.jsonl
fi
size=$(wc -c <journal.jsonl)
printf '%s\\n' "$line" | cat >>journal.jsonl || {
    truncate -s "$size" journal.jsonl
    exit 1
}
sync journal.jsonl .
"""

HISTORY = """
if [ -e journal.jsonl ]; then cat journal.jsonl; fi
"""

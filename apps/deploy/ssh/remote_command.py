"""How a host runs an operator's command: where, with what around it, and no moment too long."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from shlex import quote

SIGNAL = 128  # a shell's status of what a signal has ended is this and more


def environment(env: Mapping[str, str], words: Sequence[str]) -> str:
    """Return the line that sets `$@` to what `env -i` needs to run a command.

    `setsid` also keeps a first word such as `A=1` from being taken for a variable.
    """
    pairs = " ".join(quote(f"{name}={value}") for name, value in env.items())
    return f'set -- {pairs} "$(command -v setsid)" -- {" ".join(map(quote, words))}\n'


# Where a command runs.
IN_RELEASE = """
place=releases/.unfinished-$release
[ -d "$place" ] || place=releases/$release
if [ ! -d "$place" ] || [ -L "$place" ]; then echo "there was no release $release" >&2; exit 1; fi
cd -P -- "$place"
"""
IN_CURRENT = """
if [ ! -d current/. ]; then echo "no release was current" >&2; exit 1; fi
cd -P current/.
"""
IN_CURRENT_IF_ANY = """
if [ -d current/. ]; then cd -P current/.; fi
"""

# What a command finds in its environment beside PATH, HOME, LANG and its own: those of the host
# that talk to the user's session there need the place where it listens.
OF_US = "session=\n"
OF_THE_HOST = "session=${XDG_RUNTIME_DIR-}\n"

# The command is the leader of a session of its own, with nothing to read. A watcher beside it reads
# our dots: when they stop, or the connection ends, the command is asked to end and then killed,
# with all that is in its group. Both locks are closed to the command, not to the watcher.
RUN = """
if ! (PATH=${path:-$PATH}; command -v -- "$first" >/dev/null); then echo missing >&2; exit 0; fi
exec 3<&0
env -i PATH="$PATH" HOME="$HOME" LANG="${LANG:-C.UTF-8}" \\
    ${session:+XDG_RUNTIME_DIR="$session"} "$@" </dev/null 2>&1 3<&- 8>&- &
job=$!
trap '' PIPE  # a word about the job to nobody must not end us before the watcher
(
    while [ -n "$(exec 8>&-; timeout "$silence" dd bs=512 count=1 2>/dev/null)" ]; do :; done
    kill -TERM "-$job" || kill -TERM "$job" || :
    sleep "$grace" 8>&-
    kill -KILL "-$job" || kill -KILL "$job" || :
) <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
status=0
wait "$job" || status=$?
kill -KILL "$watcher" 2>/dev/null || :
[ "$leftovers" = stay ] || kill -KILL "-$job" 2>/dev/null || :
echo "ended $status" >&2
"""


def how(said: bytes) -> str:
    r"""Say how a command ended, from what `RUN` said, as `in_words` takes it; empty if nothing.

    >>> how(b"sh: Killed\nended 137\n")
    'signal 9'
    """
    last = said.decode("utf-8", "replace").rstrip("\n").rpartition("\n")[2]
    match last.split():
        case ["missing"]:
            return f"failed {errno.ENOENT}"
        case ["ended", number] if number.isdigit():
            code = int(number)
            return f"signal {code - SIGNAL}" if code > SIGNAL else f"exit {code}"
        case _:
            return ""

"""Run one command and end with it everything that it has started, also when its owner dies.

This is a program: a deploying process starts one per command and holds a pipe to it. When that
process dies, even by a signal that nobody can catch, the pipe ends, and so does the command.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ORDINARY = (
    "SIGTERM",
    "SIGINT",
    "SIGHUP",
    "SIGQUIT",
    "SIGPIPE",
    "SIGXFSZ",
)  # Python has changed some


def main() -> None:
    """Mind one command: `minding.py STATUS SECONDS GRACE KEPT WORD...`.

    Its standard input is the pipe of whoever owns it; its output is the command's, too. It writes
    lines to the open file STATUS: `started PID`, then how it ended (`exit N`, `signal N`, `late`,
    `told`), or only `failed ERRNO`. KEPT are files to hold until all is over, with commas between.
    """
    status, seconds, grace = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    for file in (status, *map(int, filter(None, sys.argv[4].split(",")))):
        os.set_inheritable(file, False)  # noqa: FBT003 - it takes no names
    become_reaper()
    ended = wake_up()
    pid = start(sys.argv[5:], status)
    if pid:
        os.write(status, b"started %d\n" % pid)
        how = ending(pid, ended, seconds)
        if how in {"late", "told"}:
            end_gently(pid, ended, grace)
        code = end_all(pid)
        os.write(status, (how or in_words(code)).encode() + b"\n")


def become_reaper() -> None:
    """Become the parent of whatever this process has started, once its own parent is gone.

    Only Linux can do that; elsewhere a process that has left its group is not found.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_up() -> int:
    """Return a file that can be read whenever a child has ended, or somebody said to stop."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, heard)
    return reading


def heard(_number: int, _frame: object) -> None:
    """A signal has been written to the wake-up file by now, and that is all it has to do."""


def start(words: list[str], status: int) -> int:
    """Start the command in a group of its own; return its process, or 0 when it cannot start."""
    reading, writing = os.pipe()
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(words, writing, me)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        failed = pipe.read()
    if failed:
        os.waitpid(pid, 0)
        os.write(status, b"failed " + failed + b"\n")
        return 0
    return pid


def _become(words: list[str], writing: int, parent: int) -> None:
    """Turn this forked child into the command."""
    try:
        os.setpgid(0, 0)
        if sys.platform == "linux":  # should whoever minds it be killed, this one goes as well
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        for name in ORDINARY:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvpe(words[0], words, os.environ)  # noqa: S606 - without a shell is the point
    except OSError as error:
        os.write(writing, b"%d" % (error.errno or 0))
    except BaseException:
        os.write(writing, b"0")
    finally:
        os._exit(127)


def ending(pid: int, ended: int, seconds: float) -> str:
    """Wait until the command ends, and say why it has to; empty when it ended by itself."""
    until = time.monotonic() + seconds
    while not has_ended(pid):
        left = until - time.monotonic()
        if left <= 0:
            return "late"
        readable = select.select([0, ended], [], [], min(left, 3600.0))[0]
        if 0 in readable and not os.read(0, 64):
            return "told"
        if ended in readable:
            numbers = os.read(ended, 4096)
            if set(numbers) - {signal.SIGCHLD}:
                return "told"
    return ""


def has_ended(pid: int) -> bool:
    """Whether the child has ended; it stays a zombie, so that its number is not given away."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end_gently(pid: int, ended: int, grace: float) -> None:
    """Ask the group of the command to end, and wait for it a little."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
    until = time.monotonic() + grace
    while not has_ended(pid) and (left := until - time.monotonic()) > 0:
        if select.select([ended], [], [], left)[0]:
            os.read(ended, 4096)


def end_all(pid: int) -> int:
    """Kill the group of the command and all that has left it; return how the command ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    end_children()
    return code


def end_children() -> None:
    """Kill every child; whatever it had started becomes a child of this process, and so on."""
    with suppress(ChildProcessError):
        while True:
            for child in children():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def children() -> list[int]:
    """Return the children of this process, as Linux lists them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as listed:  # noqa: PTH123 - pathlib would take longer to load than the rest
            return [int(word) for word in listed.read().split()]
    except OSError:
        return []


def in_words(code: int) -> str:
    """Say how a process ended."""
    return f"exit {code}" if code >= 0 else f"signal {-code}"


if __name__ == "__main__":
    main()

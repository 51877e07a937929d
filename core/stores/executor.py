"""Who is running a call, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def this_process() -> str:
    """Return a name for this process that no later process can have: host, pid, start time."""
    return _name(os.getpid())


@cache
def _name(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{started(pid)}"


def started(pid: int) -> str:
    """Return when a process of this machine began, as its kernel counts; empty if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _unknown(pid)
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else f"{fields[19]}.{_boot()}"


@cache
def _boot() -> str:
    """Tell this run of the machine from others: start times are counted from its beginning."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]


def _unknown(pid: int) -> str:
    """Where the kernel does not tell start times, a living process of that pid has to do."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "?"


def is_gone(name: str) -> bool:
    """Return whether the process of that name has ended. Of another machine nothing is known."""
    host, _, process = name.partition(":")
    pid, _, start = process.partition(":")
    here = host == socket.gethostname() and pid.isdecimal()
    return here and started(int(pid)) != start

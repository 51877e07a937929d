"""Hold an environment: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from ..errors import Busy
from .durable import shown, write_all

LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(
    folder: Path, who: str, now: Callable[[], datetime], *, patience: float = 10.0
) -> Generator[int]:
    """Hold the environment in `folder`; the value is an open file for those who run commands.

    There are two locks, and the kernel lets go of each when the last process that has it open is
    gone. `lock` is held by this process alone. `commands.lock` is also held by whoever minds a
    command, so that after this one was killed the next begins when its commands have ended too.

    Args:
        patience: Seconds to wait for the commands of a deploy that was killed.

    Raises:
        Busy: Somebody holds it.
        OSError: The lock cannot be written.
    """
    mine = taken(folder / "lock")
    if mine is None:
        raise Busy(_sentence(folder))
    commands = None
    try:
        commands = taken(folder / "commands.lock", patience=patience)
        if commands is None:
            raise Busy(
                f"{shown(folder)}: a deploy was killed, and a command of it does not end;"
                " nothing was done: end that command, then try again."
            )
        _write_about(mine, who, now())
        yield commands
    finally:
        with suppress(OSError):  # a full disk must not keep anybody from letting go
            os.ftruncate(mine, 0)
        for file in (commands, mine):
            if file is not None:
                let_go(file)


def taken(path: Path, *, patience: float = 0.0) -> int | None:
    """Take the lock; return its open file, or `None` when somebody has held it for so long."""
    until = time.monotonic() + patience
    while True:
        file = os.open(path, LOCK_FILE, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), path.stat()):  # nobody has put another there
                return file
        except (BlockingIOError, FileNotFoundError):
            if time.monotonic() >= until:
                os.close(file)
                return None
            time.sleep(0.01)
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def let_go(file: int) -> None:
    """Let go of a lock that was taken, even if a forked child still has it open."""
    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock; looking takes nothing from anybody."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _write_about(file: int, who: str, now: datetime) -> None:
    about = {"who": who, "pid": os.getpid(), "since": now.isoformat(timespec="seconds")}
    os.ftruncate(file, 0)
    write_all(file, json.dumps(about).encode())


def _sentence(folder: Path) -> str:
    """Say who holds the lock; it may be that they are just writing who they are."""
    try:
        about = json.loads((folder / "lock").read_bytes())
        who, pid, since = about["who"], about["pid"], about["since"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{shown(folder)}: somebody deploys there right now; nothing was done."
    return (
        f"{shown(folder)}: {shown(str(who))} deploys there since {since} (process {pid});"
        " nothing was done: try again when that has ended."
    )

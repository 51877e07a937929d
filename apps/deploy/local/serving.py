"""Start, stop and ask after the service of an environment, whoever keeps it running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ..errors import CommandFailed, Unreachable
from ..model import Command
from .durable import shown, write_whole
from .locking import is_held
from .minded import surroundings

PATIENCE = 20.0  # seconds; a service gets half of that to end by itself


def restart(folder: Path, command: Command, *, kept: Sequence[int] = ()) -> None:
    """End what runs, and start the service in the release that is current now.

    Returns once the old one is gone and the new one has been started; how it does is not known.

    Args:
        kept: Open files to hold until the new one has been started, should this process be killed.

    Raises:
        CommandFailed: It could not be started; nothing runs.
        Unreachable: The old one does not end.
        OSError: The folder cannot be written.
    """
    about = {"words": command.words, "env": dict(command.env)}
    write_whole(folder / "service.json", json.dumps(about, indent=2).encode(), mode=0o600)
    stop(folder)
    start(folder, kept=kept)


def start(folder: Path, *, kept: Sequence[int] = ()) -> None:
    """Start what `service.json` says, and whoever keeps it running.

    Raises:
        CommandFailed: It could not be started, or runs already.
    """
    package = __name__.rpartition(".")[0]
    top = Path(__file__).parents[package.count(".") + 1]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", f"{package}.supervising", str(folder)],
            cwd="/",
            env=surroundings() | {"PYTHONPATH": str(top)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            pass_fds=tuple(kept),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{shown(folder)}: the service was not started in time.") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["the service could not be started."]
        raise CommandFailed(lines[-1])


def stop(folder: Path) -> None:
    """End the service, if it runs; the way is free for another when this returns.

    Raises:
        Unreachable: It does not end.
    """
    until = time.monotonic() + PATIENCE
    while is_held(folder / "service.lock"):
        if time.monotonic() > until:
            raise Unreachable(
                f"{shown(folder)}: the service does not end, although it was told to;"
                " it still runs as before: end it by hand, then try again."
            )
        # Nobody reads orders while a supervisor begins, or after one was killed: then ask again.
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(folder / "service.orders", flags)
            try:
                os.write(file, b"!")
            finally:
                os.close(file)
        time.sleep(0.02)


def about(folder: Path, now: datetime) -> str:
    """Say in a few words how the service does."""
    if not is_held(folder / "service.lock"):
        return "stopped"
    found = _state(folder)
    restarts = found.get("restarts", 0)
    again = f", restarted {restarts} time{'s' * (restarts != 1)}" if restarts else ""
    match found:
        case {"state": "runs", "since": str(since), "pid": int(pid)}:
            began = datetime.fromisoformat(since).strftime("%Y-%m-%d %H:%M:%S UTC")
            return f"runs since {began} (process {pid}){again}"
        case {"state": "fails", "how": str(how), "next": str(following)}:
            left = max(0.0, (datetime.fromisoformat(following) - now).total_seconds())
            return f"keeps failing: {how}{again}, next try in {left:.0f} s"
        case _:
            return "is being started"


def release_in_use(folder: Path) -> str:
    """Return the release that the service was started from; empty when it does not run."""
    return str(_state(folder).get("release", "")) if is_held(folder / "service.lock") else ""


def _state(folder: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((folder / "service.state").read_bytes())
    except (OSError, ValueError):
        return {}
    return found

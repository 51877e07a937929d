"""Hold an environment on a host: the host holds the lock for us while it hears us."""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..errors import Busy
from ..local.durable import shown
from . import remote
from .channel import Channel, ChannelLost
from .host import Host

BEATS = 3  # so many dots are sent while the host waits for one
PATIENCE = 10.0  # seconds for the last step of a deploy that was killed
SECONDS = 60.0
DOING = "its lock was taken"
HELD = b"held\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The shell on the host that holds the lock for us.

    Attributes:
        token: What it wrote into the lock, so that every step can see that it is still ours.
    """

    channel: Channel
    token: str


@contextmanager
def held(host: Host, who: str, *, silence: float) -> Generator[Holder]:
    """Hold the lock; nobody has it any more when this ends.

    Args:
        silence: Seconds without a word of us after which the host lets go.

    Raises:
        Busy: Somebody holds it.
        Unreachable: The host cannot be used.
    """
    token = secrets.token_hex(16)
    given = remote.script(
        remote.LOCK,
        folder=host.folder,
        who=json.dumps(who),
        token=token,
        silence=f"{silence:g}",
        patience=f"{PATIENCE:g}",
    )
    with host.start(given, beat=silence / BEATS) as channel:
        _wait_for_lock(host, channel)
        try:
            yield Holder(channel=channel, token=token)
        finally:
            _let_go(channel)


def _wait_for_lock(host: Host, channel: Channel) -> None:
    got = bytearray()

    def is_held() -> bool:
        return bytes(got) == HELD

    try:
        status = channel.wait(got.extend, seconds=PATIENCE + SECONDS, enough=is_held)
    except (ChannelLost, TimeoutError):
        raise host.cut_off(DOING) from None
    match status:
        case Channel.STILL_RUNS:
            return
        case remote.TAKEN:
            raise Busy(_held_by(host.where, bytes(got)))
        case remote.STILL_BUSY:
            raise Busy(
                f"{host.where}: a deploy was killed, and a command of it does not end; nothing was"
                " done: end that command, then try again."
            )
        case _:
            host.look_at(DOING, status, channel.said)
            raise host.cut_off(DOING)


def _held_by(where: str, got: bytes) -> str:
    """Say who holds the lock; it may be that they are just writing who they are."""
    try:
        about = json.loads(got)
        who, since = shown(str(about["who"])), shown(str(about["since"]))
    except (ValueError, KeyError, TypeError):
        return f"{where}: somebody deploys there right now; nothing was done."
    return (
        f"{where}: {who} deploys there since {since}; nothing was done: try again when that has"
        " ended."
    )


def _let_go(channel: Channel) -> None:
    """Let go, and wait until that is so: whoever comes next finds the lock free."""
    if not channel.is_over:
        channel.end_input()
        # Else it ends with the connection, or when the host has not heard us for a while.
        with suppress(ChannelLost, TimeoutError):
            channel.wait(_ignore, seconds=PATIENCE)


def _ignore(_: bytes) -> None:
    """There is nothing to hear from somebody who holds a lock."""

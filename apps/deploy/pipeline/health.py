"""Ask a service over HTTP whether it is well, and do not take the answer of another one."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast
from urllib.parse import SplitResult, urlsplit

from ..errors import Unhealthy
from ..model import sha_of
from .plain import lines_of, printable

MOST_READ = 64_000  # bytes of an answer
LONGEST_TRY = 3.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0  # seconds between two tries
SLOWER = 1.5  # how much longer each pause is than the one before


def wait_until_healthy(
    url: str,
    release: str,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Ask again and again until the service is well; return how often it was asked.

    Args:
        release: What has to answer. A service may put `"release"` or `"commit"` into an answer in
            JSON; then these have to be the ones of the release.
        seconds: For all of it.

    Raises:
        Unhealthy: It was not well in time; the message says what was wrong at last.
    """
    give_up, pause, tries = clock() + seconds, FIRST_PAUSE, 0
    while True:
        tries += 1
        why_not = ask(url, release, seconds=min(LONGEST_TRY, max(0.05, give_up - clock())))
        if not why_not:
            return tries
        if clock() + pause >= give_up:
            times = "once" if tries == 1 else f"{tries} times"
            raise Unhealthy(
                f"{url} was asked {times} in {seconds:g} s and is not healthy: {why_not}."
            )
        sleep(pause)
        pause = min(SLOWER * pause, LONGEST_PAUSE)


def ask(url: str, release: str, *, seconds: float) -> str:
    """Ask once; return why the service is not well, and nothing when it is.

    No proxy is used, and nobody is sent elsewhere.
    """
    parts = urlsplit(url)
    began, connection = time.monotonic(), _connection(parts, seconds)
    try:
        connection.connect()
        # A service that sends a byte now and then never runs into the time limit of its socket.
        timer = threading.Timer(max(0.0, began + seconds - time.monotonic()), _hang_up(connection))
        timer.daemon = True
        timer.start()
        try:
            status, body, is_whole = _answered(connection, parts)
        finally:
            timer.cancel()
    except TimeoutError:
        return _too_late(seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _late(began, seconds) or _reason(error)
    finally:
        connection.close()
    if not is_whole:
        return _late(began, seconds) or "its answer ended in the middle"
    return _late(began, seconds) or _judged(status, body, release)


def _answered(
    connection: http.client.HTTPConnection, parts: SplitResult
) -> tuple[int, bytes, bool]:
    """Return status, beginning of the body, and whether that came as long as it was announced."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("GET", path, headers={"User-Agent": "health"})
    response = connection.getresponse()
    body = response.read(MOST_READ)
    return response.status, body, not response.length or len(body) == MOST_READ


def _connection(parts: SplitResult, seconds: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=seconds)


def _hang_up(connection: http.client.HTTPConnection) -> Callable[[], None]:
    connected = connection.sock  # an answer that ends with the connection takes it away from there

    def hang_up() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    return hang_up


def _late(began: float, seconds: float) -> str:
    return _too_late(seconds) if time.monotonic() - began >= seconds else ""


def _too_late(seconds: float) -> str:
    return f"no whole answer within {seconds:.1f} s"


def _reason(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "connection refused: nothing listens there"
        case http.client.RemoteDisconnected() | ConnectionResetError():
            return "it hung up without an answer"
        case OSError(strerror=str(said)):
            return said
        case _:
            return f"no answer in HTTP ({type(error).__name__})"


def _judged(status: int, body: bytes, release: str) -> str:
    if not 200 <= status < 300:
        first = next(iter(lines_of(body, 1_000)), "")
        return f"status {status}" + (f" ({first})" if first else "")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    facts = cast("dict[str, object]", said) if isinstance(said, dict) else {}
    for name, meant in (("release", release), ("commit", sha_of(release))):
        given = facts.get(name)
        if isinstance(given, str) and given and not _is_meant(name, given, meant):
            return f"another {name} answers: {printable(given)}"
    return ""


def _is_meant(name: str, given: str, meant: str) -> bool:
    """Tell whether an answer names what it should; a commit may be named by its first digits."""
    return given == meant or (name == "commit" and len(given) >= 7 and meant.startswith(given))

"""Wake other processes the moment something is committed. A hint beside the database, no more.

Every process that waits has a Unix datagram socket in one folder, and whoever commits sends the
request's id to all of them. A hint that gets lost delays a waiting call by a second at most: the
listening thread asks the database that often what other processes have committed.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from ..model import StoreError
from .watching import Watchers

SECONDS_BETWEEN_LOOKS = 1.0


class Bell:
    """Rings in every process that listens to the same file.

    Args:
        path: The store's file; its real path names the folder of the sockets.
        watchers: Who is woken in this process.
        news: Makes a function that returns the ids other processes have touched since the last
            time.
    """

    def __init__(
        self, path: Path, watchers: Watchers, news: Callable[[], Callable[[], list[str]]]
    ) -> None:
        self._folder = _folder(path)
        self._watchers = watchers
        self._news = news
        self.lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._name = ""
        self._pid = 0

    def ring(self, request_id: str) -> None:
        """Tell every other listener. What cannot be told now is found at the next look."""
        mine = self._name if self._pid == os.getpid() else ""  # after a fork it is the parent's
        with suppress(OSError):
            if names := [name for name in os.listdir(self._folder) if name != mine]:  # noqa: PTH208 - half the time of `iterdir`
                _send([self._folder / name for name in names], request_id.encode())

    def listen(self) -> None:
        """Start the listening thread of this process, once; a forked child starts its own."""
        with self.lock:
            if self._socket is not None and self._pid == os.getpid():
                return
            if self._socket is not None:
                self._socket.close()  # the parent's goes on listening
            news = self._news()  # may fail, and then nothing has been begun
            self._pid = os.getpid()
            self._socket = self._bind()
            arguments = (self._socket, news)
            threading.Thread(target=self._run, args=arguments, daemon=True, name="bell").start()

    def _bind(self) -> socket.socket:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        found.settimeout(SECONDS_BETWEEN_LOOKS)
        with suppress(OSError):  # without a socket there is still the look every second
            _make_private(self._folder)
            self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
            found.bind(str(self._folder / self._name))
        return found

    def _run(self, listening: socket.socket, news: Callable[[], list[str]]) -> None:
        """Pass on hints, and look for lost ones every second however many others arrive."""
        look_at = time.monotonic()
        while self._socket is listening:
            if rung := _receive(listening):
                self._watchers.wake(rung)
            if time.monotonic() >= look_at:
                with suppress(StoreError):  # what cannot be read now is looked for again
                    for request_id in news():
                        self._watchers.wake(request_id)
                look_at = time.monotonic() + SECONDS_BETWEEN_LOOKS
        _remove(listening)

    def close(self) -> None:
        """Stop listening; the thread ends by itself."""
        with self.lock:
            listening, self._socket = self._socket, None
            if listening is not None and self._pid == os.getpid():
                with suppress(OSError):
                    _send([Path(listening.getsockname())], b"")


def _send(places: list[Path], text: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0)
        for place in places:
            try:
                sender.sendto(text, str(place))
            except ConnectionRefusedError:
                place.unlink(missing_ok=True)  # its process is gone; nobody will ever read here
            except OSError:
                continue  # full, or gone this instant: the others are told all the same


def _folder(path: Path) -> Path:
    """A short path: the name of a Unix socket has to fit in about a hundred bytes."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gated-{os.getuid()}" / name


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in (folder.parent, folder):
        about = place.lstat()
        if about.st_uid != os.getuid():
            raise PermissionError(f"{place} belongs to somebody else")
        place.chmod(0o700)


def _receive(listening: socket.socket) -> str:
    """Return the id that was rung, or nothing when it stayed quiet for a second."""
    try:
        return listening.recv(200).decode("ascii", "replace")
    except TimeoutError:
        return ""


def _remove(listening: socket.socket) -> None:
    with suppress(OSError):
        name = listening.getsockname()
        listening.close()
        if name:
            Path(name).unlink()

"""Who in this process waits for which request."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

EVERYTHING = ""


class Watchers:
    """Callbacks by request id. Watching the empty id is watching everything."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._callbacks: defaultdict[str, list[Callable[[], object]]] = defaultdict(list)

    @contextmanager
    def watch(self, request_id: str, changed: Callable[[], object], /) -> Generator[None]:
        """Call `changed` whenever the request may have changed, until the block ends."""
        with self.lock:
            self._callbacks[request_id].append(changed)
        try:
            yield
        finally:
            with self.lock:
                self._callbacks[request_id].remove(changed)
                if not self._callbacks[request_id]:
                    del self._callbacks[request_id]

    def wake(self, request_id: str) -> None:
        """Tell those who watch this request, and those who watch everything."""
        if not self._callbacks:
            return
        with self.lock:
            callbacks = [*self._callbacks.get(request_id, ())]
            if request_id != EVERYTHING:
                callbacks += self._callbacks.get(EVERYTHING, ())
        for changed in callbacks:
            with suppress(Exception):  # a window that is closing; what is committed stays so
                changed()

"""People for tests: approvers that say what they were told to say, and stores that break."""

import asyncio
import threading
import time

from core import Approve, Reject, StoreError

YES = Approve(by="ana")
NO = Reject(by="ana", reason="archive it first")


class Says:
    """Answers with one word after another and remembers what it was shown.

    A word may be a function of the request. Asked once more than it has words, it fails.
    """

    def __init__(self, *words):
        self.words = list(words)
        self.seen = []

    def __call__(self, request):
        self.seen.append(request)
        word = self.words.pop(0)
        return word(request) if callable(word) else word


class Silent:
    """Waits for ever, and counts how often it was asked and told that it may stop waiting."""

    def __init__(self):
        self.seen = []
        self.withdrawn = 0

    async def __call__(self, request):
        self.seen.append(request)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise


class Breaking:
    """A store of which one method fails from its n-th call on."""

    def __init__(self, store, method, *, after=0):
        self.store, self.method, self.left = store, method, after

    def __getattr__(self, name):
        found = getattr(self.store, name)
        if name != self.method:
            return found

        def failing(*args, **kwargs):
            self.left -= 1
            if self.left < 0:
                raise StoreError("the disk is full")
            return found(*args, **kwargs)

        return failing


def eventually(look, seconds=20.0):
    """Return what `look` returns once it is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
    return found


async def soon(look):
    """Let others go on until `look` returns something true, and return that."""
    while not (found := look()):  # noqa: ASYNC110 - what is looked at cannot ring
        await asyncio.sleep(0.001)
    return found


def pending(store):
    """Wait for the one pending request and return it."""
    return eventually(store.pending)[0]


class Background:
    """Run a function in a thread; leaving the block waits for its end."""

    def __init__(self, fn, *args, **kwargs):
        self.result = self.error = None
        self._work = (fn, args, kwargs)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        fn, args, kwargs = self._work
        try:
            self.result = fn(*args, **kwargs)
        except BaseException as error:
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(10)
        assert not self._thread.is_alive(), "it still waits"

    @property
    def running(self):
        return self._thread.is_alive()

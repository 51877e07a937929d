"""Waiting for people without standing in anybody's way."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from .model import ApprovalRequest, Approver, Decision, State, Store, StoredRequest, utc_now

R = TypeVar("R")
T = TypeVar("T")

LONGEST_NAP = 60.0
SHORTEST_NAP = 0.01


async def answer(approver: Approver, request: ApprovalRequest) -> Decision:
    """Ask an approver of either colour; one that blocks gets a thread of its own."""
    if inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(
        getattr(approver, "__call__", None)  # noqa: B004 - its colour is wanted, not whether it is there
    ):
        return await _awaited(approver(request))
    return await _awaited(await in_thread(approver, request))


async def in_thread(fn: Callable[[T], R], argument: T) -> R:
    """Call `fn` in a thread of its own: those of a pool would be used up by people who are slow.

    Nobody waits for the thread of a question that was withdrawn, at the end of the process neither.
    """
    done: Future[R] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(fn, argument)
        except BaseException as error:
            is_usual = isinstance(error, Exception) and not isinstance(error, StopIteration)
            _tell(done.set_exception, error if is_usual else RuntimeError(repr(error)))
        else:
            _tell(done.set_result, result)

    threading.Thread(target=work, daemon=True, name="question").start()
    return await asyncio.wrap_future(done)


def _tell(tell: Callable[[Any], None], end: object) -> None:
    with suppress(InvalidStateError):  # nobody listens any more
        tell(end)


async def _awaited(given: Any) -> Decision:
    decision: Decision = await given if inspect.isawaitable(given) else given
    return decision


async def until(
    store: Store, request_id: str, ready: Callable[[StoredRequest], bool]
) -> StoredRequest:
    """Wait until `ready` holds for the request as stored. A hint wakes it, a look never misses."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop has ended, and whoever waited with it
            loop.call_soon_threadsafe(changed.set)

    with store.watch(request_id, wake):
        while True:
            changed.clear()
            stored = store.get(request_id)
            if ready(stored):
                return stored
            with suppress(TimeoutError):
                async with asyncio.timeout(nap(stored)):
                    await changed.wait()


def is_decided(stored: StoredRequest) -> bool:
    """Whether people are done with it."""
    return stored.state is not State.PENDING


def is_over(stored: StoredRequest) -> bool:
    """Whether it has ended, one way or another, or a person is needed to say how."""
    return stored.state not in {State.PENDING, State.APPROVED, State.EXECUTING}


def wait_for(question: Coroutine[Any, Any, R]) -> R:
    """Wait for an async answer from sync code, also below a running event loop."""
    done: Future[R] = Future()
    context = contextvars.copy_context()
    loop = _loop(os.getpid())

    def start() -> None:
        tasks.append(loop.create_task(_into(done, question), context=context))

    tasks: list[asyncio.Task[None]] = []
    loop.call_soon_threadsafe(start)
    try:
        return done.result()
    except BaseException:
        if not done.done():
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
        raise


async def _into(done: Future[R], question: Coroutine[Any, Any, R]) -> None:
    """Hand on what the question ends with, whatever it is: the loop serves other calls too."""
    try:
        _tell(done.set_result, await question)
    except BaseException as error:
        _tell(done.set_exception, error)


@cache
def _loop(_pid: int) -> asyncio.AbstractEventLoop:
    """One event loop in a thread of its own, for all sync calls of this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="approvals").start()
    return loop


def nap(stored: StoredRequest) -> float:
    """Return how many seconds to sleep at most: until it expires, for then nobody rings."""
    limits = {State.PENDING: stored.request.expires_at, State.APPROVED: stored.run_by}
    due = limits.get(stored.state)
    left = (due - utc_now()).total_seconds() if due else LONGEST_NAP
    return min(max(left, SHORTEST_NAP), LONGEST_NAP)

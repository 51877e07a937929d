"""Waiting for people without standing in anybody's way."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

from .model import (
    ApprovalRequest,
    Approve,
    Approver,
    Decision,
    Edit,
    Reject,
    State,
    Store,
    StoredRequest,
    utc_now,
)

R = TypeVar("R")
T = TypeVar("T")

_listener: ContextVar[Future[Any] | None] = ContextVar("who hears this thread", default=None)

LONGEST_NAP = 60.0
SHORTEST_NAP = 0.01
SECONDS_TO_WITHDRAW = 2.0
SECONDS_BETWEEN_LOOKS = 0.5


async def answer(approver: Approver, request: ApprovalRequest, /) -> Decision:
    """Return what an approver of either colour decides; one that blocks gets a thread of its own.

    When the question is withdrawn, an async approver is cancelled. A sync one cannot be: its
    thread is left to end by itself, and nobody hears what it says.

    Raises:
        TypeError: It answered with something that decides nothing.
        Exception: Whatever the approver raises.
    """
    given: Any = approver(request) if _is_async(approver) else await in_thread(approver, request)
    decision: Any = await given if inspect.isawaitable(given) else given
    if isinstance(decision, (Approve, Edit, Reject)) and type(decision.by) is str:
        return decision
    raise TypeError(f"it answered with {type(decision).__name__}, which decides nothing")


def _is_async(approver: Approver) -> bool:
    call = getattr(approver, "__call__", None)  # noqa: B004 - its colour is wanted, not whether it is there
    return inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(call)


async def in_thread(fn: Callable[[T], R], argument: T) -> R:
    """Call `fn` in a thread of its own: those of a pool would be used up by people who are slow.

    Nobody waits for the thread of a question that was withdrawn, at the end of the process neither.
    What that thread itself waits for in `wait_for` is withdrawn with it.
    """
    done: Future[R] = Future()
    context = contextvars.copy_context()
    context.run(_listener.set, done)

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


async def until(
    store: Store,
    request_id: str,
    ready: Callable[[StoredRequest], bool],
    seconds: float = LONGEST_NAP,
) -> StoredRequest:
    """Wait until `ready` holds for the request as stored. A hint wakes it, a look never misses.

    Args:
        seconds: Until it looks by itself, should a store ever wake nobody.
    """
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
                async with asyncio.timeout(min(nap(stored), seconds)):
                    await changed.wait()


def is_decided(stored: StoredRequest) -> bool:
    """Whether people are done with it."""
    return stored.state is not State.PENDING


def is_over(stored: StoredRequest) -> bool:
    """Whether it has ended, one way or another, or a person is needed to say how."""
    return stored.state not in {State.PENDING, State.APPROVED, State.EXECUTING}


def wait_for(question: Coroutine[Any, Any, R], unheard: Callable[[R], object]) -> R:
    """Wait for an async answer from sync code, also below a running event loop.

    Args:
        unheard: Takes an answer that came in the instant in which the waiting was interrupted.

    Raises:
        RuntimeError: That loop is the very one on which all sync calls wait.
    """
    done: Future[R] = Future()
    context = contextvars.copy_context()
    loop = _loop(os.getpid())
    if _is_running(loop):
        question.close()
        raise RuntimeError(
            "a gated function that is not async was called by an async approver or preview on the"
            " loop that waits for both, so it would wait for itself; make it async"
        )

    def start() -> None:
        tasks.append(loop.create_task(_into(done, question), context=context))

    def withdraw(_: object = None) -> None:
        if not done.done():
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            if not _is_running(loop):  # the process may end, and the store be closed, after this
                wait([done], SECONDS_TO_WITHDRAW)

    tasks: list[asyncio.Task[None]] = []
    try:
        loop.call_soon_threadsafe(start)
        if (listener := _listener.get()) is not None:
            listener.add_done_callback(withdraw)
        return _heard(done)
    except BaseException:
        done.add_done_callback(lambda end: None if end.exception() else unheard(end.result()))
        withdraw()
        raise


def _heard(done: Future[R]) -> R:
    """Wait, and on the main thread look up now and then.

    A Ctrl-C that comes in the instant before a lock begins to wait does not end that wait.
    """
    while threading.current_thread() is threading.main_thread() and not done.done():
        wait([done], SECONDS_BETWEEN_LOOKS)
    return done.result()


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `loop` is the one that runs this very code."""
    with suppress(RuntimeError):
        return asyncio.get_running_loop() is loop
    return False


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

"""Ask any approver, sync or async, without holding up the others."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from contextlib import suppress

from ..model import ApprovalRequest, Approve, Approver, Decision, Edit, Reject


async def answer(approver: Approver, request: ApprovalRequest, /) -> Decision:
    """Return what `approver` decides; one that blocks gets a thread of its own.

    When the question is withdrawn, an async approver is cancelled. A sync one cannot be: its
    thread is left to end by itself, and nobody hears what it says.

    Raises:
        TypeError: It answered with something that decides nothing.
        Exception: Whatever the approver raises.
    """
    given = approver(request) if _is_async(approver) else await _in_thread(approver, request)
    decision: object = await given if inspect.isawaitable(given) else given
    if not isinstance(decision, (Approve, Edit, Reject)):
        raise TypeError(f"it answered with {type(decision).__name__}, which decides nothing")
    return decision


def _is_async(approver: Approver) -> bool:
    call = getattr(approver, "__call__", None)  # noqa: B004 - its colour is wanted, not whether it is there
    return inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(call)


async def _in_thread(approver: Approver, request: ApprovalRequest) -> object:
    """Call in a daemon thread: a pool would run out of threads while people think."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[object, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(given: object, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((given, error))

    def work() -> None:
        given: object = None
        failed: BaseException | None = None
        try:
            given = context.run(approver, request)
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the loop may be gone, and with it whoever asked
            loop.call_soon_threadsafe(settle, given, failed)

    threading.Thread(target=work, daemon=True, name="approver").start()
    given, failed = await done
    if failed is not None and not isinstance(failed, Exception):
        raise RuntimeError(f"the approver ended with {type(failed).__name__}") from failed
    if failed is not None:
        raise failed
    return given

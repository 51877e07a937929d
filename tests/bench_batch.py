"""What a batch costs: a thousand calls queued, reviewed and run, and the same ones one by one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import ApprovalRequest, Approve, Batch, SqliteStore, Store, gate

CALLS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One figure, in seconds for each call.

    Attributes:
        base: The figure it is compared with; 0 without one.
    """

    name: str
    seconds: float
    base: float = 0.0


def measure(folder: Path) -> list[Found]:
    """Return what one call costs, asked alone and in a batch of a thousand."""
    with SqliteStore(folder / "alone.db") as store:
        alone = _alone(store)
    with SqliteStore(folder / "batch.db") as store:
        queued, reviewed = _together(store, chained=False)
    with SqliteStore(folder / "chain.db") as store:
        _, chained = _together(store, chained=True)
    count = f"{CALLS:,}"
    return [
        Found(name="a call that is asked alone", seconds=alone),
        Found(name=f"{count} calls: queued, each", seconds=queued),
        Found(name=f"{count} calls: reviewed and run, each", seconds=reviewed, base=alone),
        Found(
            name=f"{count} calls, each on a result: reviewed and run", seconds=chained, base=alone
        ),
    ]


async def _ana(request: ApprovalRequest) -> Approve:
    return Approve(by="ana")


def _tool(charge: str, amount: int) -> int:
    return amount


def _alone(store: Store) -> float:
    asked = gate(_tool, approver=_ana, store=store)
    start = time.perf_counter()
    for number in range(CALLS):
        asked(f"ch_{number}", number)
    return (time.perf_counter() - start) / CALLS


def _together(store: Store, *, chained: bool) -> tuple[float, float]:
    batch = Batch(approver=_ana, store=store)
    tool: Callable[..., object] = batch.gate(_tool)
    start = time.perf_counter()
    amount: object = 1
    for number in range(CALLS):
        queued = tool(f"ch_{number}", amount)
        amount = queued if chained else number
    begun = time.perf_counter()
    results = batch.review_and_execute()
    ended = time.perf_counter()
    if len(results) != CALLS or any(isinstance(found, str) for found in results.values()):
        raise RuntimeError(f"not every call of the batch ran: {results}")
    return (begun - start) / CALLS, (ended - begun) / CALLS

"""How soon a waiting call hears of another process's decision, and what waiting costs."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles

from core import ApprovalRequest, Approve, SqliteStore, gate

DECISIONS = 300
IDLE_SECONDS = 5.0
PAUSE_SECONDS = 0.004


def measure(path: Path, waiters: int) -> list[tuple[str, float, str]]:
    """Return names, values and units for that many calls that wait in one process."""
    with SqliteStore(path) as store:
        return asyncio.run(_measure(store, waiters))


async def _measure(store: SqliteStore, waiters: int) -> list[tuple[str, float, str]]:
    heard, ran = dict[int, int](), dict[int, int]()

    async def nobody(request: ApprovalRequest) -> Approve:
        try:
            await asyncio.Event().wait()
        finally:
            heard[int(str(request.arguments["x"]))] = _now()
        return Approve(by="nobody")

    async def tool(x: int) -> None:
        ran[x] = _now()

    gated = gate(tool, approver=nobody, store=store)
    calls = [asyncio.create_task(gated(x)) for x in range(waiters)]
    await _all_wait(store, waiters)
    idle = await _idle() if waiters > 1 else None
    decider = await _start(store.path)
    decided = dict[int, tuple[int, int]]()
    for number in range(DECISIONS):
        if waiters == 1 and number:
            calls.append(asyncio.create_task(gated(number)))
            await _all_wait(store, 1)
        waiting = store.pending(limit=1)[0].request
        decider.stdin.write(f"{waiting.id} {waiting.digest}\n".encode())
        x = int(str(waiting.arguments["x"]))
        begun, committed = (await decider.stdout.readline()).split()
        decided[x] = int(begun), int(committed)
        await calls[x]
    decider.stdin.close()
    await decider.wait()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return _figures(decided, heard, ran, idle)


async def _all_wait(store: SqliteStore, waiters: int) -> None:
    while len(store.pending(limit=waiters)) < waiters:  # noqa: ASYNC110 - a store sets no events
        await asyncio.sleep(0.001)
    await asyncio.sleep(PAUSE_SECONDS)


async def _idle() -> float:
    """Return the share of a processor that this process uses while nothing happens, in percent."""
    await asyncio.sleep(1)
    before = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    return 100 * (time.process_time() - before) / IDLE_SECONDS


async def _start(path: Path) -> asyncio.subprocess.Process:
    """Start the process that decides, and wait until it is ready."""
    words = [sys.executable, "-m", "tests.bench_wake", str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    decider = await asyncio.create_subprocess_exec(*words, **pipes)
    await decider.stdout.readline()
    return decider


def _figures(
    decided: dict[int, tuple[int, int]],
    heard: dict[int, int],
    ran: dict[int, int],
    idle: float | None,
) -> list[tuple[str, float, str]]:
    woken = [(heard[x] - committed) / 1e6 for x, (_, committed) in decided.items()]
    whole = [(ran[x] - begun) / 1e6 for x, (begun, _) in decided.items()]
    found = [
        ("committed decision to the waiting call, median", median(woken), "ms"),
        ("committed decision to the waiting call, p99", quantiles(woken, n=100)[98], "ms"),
        ("vote begun to the tool's first instruction (two commits)", median(whole), "ms"),
    ]
    return [*found, ("processor while idle, over 5 s", idle, "%")] if idle is not None else found


def decide(path: str) -> None:
    """Approve what each line names; print when the vote was begun, and when it was committed."""
    committed = list[int]()
    with SqliteStore(path) as store, store.watch("", lambda: committed.append(_now())):
        print("ready", flush=True)
        for line in sys.stdin:
            request_id, digest = line.split()
            time.sleep(PAUSE_SECONDS)
            committed.clear()
            begun = _now()
            store.vote(request_id, Approve(by="ana"), digest=digest)
            print(begun, committed[0], flush=True)


def _now() -> int:
    """One clock for all processes of this machine, in nanoseconds."""
    return time.monotonic_ns()


if __name__ == "__main__":
    decide(sys.argv[1])

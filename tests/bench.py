"""What asking costs: `python -m tests.bench [SECTION ...] [--json] [--folder DIR]`.

Every figure stands next to the bare thing it is built on, measured in the same run with the same
SQLite library, journal mode and folder. Medians, unless a row says otherwise.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from core import ApprovalRequest, Approve, MemoryStore, SqliteStore, gate
from core.canonical import digest, encode
from core.stores.sqlite_file import library

from . import (
    bench_batch,
    bench_dashboard,
    bench_deploy,
    bench_peer,
    bench_support,
    bench_wake,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        ratio: How many times the figure it is compared with; 0 without one.
        to: What it is compared with.
        wanted: The most it should be, as text; empty when nothing was promised.
    """

    section: str
    name: str
    value: float
    unit: str
    ratio: float = 0.0
    to: str = ""
    wanted: str = ""


def main() -> None:
    """Measure what the command line names, everything without a name, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"{', '.join(SECTIONS)}; without one, all")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="on the disk to measure")
    given = parser.parse_args()
    if strange := sorted({*given.sections} - SECTIONS.keys()):
        parser.error(f"there is no section {', '.join(strange)}; there are {', '.join(SECTIONS)}")
    rows = list[Row]()
    for name in given.sections or SECTIONS:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            rows += SECTIONS[name](Path(folder))
    print(json.dumps([asdict(row) for row in rows], indent=1) if given.json else table(rows))


def table(rows: Iterable[Row]) -> str:
    """Return the figures as lines of text."""
    machine = f"Python {platform.python_version()}, SQLite {library().sqlite_version}"
    lines = [f"{machine}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"]
    for row in rows:
        ratio = f"{row.ratio:6.1f} x {row.to}" if row.to else ""
        wanted = f"  (wanted: {row.wanted})" if row.wanted else ""
        lines.append(
            f"{row.section:9} {row.name:58} {row.value:10.3f} {row.unit:3} {ratio}{wanted}"
        )
    return "\n".join(lines)


def calls(folder: Path) -> list[Row]:
    """One call: plain, approved by a policy, approved by an approver in this process."""
    plain = each(lambda: tool("ch_1", 5), 20_000)
    rows = [figure("plain call", plain)]
    yes = gate(tool, approver=approver, policies=[policy], store=MemoryStore())
    rows.append(figure("policy-approved call, in memory", each(lambda: yes("ch_1", 5), 2000)))
    asked = gate(tool, approver=approver, store=MemoryStore())
    rows.append(figure("round trip, in memory", each(lambda: asked("ch_1", 5), 500)))
    for mode, count in (("NORMAL", 2000), ("FULL", 400)):
        rows += durable_calls(folder, mode, count)
    return rows + [figure(name, value) for name, value in bench_peer.round_trip(tool)]


def durable_calls(folder: Path, mode: str, count: int) -> list[Row]:
    """The calls on a SQLite file, in turn with commits that do nothing else."""
    commit = bare(folder / f"bare-{mode}.db", mode)
    with SqliteStore(folder / f"{mode}.db", synchronous=mode) as store:
        yes = gate(tool, approver=approver, policies=[policy], store=store)
        asked = gate(tool, approver=approver, store=store)
        rounds = (commit, lambda: yes("ch_1", 5), lambda: asked("ch_1", 5))
        one, recorded, trip = in_turn(rounds, count)
    of_one = f"a bare {mode} commit"
    durable = "0.6 ms, twice four commits" if mode == "FULL" else ""
    quick = "25 us" if mode == "NORMAL" else ""
    name = f"{mode}: policy-approved call (two commits: claimed, ended)"
    return [
        figure(f"{mode}: bare commit of one row", one),
        figure(name, recorded, one, of_one, quick),
        figure(f"{mode}: round trip (four commits)", trip, 4 * one, "four of them", durable),
    ]


def tool(charge: str, amount: int) -> str:
    """Do nothing, so that only the asking is measured."""
    return charge


def approver(request: ApprovalRequest) -> Approve:
    """Answer at once."""
    return Approve(by="ana")


def policy(request: ApprovalRequest) -> Approve:
    """Approve everything."""
    return Approve(by="policy")


def bare(path: Path, mode: str) -> Callable[[], object]:
    """Return a function that commits one row the size of a small request."""
    connection = library().connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {mode}")
    connection.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    run, text = connection.execute, "x" * 600

    def commit() -> None:
        run("BEGIN IMMEDIATE")
        run("INSERT INTO rows (text) VALUES (?)", (text,))
        run("COMMIT")

    return commit


def each(work: Callable[[], object], count: int) -> float:
    """Return the median of `count` calls, in seconds."""
    return in_turn([work], count)[0]


def in_turn(works: Iterable[Callable[[], object]], count: int) -> list[float]:
    """Return the median of each work, in seconds, all done in turn so that they share the noise."""
    times = [(work, list[int]()) for work in works]
    for number in range(count + 20):
        for work, taken in times:
            start = time.perf_counter_ns()
            work()
            if number >= 20:
                taken.append(time.perf_counter_ns() - start)
    return [median(taken) / 1e9 for _, taken in times]


def figure(name: str, seconds: float, base: float = 0.0, to: str = "", wanted: str = "") -> Row:
    """Return a row in microseconds."""
    ratio = seconds / base if base else 0.0
    return Row(
        section="calls",
        name=name,
        value=seconds * 1e6,
        unit="us",
        ratio=ratio,
        to=to,
        wanted=wanted,
    )


def wake(folder: Path) -> list[Row]:
    """From another process's decision to the waiting call, and what waiting costs."""
    rows = list[Row]()
    for waiters, wanted in ((1, "1 ms"), (1000, "1 ms")):
        found = bench_wake.measure(folder / f"{waiters}.db", waiters)
        for name, value, unit in found:
            promise = {"call, median": wanted, "idle": "0.1 %"}
            limit = next((text for word, text in promise.items() if word in name), "")
            full = f"{waiters:,} waiting: {name}"
            rows.append(Row(section="wake", name=full, value=value, unit=unit, wanted=limit))
    return rows


def pending(folder: Path) -> list[Row]:
    """Ten thousand requests that wait, and a look at fifty of them."""
    rows = list[Row]()
    for mode in ("NORMAL", "FULL"):
        commit = bare(folder / f"bare-{mode}.db", mode)
        with SqliteStore(folder / f"{mode}.db", synchronous=mode) as store:
            requests = [request(number) for number in range(10_000)]
            start = time.perf_counter()
            for asked in requests:
                store.submit(asked)
            taken = time.perf_counter() - start
            bare_ones = each(commit, 1000) * len(requests)
            ratio, wanted = taken / bare_ones, "1 s" if mode == "NORMAL" else ""
            more: dict[str, Any] = {"ratio": ratio, "to": "as many bare commits", "wanted": wanted}
            name = f"{mode}: 10,000 requests created"
            rows.append(Row(section="pending", name=name, value=taken, unit="s", **more))
            middle = requests[5000].id
            for where, after in (("first", ""), ("middle", middle)):
                page = each(lambda after=after: store.pending(after=after, limit=50), 200)
                more = {"name": f"{mode}: the {where} page of 50", "wanted": "0.5 ms"}
                rows.append(Row(section="pending", value=page * 1e3, unit="ms", **more))
    return rows


def request(number: int) -> ApprovalRequest:
    """Return a request as a gate would submit it."""
    arguments = {"charge": f"ch_{number}", "amount": number}
    frozen = encode(arguments)
    sealed = digest("request", frozen)
    return ApprovalRequest(
        action="shop.tools.refund",
        arguments=arguments,
        frozen=frozen,
        digest=sealed,
        origin=sealed,
        version="0" * 16,
    )


def dashboard(folder: Path) -> list[Row]:
    """A page of the inbox over HTTP, and a click that wakes an agent."""
    found = bench_dashboard.measure(folder / "seen.db", [request(n) for n in range(10_000)])
    return [
        Row(section="dashboard", name=name, value=value, unit=unit, wanted="50 ms")
        for name, value, unit in found
    ]


def deploy(folder: Path) -> list[Row]:
    """The pipeline and a preview next to plain git, and a whole deploy next to an ungated one."""
    return [
        Row(
            section="deploy",
            name=found.name,
            value=found.seconds,
            unit="s",
            ratio=found.seconds / found.base if found.base else 0.0,
            to=found.to,
            wanted=found.wanted,
        )
        for found in bench_deploy.measure(folder)
    ]


def batch(folder: Path) -> list[Row]:
    """A thousand calls in one batch, next to as many that are asked alone."""
    return [
        Row(
            section="batch",
            name=found.name,
            value=found.seconds * 1e3,
            unit="ms",
            ratio=found.seconds / found.base if found.base else 0.0,
            to="asked alone" if found.base else "",
        )
        for found in bench_batch.measure(folder)
    ]


def support(folder: Path) -> list[Row]:
    """Tickets and refunds, gated and not, and what budgets add to a call."""
    return [
        Row(
            section="support",
            name=found.name,
            value=found.seconds * 1e3,
            unit="ms",
            ratio=found.seconds / found.base if found.base else 0.0,
            to=found.to,
        )
        for found in bench_support.measure(folder)
    ]


SECTIONS: dict[str, Callable[[Path], list[Row]]] = {
    "calls": calls,
    "wake": wake,
    "pending": pending,
    "batch": batch,
    "dashboard": dashboard,
    "deploy": deploy,
    "support": support,
}

if __name__ == "__main__":
    sys.exit(main())

"""The stop button: `stop` withdraws what has not started; no call is taken until `resume`."""

from __future__ import annotations

from argparse import Namespace

from .desk import Desk, Otherwise
from .ink import Block, Heading, line


def stop(desk: Desk, options: Namespace) -> int:
    """Withdraw everything that has not started, and refuse new calls."""
    with desk.store() as store:
        count = store.stop(by=desk.by, because=options.because)
    text = f"Stopped. Requests withdrawn: {count:,}. No call is taken until resume."
    blocks: list[Block] = [Heading(line(text), "bold red")]
    document = {"stopped": True, "withdrawn": count, "by": desk.by, "because": options.because}
    desk.answer(document, blocks)
    return 0


def resume(desk: Desk, _: Namespace) -> int:
    """Take calls again; what was withdrawn stays withdrawn."""
    with desk.store() as store:
        why = store.stopped()
        if not why:
            raise Otherwise("nothing is stopped, so there is nothing to resume")
        store.resume(by=f"{desk.by} [{desk.window}]")
    blocks: list[Block] = [Heading(line(f"Calls are taken again. They had been {why}."))]
    desk.answer({"stopped": False, "by": desk.by, "was": why}, blocks)
    return 0

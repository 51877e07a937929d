"""Prove what happened: `verify`, `checkpoint`, `export`."""

from __future__ import annotations

import io
import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from .. import audit
from ..display import safe
from ..model import AuditRecord
from ..proof import prove, verified
from .desk import Desk, Misused, Otherwise
from .ink import Block, Heading, line


def verify(desk: Desk, options: Namespace) -> int:
    """Walk the chain, compare it with checkpoints, and find rows that it does not explain."""
    marks = [read(name) for name in options.checkpoint]
    with desk.store() as store:
        found = prove(store, marks)
    result = found.result
    blocks: list[Block] = [Heading(line(result), "bold green" if result else "bold red")]
    blocks += [Heading(line(problem), "bold red") for problem in found.unexplained]
    desk.answer(
        {
            "ok": bool(found),
            "count": result.count,
            "proven": int(result.proven),
            "problem": result.problem,
            "first_bad": result.first_bad,
            "unexplained": list(found.unexplained),
        },
        blocks,
    )
    return 0 if found else 1


def read(name: str) -> audit.Checkpoint:
    """Read a checkpoint from the file of that name.

    Raises:
        Misused: There is none.
    """
    try:
        return audit.read_checkpoint(Path(name).read_text("utf-8"))
    except OSError as error:
        raise Misused(f"the checkpoint {name} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Misused(f"{name} is no checkpoint: {error}") from None


def checkpoint(desk: Desk, _: Namespace) -> int:
    """Write three lines that show later whether the trail still is what it was."""
    with desk.store() as store:
        result, made = verified(store.trail(), ())
    if made is None:
        raise Otherwise(f"no checkpoint of a trail that does not hold: {result}")
    if desk.as_json:
        desk.answer({"origin": audit.ORIGIN, "count": made.count, "root": made.root}, [])
    else:
        desk.out.write(str(made))
    return 0


def export(desk: Desk, options: Namespace) -> int:
    """Write the trail to a file that was not there before, or to standard output."""
    with desk.store() as store:
        if not options.output:
            _to_screen(desk, store.trail(), options.format)
            return 0
        count = _to_file(store.trail(), Path(options.output), options.format)
    blocks: list[Block] = [Heading(line(f"{count} records are in {options.output}."))]
    desk.answer({"records": count, "output": options.output, "format": options.format}, blocks)
    return 0


def _to_screen(desk: Desk, records: Iterable[AuditRecord], layout: str) -> None:
    if not desk.out.isatty():
        audit.export(records, desk.out, layout)
        return
    text = io.StringIO(newline="")
    audit.export(records, text, layout)
    desk.out.write(safe(text.getvalue().replace("\r\n", "\n"), newlines=True))


def _to_file(records: Iterable[AuditRecord], path: Path, layout: str) -> int:
    """Write to a file only its owner may read: names and reasons are nobody else's business."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Misused(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        return audit.export(records, file, layout)

"""Take a pattern home: `list` and `copy`."""

from __future__ import annotations

from argparse import Namespace

from .. import copying as shelf
from .desk import Desk, Missing, Misused
from .ink import Block, Grid, Heading, line


def listing(desk: Desk, options: Namespace) -> int:
    """List the patterns that can be copied."""
    if options.markdown and not desk.as_json:
        desk.out.write(f"{shelf.catalogue()}\n")
        return 0
    rows = [
        (line(p.name), line(len(p.files)), line(", ".join(p.needs) or "-"), line(p.summary))
        for p in shelf.patterns().values()
    ]
    how = line("Copy one with: copy PATTERN --to DIR")
    blocks: list[Block] = [
        Grid(("PATTERN", "FILES", "NEEDS", "WHAT IT IS"), rows),
        Heading(how, ""),
    ]
    desk.answer({"patterns": shelf.listing()}, blocks)
    return 0


def copying(desk: Desk, options: Namespace) -> int:
    """Copy a pattern and the few files it needs; what you have edited is never overwritten."""
    try:
        written = shelf.copy(options.pattern, options.to)
    except shelf.UnknownPattern as error:
        raise Missing(str(error)) from None
    except FileExistsError as error:
        raise Misused(str(error)) from None
    except OSError as error:
        raise Misused(f"{options.to} cannot be written: {error.strerror}") from None
    blocks: list[Block] = [Heading(line(path), "") for path in written]
    if not written:
        blocks.append(Heading(line(f"All of it is in {options.to} already."), ""))
    desk.answer({"pattern": options.pattern, "written": [str(path) for path in written]}, blocks)
    return 0

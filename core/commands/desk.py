"""Where a command is given: which store it is about, who gives it, and where the answer goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from ..model import StoredRequest, StoreError
from ..stores.open import KnownStore, open_store
from .ink import Block
from .paper import write

MOST_NAMED = 5


class Otherwise(Exception):
    """The true state is another one than the command asks for; nothing was done."""


class Misused(Exception):
    """The command cannot be meant as it was written; nothing was done."""


class Missing(Exception):
    """What the command names is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every command needs of the world, handed in so that a test can hand in another.

    Attributes:
        store_name: Which store the commands are about; empty when nobody said.
        by: Who gives the command, as they say.
        window: Where they give it, with the account that the kernel knows.
        as_json: Whether a program reads the answer.
        ask: Puts a question to the person at the terminal; `None` when nobody sits there.
        now: Tells the time, for what is left of a deadline.
    """

    store_name: str
    by: str
    window: str
    as_json: bool
    out: TextIO
    ask: Callable[[str], str] | None
    now: Callable[[], datetime]

    @contextmanager
    def store(self, *, sweep: bool = False) -> Generator[KnownStore]:
        """Open the store; one that is not there is never made by a command.

        Args:
            sweep: Write down first what time, or the death of a process, has done meanwhile.
        """
        if not self.store_name:
            raise Misused("name the store: --store sqlite:///FILE, or set GATE_STORE")
        store = open_store(self.store_name, create=False)
        try:
            if sweep:
                store.sweep()
            yield store
        finally:
            store.close()

    def answer(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:
        """Write the answer: `document` for a program, `blocks` for a person."""
        if self.as_json:
            self.out.write(json.dumps(document, indent=2) + "\n")
        else:
            write(blocks, self.out)


def found(store: KnownStore, wanted: str) -> StoredRequest:
    """Return the request whose id is, or begins with, `wanted`.

    Raises:
        Missing: None does, or several do.
    """
    wanted = wanted.lower()
    if len(wanted) == 32:
        try:
            return store.get(wanted)
        except StoreError:  # not there, or unusable: the trail tells which
            pass
    ids = sorted({r.request_id for r in store.trail() if r.request_id.startswith(wanted)} - {""})
    match ids:
        case [only]:
            return store.get(only)
        case []:
            raise Missing(f"no request of this store has an id that begins with {wanted!r}")
        case _:
            some = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
            raise Missing(f"{len(ids)} requests begin with {wanted!r}: {some}")

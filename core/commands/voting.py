"""Say yes, no, or what became of a call whose end is unknown: `approve`, `reject`, `resolve`."""

from __future__ import annotations

import re
from argparse import Namespace

from .. import documents
from ..model import Approve, Reject, Risk, State, StoredRequest
from ..stores.rules import standing
from . import pages
from .desk import Desk, Misused, Otherwise, found
from .ink import Block, Heading, line
from .paper import write

FEWEST_DIGITS = 6


def approve(desk: Desk, options: Namespace) -> int:
    """Vote for the request as it was shown."""
    with desk.store(sweep=True) as store:
        stored = found(store, options.id)
        if stored.state is State.PENDING:
            looked_at(desk, options, stored, "Type yes to approve this call: ")
        vote = Approve(by=desk.by, note=options.note)
        digest = stored.request.digest
        after = store.vote(stored.request.id, vote, digest=digest, window=desk.window)
    return _told(desk, after)


def reject(desk: Desk, options: Namespace) -> int:
    """Vote against a request; one such vote is enough."""
    with desk.store(sweep=True) as store:
        stored = found(store, options.id)
        same_digest(options, stored)
        vote = Reject(by=desk.by, reason=options.reason)
        digest = stored.request.digest
        after = store.vote(stored.request.id, vote, digest=digest, window=desk.window)
    return _told(desk, after)


def resolve(desk: Desk, options: Namespace) -> int:
    """Say whether a call of which nobody knows the end has happened."""
    with desk.store(sweep=True) as store:
        stored = found(store, options.id)
        if stored.state is not State.OUTCOME_UNKNOWN:
            raise Otherwise(f"{standing(stored)}, so there is nothing to resolve")
        happened: bool = options.happened
        note = f"{options.note} [{desk.window}]"
        after = store.resolve(stored.request.id, by=desk.by, happened=happened, note=note)
    return _told(desk, after)


def looked_at(desk: Desk, options: Namespace, stored: StoredRequest, question: str) -> None:
    """Make sure that the person has seen what has the digest the vote will be about.

    Raises:
        Misused: Neither a terminal, nor a digest, nor `--yes` says so.
        Otherwise: The digest is of something else, or the person did not say yes.
    """
    same_digest(options, stored)
    request = stored.request
    if request.risk >= Risk.CRITICAL and not options.digest:
        raise Misused(
            f"{request.name} is CRITICAL: read it with `show {request.id[:8]}` and add --digest"
            f" with at least the first {FEWEST_DIGITS} digits of the digest that stands there"
        )
    if options.yes or (desk.ask is None and options.digest):
        return
    if desk.ask is None:
        raise Misused(
            "nobody sits at a terminal to be shown the request: add --digest with the first"
            f" {FEWEST_DIGITS} or more digits that `show {request.id[:8]}` prints, or --yes"
        )
    write([*pages.whole(stored, desk.now())], desk.out)
    if desk.ask(question).strip().lower() != "yes":
        raise Otherwise(f"nothing was decided; {standing(stored)}")


def same_digest(options: Namespace, stored: StoredRequest) -> None:
    """Compare the digits that the person gives with the digest of what waits now."""
    digits: str = options.digest.lower()
    if not digits:
        return
    if not re.fullmatch(f"[0-9a-f]{{{FEWEST_DIGITS},64}}", digits):
        raise Misused(f"--digest takes {FEWEST_DIGITS} to 64 hex digits")
    if not stored.request.digest.startswith(digits):
        short = stored.request.id[:8]
        raise Otherwise(f"what you were shown is not what waits now: look at `show {short}` again")


def _told(desk: Desk, after: StoredRequest) -> int:
    text = standing(after)
    if after.state is State.PENDING:
        text += f", with {pages.approvals(after)} of {after.request.panel.votes} votes"
    blocks: list[Block] = [Heading(line(f"{text}."))]
    desk.answer(documents.request(after), blocks)
    return 0

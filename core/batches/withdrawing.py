"""An approved call is taken back when a result makes it another one, or will never come."""

from __future__ import annotations

from dataclasses import replace

from ..model import Rejected, State, StoredRequest, StoreError
from ..proposal import THE_BATCH, objection
from .binding import Sources, bound, bound_digest, differs, seal
from .items import Item

MOVING = frozenset({State.PENDING, State.APPROVED})


def lost_source(item: Item, items: Sources) -> tuple[int, str] | None:
    """Return which of the results it needs will never come, and why."""
    for number in sorted(item.needs):
        source = items.get(number)
        if source is None or number >= item.number:
            return number, "is no earlier call of this batch"
        if source.end is not None and not source.end.is_good:
            return number, source.end.why
    return None


def is_as_shown(item: Item, stored: StoredRequest, items: Sources) -> bool:
    """Whether it may go on with the results it needs; otherwise it is withdrawn.

    Raises:
        Rejected: It cannot be run with these results at all.
    """
    try:
        why = put_in(item, stored, items)
    except Rejected as error:
        withdrawn(item, by="gate", because=str(error))
        raise
    if not why:
        return True
    withdrawn(item, by=THE_BATCH, because=why)
    return False


def put_in(item: Item, stored: StoredRequest, items: Sources) -> str:
    """Put results in their places; return why what would run is not what people were shown.

    Raises:
        Rejected: It cannot be run with these results at all.
    """
    frozen, call = stored.request.frozen, item.call
    made = bound(item, frozen, items)
    whole = seal(item, frozen, made)
    call.bound, call.bound_digest = made, bound_digest(whole)
    if why := differs(item, stored, whole, items):
        return why
    shown = replace(stored.request, arguments=item.arguments(whole), frozen=whole)
    if no := objection(item.wiring, shown):
        raise Rejected(f"{shown.name} was rejected by {no.by}: {no.reason}. It was not run.")
    return ""


def withdrawn(item: Item, *, by: str, because: str) -> bool:
    """Withdraw the request of an item; `False` when it has moved on meanwhile.

    Raises:
        StoreError: The store cannot be used.
    """
    if item.stored is None:
        return True
    store, request_id = item.wiring.store, item.stored.request.id
    try:
        item.take(store.cancel(request_id, by=by, because=because))
    except StoreError:
        now = store.get(request_id)
        item.take(now)
        if now.state in MOVING:
            raise
        return False
    return True

"""Lists at Stripe come in pages; this walks through all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .line import Line
from .reading import Named, read
from .refusals import Unreadable

if TYPE_CHECKING:
    from stripe import ListObject, StripeClient

PAGE = 100  # the most that Stripe gives at once


One = TypeVar("One", bound=Named)


def every(
    line: Line,
    kind: type[One],
    listing: Callable[[StripeClient], Callable[..., ListObject[Any]]],
    params: Mapping[str, object],
) -> Iterator[One]:
    """Yield all that a list holds, newest first.

    Args:
        listing: Finds the function of the library that returns a page.
        params: What to list.

    Raises:
        Refused: A page does not come.
    """
    cursor, more = "", True

    def asked(stripe: StripeClient) -> tuple[list[One], bool]:
        behind = {"starting_after": cursor} if cursor else {}
        page = listing(stripe)({"limit": PAGE, **params, **behind})
        items = [read(kind, one) for one in page.data]
        if page.has_more and (not items or items[-1].id == cursor):
            raise Unreadable  # it would go on for ever
        return items, page.has_more

    while more:
        items, more = line.ask(asked)
        yield from items
        cursor = items[-1].id if items else ""

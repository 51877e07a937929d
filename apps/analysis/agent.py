"""What the agent wants, and how it adapts; it cannot tell gated tools from plain ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from .errors import AnalysisError, Stopped

INSTRUCTIONS = """\
You answer questions about one DuckDB database, for people who do not read SQL.

Look at schema() first, then ask the database with query(sql); never guess a number. Answer in a few
plain sentences with the figures that matter, and say which tables they come from. Draw a chart
or write an export when a picture or a file says it better, and name the file.

A statement that only reads runs at once. One that would change data waits for a person, so propose
it only when you were asked to change something, one statement at a time, as narrow as it can be.
If it is rejected, read why and do what was asked for instead; do not send the same statement again.
If nobody answered, leave it alone and say so. If the result says that somebody edited the
statement, report what ran, not what you sent. Never claim a change that no result confirms.
"""

REVENUE = """SELECT date_trunc('month', o.ordered_at)::DATE AS month,
       sum(i.quantity * i.unit_price)::DOUBLE AS revenue
FROM orders o JOIN order_items i ON i.order_id = o.id
GROUP BY month ORDER BY month"""
TEST_ORDERS = "note = 'TEST'"
DUPLICATES = """EXISTS (
    SELECT 1 FROM orders earlier
    WHERE earlier.customer_id = orders.customer_id AND earlier.id < orders.id
    AND orders.ordered_at - earlier.ordered_at <= INTERVAL 2 MINUTE)"""


class Tools(Protocol):
    """The tools as the agent knows them."""

    def schema(self) -> str: ...
    def query(self, sql: str, /) -> str: ...
    def chart(self, sql: str, kind: Literal["line"], path: str, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Says:
    """The agent's own words."""

    text: str


@dataclass(frozen=True, slots=True)
class Sees:
    """What a tool answered, or why it did not."""

    text: str
    is_refusal: bool = False


Step: TypeAlias = Says | Sees


def tidy_up(tools: Tools) -> Iterator[Step]:
    """Report revenue by month, remove test orders and duplicates, and draw the result.

    Yields each step before the next one begins.
    """
    yield Says("What is in this database?")
    yield (tables := Sees(tools.schema()))
    if "order_items (" not in tables.text:
        yield Says("This is not the shop I know my way around in; put a question to a live model.")
        return
    yield Says("How much came in, month by month?")
    yield Sees(tools.query(REVENUE))
    tidier = Tidier(tools)
    yield from tidier.remove("test orders", TEST_ORDERS, "archived_test_orders")
    yield from tidier.remove("duplicates", DUPLICATES, "archived_duplicates")
    yield Says("Now the revenue as a picture.")
    yield from picture(tools)


class Tidier:
    """Deletes orders that nobody placed, the way people want it done."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._archives_first = False
        self._is_alone = False

    def remove(self, what: str, which: str, archive: str) -> Iterator[Step]:
        """Delete some orders; told to archive first, do so from then on."""
        count = Sees(self._tools.query(f"SELECT count(*) AS n FROM orders WHERE {which}"))
        found = int(count.text.splitlines()[2])
        if not found or self._is_alone:
            yield Says(
                f"There are {found:,} {what}. I leave them alone." if found else f"No {what}."
            )
            return
        yield Says(f"{found:,} {what} make the revenue look better than it is. I want them gone.")
        if not self._archives_first:
            answer = yield from self._try(f"DELETE FROM orders WHERE {which}")
            if not answer.is_refusal:
                yield from self._look_again(what, which)
                return
            if "archive" not in answer.text.lower():
                yield Says(self._resigned(what, answer))
                return
            self._archives_first = True
        yield Says("An archive first, then.")
        for sql in (
            f"CREATE TABLE {archive} AS SELECT * FROM orders WHERE {which}",
            f"DELETE FROM orders WHERE {which}",
        ):
            answer = yield from self._try(sql)
            if answer.is_refusal:
                yield Says(self._resigned(what, answer))
                return
        yield from self._look_again(what, which)

    def _try(self, sql: str) -> Generator[Step, None, Sees]:
        answer = attempt(self._tools, sql)
        yield answer
        if "as edited by" in answer.text:
            yield Says("Somebody changed my statement before it ran; what counts is what ran.")
        return answer

    def _resigned(self, what: str, answer: Sees) -> str:
        if "nobody answered" in answer.text:
            self._is_alone = True
            return f"Nobody is there to decide it, so I leave the {what} alone and change nothing."
        return f"That is a no, so I leave the {what} alone."

    def _look_again(self, what: str, which: str) -> Iterator[Step]:
        """Say what is left, rather than what was meant."""
        answer = self._tools.query(f"SELECT count(*) AS n FROM orders WHERE {which}")
        left = int(answer.splitlines()[2])
        yield Says(f"{left:,} {what} are left, and they stay." if left else f"The {what} are gone.")


def attempt(tools: Tools, sql: str) -> Sees:
    """Try one statement; a refusal is news, not the end."""
    try:
        return Sees(tools.query(sql))
    except Stopped:
        raise
    except (PermissionError, AnalysisError) as refusal:
        return Sees(str(refusal), is_refusal=True)


def picture(tools: Tools) -> Iterator[Step]:
    """Draw the revenue under a name that is not taken."""
    for name in ("revenue.png", *(f"revenue-{number}.png" for number in range(2, 100))):
        try:
            yield Sees(tools.chart(REVENUE, "line", name))
        except PermissionError as refusal:
            if "exists" not in str(refusal):
                yield Sees(str(refusal), is_refusal=True)
                return
        else:
            return

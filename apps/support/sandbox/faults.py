"""Bad days on demand: the next requests meet a limit, an error, or a line that goes dead."""

from __future__ import annotations

from typing import Literal, get_args

from .errors import API, KEY_MISUSED, Json, Refusal
from .params import Params
from .state import Rows, State
from .turn import Turn

Fault = Literal["429", "409", "503", "500", "500-after", "drop-before", "drop-after", "slow"]
"""What goes wrong.

`429`, `409`, `503`: refused before anything begins. `500`: nothing is done, and that answer is kept
under the idempotency key; `500-after`: it is done, and the answer says 500 all the same. `drop-…`:
the connection ends without an answer, before anything is done or after. `slow`: a POST takes a
while.
"""

FAULTS: tuple[str, ...] = get_args(Fault)
HEADER = "sandbox-fault"
NEW = ("kind", "times", "to")
EVERY = "POST /v1/"
SLOW = 1.0  # seconds


def order(turn: Turn, _id: str, params: Params) -> Json:
    """Let the next so many requests meet a fault; without a kind, take back what was ordered.

    `to` is how the requests begin, such as `GET /v1/charges`.
    """
    if kind := params.one_of("kind", FAULTS):
        times = params.whole("times", least=1, most=1_000_000) or 1
        ordered(turn.rows, kind, times, params.text("to", EVERY))
    else:
        turn.rows.run("DELETE FROM faults")
    ahead = turn.rows.run("SELECT kind, left, path FROM faults ORDER BY id")
    return {"object": "list", "data": [dict(zip(NEW, one, strict=True)) for one in ahead]}


def ordered(rows: Rows, kind: str, times: int, to: str) -> None:
    """Note faults that are still to come."""
    rows.run("INSERT INTO faults (kind, path, left) VALUES (?, ?, ?)", kind, to, times)


def next_fault(state: State, method: str, path: str) -> str:
    """Return what goes wrong with this request, and count it; usually nothing."""
    query = "SELECT id, kind FROM faults WHERE instr(?, path) = 1 ORDER BY id LIMIT 1"
    with state.reading() as rows:
        if not rows.run("SELECT 1 FROM faults LIMIT 1"):
            return ""
    with state.writing() as rows:
        for number, kind in rows.run(query, f"{method} {path}"):
            rows.run("UPDATE faults SET left = left - 1 WHERE id = ?", number)
            rows.run("DELETE FROM faults WHERE left <= 0")
            return str(kind)
    return ""


def refused(fault: str) -> Refusal | None:
    """Return the refusal of a request that does not begin to run, if that is the fault."""
    match fault:
        case "429":
            return Refusal(429, "Too many requests.", code="rate_limit", kept=False)
        case "409":
            return in_use()
        case "503":
            return Refusal(503, "The service is not there right now.", kind=API, kept=False)
        case _:
            return None


def in_use() -> Refusal:
    """Return the refusal for a key whose first request has not ended."""
    return Refusal(
        409,
        "Another request with this idempotency key is being worked on.",
        code="idempotency_key_in_use",
        kind=KEY_MISUSED,
        kept=False,
    )


def broken() -> Refusal:
    """Return the answer of a server that does not know what happened."""
    return Refusal(500, "Something went wrong on our side.", kind=API)

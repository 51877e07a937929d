"""Talk about a batch at a terminal until every call in it is decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from ..display import safe
from ..model import ApprovalRequest, Approve, Decision, Edit, Reject
from .asking import ask, choose, say
from .batch_table import number_of, picked, table, why_alone
from .changes import changes
from .teletype import CalledAway, Interrupted, Teletype
from .terminal import NOT_NEEDED, reason, review

MENU = {
    "a": "approve all",
    "d": "deny all",
    "s": "some of them",
    "o": "one by one",
    "e": "edit one",
}
UNREAD = "Without reading all of it, they can be denied or looked at one by one, not approved."
STARRED = "Those with a * are not approved here; they are looked at alone."
WITHOUT_ALL = {"d": MENU["d"], "o": MENU["o"]}

Waiting = Callable[[], Sequence[ApprovalRequest]]
"""Returns the requests that nobody has decided yet, here or elsewhere, by number."""

Say = Callable[[ApprovalRequest, Decision], None]
"""Takes a decision as soon as it is made."""


def talk(tty: Teletype, waiting: Waiting, decide: Say, by: str) -> None:
    """Show the table and talk until nothing in it waits any more. Blocks."""
    try:
        while requests := waiting():
            if len(requests) == 1:
                decide(requests[0], review(tty, requests[0], by))
            else:
                _round(tty, requests, decide, by)
    except Interrupted as why:
        for request in waiting():
            decide(request, Reject(by=by, reason=str(why)))
    except CalledAway:
        tty.last_words(f"\n{NOT_NEEDED}\n")


def _round(tty: Teletype, requests: Sequence[ApprovalRequest], decide: Say, by: str) -> None:
    """Show what waits and do one thing about it."""
    read = say(tty, *table(requests, tty.size()[0]), "")
    if not read:
        say(tty, Text(UNREAD, "yellow"))
    while True:
        match choose(tty, MENU if read else WITHOUT_ALL):
            case "a":
                is_done = _approved(tty, requests, decide, by)
            case "d":
                is_done = _denied(tty, requests, decide, by)
            case "s":
                is_done = _some(tty, requests, decide, by)
            case "e":
                is_done = _edited(tty, requests, decide, by)
            case _:
                is_done = _one_by_one(tty, requests, decide, by)
        if is_done:
            return


def _approved(tty: Teletype, those: Sequence[ApprovalRequest], decide: Say, by: str) -> bool:
    """Approve what was shown whole, asked once more; then look at the others alone."""
    shown = [request for request in those if not why_alone(request)]
    others = [request for request in those if why_alone(request)]
    if shown:
        counted = "1 call" if len(shown) == 1 else f"{len(shown)} calls"
        question = f"approve {counted}: {_numbers(shown)}?"
        if choose(tty, {"y": "yes", "n": "no"}, question) != "y":
            return False
        for request in shown:
            decide(request, Approve(by=by))
    if others:
        say(tty, Text(STARRED, "yellow"))
        _one_by_one(tty, others, decide, by)
    return True


def _denied(tty: Teletype, those: Sequence[ApprovalRequest], decide: Say, by: str) -> bool:
    why = reason(tty)
    if not why:
        return False
    for request in those:
        decide(request, Reject(by=by, reason=why))
    return True


def _some(tty: Teletype, requests: Sequence[ApprovalRequest], decide: Say, by: str) -> bool:
    """Approve or deny the calls of some numbers."""
    those = _picked(tty, requests, "which ones (such as 1-3,7; Escape goes back): ")
    if not those:
        return False
    match choose(tty, {"a": "approve them", "d": "deny them", "b": "back"}, _numbers(those) + ":"):
        case "a":
            return _approved(tty, those, decide, by)
        case "d":
            return _denied(tty, those, decide, by)
        case _:
            return False


def _edited(tty: Teletype, requests: Sequence[ApprovalRequest], decide: Say, by: str) -> bool:
    """Edit the arguments of one call; what needs its result is asked again if it has to be."""
    those = _picked(tty, requests, "which one (its number; Escape goes back): ")
    if len(those) != 1:
        return False
    made = changes(tty, those[0])
    if not made:
        return False
    decide(those[0], Edit(by=by, arguments=made))
    return True


def _one_by_one(tty: Teletype, those: Sequence[ApprovalRequest], decide: Say, by: str) -> bool:
    for request in those:
        number = number_of(request)
        say(tty, "", Text(f"call {number}", "bold"))
        decide(request, review(tty, request, by))
    return True


def _picked(
    tty: Teletype, requests: Sequence[ApprovalRequest], prompt: str
) -> list[ApprovalRequest]:
    by_number = {number_of(request): request for request in requests}
    while (typed := ask(tty, prompt)) is not None:
        try:
            return [by_number[number] for number in picked(typed, [*by_number])]
        except ValueError as problem:
            say(tty, Text(safe(str(problem)), "yellow"))
    return []


def _numbers(those: Sequence[ApprovalRequest]) -> str:
    """Return the numbers of requests, neighbours as a range."""
    runs: list[list[int]] = []
    for number in sorted(map(number_of, those)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)

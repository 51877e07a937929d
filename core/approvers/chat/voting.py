"""Take what somebody says in a chat: one vote, or one edit, on exactly what they were shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...display import is_too_large, safe
from ...model import (
    Approve,
    Edit,
    NotCounted,
    Reject,
    Risk,
    State,
    Store,
    StoredRequest,
    StoreError,
    same,
)
from ..forms.fields import Field, fields
from ..forms.typed import (
    DIGITS,
    LONGEST_NOTE,
    NONE_PREFIX,
    NOTHING,
    PREFIX,
    Misfits,
    beside,
    changed,
    filled_in,
    lines_of,
    wrong_reason,
)
from ..proposing import checked, waits, why_not
from ..standing import told

STRANGER = "You are not among the people who decide here, so nothing was decided."
NO_STORE = "The store cannot be used at the moment, so nothing was decided. Try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to tell the person, and nobody else.

    Attributes:
        text: One or two sentences: what is true now. Safe to show.
        wrong: What is wrong with a field, by its name: a parameter, `"reason"`, `"note"` or
            `"confirm"`. Then nothing was done, and the form stays open.
    """

    text: str
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """Whose word it is, about what, and where it was said.

    Attributes:
        digest: Of what the person was shown.
        by: Name of the person, as panels have it.
        window: Such as `"Slack"`, for the audit trail.
    """

    request_id: str
    digest: str
    by: str
    window: str


def obstacle(stored: StoredRequest, by: str, digest: str) -> str:
    """Say why somebody cannot decide this, before a form is opened; empty when they can."""
    asked = stored.request
    if stored.state is not State.PENDING:
        return told(stored)
    if digest != asked.digest:
        return "What you were shown is not what waits now. Nothing was changed."
    if any(same(vote.by) == same(by) for vote in stored.votes):
        return "You have approved this. It waits for others."
    if same(by) in {same(name) for name in asked.requesters}:
        return "It is asked for you, and nobody approves their own request."
    if not asked.panel.admits(by, asked.requesters):
        return "You are not on its panel."
    return ""


def needs_confirming(stored: StoredRequest) -> bool:
    """Whether whoever approves this types the beginning of its digest: a click is not enough."""
    return stored.request.risk is Risk.CRITICAL


def approve(store: Store, ballot: Ballot, *, confirm: str = "", note: str = "") -> Answer:
    """Count a yes.

    Args:
        confirm: What was typed of the digest; needed for what is CRITICAL.

    Raises:
        StoreError: The store cannot be used.
    """
    stored = store.get(ballot.request_id)
    if is_too_large(stored.request):
        return Answer(text="This is too large to be shown whole, so it cannot be approved here.")
    if len(note) > LONGEST_NOTE:
        return _wrong("note", f"A note has at most {LONGEST_NOTE:,} characters.")
    typed, is_current = confirm.strip().lower(), ballot.digest == stored.request.digest
    if needs_confirming(stored) and is_current and typed != ballot.digest[:DIGITS]:
        return _wrong("confirm", f"Type the first {DIGITS} characters of the digest.")
    return _voted(store, ballot, Approve(by=ballot.by, note=note.strip()))


def reject(store: Store, ballot: Ballot, *, reason: str) -> Answer:
    """Count a no; the reason is for the agent.

    Raises:
        StoreError: The store cannot be used.
    """
    reason = lines_of(reason).strip()
    if wrong := wrong_reason(reason):
        return _wrong("reason", wrong)
    return _voted(store, ballot, Reject(by=ballot.by, reason=reason))


def _voted(store: Store, ballot: Ballot, said: Approve | Reject) -> Answer:
    try:
        after = store.vote(ballot.request_id, said, digest=ballot.digest, window=ballot.window)
    except NotCounted as error:
        return Answer(text=_sentence(error))
    return Answer(text=safe(told(after)))


def form(stored: StoredRequest) -> list[Field]:
    """Return the form for an edit, as the request stands now; see `forms.fields.Field`."""
    return fields(stored.request)


def edit(
    store: Store,
    ballot: Ballot,
    typed: Mapping[str, str],
    *,
    nothing: frozenset[str] = frozenset(),
    note: str = "",
    seconds: float,
) -> Answer:
    """Propose other arguments, and wait a moment for the gate that asked to check them.

    Args:
        typed: What stands in the form, by parameter; for a choice, the number of the choice.
        nothing: Parameters for which the person chose `None`.
        seconds: How long to wait for the gate; a chat wants an answer soon.

    Raises:
        StoreError: The store cannot be used.
    """
    stored = store.get(ballot.request_id)
    if why := obstacle(stored, ballot.by, ballot.digest):
        return Answer(text=safe(why))
    if is_too_large(stored.request):
        return Answer(text="This is too large to be shown whole, so it cannot be edited here.")
    before = form(stored)
    given = {PREFIX + name: text for name, text in typed.items()}
    given |= {NONE_PREFIX + name: NOTHING for name in nothing}
    try:
        values = changed(before, filled_in(before, given))
    except Misfits as problem:
        return Answer(text="Nothing was changed.", wrong=problem.by_name)
    if not values:
        first = next((one.name for one in before if one.kind != "fixed"), "note")
        return _wrong(first, "Nothing is different yet: change a value first.")
    said = Edit(by=ballot.by, arguments=values, note=note.strip()[:LONGEST_NOTE])
    try:
        store.propose(ballot.request_id, said, digest=ballot.digest, window=ballot.window)
    except NotCounted as error:
        return Answer(text=_sentence(error))
    return _checked(store, stored, said, before, seconds)


def _checked(
    store: Store, before: StoredRequest, said: Edit, form: list[Field], seconds: float
) -> Answer:
    after = checked(store, before.request, said, seconds=seconds)
    problem = why_not(before, after, said)
    if waits(after, said):
        return Answer(text="Your edit waits for the gate to check it. Nothing has run.")
    if not problem:
        return Answer(text=safe(f"Your edit was taken. {told(after)}"))
    is_refused = after.state is State.PENDING and after.request.digest == before.request.digest
    names = [one.name for one in form]
    wrong = beside(problem.partition(": ")[2], names) if is_refused else {}
    text = safe(f"{problem[:1].upper()}{problem[1:]}.")
    return Answer(text=text, wrong={name: safe(why) for name, why in wrong.items()})


def _wrong(name: str, why: str) -> Answer:
    return Answer(text=why, wrong={name: why})


def _sentence(error: StoreError) -> str:
    """Return why a word does not count, as a sentence of its own."""
    text = safe(str(error))
    more = "" if "nothing" in text else " Nothing was changed."
    return f"{text[:1].upper()}{text[1:]}.{more}"

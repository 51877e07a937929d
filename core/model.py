"""The nouns of the gate: an `ApprovalRequest` goes in, a `Decision` comes out.

Standard library only, so that any pattern can be copied together with this file. Instants are
timezone-aware UTC datetimes; durations are `timedelta`s unless a name says `seconds`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias
from uuid import uuid4


class Risk(IntEnum):
    """How bad the worst outcome is. Ordered, so `risk >= Risk.HIGH` reads well."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @classmethod
    def of(cls, value: object) -> Risk:
        """Read a risk; whatever is not one counts as HIGH.

        >>> Risk.of("low").name, Risk.of("harmless, honest").name
        ('LOW', 'HIGH')
        """
        if isinstance(value, cls):
            return value
        return cls.__members__.get(value.upper(), cls.HIGH) if type(value) is str else cls.HIGH


class State(StrEnum):
    """Where a request stands. Upper-case states are final: nothing leaves them."""

    PENDING = "pending"
    APPROVED = "approved"
    EXECUTING = "executing"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    RESOLVED_HAPPENED = "RESOLVED_HAPPENED"
    RESOLVED_NOT_HAPPENED = "RESOLVED_NOT_HAPPENED"


EDGES: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.APPROVED, State.REJECTED, State.EXPIRED, State.CANCELLED}),
    State.APPROVED: frozenset({State.EXECUTING, State.EXPIRED, State.CANCELLED}),
    State.EXECUTING: frozenset({State.SUCCEEDED, State.FAILED, State.OUTCOME_UNKNOWN}),
    State.OUTCOME_UNKNOWN: frozenset({State.RESOLVED_HAPPENED, State.RESOLVED_NOT_HAPPENED}),
}
"""Every step a request can take; no other edge exists, here or in a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of the gated function, as a window needs it to offer an edit.

    Attributes:
        annotation: The annotation as source text, empty when there is none.
        secret: Whether its value is hidden; a hidden value cannot be edited.
    """

    name: str
    annotation: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows to look at, already text. `title` says which rows they are."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Somebody's words, kept apart from the facts: the agent's or a customer's."""

    who: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundFile:
    """A file the call depends on; when its bytes change, the approval no longer holds."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the call would do, found out by looking. It is part of what is approved.

    Attributes:
        summary: One line.
        facts: Name and value, in the order to show them.
        tables: For example rows before and after.
        diff: Unified diff text, or empty.
        warnings: What a careful colleague would point out.
        quotes: Words of the agent or of others; never facts.
        files: Files whose contents are bound by the approval.
    """

    summary: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    diff: str = ""
    warnings: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    files: tuple[BoundFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Who may vote, and how many votes it takes. The requester never counts.

    Attributes:
        members: Names of people; empty means anybody who is not the requester.
        votes: How many different people must approve. One rejection is enough to reject.

    Raises:
        ValueError: More votes are asked for than there are members, or none at all.
    """

    members: frozenset[str] = frozenset()
    votes: int = 1

    def __post_init__(self) -> None:
        if self.votes < 1:
            raise ValueError("a panel needs at least one vote")
        if self.members and len({same(m) for m in self.members}) < self.votes:
            raise ValueError(f"{self.votes} votes need as many members: {sorted(self.members)}")

    def admits(self, person: str, requesters: tuple[str, ...]) -> bool:
        """Return whether `person` may vote on what `requesters` asked for."""
        me = same(person) if type(person) is str else ""
        if not me or me in {same(r) for r in requesters}:
            return False
        return not self.members or me in {same(m) for m in self.members}


def same(person: str) -> str:
    """Return the form under which two spellings of one person are equal.

    Neither capitals nor width tell people apart, nor spaces, nor characters that nobody can see.

    >>> same("Ana  Wu ") == same("ana\u200b wu")
    True
    """
    if person.isascii():
        return " ".join(person.casefold().split())
    seen = "".join(c for c in person if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", seen).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


NOBODY = "nobody"
"""Who decided when time ran out. Silence is told apart from a person's no."""


def utc_now() -> datetime:
    """Return the present instant, timezone-aware."""
    return datetime.now(UTC)


END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def new_id() -> str:
    """Return 32 random hex digits; safe in a URL."""
    return uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request stands among those that are reviewed together.

    Attributes:
        id: Of the batch; safe in a URL.
        number: Of this call in its batch, from 1.
        of: How many calls the batch had when this was asked.
        needs: Numbers of the calls whose results are arguments of this one.
        beside: What policies decide of the same batch, a line each; only the first request that
            people are asked about has them.
    """

    id: str
    number: int
    of: int
    needs: tuple[int, ...] = ()
    beside: tuple[str, ...] = ()


TOO_MUCH = 2**63
"""What no budget can count any more; every number below it fits into a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call takes out of a budget.

    Attributes:
        budget: Its name, as people read it: "refunds a day".
        key: Whose budget it is, such as a customer's; empty when there is one for all.
        amount: What the call takes: at least 0, and less than 2**63.
        limit: How much there is within `within`.
        places: Decimals with which people read these numbers: 2 where 1999 means 19.99.
        unit: What they count, such as "EUR"; may be empty.
        elsewhere: What was spent of it outside the store, at least 0.

    Raises:
        TypeError: Amount, limit or what was spent elsewhere is no whole number.
        ValueError: One of them is too small, or too large to be counted.
    """

    budget: str
    key: str = ""
    amount: int = 1
    limit: int
    within: timedelta
    places: int = 0
    unit: str = ""
    elsewhere: int = 0

    def __post_init__(self) -> None:
        for number in (self.amount, self.limit, self.elsewhere):
            if type(number) is not int:
                kind = type(number).__name__
                raise TypeError(f"{self.budget} counts whole numbers, not a {kind}")
            if not 0 <= number < TOO_MUCH:
                raise ValueError(f"{self.budget} counts from 0 up to what is less than 2**63")

    def sentence(self, gone: Usage) -> str:
        """Say how much of the budget is gone, and what the call itself would take.

        >>> day = timedelta(days=1)
        >>> one = Charge(budget="refunds a day", amount=4500, limit=50000, within=day, places=2)
        >>> one.sentence(Usage(38000, 6000))
        'refunds a day: 380.00 of 500.00 used, 60.00 reserved, 45.00 for this one'
        """
        used = gone.used + self.elsewhere
        unit = f" {self.unit}" if self.unit else ""
        parts = [f"{self.budget}: {self._number(used)} of {self._number(self.limit)}{unit} used"]
        if gone.reserved:
            parts.append(f"{self._number(gone.reserved)} reserved")
        parts.append(f"{self._number(self.amount)} for this one")
        if used + gone.reserved + self.amount > self.limit:
            parts.append("which is more than there is")
        return ", ".join(parts)

    def _number(self, number: int) -> str:
        return f"{Decimal(number).scaleb(-self.places):,.{self.places}f}"


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a budget is gone.

    Attributes:
        used: By calls that succeeded, from then on, for as long as the budget counts.
        reserved: By calls that wait, run, or may have happened.
    """

    used: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """One call that waits for a decision. It has not run yet.

    Attributes:
        action: Dotted name of the function, e.g. `"shop.tools.refund"`.
        arguments: Parameter name to value, defaults filled in, decoded from `frozen`. Under
            `"called on"`, a fingerprint of the object that a method belongs to.
        frozen: The canonical bytes of the arguments: what is shown and what will run.
        digest: Hex SHA-256 of action, version, environment, arguments and preview.
        origin: Hex SHA-256 of the action and the arguments as the agent first gave them; an
            edit leaves it alone, so that a repeated run finds its own request again.
        version: Fingerprint of the function's code.
        preview: What the call would do; `None` when nobody needed to look.
        requester: The agent that asks; never votes.
        acting_for: The person the agent works for; never votes either.
        run: Id of the piece of work this call belongs to; empty outside `run(...)`.
        key: Unique per requester and run; the same key is the same request.
        revision: How often a person's edit has replaced the arguments.
        problem: Why the last edit was not taken; for the person, not for the agent.
        remarks: What the gate has to say to whoever decides: which value a name stood for when
            it was asked, or why it is asked once more.
        batch: Its place in a batch; `None` when it is decided alone.
        charges: What it takes out of budgets, for as long as it may still happen or has.
        asked_at: When the agent asked; timezone-aware, UTC.
        expires_at: The first instant at which nobody can decide it any more.
        run_within: How long an approval stays good.
    """

    action: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    frozen: bytes = b""
    digest: str = ""
    origin: str = ""
    version: str = ""
    parameters: tuple[Parameter, ...] = ()
    preview: Preview | None = None
    risk: Risk = Risk.HIGH
    environment: str = "production"
    panel: Panel = Panel()
    requester: str = "agent"
    acting_for: str = ""
    run: str = ""
    key: str = ""
    revision: int = 0
    problem: str = ""
    remarks: tuple[str, ...] = ()
    batch: Place | None = None
    charges: tuple[Charge, ...] = ()
    id: str = field(default_factory=new_id)
    asked_at: datetime = field(default_factory=utc_now)
    expires_at: datetime = END_OF_TIME
    run_within: timedelta = timedelta(minutes=15)

    @property
    def name(self) -> str:
        """The function's own name: the last part of `action`."""
        return self.action.rpartition(".")[2]

    @property
    def requesters(self) -> tuple[str, ...]:
        """Those who may not vote: the agent and the person it acts for."""
        return (self.requester, self.acting_for) if self.acting_for else (self.requester,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Run the call as it is shown.

    Attributes:
        window: Where it was said, and by which account; what is said stays the same elsewhere.
    """

    by: str
    note: str = ""
    window: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Run the call with these arguments replaced; the others stay as they were.

    Attributes:
        window: As for `Approve`.
    """

    by: str
    arguments: Mapping[str, object]
    note: str = ""
    window: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Do not run the call. `reason` is for the agent, so say what to do instead.

    Attributes:
        window: As for `Approve`.
    """

    by: str
    reason: str
    window: str = field(default="", compare=False, repr=False)


Decision: TypeAlias = Approve | Edit | Reject

Approver: TypeAlias = Callable[[ApprovalRequest], Decision | Awaitable[Decision]]
"""Whoever answers: a person at a terminal, a channel, a script. Never answers "maybe"."""


class Policy(Protocol):
    """A pure rule that may answer before anyone is asked. `None` means no opinion."""

    def __call__(self, request: ApprovalRequest, /) -> Decision | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's word on one version of a request, as the store keeps it.

    Attributes:
        choice: `"approve"`, `"edit"` or `"reject"`.
        digest: What the person was looking at.
        window: Where they said it: terminal, dashboard, command line.
        note: The note of an approval, or the reason of a rejection.
    """

    by: str
    choice: str
    digest: str
    at: datetime
    window: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a started call ended, as far as is known.

    Attributes:
        result: Canonical bytes of what it returned; `None` when it cannot be kept.
        error: Name of the exception's class, empty on success.
        message: The exception's text; for an unknown outcome, why it is unknown.
        finding: What `reconcile` saw when it looked, for the person who resolves.
    """

    result: bytes | None = None
    error: str = ""
    message: str = ""
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request with everything that has happened to it.

    Attributes:
        proposal: An edit from another window that the gate has not checked yet.
        changed: What people's edits changed, one sentence; empty when nothing.
        run_by: The first instant at which an approval is no longer good.
        executor: The process that claimed it.
    """

    request: ApprovalRequest
    state: State
    decision: Decision | None = None
    votes: tuple[Vote, ...] = ()
    proposal: Edit | None = None
    changed: str = ""
    run_by: datetime | None = None
    executor: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the audit trail, chained to the one before it.

    Attributes:
        seq: 1, 2, 3, … without gaps.
        event: `"submitted"`, `"approved"`, `"stopped"`, …; the path taken in one commit is
            joined with `>`, e.g. `"submitted>approved>executing"`.
        request_id: Empty for what concerns the whole store.
        body: Canonical JSON text of everything above and the details; what is hashed.
        previous: Hash of the record before, 64 zeros for the first.
        hash: Hex SHA-256 over `previous` and `body`.
    """

    seq: int
    at: datetime
    event: str
    request_id: str
    by: str
    body: str
    previous: str
    hash: str


class Store(Protocol):
    """The durable home of requests, votes, outcomes and the audit trail.

    Every method is one short transaction: the state and its audit record commit together or not
    at all. All of them raise `StoreError`, in one sentence, when the store cannot be used.
    """

    def submit(self, request: ApprovalRequest, /) -> StoredRequest:
        """Keep a new request as pending, or return the one with the same key and origin.

        What it takes out of budgets is reserved, even beyond them: people decide about it, and
        its remarks tell them how much of each is gone.

        Raises:
            ActionChanged: The key is taken by another call.
            Rejected: The stop button is pressed, or the requester has too many open requests.
        """
        ...

    def record(self, request: ApprovalRequest, decision: Approve | Reject, /) -> StoredRequest:
        """Keep a request that a policy has decided: claimed at once, or rejected. One commit.

        Raises:
            OverBudget: It is approved, and takes more out of a budget than is left.
        """
        ...

    def usage(self, charge: Charge, /) -> Usage:
        """Return how much is gone of the budget that a charge is on, without what is elsewhere."""
        ...

    def get(self, request_id: str, /) -> StoredRequest:
        """Return a request as it stands now; expiry is applied first."""
        ...

    def vote(
        self, request_id: str, decision: Approve | Reject, /, *, digest: str, window: str = ""
    ) -> StoredRequest:
        """Count one person's word; the request is decided when the panel has enough.

        Raises:
            NotCounted: Decided or expired already, another digest, not on the panel, or voted
                before. The sentence tells the true state.
        """
        ...

    def propose(
        self, request_id: str, edit: Edit, /, *, digest: str, window: str = ""
    ) -> StoredRequest:
        """Leave an edit for the gate that asked, which alone can check it. Still pending."""
        ...

    def refuse(self, request_id: str, /, *, problem: str) -> StoredRequest:
        """Drop the proposed edit and say why, for the person who made it."""
        ...

    def revise(self, request: ApprovalRequest, edit: Edit, /, *, changed: str) -> StoredRequest:
        """Put a checked edit in place of the arguments. Earlier votes no longer count."""
        ...

    def cancel(self, request_id: str, /, *, by: str, because: str) -> StoredRequest:
        """Withdraw a request that has not started."""
        ...

    def claim(
        self, request_id: str, /, *, digest: str, panel: Panel, bound: str = ""
    ) -> StoredRequest:
        """Start an approved request: true for one caller, once, before the function runs.

        Args:
            bound: Digest of the arguments it runs with, where results have taken the place of
                what stood for them; for the audit trail.

        Raises:
            StoreError: Not approved, expired, claimed already, or the trail does not explain it.
            ActionChanged: Another digest, or the voters are no longer on the panel.
        """
        ...

    def finish(self, request_id: str, outcome: Outcome, state: State, /) -> StoredRequest:
        """Write down how a claimed request ended."""
        ...

    def report(self, request_id: str, /, *, finding: str) -> StoredRequest:
        """Keep what `reconcile` saw about an unknown outcome, for the person who resolves it."""
        ...

    def resolve(
        self, request_id: str, /, *, by: str, happened: bool, note: str = ""
    ) -> StoredRequest:
        """A person says what became of an unknown outcome."""
        ...

    def pending(self, *, after: str = "", limit: int = 50) -> Sequence[StoredRequest]:
        """Return a page of pending requests, oldest first, after the one with that id."""
        ...

    def search(
        self,
        *,
        state: State | None = None,
        action: str = "",
        person: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[StoredRequest]:
        """Return requests, newest first.

        Args:
            person: A requester or a voter.
            after: Id of a request, whatever has become of it: only those that are older.

        Raises:
            NoSuchRequest: `after` is none.
        """
        ...

    def of_run(self, requester: str, run: str, /) -> Sequence[StoredRequest]:
        """Return what a run has asked so far, in the order of asking."""
        ...

    def sweep(self) -> int:
        """Expire what is due and name as unknown what a dead process left. Returns how many."""
        ...

    def stop(self, *, by: str, because: str) -> int:
        """Withdraw everything that has not started and refuse new calls. Returns how many."""
        ...

    def resume(self, *, by: str) -> None:
        """Take calls again."""
        ...

    def stopped(self) -> str:
        """Return who stopped the store and why, or an empty text."""
        ...

    def watch(
        self, request_id: str, changed: Callable[[], object], /
    ) -> AbstractContextManager[None]:
        """Call `changed` soon after the request changes, from any thread; it may call too often."""
        ...

    def trail(self, *, after: int = 0, request_id: str = "") -> Iterator[AuditRecord]:
        """Yield the audit trail in order.

        Args:
            after: Number of a record; those before it and itself are left out.
            request_id: Only what it says of this request; all of it by default.
        """
        ...

    def unexplained(self) -> Iterator[str]:
        """Yield a sentence for each request that the audit trail does not explain."""
        ...

    def fingerprint_key(self) -> bytes:
        """Return 32 secret bytes, kept apart from the requests, for fingerprints of secrets."""
        ...

    def close(self) -> None:
        """Let go of files and threads. Closing twice is fine."""
        ...


class Rejected(PermissionError):
    """Raised into the agent when a call may not run; the message says who, why and what now."""

    def __init__(self, message: str, *, request_id: str = "") -> None:
        super().__init__(message)
        self.request_id = request_id


class NotAnswered(Rejected):
    """Nobody answered in time. Silence is not consent, and it is not a denial."""


class ActionChanged(Rejected):
    """What was approved is no longer what would run."""


class OutcomeUnknown(RuntimeError):
    """A started call may or may not have happened; only a person can say which."""

    def __init__(self, message: str, *, request_id: str = "") -> None:
        super().__init__(message)
        self.request_id = request_id


class StoreError(RuntimeError):
    """The store cannot do what was asked; the message is one sentence, and nothing changed."""


class NoSuchRequest(StoreError):
    """There is no request with that id."""


class NotCounted(StoreError):
    """A vote that came too late, twice, from the wrong person or for another version."""


class OverBudget(StoreError):
    """A policy would let it through, and a budget does not; so people are asked."""


class Unencodable(TypeError):
    """A value that cannot be frozen, so nobody is asked about it and nothing runs."""

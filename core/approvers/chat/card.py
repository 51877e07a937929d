"""What a message says about a request as it stands now; every text in it is safe to show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from ...display import is_too_large, place_text, safe, shown
from ...model import (
    END_OF_TIME,
    ApprovalRequest,
    Preview,
    Quote,
    Risk,
    State,
    StoredRequest,
    Table,
    same,
)
from ..forms.spelled import spelled
from ..forms.typed import DIGITS
from ..standing import told

MOST_OF_OUTCOME = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value; the value may have several lines."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A request in the order in which to show it. What is empty is left out.

    Whether characters mean something to a chat, as `*`, `<` or `@` do, only its own window knows:
    it has to write them so that they mean nothing.

    Attributes:
        id: Of the request.
        digest: Of what is shown. Whoever decides, decides about this.
        action: The function's own name.
        state: Where the request stands.
        standing: The same as a sentence; what a person wants to know first.
        facts: Who asks, for whom, where, in which run and batch, until when, under which id.
        expires_at: The first instant at which nobody can decide it; `None` when there is no end.
        arguments: Name with type, and value; from the bytes that would run.
        remarks: What the gate has to say.
        summary: What it would do, in one line or a few.
        found: Facts of the preview, the files it depends on among them.
        tables: Of the preview.
        diff: Of the preview.
        warnings: Of the preview.
        quotes: Words of the agent or of others, nobody has checked them.
        problem: Why the last edit was not taken.
        proposal: Who has proposed an edit that the gate has not checked yet.
        changed: What edits have changed so far.
        votes: Who has said what, where and when, a line each.
        missing: Whose votes it waits for; empty once it is decided.
        absent: Names of those who are on the panel and have not voted, as the panel has them.
        outcome: How the call ended, or why nobody knows; empty until then.
        confirm: How many characters of the digest a person types to approve; 0 for none.
        too_large: Whether nobody would read all of it in any chat.
        link: Page of the request on the dashboard; may be empty.
    """

    id: str
    digest: str
    action: str
    risk: Risk
    environment: str
    state: State
    standing: str
    facts: tuple[Fact, ...]
    expires_at: datetime | None = None
    arguments: tuple[Fact, ...] = ()
    remarks: tuple[str, ...] = ()
    summary: str = ""
    found: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    diff: str = ""
    warnings: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    problem: str = ""
    proposal: str = ""
    changed: str = ""
    votes: tuple[str, ...] = ()
    missing: str = ""
    absent: tuple[str, ...] = ()
    outcome: str = ""
    confirm: int = 0
    too_large: bool = False
    link: str = ""

    @property
    def waits(self) -> bool:
        """Whether people can still decide it."""
        return self.state is State.PENDING

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of all that it says: with another one, a message is out of date."""
        return hashlib.sha256(repr(self).encode("utf-8", "backslashreplace")).hexdigest()


def card(stored: StoredRequest, *, dashboard: str = "") -> Card:
    """Return what to say about a request.

    Args:
        dashboard: Where the dashboard is, such as `https://approvals.example.org`; may be empty.
    """
    request = stored.request
    preview = _safe(request.preview or Preview())
    waits = stored.state is State.PENDING
    return Card(
        id=request.id,
        digest=request.digest,
        action=safe(request.name),
        risk=request.risk,
        environment=safe(request.environment),
        state=stored.state,
        standing=safe(told(stored)),
        facts=tuple(_facts(request)),
        expires_at=None if request.expires_at == END_OF_TIME else request.expires_at,
        arguments=tuple(Fact(name=f"{a.name} ({a.type})", value=a.text) for a in shown(request)),
        remarks=tuple(safe(remark, newlines=True) for remark in request.remarks),
        summary=preview.summary,
        found=_found(preview),
        tables=preview.tables,
        diff=preview.diff,
        warnings=preview.warnings,
        quotes=preview.quotes,
        problem=safe(request.problem, newlines=True),
        proposal=safe(stored.proposal.by) if stored.proposal and waits else "",
        changed=stored.changed,  # it was made safe when it was written
        votes=tuple(_votes(stored)),
        missing=_missing(stored) if waits else "",
        absent=_absent(stored) if waits else (),
        outcome=_outcome(stored),
        confirm=DIGITS if request.risk is Risk.CRITICAL else 0,
        too_large=is_too_large(request),
        link=f"{dashboard.rstrip('/')}/requests/{request.id}" if dashboard else "",
    )


def _facts(request: ApprovalRequest) -> list[Fact]:
    who = f"{request.requester}, for {request.acting_for}" if request.acting_for else ""
    place = place_text(request.batch) if request.batch else ""
    until = "" if request.expires_at == END_OF_TIME else instant(request.expires_at)
    edited = (
        "" if not request.revision else f"{request.revision}x" if request.revision > 1 else "once"
    )
    named = {
        "asked by": who or request.requester,
        "environment": request.environment,
        "run": request.run,
        "batch": place,
        "edited": edited,
        "asked at": instant(request.asked_at),
        "decide until": until,
        "request": request.id[:8],
    }
    return [Fact(name=name, value=safe(value)) for name, value in named.items() if value]


def _safe(preview: Preview) -> Preview:
    """Return the preview with every character of it visible."""
    return Preview(
        summary=safe(preview.summary, newlines=True),
        facts=tuple((safe(name), safe(value, newlines=True)) for name, value in preview.facts),
        tables=tuple(
            Table(
                title=safe(table.title),
                columns=tuple(map(safe, table.columns)),
                rows=tuple(tuple(map(safe, row)) for row in table.rows),
            )
            for table in preview.tables
        ),
        diff=safe(preview.diff, newlines=True),
        warnings=tuple(safe(warning, newlines=True) for warning in preview.warnings),
        quotes=tuple(
            Quote(who=safe(quote.who), text=safe(quote.text, newlines=True))
            for quote in preview.quotes
        ),
        files=preview.files,
    )


def _found(preview: Preview) -> tuple[Fact, ...]:
    files = [Fact(name=f"file {safe(one.path)}", value=safe(one.sha256)) for one in preview.files]
    return (*(Fact(name=name, value=value) for name, value in preview.facts), *files)


def _votes(stored: StoredRequest) -> list[str]:
    words = {"approve": "approved", "reject": "rejected", "edit": "edited"}
    said: list[str] = []
    for vote in stored.votes:
        where = f" in {vote.window}" if vote.window else ""
        note = f": {vote.note}" if vote.note else ""
        text = f"{vote.by} {words.get(vote.choice, vote.choice)}{where}, {instant(vote.at)}{note}"
        said.append(safe(text, newlines=True))
    return said


def _missing(stored: StoredRequest) -> str:
    """Say whose votes it waits for; a panel without members takes anybody's."""
    panel = stored.request.panel
    count = max(panel.votes - len({same(vote.by) for vote in stored.votes}), 0)
    votes = "1 more vote" if count == 1 else f"{count} more votes"
    return f"{votes} of {', '.join(map(safe, _absent(stored)))}" if panel.members else votes


def _absent(stored: StoredRequest) -> tuple[str, ...]:
    request, voted = stored.request, {same(vote.by) for vote in stored.votes}
    return tuple(
        one
        for one in sorted(request.panel.members)
        if same(one) not in voted and request.panel.admits(one, request.requesters)
    )


def _outcome(stored: StoredRequest) -> str:
    found = stored.outcome
    if found is None:
        return ""
    if found.result is not None:
        return beginning(spelled(json.loads(found.result)))
    text = f"{found.error}: {found.message}" if found.error else found.message
    return beginning(safe("\n".join(filter(None, [text, found.finding])), newlines=True))


def beginning(text: str) -> str:
    """Return what a message shows of a result, and how much more there is.

    >>> beginning("x" * 2_100)[-24:]
    'xxx… 100 more characters'
    """
    more = len(text) - MOST_OF_OUTCOME
    return f"{text[:MOST_OF_OUTCOME]}… {more:,} more characters" if more > 0 else text


def instant(at: datetime) -> str:
    """Return an instant as people read it.

    >>> instant(datetime(2026, 6, 4, 12, 30, tzinfo=UTC))
    '2026-06-04 12:30 UTC'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

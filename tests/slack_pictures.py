"""Draw what a request looks like in Slack, from the blocks that Slack is sent.

python -m tests.slack_pictures      # draws them anew, and says where
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core import Preview, Reject, Risk, State
from core.approvers.chat.card import card
from core.approvers.chat.voting import form
from core.approvers.slack import blocks, modals
from core.canonical import digest, encode
from core.model import (
    ApprovalRequest,
    Approve,
    Outcome,
    Panel,
    Parameter,
    Quote,
    StoredRequest,
    Table,
    Vote,
)

from .slack_drawing import Sheet, message, modal, thread

FOLDER = Path(__file__).parent.parent / "core" / "approvers" / "slack" / "pictures"
DASHBOARD = "https://approvals.example.org"
NOON = datetime(2026, 6, 4, 12, tzinfo=UTC)
ARGUMENTS = {
    "charge": "ch_3PqLw2",
    "amount": 12_900,
    "reason": "damaged",
    "letter": "Dear Mia,\nthe lamp arrived broken, so here is your money back.",
}
ANNOTATIONS = ("str", "int", "Literal['damaged', 'late', 'other']", "str")
PREVIEW = Preview(
    summary="Pays 129.00 EUR back to Mia Keller, order 4711.",
    tables=(
        Table(
            title="Charge ch_3PqLw2",
            columns=("", "before", "after"),
            rows=(("refunded", "0.00", "129.00"), ("left", "149.00", "20.00")),
        ),
    ),
    warnings=("This customer was refunded twice this year.",),
    quotes=(Quote(who="Mia Keller", text="<!channel> please refund me twice *today*"),),
)
FROZEN = encode(ARGUMENTS)
ASKED = ApprovalRequest(
    action="shop.refund",
    arguments=ARGUMENTS,
    frozen=FROZEN,
    digest=digest("request", FROZEN),
    parameters=tuple(
        Parameter(name=name, annotation=annotation)
        for name, annotation in zip(ARGUMENTS, ANNOTATIONS, strict=True)
    ),
    preview=PREVIEW,
    risk=Risk.HIGH,
    environment="production",
    panel=Panel(members=frozenset({"Ana", "Bo", "Cleo"}), votes=2),
    requester="support-agent",
    acting_for="Dan",
    run="ticket-4711",
    id="7f3a90c2d45e4b0c8e19aa5177b0de42",
    asked_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)
WAITS = StoredRequest(request=ASKED, state=State.PENDING)


def vote(by, choice, minutes, note=""):
    """Somebody's word in Slack."""
    at = NOON + timedelta(minutes=minutes)
    return Vote(by=by, choice=choice, digest=ASKED.digest, at=at, window="Slack", note=note)


ANA, BO = vote("Ana", "approve", 2, "saw the photo"), vote("Bo", "approve", 3)
HERE = modals.Origin(request_id=ASKED.id, digest=ASKED.digest, place="C1", message="1")


def drawn(stored, *, replies=()):
    """A message about a request, with what was written under it."""
    sheet = Sheet()
    sent = blocks.message(card(stored, dashboard=DASHBOARD))
    message(sheet, sent.blocks)
    if replies:
        thread(sheet, [blocks.note(text).blocks for text in replies])
    return sheet.svg(sent.text)


def waits():
    """Nobody has answered yet."""
    return drawn(WAITS)


def half():
    """One of two has approved."""
    return drawn(replace(WAITS, votes=(ANA,)))


def edit():
    """The form for an edit, sent with something that cannot be."""
    fields = form(WAITS)
    wrong = modals.errors({"amount": "must be at most 14900"}, fields)["errors"]
    view = modals.edit_view(card(WAITS), fields, HERE)
    sheet = Sheet(left=28)
    modal(sheet, view, wrong)
    return sheet.svg("Edit the arguments; one of them is wrong")


def confirm():
    """What an approval at critical risk asks for."""
    critical = replace(WAITS, request=replace(ASKED, risk=Risk.CRITICAL))
    sheet = Sheet(left=28)
    modal(sheet, modals.approve_view(card(critical), HERE))
    return sheet.svg("Approve what is critical: type the beginning of its digest")


def reject():
    """What a rejection asks for."""
    sheet = Sheet(left=28)
    modal(sheet, modals.reject_view(card(WAITS), HERE))
    return sheet.svg("Reject, and say why")


def record():
    """Two have approved, and the call has ended."""
    stored = replace(
        WAITS,
        state=State.SUCCEEDED,
        votes=(ANA, BO),
        decision=Approve(by="Bo"),
        outcome=Outcome(result=encode("re_81Xk: 129.00 EUR")),
    )
    made = card(stored)
    reminder = "It still waits for 1 more vote of Bo, Cleo."
    return drawn(stored, replies=(reminder, f"{made.standing}\n{made.outcome}"))


def rejected():
    """Somebody has said no, and why."""
    why = "Ask for the receipt first."
    stored = replace(
        WAITS,
        state=State.REJECTED,
        votes=(vote("Cleo", "reject", 4, why),),
        decision=Reject(by="Cleo", reason=why),
    )
    return drawn(stored)


def large():
    """More than Slack can show."""
    arguments = {**ARGUMENTS, "letter": "Dear Mia, " * 2_000}
    frozen = encode(arguments)
    request = replace(ASKED, arguments=arguments, frozen=frozen, digest=digest("request", frozen))
    return drawn(replace(WAITS, request=request))


PICTURES = {
    "waits": waits,
    "half": half,
    "edit": edit,
    "confirm": confirm,
    "reject": reject,
    "record": record,
    "rejected": rejected,
    "large": large,
}


def main():
    """Draw all of them into their folder."""
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(picture(), "utf-8")
    print(f"{len(PICTURES)} pictures in {FOLDER}")


if __name__ == "__main__":
    main()

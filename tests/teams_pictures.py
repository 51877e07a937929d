"""Draw what a request looks like in Teams, from the cards that Teams is sent.

python -m tests.teams_pictures      # draws them anew, and says where
"""

from dataclasses import replace
from pathlib import Path

from core import State
from core.approvers.chat.card import card
from core.approvers.chat.voting import form
from core.approvers.teams.cards import adaptive, note
from core.approvers.teams.workflow import envelope
from core.canonical import digest, encode
from core.model import Approve, Outcome

from .slack_pictures import ANA, ARGUMENTS, ASKED, BO, DASHBOARD, WAITS
from .teams_drawing import picture

FOLDER = Path(__file__).parent.parent / "core" / "approvers" / "teams" / "pictures"
WINDOW = {"window": "Teams"}


def shown(stored, **options):
    """Return the card about a request."""
    return adaptive(card(stored, dashboard=DASHBOARD), form(stored), **options)


def waits():
    """Nobody has answered yet."""
    return picture("refund waits for approval", shown(WAITS))


def half():
    """What Ana sees once she has approved."""
    told = "You have approved this. It waits for others."
    stored = replace(WAITS, votes=(replace(ANA, **WINDOW),))
    return picture("One of two votes is there", shown(stored, notice=told, buttons=False))


def edit():
    """The form for an edit, sent with something that cannot be."""
    wrong = {"amount": "must be at most 14900"}
    made = shown(WAITS, notice="Nothing was changed. amount: must be at most 14900", wrong=wrong)
    kept = {**made, "body": made["body"][:4]}
    return picture("Edit the arguments; one of them is wrong", kept, opened="Edit")


def record():
    """Two have approved, and the call has ended."""
    stored = replace(
        WAITS,
        state=State.SUCCEEDED,
        votes=(replace(ANA, **WINDOW), replace(BO, **WINDOW)),
        decision=Approve(by="Bo"),
        outcome=Outcome(result=encode("re_81Xk: 129.00 EUR")),
    )
    made = card(stored)
    replies = [
        note("This still waits for somebody to decide.", {"8:orgid:bo": "Bo"}),
        note(f"{made.standing}\n{made.outcome}"),
    ]
    return picture("refund: approved, and it has run", adaptive(made), replies)


def large():
    """More than Teams can show."""
    arguments = {**ARGUMENTS, "letter": "Dear Mia, " * 4_000}
    frozen = encode(arguments)
    request = replace(ASKED, arguments=arguments, frozen=frozen, digest=digest("request", frozen))
    return picture("Too large to be shown whole", shown(replace(WAITS, request=request)))


def workflow():
    """The card of the simple form, whose button opens the dashboard."""
    [attachment] = envelope(ASKED, DASHBOARD)["attachments"]
    return picture("A card that opens the dashboard", attachment["content"])


PICTURES = {
    "waits": waits,
    "half": half,
    "edit": edit,
    "record": record,
    "large": large,
    "workflow": workflow,
}


def main():
    """Draw all of them into their folder."""
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), "utf-8")
    print(f"{len(PICTURES)} pictures in {FOLDER}")


if __name__ == "__main__":
    main()

"""Send what waits in the outbox, each reply at most once.

Before a reply is handed to the server, that is written down; afterwards, how it went. A process
that was killed in between leaves a reply of which nobody knows whether the server has taken it.
Such a reply is never sent again by a machine: it lies in `.unsure`, and its ticket is open again
and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from ..errors import MailError, MailRefused, MailUnknown
from .cabinet import Cabinet
from .folders import Place, order
from .journal import Deed, digest_of

Send = Callable[[EmailMessage], None]

UNSURE = "It is not known whether a reply has reached the mail server; it is not sent again."
REFUSED = "A reply was refused for good: {why}"
LATER = "A reply waits in the outbox: {why}"


def flush(cabinet: Cabinet, send: Send) -> int:
    """Send what waits; return how many replies a server has taken.

    What was refused, or not taken now, stands in the notes of its ticket.

    Raises:
        MailError: The disk refuses, or another process sends and does not end.
    """
    with cabinet.sending():
        with cabinet.held("looking for replies that were being sent"):
            for deed in cabinet.unfinished("sending"):
                _give_up(cabinet, deed)
            waiting = [n for n, spot in cabinet.spots.items() if spot.place is Place.OUTBOX]
        return sum(_send(cabinet, name, send) for name in sorted(waiting, key=order))


def _send(cabinet: Cabinet, name: str, send: Send) -> bool:
    """Hand one reply over; tell whether the server has taken it."""
    with cabinet.held("sending a reply"):
        spot = cabinet.spots.get(name)
        if spot is None or spot.place is not Place.OUTBOX:
            return False  # a person has taken it away
        mail = _mail(spot.path.read_bytes())
        deed = _sending(cabinet, name)
        cabinet.begin(deed)
    problem = _attempt(mail, send)
    with cabinet.held("writing down how a reply was sent"):
        _put_away(cabinet, deed, problem)
    return problem is None


def _attempt(mail: EmailMessage, send: Send) -> MailError | None:
    """Send a mail; return what went wrong."""
    try:
        send(mail)
    except MailError as problem:
        return problem
    except Exception as error:  # whatever it was, it may have come after the mail was taken
        return MailUnknown(f"sending ended with {type(error).__name__}")
    return None


def _put_away(cabinet: Cabinet, deed: Deed, problem: MailError | None) -> None:
    match problem:
        case None:
            cabinet.move([deed.file], Place.SENT)
        case MailUnknown():
            _give_up(cabinet, deed)
            return
        case MailRefused():
            _reopen(cabinet, deed, REFUSED.format(why=problem))
            cabinet.move([deed.file], Place.REFUSED)
        case MailError():
            _remark(cabinet, deed, LATER.format(why=problem))
    cabinet.end(deed)


def _give_up(cabinet: Cabinet, deed: Deed) -> None:
    """Treat a reply as one that may or may not have been sent."""
    spot = cabinet.spots.get(deed.file)
    if spot is not None and spot.place is Place.OUTBOX:
        _reopen(cabinet, deed, UNSURE)
        cabinet.move([deed.file], Place.UNSURE)
    cabinet.end(deed)


def _sending(cabinet: Cabinet, name: str) -> Deed:
    thread = cabinet.thread_of(name)
    at = cabinet.now().isoformat()
    ticket = thread.id if thread else ""
    key = f"sending {name} {cabinet.count()}"
    return Deed(key=key, kind="sending", ticket=ticket, at=at, digest="", file=name)


def _reopen(cabinet: Cabinet, deed: Deed, why: str) -> None:
    thread = cabinet.thread_of(deed.file)
    _remark(cabinet, deed, why, tuple(thread.mails) if thread else ())


def _remark(cabinet: Cabinet, deed: Deed, why: str, moves: tuple[str, ...] = ()) -> None:
    """Note on the ticket, once, what became of a reply to it; open it again if mails move."""
    digest = digest_of(deed.file, why)
    if cabinet.find(digest, digest) is None:
        cabinet.do(
            Deed(
                key=digest,
                kind="reopen" if moves else "note",
                ticket=deed.ticket,
                at=cabinet.now().isoformat(),
                digest=digest,
                note=why,
                moves=moves,
                to=Place.REOPENED if moves else None,
            )
        )


def _mail(raw: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(raw)

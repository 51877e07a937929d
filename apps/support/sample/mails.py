"""The letters as mails, the way different programs write them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from .letters import Letter

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 a picture of what went wrong"


def address(letter: Letter) -> str:
    """Return the customer's address."""
    return f"{letter.who}@mail.example"


def mails(letter: Letter, to: str, now: datetime) -> Iterator[bytes]:
    """Yield a customer's mails, oldest first, as a mail server hands them over."""
    first = _mail(letter, to, letter.subject, now - timedelta(days=letter.ago))
    _fill(first, letter)
    yield first.as_bytes()
    for number, (ago, text) in enumerate(letter.later, start=1):
        more = _mail(letter, to, f"Re: {letter.subject}", now - timedelta(days=ago), number)
        more["In-Reply-To"] = more["References"] = str(first["Message-ID"])
        more.set_content(text, charset=letter.charset)
        yield more.as_bytes()


def _mail(letter: Letter, to: str, subject: str, at: datetime, number: int = 0) -> EmailMessage:
    made = EmailMessage()
    made["From"] = formataddr((letter.name, address(letter)))
    made["To"] = to
    made["Subject"] = subject
    made["Date"] = format_datetime(at)
    made["Message-ID"] = f"<{letter.order}.{number}.{letter.who}@mail.example>"
    return made


def _fill(made: EmailMessage, letter: Letter) -> None:
    if letter.html:
        made.set_content(letter.text, subtype="html", charset=letter.charset)
    else:
        made.set_content(letter.text, charset=letter.charset)
    if letter.photo:
        kind = "png" if letter.photo.endswith(".png") else "jpeg"
        made.add_attachment(PICTURE, maintype="image", subtype=kind, filename=letter.photo)

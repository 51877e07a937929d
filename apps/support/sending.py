"""Hand a mail to a server, and know afterwards whether it was taken, was not, or may have been."""

from __future__ import annotations

import re
import smtplib
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Literal, TypeAlias

from .errors import MailError, MailLater, MailRefused, MailUnknown

Tls: TypeAlias = Literal["starttls", "tls", "none"]
Answer: TypeAlias = tuple[int, bytes]
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LONGEST_ANSWER = 200  # characters of what a server says


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server; call it with a mail to send that.

    Attributes:
        password: Never shown, and sent only over a connection that nobody else can read.
        tls: How the connection is kept private; `none` only to this machine itself.
        seconds: How long one answer of the server may take.
        retries: How often a server that says "not now" is asked again.
        context: Whose certificates are believed; those of the system where there is none.
    """

    host: str
    port: int = 587
    user: str = field(default="", kw_only=True)
    password: str = field(default="", kw_only=True, repr=False)
    tls: Tls = field(default="starttls", kw_only=True)
    seconds: float = field(default=30.0, kw_only=True)
    retries: int = field(default=2, kw_only=True)
    sleep: Callable[[float], None] = field(default=time.sleep, kw_only=True, repr=False)
    context: ssl.SSLContext | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.tls == "none" and self.host not in LOOPBACK:
            raise MailError(
                f"Mails to {self.host} would cross the network in the open: use starttls or tls."
            )

    def __call__(self, mail: EmailMessage) -> None:
        """Send one mail to its one recipient.

        Raises:
            MailLater: It was not taken now; it may be, later.
            MailRefused: It will never be taken.
            MailUnknown: It was handed over, and the server's answer was lost.
            MailError: The server takes nothing from us: a wrong password, no encryption.
        """
        sender, recipient = (parseaddr(str(mail[name]))[1] for name in ("From", "To"))
        content = mail.as_bytes(policy=policy.SMTP)
        for attempt in range(self.retries + 1):
            try:
                return self._send(sender, recipient, content)
            except MailLater:
                if attempt == self.retries:
                    raise
                self.sleep(2.0**attempt)
        return None

    def _send(self, sender: str, recipient: str, content: bytes) -> None:
        with self._connected(sender.rpartition("@")[2]) as server:
            with self._talking("does not take mails from us", MailError):
                _expect(server.mail(sender), 250)
            with self._talking(f"does not take mails for {recipient}", MailRefused):
                _expect(server.rcpt(recipient), 250, 251)
            with self._talking("does not take the mail", MailRefused):
                _expect(server.docmd("DATA"), 354)
                server.send(_dotted(content))
                server.send(b".\r\n")
            # From here on only the server knows: without this line it would have taken nothing.
            with self._talking("does not take the mail", MailRefused, lost=MailUnknown):
                _expect(server.getreply(), 250)

    @contextmanager
    def _connected(self, domain: str) -> Generator[smtplib.SMTP]:
        """Yield the server, on a connection that is private and on which it knows who we are."""
        with self._talking("does not answer", MailError):
            server = self._dialled(domain)
        try:
            with self._talking("does not let us in", MailError):
                server.ehlo_or_helo_if_needed()
                if self.tls == "starttls":
                    server.starttls(context=self._context())
                if self.user:
                    server.login(self.user, self.password)
            yield server
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _dialled(self, domain: str) -> smtplib.SMTP:
        if self.tls == "tls":
            return smtplib.SMTP_SSL(
                self.host, self.port, domain, timeout=self.seconds, context=self._context()
            )
        return smtplib.SMTP(self.host, self.port, domain, timeout=self.seconds)

    def _context(self) -> ssl.SSLContext:
        return self.context or ssl.create_default_context()

    @contextmanager
    def _talking(
        self, what: str, for_good: type[MailError], *, lost: type[MailError] = MailLater
    ) -> Generator[None]:
        """Turn what goes wrong into one sentence.

        Args:
            what: What the server does then, as it follows its name.
            for_good: What it means when it says no, other than "not now".
            lost: What it means when it says nothing more.
        """
        name = f"The mail server {self.host}:{self.port}"
        try:
            yield
        except smtplib.SMTPResponseException as error:
            said = _one_line(error.smtp_error)
            kind = MailLater if 400 <= error.smtp_code < 500 else for_good
            if not 400 <= error.smtp_code < 600:  # what it says makes no sense
                kind = lost
            raise kind(f"{name} {what}: {error.smtp_code} {said}") from None
        except smtplib.SMTPServerDisconnected as error:
            raise lost(f"{name} {what}: {_one_line(str(error)).lower()}") from None
        except ssl.SSLError as error:
            raise MailError(f"{name} {what}: {_one_line(error.reason or 'no TLS')}") from None
        except (smtplib.SMTPException, UnicodeError) as error:
            raise MailError(f"{name} {what}: {_one_line(str(error))}") from None
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise lost(f"{name} {what}: {_one_line(said)}") from None


def _expect(answer: Answer, *codes: int) -> None:
    code, said = answer
    if code not in codes:
        raise smtplib.SMTPResponseException(code, said)


def _dotted(content: bytes) -> bytes:
    """Return a mail as it goes over the wire: a line that is one dot would end it."""
    lines = content if content.endswith(b"\r\n") else content + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)


def _one_line(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST_ANSWER].strip()

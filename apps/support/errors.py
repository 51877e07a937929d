"""What can go wrong at a help desk, one sentence each."""

from __future__ import annotations


class SupportError(Exception):
    """Something came to nothing; the message says why, and what is still as it was."""


class ConfigError(SupportError):
    """`support.toml` is missing, or does not say what it has to."""


class NoSuchTicket(SupportError):
    """There is no ticket of that name."""


class MailError(SupportError):
    """A mail cannot be read, written or sent."""


class MailLater(MailError):
    """A mail was not taken now, and may be taken later; nothing was sent."""


class MailRefused(MailError):
    """A mail will not be taken, whenever it is sent; nothing was sent."""


class MailUnknown(MailError):
    """The answer of a mail server was lost: the mail may or may not be on its way."""


class PaymentError(SupportError):
    """Stripe refused, and nothing was paid back."""


class NotRefundable(PaymentError):
    """The charge cannot be refunded as asked: nothing left, disputed, not captured, unknown."""


class PaymentUnknown(SupportError):
    """The answer of Stripe was lost: the refund may or may not have been made."""


class NotFromStripe(SupportError):
    """A message says it comes from Stripe, and nothing proves it."""

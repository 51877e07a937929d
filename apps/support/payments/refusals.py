"""What Stripe's errors mean: whether to ask again, whether it may have happened, and in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from stripe import StripeError

LONGEST = 300  # characters of Stripe's own words
MOST_SECONDS = 30.0  # that an answer may tell us to wait

WORDS = {
    "charge_already_refunded": "all of it has been refunded already",
    "charge_disputed": "it is disputed, and a refund on top would pay twice",
    "refund_disputed_payment": "it is disputed, and a refund on top would pay twice",
    "charge_not_refundable": "this charge cannot be refunded",
    "balance_insufficient": "the balance at Stripe is too low for it; add funds, then ask again",
    "insufficient_funds": "the balance at Stripe is too low for it; add funds, then ask again",
    "account_invalid": "the account at Stripe cannot be used; see its dashboard",
    "amount_too_large": "the amount is too large",
    "amount_too_small": "the amount is too small",
    "invalid_charge_amount_no_decimal_compatible": "its currency has no such fractions",
    "resource_missing": "there is no such thing under this API key",
}
SENTENCES = {
    401: "Stripe does not take this API key; see STRIPE_API_KEY",
    403: "This API key may not do that; see its rights in Stripe's dashboard",
}
ABOUT_THE_CHARGE = frozenset(
    {
        "charge_already_refunded",
        "charge_disputed",
        "refund_disputed_payment",
        "charge_not_refundable",
        "amount_too_large",
        "amount_too_small",
        "resource_missing",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request came to nothing, or to nothing that is known.

    Attributes:
        sentence: Without a full stop, so that what follows from it can be added.
        code: Stripe's word; empty where it has none.
        param: The parameter that Stripe did not like.
        again: Whether the same request may be answered when it is made again.
        doubt: Whether the request may have been carried out all the same.
        final: Whether Stripe has answered, and the answer is no.
        after: Seconds that Stripe wants us to wait.
    """

    sentence: str
    code: str = ""
    param: str = ""
    again: bool = False
    doubt: bool = False
    final: bool = False
    after: float = 0.0

    @property
    def is_missing(self) -> bool:
        """Whether there is no object of that id."""
        return self.code == "resource_missing"

    @property
    def is_about_the_charge(self) -> bool:
        """Whether another look at the charge would explain it."""
        return self.code in ABOUT_THE_CHARGE or self.param in {"amount", "charge"}


class Refused(Exception):
    """Stripe did not do it, or did not say so.

    Attributes:
        problem: Of the last attempt; its `doubt` is that of all attempts together.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


class Unreadable(Exception):
    """Stripe answered with something that is not what was asked for."""


UNREADABLE = Problem(sentence="Stripe answered with something unreadable", again=True, doubt=True)


def problem_of(error: StripeError) -> Problem:
    """Return what an error of the library means."""
    import stripe

    if isinstance(error, stripe.APIConnectionError):
        return _unreached(error)
    if not _said(error, "type"):
        # Some proxy's answer, perhaps: a no is believed in Stripe's own words only.
        sentence = f"Stripe did not answer in its own words (status {error.http_status})"
        return Problem(sentence=sentence, again=True, doubt=True)
    match error.http_status:
        case 429 | 409:
            return _busy(error)
        case 400 | 402 | 404:
            return _invalid(error)
        case status if status in SENTENCES:
            return Problem(sentence=SENTENCES[status], final=True)
        case _:
            return _broken(error)


def _unreached(error: StripeError) -> Problem:
    from requests import exceptions

    cause = error.__cause__
    if isinstance(cause, exceptions.SSLError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(cause)
        return Problem(sentence="The connection to Stripe cannot be trusted", doubt=not untrusted)
    again = isinstance(cause, exceptions.Timeout | exceptions.ConnectionError)
    if _was_never_sent(cause):
        return Problem(sentence="Stripe cannot be reached", again=again)
    return Problem(sentence="The connection to Stripe was lost", again=again, doubt=True)


def _was_never_sent(cause: BaseException | None) -> bool:
    """Whether not even a connection came about."""
    from requests import exceptions
    from urllib3.exceptions import NewConnectionError

    if isinstance(cause, exceptions.ConnectTimeout):
        return True
    inner: object = cause.args[0] if cause is not None and cause.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)


def _busy(error: StripeError) -> Problem:
    wait = str((error.headers or {}).get("Retry-After", ""))
    after = min(float(wait), MOST_SECONDS) if re.fullmatch(r"[0-9]{1,6}", wait) else 0.0
    if error.http_status == 429:
        # What is turned away for its rate, or for a lock, has not been carried out.
        sentence = "Stripe is being asked too often"
        return Problem(sentence=sentence, code=_said(error, "code"), again=True, after=after)
    sentence = "Stripe is still working on an earlier request with the same key"
    return Problem(
        sentence=sentence, code=_said(error, "code"), again=True, doubt=True, after=after
    )


def _invalid(error: StripeError) -> Problem:
    code, param = _said(error, "code"), _said(error, "param")
    if code == "rate_limit":
        return Problem(sentence="Stripe is being asked too often", code=code, again=True)
    if _said(error, "type") == "idempotency_error":
        sentence = "Stripe knows this request's key from another request"
        return Problem(sentence=sentence, code="idempotency_error", final=True)
    said = WORDS.get(code) or _words(error)
    who = "The card's network" if error.http_status == 402 else "Stripe"
    return Problem(sentence=f"{who} refused: {said}", code=code, param=param, final=True)


def _broken(error: StripeError) -> Problem:
    # Stripe keeps the answer even of a failure, and says when asking again would only repeat it.
    again = (error.headers or {}).get("Stripe-Should-Retry") != "false"
    sentence = f"Something is wrong at Stripe (status {error.http_status})"
    return Problem(sentence=sentence, code=_said(error, "code"), again=again, doubt=True)


def _said(error: StripeError, name: str) -> str:
    """Return a field of the error's body; the library leaves out some of those it has."""
    body: Any = error.json_body
    if not isinstance(body, dict):
        return ""
    inner: Any = cast("dict[str, Any]", body).get("error")
    found: Any = cast("dict[str, Any]", inner).get(name) if isinstance(inner, dict) else ""
    return found if isinstance(found, str) else ""


def _words(error: StripeError) -> str:
    """Return Stripe's own words in one line, without what might be a key."""
    line = " ".join(_said(error, "message").split()).rstrip(".")
    line = re.sub(r"\b[sr]k_(test|live)_\S+", "the key", line)
    line = "".join(letter for letter in line if letter.isprintable())[:LONGEST]
    return line or "it does not say why"

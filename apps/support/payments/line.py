"""The line to Stripe: the same question is asked again for as long as that can help."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, final

from ..errors import ConfigError
from .keys import checked, is_here
from .refusals import UNREADABLE, Problem, Refused, problem_of

if TYPE_CHECKING:
    from requests import PreparedRequest
    from stripe import StripeClient

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds


@final
class Line:
    """A client of Stripe's that is patient.

    Attributes:
        retries: How often a request is made again after the first time.
    """

    def __init__(
        self,
        key: str,
        *,
        base: str | None,
        seconds: float,
        retries: int,
        live: bool,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Open a line; nothing is sent yet.

        Args:
            base: Another address than Stripe's.
            seconds: How long one answer may take.
            jitter: A number from 0 to 1 that spreads those who were all turned away at once.

        Raises:
            ConfigError: The key, or the address, cannot be used.
        """
        checked(key, base, live=live)
        if retries < 0 or seconds <= 0:
            raise ConfigError("Stripe needs a time to answer in, and retries of 0 or more.")
        self.retries = retries
        self._sleep, self._jitter = sleep, jitter
        self._client = _client(key, base, seconds)

    def ask(self, question: Callable[[StripeClient], T]) -> T:
        """Return the answer to a question.

        Args:
            question: Asks once; asked again it has to be the same to the letter.

        Raises:
            Refused: There is none, or it is a no.
        """
        doubt, attempt = False, 1
        while True:
            answer = self._asked(question)
            if not isinstance(answer, Problem):
                return answer
            problem: Problem = answer
            doubt = doubt or problem.doubt
            if attempt > self.retries or not problem.again:
                break
            self._sleep(max(problem.after, self._pause(attempt)))
            attempt += 1
        # Not raised where the library's error is at hand: that one knows the key.
        raise Refused(replace(problem, doubt=doubt))

    def _asked(self, question: Callable[[StripeClient], T]) -> T | Problem:
        import stripe

        try:
            return question(self._client)
        except stripe.StripeError as error:
            return problem_of(error)
        except Exception:  # whatever the library stumbles over, it has sent the request by then
            return UNREADABLE

    def _pause(self, attempt: int) -> float:
        longest = min(FIRST_PAUSE * 2.0 ** (attempt - 1), LONGEST_PAUSE)
        return longest * (0.5 + self._jitter() / 2)


def _client(key: str, base: str | None, seconds: float) -> StripeClient:
    try:
        import requests
        import stripe
    except ImportError:
        raise ConfigError(
            "Refunds need Stripe's library: pip install gated-agents[support]."
        ) from None
    stripe.enable_telemetry = False  # it would leave a file in the home folder
    session = requests.Session()
    session.auth = _with_the_key_alone
    session.max_redirects = 0
    session.trust_env = not is_here(base)  # no proxy stands between this machine and itself
    return stripe.StripeClient(
        key,
        base_addresses={"api": base.rstrip("/")} if base else None,
        http_client=stripe.RequestsClient(timeout=seconds, session=session),
        max_network_retries=0,
    )


def _with_the_key_alone(request: PreparedRequest) -> PreparedRequest:
    """Leave the key where it is; else a login of ~/.netrc would take its place."""
    return request

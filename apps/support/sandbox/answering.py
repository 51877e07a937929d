"""From a request to its answer: who asks, what goes wrong today, and then what was asked for."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .endpoints import Endpoint, endpoint
from .errors import Json, Refusal, malformed
from .faults import FAULTS, HEADER, SLOW, broken, next_fault, refused
from .form import parsed
from .idempotency import InProgress, Result, checked, once
from .listing import expanded
from .params import Params
from .settling import settle
from .state import Busy, State
from .turn import Setup, Turn

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        headers: Names in lower case.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer; or the end of the connection, where there is to be none."""

    status: int = 0
    body: Json = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    dropped: bool = False


class Answering:
    """Answers requests, any number at once."""

    def __init__(self, state: State, setup: Setup) -> None:
        self.state, self.setup, self.in_progress = state, setup, InProgress()

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to a request; whatever goes wrong is an answer too."""
        request = self.setup.new("req")
        headers = {"request-id": request}
        if version := asked.headers.get("stripe-version"):
            headers["stripe-version"] = version
        try:
            authenticate(asked.headers.get("authorization", ""), self.setup.key)
            fault = self._fault(asked)
            if fault == "drop-before":
                return Answer(dropped=True)
            result = self._result(asked, request, fault)
            if fault == "drop-after":
                return Answer(dropped=True)
        except Refusal as refusal:
            result = Result(status=refusal.status, body=refusal.body, request=request)
        except Busy:
            busy = Refusal(429, "The state is in use by another process.", code="lock_timeout")
            result = Result(status=busy.status, body=busy.body, request=request)
        except Exception:  # a mistake of the sandbox itself: nothing was done or kept
            result = Result(status=500, body=broken().body, request=request)
        if key := asked.headers.get("idempotency-key", ""):
            headers["idempotency-key"] = key
        if result.replayed:
            headers |= {"idempotent-replayed": "true", "original-request": result.request}
        if result.status == 500:
            headers["stripe-should-retry"] = "false"
        return Answer(status=result.status, body=result.body, headers=headers)

    def _fault(self, asked: Asked) -> str:
        fault = asked.headers.get(HEADER) or next_fault(self.state, asked.method, asked.path)
        if fault and fault not in FAULTS:
            raise malformed(f"{HEADER} is one of {', '.join(FAULTS)}.")
        if refusal := refused(fault):
            raise refusal
        return fault

    def _result(self, asked: Asked, request: str, fault: str) -> Result:
        found, ident = endpoint(asked.method, asked.path)
        settle(self.state, self.setup)
        params = Params(given(asked), (*found.takes, "expand"))
        if asked.method == "GET":
            return self._read(found, ident, params, request, fault)
        key = checked(asked.headers.get("idempotency-key", ""))
        with self.in_progress.holding(key):
            if fault == "slow":
                time.sleep(SLOW)
            with self.state.writing() as rows:
                turn = Turn(
                    rows=rows,
                    setup=self.setup,
                    at=int(self.setup.now()),
                    request=request,
                    key=key,
                )
                place = f"{asked.method} {asked.path}"
                return once(
                    turn, place, params.given, lambda: _run(found, turn, ident, params, fault)
                )

    def _read(
        self, found: Endpoint, ident: str, params: Params, request: str, fault: str
    ) -> Result:
        with self.state.reading() as rows:
            turn = Turn(rows=rows, setup=self.setup, at=int(self.setup.now()), request=request)
            return Result(status=200, body=_run(found, turn, ident, params, fault), request=request)


def _run(found: Endpoint, turn: Turn, ident: str, params: Params, fault: str) -> Json:
    if fault == "500":
        raise broken()
    body = found.run(turn, ident, params)
    if fault == "500-after":
        raise broken()
    return expanded(turn.rows, body, params.texts("expand"))


def given(asked: Asked) -> dict[str, Any]:
    """Return the parameters of a request.

    Raises:
        Refusal: They are no form.
    """
    if asked.method == "GET":
        return parsed(asked.query)
    kind = asked.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if asked.body and kind != FORM:
        raise malformed(f"A body is to be {FORM}, not {kind[:80]}.")
    try:
        text = asked.body.decode()
    except UnicodeDecodeError:
        raise malformed("The body is not UTF-8.") from None
    return parsed("&".join(part for part in (asked.query, text) if part))


def authenticate(said: str, key: str) -> None:
    """Check who asks, by `Bearer` or by `Basic` with the key as the user.

    Raises:
        Refusal: The key is missing or another.
    """
    scheme, _, secret = said.partition(" ")
    secret = secret.strip()
    if scheme.lower() == "basic":
        secret = _user(secret)
    if scheme.lower() not in {"bearer", "basic"} or not secret:
        raise Refusal(401, "No API key was given: send it as Authorization: Bearer.", kept=False)
    if not hmac.compare_digest(secret.encode(), key.encode()):
        shown = f"{secret[:8]}{'*' * 8}{secret[-4:]}" if len(secret) > 16 else "*" * 8
        raise Refusal(401, f"Invalid API Key provided: {shown}", kept=False)


def _user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""

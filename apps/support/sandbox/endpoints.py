"""What can be asked for, and what it takes: one line each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import creating, disputing, faults, refunds
from .errors import Json, Refusal, missing
from .listing import FILTERS, listed, names
from .params import Params
from .refunds import becoming
from .turn import Turn

Run = Callable[[Turn, str, Params], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One kind of request.

    Attributes:
        path: A pattern; its group, where it has one, is an id.
        run: Does it, given the turn, the id and the parameters.
        takes: The parameters it knows, `expand` apart, which all know.
    """

    method: str
    path: re.Pattern[str]
    run: Run
    takes: tuple[str, ...] = ()


def _post(path: str, run: Run, *takes: str) -> Endpoint:
    return Endpoint(method="POST", path=re.compile(path), run=run, takes=takes)


def _get(path: str, run: Run, *takes: str) -> Endpoint:
    return Endpoint(method="GET", path=re.compile(path), run=run, takes=takes)


def _one(kind: str, turn: Turn, ident: str, _params: Params) -> Json:
    found = turn.rows.find(kind, ident)
    if found is None:
        raise missing(kind, ident)
    return found


def _many(kind: str, turn: Turn, _id: str, params: Params) -> Json:
    return listed(turn.rows, kind, params)


def _dispute(turn: Turn, _id: str, params: Params) -> Json:
    paid = _one("charge", turn, params.needed("charge"), params)
    reason = params.text("reason", "fraudulent")
    return disputing.opened(turn, paid, reason=reason, inquiry=params.flag("inquiry"))


def _fail(turn: Turn, ident: str, params: Params) -> Json:
    found = _one("refund", turn, ident, params)
    becoming(turn, ident, "failed", after=0)
    return found


ENDPOINTS = (
    *(_get(f"/v1/{kind}s", partial(_many, kind), *names(kind)) for kind in FILTERS),
    *(_get(f"/v1/{kind}s/([^/]+)", partial(_one, kind)) for kind in FILTERS),
    _post("/v1/customers", creating.customer, *creating.CUSTOMER),
    _post("/v1/charges", creating.charge, *creating.CHARGE),
    _post("/v1/charges/([^/]+)/capture", creating.captured, "amount"),
    _post("/v1/payment_intents", creating.intent, *creating.INTENT),
    _post("/v1/refunds", refunds.refund, *refunds.NEW),
    _post("/v1/refunds/([^/]+)", refunds.update, "metadata"),
    _post("/v1/disputes/([^/]+)/close", disputing.closed),
    # Not Stripe's: what tests and seeds ask the sandbox for.
    _post("/_sandbox/faults", faults.order, *faults.NEW),
    _post("/_sandbox/disputes", _dispute, "charge", "reason", "inquiry"),
    _post("/_sandbox/refunds/([^/]+)/fail", _fail),
)


def endpoint(method: str, path: str) -> tuple[Endpoint, str]:
    """Return what a request asks for, and the id in its path.

    Raises:
        Refusal: There is no such thing.
    """
    for one in ENDPOINTS:
        if one.method == method and (match := one.path.fullmatch(path)):
            return one, match[1] if match.groups() else ""
    raise Refusal(404, f"Unrecognized request URL ({method}: {path[:200]}).", kept=False)

"""The worse it could get, the stricter the approver."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import ApprovalRequest, Approver, Decision, Reject, Risk
from ..waiting import answer


class ByRisk:
    """Hand each request to the approver for its risk, or to the next stricter one there is.

    Never to a laxer one: what is riskier than all the levels given is rejected.

    >>> import asyncio
    >>> from core.model import Approve
    >>> levels = ByRisk(high=lambda request: Approve(by="ana"))
    >>> [type(asyncio.run(levels(ApprovalRequest(action="x", risk=r)))).__name__ for r in Risk]
    ['Approve', 'Approve', 'Approve', 'Reject']

    Args:
        levels: Risk to approver; the keywords say the same with names.

    Raises:
        ValueError: No level is given, or one twice.
    """

    def __init__(
        self,
        levels: Mapping[Risk, Approver] | None = None,
        /,
        *,
        low: Approver | None = None,
        medium: Approver | None = None,
        high: Approver | None = None,
        critical: Approver | None = None,
    ) -> None:
        named = dict(zip(Risk, (low, medium, high, critical), strict=True))
        given = {Risk(risk): approver for risk, approver in (levels or {}).items()}
        if twice := [risk.name for risk, approver in named.items() if approver and risk in given]:
            raise ValueError(f"two approvers are given for {', '.join(twice)}")
        given |= {risk: approver for risk, approver in named.items() if approver is not None}
        if not given:
            raise ValueError("ByRisk needs an approver for at least one level")
        self.levels: Mapping[Risk, Approver] = dict(sorted(given.items()))

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        risk = Risk.of(request.risk)
        for level, approver in self.levels.items():
            if level >= risk:
                return await answer(approver, request)
        return Reject(by="by_risk", reason=f"no approver is set for {risk.name} risk")

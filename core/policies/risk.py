"""Low risk runs at once and is only recorded; what could go badly wrong is asked about.

>>> ApproveUpTo(Risk.LOW)(ApprovalRequest(action="shop.status", risk=Risk.LOW))
Approve(by='policy', note='risk LOW, approved up to LOW')
>>> ApproveUpTo(Risk.LOW)(ApprovalRequest(action="shop.refund", risk=Risk.MEDIUM))
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model import ApprovalRequest, Approve, Risk


@dataclass(frozen=True, slots=True)
class ApproveUpTo:
    """Approve calls of at most this risk, otherwise have no opinion.

    Raises:
        TypeError: `level` is not a `Risk`.
    """

    level: Risk

    def __post_init__(self) -> None:
        if type(self.level) is not Risk:
            raise TypeError(f"{self.level!r} is not a Risk; write Risk.LOW, for example")

    def __call__(self, request: ApprovalRequest, /) -> Approve | None:
        risk = Risk.of(request.risk)
        if risk > self.level:
            return None
        return Approve(by="policy", note=f"risk {risk.name}, approved up to {self.level.name}")

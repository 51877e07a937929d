"""Who may approve how much: a limit per role, and above it the next role decides.

>>> lead = Role("support lead", up_to=500_00, members=frozenset({"ana", "bo"}))
>>> manager = Role("manager", members=frozenset({"mia"}))
>>> sorted(Authority((lead, manager)).panel(20_00).members)
['ana', 'bo', 'mia']
>>> sorted(Authority((lead, manager)).panel(900_00).members)
['mia']
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from ..model import Panel


@dataclass(frozen=True, slots=True)
class Role:
    """People who may approve up to the same limit.

    Attributes:
        up_to: In the unit of the amounts, itself included; `None` is without a limit.
    """

    name: str
    _: KW_ONLY
    members: frozenset[str]
    up_to: int | None = None

    def reaches(self, amount: int) -> bool:
        """Whether this role may approve that much."""
        return self.up_to is None or amount <= self.up_to


@dataclass(frozen=True, slots=True)
class Authority:
    """The roles there are; `gate(panel=authority.panel)` for a tool with a parameter `amount`.

    An edit is weighed anew, so whoever raises an amount above their limit hands it on to a role
    that reaches it.

    Raises:
        ValueError: No role is without a limit, so nobody could approve the largest amounts.
    """

    roles: tuple[Role, ...]

    def __post_init__(self) -> None:
        if not any(role.up_to is None and role.members for role in self.roles):
            raise ValueError("one role has to be without a limit, or large amounts reach nobody")

    def panel(self, amount: int) -> Panel:
        """Return everybody whose limit reaches `amount`."""
        found = [role.members for role in self.roles if role.reaches(amount)]
        return Panel(members=frozenset[str]().union(*found))

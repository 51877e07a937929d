"""Who somebody in a chat is: ids of one workspace, and the names under which panels know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...model import same


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The map from a chat's own ids to people. Who is not in it has no vote.

    Attributes:
        team: Id of the workspace or tenant; an id of another one means nobody here.
        names: Id of a user to the name that panels and the audit trail have for them.

    Raises:
        ValueError: There is no workspace, an id has no name, or two ids have the same one.
    """

    team: str
    names: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.team:
            raise ValueError("say which workspace people come from")
        if nameless := [user for user, name in self.names.items() if not same(name)]:
            raise ValueError(f"{nameless[0]} has no name")
        if len({same(name) for name in self.names.values()}) < len(self.names):
            raise ValueError("two users have one name, so one person would have two votes")

    def name(self, team: str, user: str) -> str:
        """Return the person's name, or an empty text for somebody unknown."""
        return self.names.get(user, "") if team == self.team else ""

    def user(self, name: str) -> str:
        """Return the id of a person, or an empty text when the chat does not know them."""
        return next((one for one, known in self.names.items() if same(known) == same(name)), "")

"""Look at what a move from one commit to another would do, before anybody is asked about it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from .attention import Attention, attention
from .attention.secret_search import masked
from .describing import SHORT
from .model import Diff, Range
from .repository import Repository

MOST_SEARCHED = 8_000_000  # bytes of a diff that are searched for secrets
MOST_SHOWN = 60_000  # characters of a diff that a person can be asked to read
MOST_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a move would do.

    Attributes:
        diff: Its beginning, with what looks like a secret masked.
    """

    move: Range
    diff: Diff
    attention: Attention


class Looks:
    """Keeps the last looks: commits never change, so neither does the way between two of them."""

    def __init__(
        self, repository: Repository, rules: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._repository, self._rules = repository, rules
        self._kept: OrderedDict[tuple[str, str], Look] = OrderedDict()
        self._lock = Lock()

    def between(self, live: str, target: str) -> Look:
        """Return what a move from one commit to another would do; `live` may be empty.

        Raises:
            RepositoryError: It cannot be found out.
        """
        with self._lock:
            look = self._kept.pop((live, target), None) or self._looked(live, target)
            self._kept[live, target] = look
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        if not (word := self._astray(target)):
            return look
        return replace(look, move=replace(look.move, problems=(*look.move.problems, word)))

    def _looked(self, live: str, target: str) -> Look:
        move = self._repository.between(live, target)
        diff = self._repository.diff(live, target, most=MOST_SEARCHED)
        noticed = attention(move, diff, self._rules)
        return Look(move=move, diff=masked(beginning(diff)), attention=noticed)

    def _astray(self, sha: str) -> str:
        """Say that a commit is on its own; looked up each time, because branches move."""
        if self._repository.is_reachable(sha):
            return ""
        return (
            f"No branch and no tag leads to {sha[:SHORT]}: it was force-pushed away, or its branch"
            " was deleted. The repository may throw it away at any time."
        )


def beginning(diff: Diff) -> Diff:
    """Return as many whole lines of a diff as a person can be asked to read."""
    if len(diff.text) <= MOST_SHOWN:
        return diff
    end = diff.text.rfind("\n", 0, MOST_SHOWN) + 1
    return replace(diff, text=diff.text[:end], is_whole=False)

"""How long to wait before the next try: twice as long each time, up to a limit, and not in step."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait after failures in a row.

    Each wait is cut by up to half, at random, so that many who have failed together do not come
    back together.

    >>> [Patience(first=1, most=60).wait(failures, chance=0) for failures in (1, 2, 3, 10)]
    [1.0, 2.0, 4.0, 60.0]

    Attributes:
        first: Seconds after the first failure, uncut.
        most: Seconds at most.
    """

    first: float = 1.0
    most: float = 60.0

    def wait(self, failures: int, chance: float | None = None) -> float:
        """Return the seconds to wait.

        Args:
            failures: How many in a row, at least 1.
            chance: Between 0 and 1, how much of the half is cut off; at random by default.
        """
        cut = random.random() if chance is None else chance  # noqa: S311 - spreads load, guards nothing
        longest = min(self.first * 2.0 ** min(failures - 1, 64), self.most)
        return longest * (1 - cut / 2)

"""Not too often: so many at once, and then so many per second."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

MOST_KEYS = 10_000


class Limit:
    """A bucket of tokens for each key.

    Args:
        burst: How many may come at once.
        per_second: How many may follow, in the long run.
        now: Seconds on a clock that is never set back.
        most: How many keys are remembered; the one that came least lately is forgotten first.
    """

    def __init__(
        self,
        burst: int,
        per_second: float,
        *,
        now: Callable[[], float] = time.monotonic,
        most: int = MOST_KEYS,
    ) -> None:
        self._burst, self._rate, self._now, self._most = burst, per_second, now, most
        self._left = OrderedDict[str, tuple[float, float]]()
        self._lock = threading.Lock()

    def wait(self, key: str) -> int:
        """Count one more for `key` and return 0, or return the seconds to wait."""
        with self._lock:
            now = self._now()
            left, since = self._left.pop(key, (float(self._burst), now))
            left = min(self._burst, left + (now - since) * self._rate)
            taken = left >= 1
            self._left[key] = (left - 1 if taken else left, now)
            while len(self._left) > self._most:
                self._left.popitem(last=False)
        return 0 if taken else math.ceil((1 - left) / self._rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often strangers may try to come in, and how often anybody may ask.

    A stranger runs out of tries for a name long before that name is closed to everybody: whoever
    guesses from one place cannot keep its owner out.
    """

    address: Limit = field(default_factory=lambda: Limit(30, 1 / 2))
    name_at_address: Limit = field(default_factory=lambda: Limit(6, 1 / 30))
    name: Limit = field(default_factory=lambda: Limit(60, 1 / 5))
    requests: Limit = field(default_factory=lambda: Limit(300, 30))

    def wait_to_try(self, address: str, name: str) -> int:
        """Count one try to come in and return 0, or return the seconds to wait."""
        for limit, key in (
            (self.address, address),
            (self.name_at_address, f"{address} {name}"),
            (self.name, name),
        ):
            if seconds := limit.wait(key):
                return seconds
        return 0


def place(host: str) -> str:
    """Return the address to count under; whoever has one IPv6 address has a whole network.

    >>> place("2001:db8:1:2:3:4:5:6"), place("192.0.2.7")
    ('2001:db8:1:2::', '192.0.2.7')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))

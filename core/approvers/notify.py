"""Tell people elsewhere that a request waits: by mail, Telegram, ntfy, PagerDuty and many more.

It announces, with a link to the dashboard, and never decides: it has no buttons and reads no reply.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat

from ..model import ApprovalRequest, Approver, Decision, Risk, utc_now
from ..waiting import in_thread
from .announcement import Announcement, announcement
from .escalate import Escalate, Remind
from .marks import Marks
from .secret import secret
from .through_apprise import Address, read, send

VARIABLE = "NOTIFY_URLS"
WAITS = (1.0, 5.0, 30.0, 120.0, 600.0)
SECONDS_TO_SEND = 60.0


class NotAnnounced(RuntimeError):
    """A request came to its end before every address had taken its announcement."""


class Notify:
    """Announce a request at all of `urls`, each by itself, until it is taken there.

    What fails is tried again, and again after the last of `waits`, until the request expires or
    whoever asked for the announcement withdraws it. A service that took it, but could not say so,
    may show it twice.

    >>> tell = Notify(["json://localhost:9"], dashboard="https://approvals.example.org")
    >>> tell.names
    ('JSON (address 1)',)

    Args:
        urls: Addresses as Apprise spells them, such as `ntfy://ntfy.example.org/approvals`. There
            are secrets in them, so they are neither shown nor logged.
        dashboard: Where people decide, such as `https://approvals.example.org`.
        waits: Seconds until the next try, one after another.
        say: Told, by its name, of an address that fails.

    Raises:
        ValueError: There is no address, or one that nobody can use; it says which, not what.
        RuntimeError: Apprise is not installed.
        NotAnnounced: From a call.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        dashboard: str,
        waits: Sequence[float] = WAITS,
        say: Callable[[str], object] = print,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", dashboard):
            raise ValueError("dashboard is an address such as https://approvals.example.org")
        if not waits:
            raise ValueError("there have to be some seconds until the next try")
        self._addresses, self._dashboard = read(urls, dashboard), dashboard
        self._waits, self._say, self._now = tuple(waits), say, now

    @property
    def names(self) -> tuple[str, ...]:
        """What the addresses are called where something is told about them."""
        return tuple(address.name for address in self._addresses)

    async def __call__(self, request: ApprovalRequest, /) -> None:
        said = announcement(request, self._dashboard)
        tries = [self._announced(address, said, request) for address in self._addresses]
        taken = await asyncio.gather(*tries)
        if missing := [name for name, done in zip(self.names, taken, strict=True) if not done]:
            raise NotAnnounced(f"{request.name} was not announced by {', '.join(missing)}")

    async def _announced(
        self, address: Address, said: Announcement, request: ApprovalRequest
    ) -> bool:
        """Return whether it was taken before the request's time was over."""
        failures, naps = 0, chain(self._waits, repeat(self._waits[-1]))
        while self._now() < request.expires_at:
            if await _sent(address, said, request.risk):
                return True
            failures += 1
            if failures & (failures - 1) == 0:  # the first one, and when their number has doubled
                self._say(f"{address.name} has not taken an announcement; it is tried again")
            await asyncio.sleep(next(naps))
        return False


async def _sent(address: Address, said: Announcement, risk: Risk) -> bool:
    def once(said: Announcement) -> bool:
        return send(address, said, is_urgent=risk >= Risk.HIGH)

    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            return await in_thread(once, said)
    except Exception:  # whatever it says may contain the address
        return False


class Announced:
    """Ask `approver`, and tell people elsewhere at once that somebody is being asked.

    The question waits for no announcement. One that fails, or comes too late, decides nothing; it
    is withdrawn when the answer is there.

    Args:
        by: What announces: `Notify(...)`, or any callable that takes the request.
        marks: Where it is kept what was announced; with a folder, a new start announces it no
            second time.
        say: Told when an announcement fails.
    """

    def __init__(
        self,
        approver: Approver,
        *,
        by: Callable[[ApprovalRequest], object],
        marks: Marks | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        self._asked = Escalate(approver, Remind(after=0, by=by), marks=marks, say=say)

    async def __call__(self, request: ApprovalRequest, /) -> Decision:
        return await self._asked(request)


def addresses(environ: Mapping[str, str], name: str = VARIABLE) -> tuple[str, ...]:
    """Return the addresses in the variable `name`, or in the file that `name`_FILE names.

    They stand between spaces or on lines of their own; a line that begins with `#` is a comment.

    Raises:
        SettingsError: The file cannot be read, or is open to others on this machine.
    """
    lines = [
        line for line in secret(name, environ).splitlines() if not line.lstrip().startswith("#")
    ]
    return tuple(" ".join(lines).split())

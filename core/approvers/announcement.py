"""What a short message says of a request: that it waits, roughly what it is, and where to decide.

Nobody decides from it, so it is cut where it gets long, and says so. Where it goes, some characters
would mention people, make links or format; look-alikes stand for them in all that is not our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ..display import place_text, safe, shown
from ..model import END_OF_TIME, ApprovalRequest, Preview

MOST_OF_VALUE = 120
MOST_OF_NAME = 60
MOST_ARGUMENTS = 6
ELSEWHERE = "Nothing can be decided here. All of it is shown there; this is an excerpt."

_LOOKALIKES = str.maketrans("*~`@#<>&[]|\\", "∗∼ˋ＠＃‹›＆［］｜＼")  # noqa: RUF001 - they only have to look alike
_ACTIVE = {"_": "＿", ":": "∶", ".": "․", "/": "∕", "$": "＄"}  # noqa: RUF001 - they only have to look alike
_WHERE_ACTIVE = re.compile(
    r"(?<![^\W_])_|_(?![^\W_])"  # emphasis, not snake_case
    r"|:(?!\s)|\.(?=[^\W\d])"  # addresses and emoji, not 4.90
    r"|(?<!\S)/(?=\w)|\$(?=[^\W\d])"  # commands of bots, and names of shares
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A message that decides nothing.

    Attributes:
        title: One line, at most 200 characters.
        body: Plain text of a few lines, the link in the first; some 1,500 characters at most.
    """

    title: str
    body: str


def announcement(request: ApprovalRequest, dashboard: str) -> Announcement:
    """Return what to say of a request that waits.

    Args:
        dashboard: Where the dashboard is, such as `https://approvals.example.org`.
    """
    where = f"{request.risk.name}, {_short(safe(request.environment), MOST_OF_NAME // 2)}"
    title = f"{_short(safe(request.name), MOST_OF_NAME)} ({where}) waits for approval"
    link = f"{dashboard.rstrip('/')}/requests/{request.id}"
    lines = [f"Decide at {link}", ELSEWHERE, *_about(request), *_arguments(request)]
    return Announcement(title=title, body="\n".join(lines))


def inert(text: str) -> str:
    """Return text that mentions nobody, links nowhere and has no format.

    >>> inert("@channel see _this_ at https://example.org <!here>, snake_case: 4.90")
    '＠channel see ＿this＿ at https∶//example․org ‹!here›, snake_case: 4.90'
    """  # noqa: RUF002 - the look-alikes are what it is about
    plain = text.translate(_LOOKALIKES)
    return _WHERE_ACTIVE.sub(lambda found: _ACTIVE[found[0]], plain)


def _short(visible: str, most: int = MOST_OF_VALUE) -> str:
    """Return the beginning of a text in one line, and how much more there is."""
    text = visible.replace("\n", safe("\n"))
    more = len(text) - most
    return inert(text) if more <= 0 else f"{inert(text[:most])}… {more:,} more characters"


def _about(request: ApprovalRequest) -> list[str]:
    summary = (request.preview or Preview()).summary
    asked = f"asked by {_short(safe(request.requester), MOST_OF_NAME)}"
    asked += f", for {_short(safe(request.acting_for), MOST_OF_NAME)}" if request.acting_for else ""
    lines = [f"{asked}, {_instant(request.asked_at)}"]
    if request.expires_at != END_OF_TIME:
        lines.append(f"decide until {_instant(request.expires_at)}")
    if request.batch:
        lines.append(place_text(request.batch))
    if summary:
        lines.append(f"it would: {_short(safe(summary))}")
    return lines


def _arguments(request: ApprovalRequest) -> list[str]:
    """Return the first arguments, from the bytes that would run."""
    given = shown(request)
    lines = [
        f"{_short(one.name, MOST_OF_NAME)}: {_short(one.text) or '(empty)'}"
        for one in given[:MOST_ARGUMENTS]
    ]
    more = len(given) - MOST_ARGUMENTS
    if more > 0:
        lines.append(f"… {more} more argument{'s' if more > 1 else ''}")
    return lines


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

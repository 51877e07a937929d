"""Which addresses of repositories are taken, and how: none of them may start a command."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import RepositoryError
from .wording import shown

_SCHEMES = ("https", "ssh", "git", "file")
_LOOKS_LIKE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://|:)")
_SHORT_SSH = re.compile(
    r"(?P<user>\w[\w.-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[\w~./+-]+)"
)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_USER = re.compile(r"\w[\w.-]*", re.A)
_PLAIN = re.compile(r"[!-~]+")  # ASCII without spaces


class Address(NamedTuple):
    """Where a repository is on another machine, or on this one by `file://`.

    Attributes:
        url: What git is given. It holds no password.
        scheme: The only protocol that git may speak for it.
    """

    url: str
    scheme: str


def address(where: str) -> Address | None:
    """Return an address, or `None` when it is a path.

    Raises:
        RepositoryError: It is an address that nobody should follow, or no path either.
    """
    if not where or where.startswith("-") or not where.isprintable():
        raise RepositoryError(
            f"{shown(where)} is no repository: a path or an address neither begins with a dash nor"
            " holds characters that cannot be seen."
        )
    if short := _SHORT_SSH.fullmatch(where):
        if short["path"].startswith("-"):
            raise _refused(where, "its path begins with a dash")
        return Address(where, "ssh")
    if not _LOOKS_LIKE_URL.match(where):
        return None
    scheme = where.partition(":")[0]
    if scheme not in _SCHEMES or not where.startswith(f"{scheme}://"):
        raise _refused(where, "only https://, ssh://, git:// and file:// are followed")
    if why := _fault(where, scheme):
        raise _refused(where, why)
    return Address(where, scheme)


def _fault(url: str, scheme: str) -> str:
    """Return what is wrong with a URL; empty when nothing is."""
    try:
        parts = urlsplit(url)
        host, user, password, _ = parts.hostname, parts.username, parts.password, parts.port
    except ValueError:
        return "it cannot be read"
    if password is not None or (user is not None and scheme != "ssh"):
        return "it holds credentials, which would end in logs; put them into ~/.netrc, or use ssh"
    if not _PLAIN.fullmatch(url) or "?" in url or "#" in url or not _USER.fullmatch(user or "_"):
        return "it holds more than user, host and path"
    if scheme == "file":
        return "its path does not begin at the root" if host or not parts.path[1:] else ""
    if len(parts.path) < 2 or not _HOST.fullmatch(host or ""):
        return "it does not name a host and a path"
    return ""


def _refused(where: str, why: str) -> RepositoryError:
    # What stands before an @ or behind a ? may be a secret: a sentence travels further than a file.
    safe = re.sub(r"[?#].*", "?...", re.sub(r"//[^/]*@", "//...@", where))
    return RepositoryError(f"The address {shown(safe)} is refused: {why}.")

"""Send a message through Apprise to more than a hundred services, and let no address out.

In an address there are tokens and passwords. Apprise and what it posts with write them to their
logs, so those are quiet while they handle one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from .announcement import Announcement

NEEDS = "announcements need one more package: pip install 'gated-agents[notify]'"
TALKERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")
"""Loggers that write addresses when somebody turns on DEBUG, and some of them always."""

_handled: ContextVar[bool] = ContextVar("an address is being handled here", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to send messages.

    Attributes:
        name: Which service it is, and which of the addresses; `"ntfy (address 2)"`.
        url: As Apprise spells it, with its secrets.
        site: Whose messages they are, as a link, for services that show one.
    """

    name: str
    url: str = field(repr=False)
    site: str


def read(urls: Iterable[str], site: str) -> tuple[Address, ...]:
    """Return the addresses that Apprise can use.

    Raises:
        ValueError: There is none, or one that it cannot use.
        RuntimeError: Apprise is not installed.
    """
    listed = [urls] if isinstance(urls, str) else [*urls]
    if not listed:
        raise ValueError("there is no address to announce at")
    found: list[Address] = []
    with _silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that Apprise loads
        for number, url in enumerate(listed, 1):
            plugin = _plugin(url, site)
            if plugin is None:
                raise ValueError(f"address {number} to announce at is none that can be used")
            name = f"{plugin.service_name} (address {number})"
            found.append(Address(name=name, url=url, site=site))
    return tuple(found)


def send(address: Address, said: Announcement, *, is_urgent: bool) -> bool:
    """Send it once, waiting, and return whether it was taken.

    Every try has a client of its own, so that one that hangs does not hold up the next.
    """
    library = _apprise()
    kind = library.NotifyType.WARNING if is_urgent else library.NotifyType.INFO
    with _silence():
        client = library.Apprise()
        client.add(_plugin(address.url, address.site))
        text = library.NotifyFormat.TEXT
        taken = client.notify(said.body, said.title, notify_type=kind, body_format=text)
        return bool(taken)


def _plugin(url: str, site: str) -> Any:
    """Return what Apprise makes of an address; `None` when it cannot."""
    library = _apprise()
    # No limit of its own: it would send in threads that a process waits for when it ends. And no
    # pictures, which every reader would fetch from somebody else's server.
    asset = library.AppriseAsset(
        app_id="Approvals",
        app_desc="Approvals",
        app_url=site,
        service_timeout=0,
        image_url_mask="",
        image_url_logo="",
    )
    try:
        return library.Apprise.instantiate(url, asset=asset)
    except Exception:  # its words may contain the address
        return None


def _apprise() -> Any:
    try:
        import apprise
    except ModuleNotFoundError:
        raise RuntimeError(NEEDS) from None
    return apprise


@contextmanager
def _silence() -> Generator[None]:
    """Keep those loggers quiet in this context; elsewhere they go on."""
    for name in TALKERS:
        logging.getLogger(name).addFilter(_is_elsewhere)  # a filter that is there stays one
    token = _handled.set(True)
    try:
        yield
    finally:
        _handled.reset(token)


def _is_elsewhere(_: logging.LogRecord) -> bool:
    return not _handled.get()

"""Who is told of what happens: receivers of webhooks, described in a TOML file.

[billing]
url = "https://billing.example.org/approvals"
secret = "whsec_..."
events = ["request.decided"]    # both kinds when left out
inside = true                   # when it lies in a private network
"""

from __future__ import annotations

import tomllib
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ...model import Store
from ..posting import Address
from .webhooks import CREATED, DECIDED, Courier, Hook

KNOWN = frozenset({"url", "secret", "events", "inside"})


class HooksError(ValueError):
    """The file does not describe receivers; the sentence repeats no secret."""


def read_hooks(path: Path) -> tuple[Hook, ...]:
    """Read the file, which only its owner may be able to read.

    Raises:
        HooksError: It cannot be used.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise HooksError(f"{path} is open to others on this machine: chmod 600 {path}")
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise HooksError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, HooksError):
            raise
        raise HooksError(f"{path} is no TOML") from None
    return tuple(_hook(path, name, fields) for name, fields in told.items())


def _hook(path: Path, name: str, fields: Any) -> Hook:
    try:
        if strange := set(fields) - KNOWN:
            raise ValueError(f"it has no {min(strange)}")
        address = Address(url=fields["url"], inside=fields.get("inside", False) is True)
        events = frozenset(fields.get("events", (CREATED, DECIDED)))
        return Hook(name=name, address=address, secret=fields["secret"], events=events)
    except KeyError as error:
        raise HooksError(f"{path}, {name}: there is no {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError) as error:
        why = error if isinstance(error, ValueError) else "a value is of another kind"
        raise HooksError(f"{path}, {name}: {why}") from None


@contextmanager
def carried(store: Store, hooks: Iterable[Hook], folder: Path) -> Generator[None]:
    """Tell all receivers of what happens in the store until the block ends.

    Args:
        folder: Where each one's bookmark is kept: beside the store, because it belongs to it.

    Raises:
        OSError: The folder cannot be written to, or holds the bookmarks of another store.
    """
    with ExitStack() as stack:
        for hook in hooks:
            courier = Courier(store, hook, folder)
            courier.start()
            stack.callback(courier.stop)
        yield

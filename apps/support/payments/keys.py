"""Tell a key that moves real money from one that only practises."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from ..errors import ConfigError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def kind_of(key: str) -> Literal["test", "live"]:
    """Say what a secret key moves; whatever is not known to be harmless counts as live.

    >>> kind_of("sk_test_1"), kind_of("rk_live_1"), kind_of("sk_org_1"), kind_of("")
    ('test', 'live', 'live', 'test')
    """
    return "test" if not key or key.startswith(("sk_test_", "rk_test_")) else "live"


def checked(key: str, base: str | None, *, live: bool) -> None:
    """Refuse a key that cannot be used, or that would cross a network in the clear.

    Raises:
        ConfigError: Says why, without the key.
    """
    if key.startswith("pk_"):
        raise ConfigError("This API key is the publishable one; refunds need the secret one.")
    if not re.fullmatch(r"[sr]k_(test|live)_[A-Za-z0-9_]{1,240}", key):
        raise ConfigError(
            "This API key is no secret key of Stripe: those begin with sk_test_, sk_live_,"
            " rk_test_ or rk_live_, and are one word."
        )
    if kind_of(key) == "live" and not live:
        raise ConfigError("This API key moves real money, and that was not asked for.")
    if base is not None:
        _checked_base(base)


def _checked_base(base: str) -> None:
    try:
        where = urlsplit(base)
        host = where.hostname
    except ValueError:
        host, where = None, urlsplit("")
    plain = where.scheme == "http" and host in LOOPBACK
    if not host or where.username or where.query or not (plain or where.scheme == "https"):
        raise ConfigError("Stripe's address has to begin with https://, or with http://127.0.0.1.")


def is_here(base: str | None) -> bool:
    """Whether an address is this machine's own."""
    return base is not None and urlsplit(base).hostname in LOOPBACK

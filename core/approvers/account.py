"""Which account is at work here, as the kernel knows it: no variable can say another."""

from __future__ import annotations

import os


def account_name() -> str:
    """Return the name of the account, or `uid` and its number where it has no name."""
    import pwd

    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def at(window: str) -> str:
    """Return the name of a window with the account beside it: `command line (uid 0, root)`.

    Whoever sits there may vote under any name; this says on whose account it was.
    """
    uid, name = f"uid {os.getuid()}", account_name()
    return f"{window} ({uid})" if name == uid else f"{window} ({uid}, {name})"

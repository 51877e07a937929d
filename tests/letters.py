"""Mails and help desks, for tests: short to write, real on disk."""

from datetime import UTC, datetime

from apps.support.helpdesk import Helpdesk

US = "help@shop.example"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def desk(folder, **named):
    """A help desk whose clock stands still."""
    named = {"now": lambda: NOW, "address": US, "name": "Shop help desk"} | named
    return Helpdesk(folder, **named)


def mail(text="My cup is broken.", *, n="1", sender="Ann <ann@home.example>", **headers):
    """The bytes of a mail; `In_Reply_To` and the like become headers."""
    head = {"From": sender, "Message-ID": f"<{n}@home.example>", "Subject": "A cup"}
    head |= {"Date": "Sun, 01 Mar 2026 10:00:00 +0000"}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in head.items() if value is not None]
    return "\n".join([*lines, "", text]).encode("utf-8", "surrogateescape")


def answer(n, *to, text="And now?", **headers):
    """The bytes of a mail that answers others, by their Message-IDs."""
    ids = [one if one.startswith("<") else f"<{one}@home.example>" for one in to]
    return mail(text, n=n, In_Reply_To=ids[-1], References=" ".join(ids), **headers)


def files(folder, place=""):
    """The names of the mails in a folder, flags and all."""
    parts = [folder / place / part for part in ("new", "cur")]
    return sorted(path.name for part in parts for path in part.iterdir())

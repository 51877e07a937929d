"""Open a help desk: the mails that `support.toml` names, and Stripe, or a local stand-in for it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .config import Config, read
from .desk import Desk
from .errors import ConfigError
from .helpdesk import Helpdesk
from .payments import Payments, kind_of
from .sending import Smtp

KEY = "STRIPE_API_KEY"
SECRETS = ("sk_", "rk_")
PASSWORD = "SUPPORT_SMTP_PASSWORD"  # noqa: S105 - the name of a variable, no password


@contextmanager
def opened(path: Path, environ: Mapping[str, str], *, live: bool = False) -> Generator[Desk]:
    """Yield the desk that a `support.toml` describes.

    Args:
        environ: `STRIPE_API_KEY`: without it a sandbox on this machine stands in for Stripe.
        live: Whether a key that moves real money is taken.

    Raises:
        ConfigError: The file, or a key, cannot be used.
    """
    config = read(path)
    with paying(config, environ, live=live) as payments:
        yield Desk(config, mails(config, environ), payments)


def mails(config: Config, environ: Mapping[str, str]) -> Helpdesk:
    """Return the help desk's mails; replies stay in its outbox where no server is named."""
    said, send = config.smtp, None
    if said:
        password = environ.get(PASSWORD, "")
        if said.user and not password:
            raise ConfigError(f"smtp.user is set, but no password: put it into {PASSWORD}.")
        send = Smtp(said.host, said.port, user=said.user, password=password, tls=said.tls)
    return Helpdesk(config.mail, address=config.address, name=config.name, send=send)


@contextmanager
def paying(
    config: Config, environ: Mapping[str, str], *, live: bool = False
) -> Generator[Payments]:
    """Yield what refunds: Stripe under the key that is set, else a sandbox."""
    key = environ.get(KEY, "").strip()
    if not key:
        from .sandbox import serving

        config.state.mkdir(parents=True, exist_ok=True)
        with serving(config.state / "stripe.db") as sandbox:
            yield Payments(sandbox.key, base=sandbox.url)
        return
    if kind_of(key) == "live" and not live and key.startswith(SECRETS):  # else no key at all
        raise ConfigError(f"{KEY} moves real money: say --live if that is meant.")
    yield Payments(key, live=live)

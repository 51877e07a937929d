"""Listen for what Stripe says of refunds: one that failed opens its ticket again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from .config import Config
from .errors import ConfigError
from .opening import KEY, mails
from .payments import Reopening, hooks

SECRET = "STRIPE_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable, no secret
HOST = "127.0.0.1"


def listen(
    config: Config, environ: Mapping[str, str], port: int, tell: Callable[[str], None]
) -> None:
    """Take Stripe's webhooks until interrupted; put https in front to let Stripe reach it.

    Args:
        port: 0 takes one that is free.
        environ: `STRIPE_WEBHOOK_SECRET`, with which they are signed. Without a key of Stripe the
            sandbox runs along and signs its own.
        tell: Hears where it listens, and of failed refunds that belong to no ticket.

    Raises:
        ConfigError: There is no secret to check signatures with, the port cannot be used, or a
            library is missing.
    """
    try:
        from uvicorn import Config as Served
        from uvicorn import Server
    except ImportError:
        raise ConfigError(
            "Listening needs uvicorn and starlette: pip install gated-agents[support]."
        ) from None
    with _door(port) as door:
        url = f"http://{HOST}:{door.getsockname()[1]}/stripe/webhook"
        with signed(config, environ, url) as secret:
            seen, heard = config.state / "webhooks.db", Reopening(mails(config, environ), tell)
            served = hooks(heard, secret=secret, seen=seen, tell=tell)
            tell(f"Stripe's webhooks are heard at {url}")
            Server(Served(served, log_level="warning", lifespan="off")).run([door])


def _door(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigError(f"Port {port} of {HOST} cannot be used: {error.strerror}.") from None


@contextmanager
def signed(config: Config, environ: Mapping[str, str], url: str) -> Generator[str]:
    """Yield what webhooks are signed with, while whoever sends them runs."""
    config.state.mkdir(parents=True, exist_ok=True)
    if not environ.get(KEY, "").strip():
        from .sandbox import serving

        with serving(config.state / "stripe.db", webhook=url) as sandbox:
            yield sandbox.secret
        return
    secret = environ.get(SECRET, "").strip()
    if not secret:
        raise ConfigError(f"Put the webhook's signing secret into {SECRET}; Stripe shows it.")
    yield secret

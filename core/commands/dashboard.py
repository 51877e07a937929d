"""Open the dashboard on a store: `dashboard`."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from ..approvers.dashboard.background import NEEDS
from .desk import Desk, Misused
from .ink import line


def dashboard(desk: Desk, options: Namespace) -> int:
    """Serve the dashboard until interrupted.

    Without --users and --oidc it is for one person on this machine, who comes in by a link that
    is printed here and works once. Where each receiver of webhooks stands is kept in files beside
    the one that names them.
    """
    try:
        from ..approvers.dashboard import hooks, serving
        from ..approvers.dashboard.people import PeopleError
    except ModuleNotFoundError as error:
        raise Misused(f"{NEEDS} (there is no {error.name})") from None
    alone = not options.users and not options.oidc
    place = serving.Place(
        host=options.host,
        port=options.port,
        origin=options.origin,
        users=options.users,
        oidc=options.oidc,
        by=desk.by if alone else "",
        title=options.title,
        idle=timedelta(minutes=options.idle) if options.idle else None,
    )

    def say(text: str) -> None:
        desk.out.write(f"{line(text)}\n")
        desk.out.flush()

    with desk.store(sweep=True) as store:
        try:
            context = serving.dashboard(store, place, say)
            told = hooks.read_hooks(options.webhooks) if options.webhooks else ()
            heard = serving.listening(place)
        except (serving.NotServed, PeopleError, hooks.HooksError) as error:
            raise Misused(str(error)) from None
        folder = options.webhooks.parent if told else Path()
        with heard, hooks.carried(store, told, folder):
            serving.announce(context, heard)
            with suppress(KeyboardInterrupt):  # how a person at a terminal ends it
                serving.serve(context, heard)
    say("The dashboard has stopped; what waits goes on waiting.")
    return 0

"""Say who may come into the dashboard, and what for: `user`."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any, TextIO

from ..approvers.dashboard.background import NEEDS
from .desk import Desk, Misused
from .ink import Block, Grid, Heading, line

if TYPE_CHECKING:
    from ..approvers.dashboard.users import Users

ACTIONS = ("add", "list", "remove", "role", "password", "token", "revoke")


def user(desk: Desk, options: Namespace) -> int:
    """Change who may come into the dashboard.

    add asks for a password twice, or reads one line when something is piped in; list shows
    everybody; remove takes somebody out at once; role and password change what somebody may do
    and know; token prints a new token for the HTTP API, once; revoke makes all of a person's
    tokens worthless.
    """
    try:
        from ..approvers.dashboard.people import PeopleError
        from ..approvers.dashboard.users import Users
    except ModuleNotFoundError as error:
        raise Misused(f"{NEEDS} (there is no {error.name})") from None
    if not options.name and options.action != "list":
        raise Misused(f"say whom: user {options.action} NAME")
    try:
        document, blocks = _done(Users(options.users), options)
    except PeopleError as error:
        raise Misused(str(error)) from None
    desk.answer(document, blocks)
    return 0


def _done(users: Users, options: Namespace) -> tuple[dict[str, Any], list[Block]]:
    name: str = options.name or ""
    match options.action:
        case "list":
            return _listed(users)
        case "token":
            token = users.new_token(name)
            return {"name": name, "token": token}, [Heading(line(token), "")]
        case _:
            text = _changed(users, name, options)
            return {"name": name}, [Heading(line(f"{text}."))]


def _changed(users: Users, name: str, options: Namespace) -> str:
    from ..approvers.dashboard.people import Role

    match options.action:
        case "add":
            role = Role[(options.role or "reviewer").upper()]
            users.add(name, role, "" if options.no_password else password(sys.stdin))
            return f"{name} comes in as {role.name.lower()} now"
        case "remove":
            users.remove(name)
            return f"{name} is out"
        case "role":
            if not options.role:
                raise Misused("say which: --role viewer, reviewer or admin")
            users.set_role(name, Role[options.role.upper()])
            return f"{name} comes in as {options.role} now"
        case "password":
            users.set_password(name, password(sys.stdin))
            return f"{name} has a new password, and has to log in again"
        case _:
            users.revoke_tokens(name)
            return f"the tokens of {name} are worthless now"


def _listed(users: Users) -> tuple[dict[str, Any], list[Block]]:
    found = users.everybody().values()
    rows = [
        (line(u.name), line(u.role.name.lower()), line(_ways(bool(u.password), len(u.tokens))))
        for u in found
    ]
    document = [
        {"name": u.name, "role": u.role.name.lower(), "tokens": len(u.tokens)} for u in found
    ]
    return {"users": document}, [Grid(("NAME", "ROLE", "COMES IN BY"), rows)]


def _ways(has_password: bool, tokens: int) -> str:
    ways = ["password"] if has_password else []
    if tokens:
        ways.append(f"{tokens} token{'s' if tokens > 1 else ''}")
    return ", ".join(ways) or "identity provider"


def password(source: TextIO) -> str:
    """Read a new password: twice and unseen from a terminal, as one line from elsewhere.

    Raises:
        Misused: There is none, or the two differ.
    """
    if source.isatty():
        given = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != given:
            raise Misused("the two passwords differ, so nothing was changed")
    else:
        given = source.readline().rstrip("\r\n")
    if not given:
        raise Misused("there is no password, so nothing was changed")
    return given

"""Which commands there are, what they take, and the help that teaches them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from . import button, dashboard, editing, looking, patterns, trail, user, voting
from .desk import Misused

ABOUT = """\
Answer what agents ask, from anywhere that can read the store.

An agent calls a gated function; the call waits in a store; you look at it and vote.
"""
EXAMPLES = """\
examples:
  {prog} --store sqlite:///approvals.db pending
  {prog} --store approvals.db show 3f9a
  {prog} --store approvals.db approve 3f9a --digest 81c2e0 --note "checked with Ana"
  {prog} --store approvals.db edit 3f9a --set amount=2500
  {prog} --store approvals.db reject 3f9a --reason "refund the shipping only"
  {prog} list

The store is named by --store or by the environment variable GATE_STORE: sqlite:///FILE (an
absolute path makes four slashes), sqlite:FILE, or FILE. Votes are recorded under the name of
--by, else of the account that runs the command. Whoever may write the file is trusted to say who
they are, but the record names the account beside every vote: command line (uid 1000, ana).
Commands take the first digits of an id, as long as no other id begins with them.

exit codes:
  0  done
  1  the true state is another: decided already, edit refused, verify failed, not confirmed
  2  the command cannot be meant, or the store cannot be used; nothing was done
  3  no such request, or no such pattern
  4  the edit is left, but the process that asked has not checked it yet
  130  interrupted by the keyboard
"""


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong, and leaves the rest to --help."""

    def error(self, message: str) -> NoReturn:
        raise Misused(f"{message}; see {self.prog} --help")


def parser(prog: str) -> Parser:
    """Return the parser of the whole command line; `options.run` is the command to run."""
    made = Parser(
        prog=prog,
        description=ABOUT,
        epilog=EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _common(made, store="", by="", json=False)
    made.set_defaults(run=None)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    add = _Adder(commands, prog)
    for group in (_looking, _voting, _trail, _web, _rest):
        group(add)
    return made


def _common(made: Parser, **defaults: Any) -> None:
    """What every command takes, before the command or after it."""

    def default(name: str) -> Any:
        return defaults.get(name, argparse.SUPPRESS)

    made.add_argument(
        "--store", type=words, default=default("store"), metavar="URL", help="where requests live"
    )
    made.add_argument("--by", type=words, default=default("by"), metavar="NAME", help="who you are")
    made.add_argument(
        "--json", action="store_true", default=default("json"), help="answer as JSON, for programs"
    )


class _Adder:
    """Adds one command after another."""

    def __init__(self, commands: Any, prog: str) -> None:
        self._commands, self._prog = commands, prog

    def __call__(
        self, name: str, run: Callable[..., int], *examples: str, aliases: tuple[str, ...] = ()
    ) -> Parser:
        about = run.__doc__ or ""
        shown = "\n".join(f"  {self._prog} {name} {example}".rstrip() for example in examples)
        made: Parser = self._commands.add_parser(
            name,
            aliases=aliases,
            help=about.splitlines()[0],
            description=textwrap.dedent(about),
            epilog=f"examples:\n{shown}" if shown else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _common(made)
        made.set_defaults(run=run)
        return made


def _looking(add: _Adder) -> None:
    pending = add("pending", looking.pending, "--limit 20", "--json")
    pending.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most")
    pending.add_argument("--after", type=words, default="", metavar="ID", help="go on after this")
    show = add("show", looking.show, "3f9a", "3f9a --json")
    _id(show)
    history = add(
        "history",
        looking.history,
        "--state rejected --since 7d",
        "--action refund --person ana",
        aliases=("search",),
    )
    history.add_argument("--state", type=looking.state, metavar="STATE", help="e.g. succeeded")
    history.add_argument("--action", type=words, default="", help="a function's name, or dotted")
    history.add_argument("--person", type=words, default="", help="who asked, or who voted")
    history.add_argument("--since", default="", metavar="TIME", help="2h, 7d, or 2025-06-04T10:00")
    history.add_argument("--until", default="", metavar="TIME", help="before that time")
    history.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most")


def _voting(add: _Adder) -> None:
    approve = add("approve", voting.approve, "3f9a", '3f9a --digest 81c2e0 --note "as agreed"')
    _id(approve)
    _seen(approve)
    approve.add_argument("--note", type=words, default="", help="for the record")
    edit = add("edit", editing.edit, "3f9a --set amount=2500", "3f9a --set tags:='[\"a\"]' --yes")
    _id(edit)
    _seen(edit)
    edit.add_argument(
        "--set",
        type=words,
        action="append",
        required=True,
        metavar="NAME=VALUE",
        help="the value in words; NAME:=JSON says exactly which value",
    )
    edit.add_argument("--note", type=words, default="", help="for the record")
    edit.add_argument(
        "--wait", type=seconds, default=10.0, metavar="SECONDS", help="for the gate to check it"
    )
    reject = add("reject", voting.reject, '3f9a --reason "refund the shipping only"')
    _id(reject)
    _digest(reject)
    reject.add_argument(
        "--reason", type=said, required=True, help="for the agent: say what to do instead"
    )
    resolve = add("resolve", voting.resolve, '3f9a --happened --note "it is on the statement"')
    _id(resolve)
    which = resolve.add_mutually_exclusive_group(required=True)
    which.add_argument("--happened", action="store_true", dest="happened")
    which.add_argument("--did-not-happen", action="store_false", dest="happened")
    resolve.add_argument("--note", type=said, required=True, help="how you know")


def _trail(add: _Adder) -> None:
    verify = add("verify", trail.verify, "", "--checkpoint kept-elsewhere.txt")
    verify.add_argument(
        "--checkpoint",
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="checkpoints that were kept where the store is not",
    )
    add("checkpoint", trail.checkpoint, "> /elsewhere/today.txt")
    export = add("export", trail.export, "--format csv --output trail.csv")
    export.add_argument("--format", choices=["jsonl", "csv"], default="jsonl")
    export.add_argument("--output", type=words, default="", metavar="FILE", help="not to be there")


def _web(add: _Adder) -> None:
    web = add("dashboard", dashboard.dashboard, "", "--users people.jsonl --port 8400")
    web.add_argument("--host", type=said, default="127.0.0.1", help="default: %(default)s")
    web.add_argument("--port", type=port, default=8321, help="0: a free one; default: %(default)s")
    web.add_argument("--users", type=Path, metavar="FILE", help="people who log in by password")
    web.add_argument("--oidc", type=Path, metavar="FILE", help="an identity provider, as TOML")
    web.add_argument(
        "--origin",
        type=words,
        default="",
        metavar="URL",
        help="where browsers find it, if elsewhere",
    )
    web.add_argument("--webhooks", type=Path, metavar="FILE", help="whom to tell, as TOML")
    web.add_argument("--title", type=said, default="Approvals", help="default: %(default)s")
    web.add_argument("--idle", type=count, metavar="MINUTES", help="after which people are out")
    people = add(
        "user",
        user.user,
        "add ana --role reviewer --users people.jsonl",
        "list --users people.jsonl",
        "token ana --users people.jsonl",
    )
    people.add_argument("action", choices=user.ACTIONS)
    people.add_argument("name", type=said, nargs="?", metavar="NAME")
    people.add_argument("--users", type=Path, required=True, metavar="FILE")
    people.add_argument("--role", choices=["viewer", "reviewer", "admin"])
    people.add_argument(
        "--no-password", action="store_true", help="comes in by a token or an identity provider"
    )


def _rest(add: _Adder) -> None:
    stop = add("stop", button.stop, '--because "the agent refunds in circles"')
    stop.add_argument("--because", type=said, required=True, help="for the agents and the record")
    add("resume", button.resume, "")
    listing = add("list", patterns.listing, "", "--markdown")
    listing.add_argument("--markdown", action="store_true", help="the table of core/README.md")
    copying = add("copy", patterns.copying, "terminal --to ../myapp/approvals")
    copying.add_argument("pattern", type=words, help="a name from the list")
    copying.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder to fill")


def _id(made: Parser) -> None:
    made.add_argument("id", type=said, metavar="ID", help="a request's id, or its first digits")


def _digest(made: Parser) -> None:
    made.add_argument(
        "--digest",
        type=words,
        default="",
        metavar="PREFIX",
        help="the first 6 or more digits of the digest that you were shown",
    )


def _seen(made: Parser) -> None:
    _digest(made)
    made.add_argument("--yes", action="store_true", help="do not show it, do not ask")


def words(text: str) -> str:
    """Take text that can be written down.

    Raises:
        ValueError: It holds bytes that are no text.
    """
    text.encode()
    return text


def said(text: str) -> str:
    """Take text that says something.

    Raises:
        ValueError: It is blank.
    """
    if not text.strip():
        raise ValueError
    return words(text)


def count(text: str) -> int:
    """Take a number from 1 to 100,000.

    Raises:
        ValueError: It is another, or none.
    """
    if not 1 <= int(text) <= 100_000:
        raise ValueError
    return int(text)


def port(text: str) -> int:
    """Take the number of a port.

    Raises:
        ValueError: It is another number, or none.
    """
    if not 0 <= int(text) <= 65_535:
        raise ValueError
    return int(text)


def seconds(text: str) -> float:
    """Take a number of seconds, up to an hour.

    Raises:
        ValueError: It is another, or none.
    """
    if not 0 <= float(text) <= 3600:
        raise ValueError
    return float(text)

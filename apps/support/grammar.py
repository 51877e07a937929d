"""What the command line understands, and the help that teaches it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn, get_args

from .model import Reason

PROGRAM = "python -m apps.support"
MISUSED = 2
ABOUT = "A help desk that refunds through Stripe; whatever is not small waits for a person."
EXAMPLES = f"""\
examples:
  {PROGRAM} demo
  {PROGRAM} init sample
  {PROGRAM} --config sample/support.toml
  {PROGRAM} --config sample/support.toml --batch --approver terminal
  {PROGRAM} --config sample/support.toml tickets
  {PROGRAM} --config sample/support.toml ticket t-0123456789
  {PROGRAM} --config sample/support.toml charges mia@mail.example
  {PROGRAM} --config sample/support.toml refund ch_1 19.99 --ticket t-0123456789 --note "late"
  {PROGRAM} --config sample/support.toml receive < mail.eml
  {PROGRAM} --config sample/support.toml hooks --port 8099
  {PROGRAM} --config sample/support.toml --agent openai:gpt-5 ask "Answer what is easy."

Without a command the agent works through the tickets that wait; --batch collects what it wants to
refund and answer, and asks once.

By default leads and managers find each request on a web page and on the command line
(python -m core --store FILE approve ID); --approver terminal asks right here, slack or teams there.
The first link is for whoever --by names. What you ask for yourself, others decide: --as names you.

STRIPE_API_KEY=sk_test_… works on Stripe's test mode; without it a sandbox on this machine keeps
Stripe's rules and moves no money. A key that moves real money needs --live, and your word for it.

exit codes: 0 done, 1 rejected or failed, 2 it cannot be meant, 130 interrupted by the keyboard
"""
APPROVERS = ["dashboard", "slack", "teams", "terminal", "inbox", "scripted"]
COMMANDS = {
    "demo": "see a whole story, answered by a script",
    "init": "make a sample to practise on: 60 tickets and what their customers have paid",
    "tickets": "the tickets that wait for an answer",
    "ticket": "one ticket with all its mails",
    "charges": "what a customer has paid",
    "refunds": "what has gone back to a customer",
    "refund": "pay money back, through the same gate as the agent",
    "reply": "answer a ticket, through the same gate as the agent",
    "close": "close a ticket",
    "receive": "take in one mail from standard input, as a mail server hands it over",
    "send": "send what lies in the outbox",
    "hooks": "listen for what Stripe says of refunds, and reopen tickets whose refund failed",
    "ask": "put a task to a live agent; without one, talk with it",
}


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, and leaves the rest to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"{message}; see {PROGRAM} --help\n")


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line; `command` is one of `COMMANDS`, or `None`.

    Raises:
        SystemExit: It cannot be meant, or asks for help.
    """
    made = Parser(
        prog=PROGRAM,
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _options(made)
    made.set_defaults(config=Path("support.toml"), agent="scripted", approver="dashboard")
    made.set_defaults(store="", by="", asking="", question=None, live=False, batch=False)
    made.set_defaults(users=None, chat=None)
    commands = made.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for name, about in COMMANDS.items():
        one: Parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        _options(one)
        _values(name, one)
    return made.parse_args(words)


def _options(made: Parser) -> None:
    """Add what every command takes, before it or after it."""
    option = partial(made.add_argument, default=argparse.SUPPRESS)
    option("--config", type=Path, metavar="FILE", help="default: support.toml in this folder")
    option("--agent", help="scripted (default), agentica, or a model such as openai:gpt-5")
    option("--approver", choices=APPROVERS, help="default: dashboard, and the command line")
    option("--chat", type=Path, metavar="FILE", help="default: slack.toml or teams.toml there too")
    option("--batch", action="store_true", help="collect refunds and replies, and ask once for all")
    option("--store", metavar="URL", help="requests and their record; default: beside the config")
    option("--by", metavar="NAME", help="who decides at this terminal or by the printed link")
    option("--users", type=Path, metavar="FILE", help="people who log in; see python -m core user")
    option("--as", dest="asking", metavar="NAME", help="who asks; else your account's name")
    option("--live", action="store_true", help="take a key that moves real money")


def _values(name: str, made: Parser) -> None:
    """Add what one command takes."""
    match name:
        case "init":
            made.add_argument("folder", type=Path, help="a folder that is empty or not there yet")
        case "ticket" | "close":
            made.add_argument("ticket", type=_words)
        case "charges" | "refunds":
            made.add_argument("customer", type=_words, help="a mail address")
        case "refund":
            made.add_argument("charge", type=_words, help="its id, as `charges` lists it")
            made.add_argument("amount", help="such as 19.99, in the currency of the charge")
            made.add_argument("--ticket", required=True, type=_words)
            made.add_argument("--note", required=True, type=_words, help="why, for colleagues")
            made.add_argument("--reason", choices=get_args(Reason), default="requested_by_customer")
        case "reply":
            made.add_argument("ticket", type=_words)
            made.add_argument("text")
        case "hooks":
            made.add_argument("--port", type=_port, default=8099, help="8099 by default")
        case "ask":
            made.add_argument("question", nargs="?", help="what you want to have done")
        case _:
            pass


def _words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("there is nothing in it")
    return text


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return number

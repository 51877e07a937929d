"""What the command line understands, and the help that teaches it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

PROGRAM = "python -m apps.deploy"
MISUSED = 2
ABOUT = "A release pipeline over real git repositories; production waits for two release managers."
EXAMPLES = f"""\
examples:
  {PROGRAM} demo
  {PROGRAM} init sample
  {PROGRAM} --config sample/deploy.toml status
  {PROGRAM} --config sample/deploy.toml deploy v1.0 staging
  {PROGRAM} --config sample/deploy.toml deploy v1.0 production
  {PROGRAM} --config sample/deploy.toml diff v1.0 v1.2
  {PROGRAM} --config sample/deploy.toml rollback production
  {PROGRAM} --config sample/deploy.toml task migrate production
  {PROGRAM} --config sample/deploy.toml lift-freeze production --because "the shop is down"
  {PROGRAM} --config sample/deploy.toml --agent openai:gpt-5 ask "Bring main to production."
  {PROGRAM} --config sample/deploy.toml --repo https://git.example/shop.git changes main production

Without a command the agent goes to work. Options may stand before or after the command.

By default whoever is asked finds the request on a web page and on the command line
(python -m core --store FILE approve ID); --approver terminal asks right here for one vote.
--approver slack or teams asks there and on the web page, and the first answer wins.
What you ask for yourself, others decide: --as names you.

GATE_STAGING=gated asks in staging too, GATE_PRODUCTION=closed refuses everything there, and no
variable frees an environment that deploy.toml protects.

exit codes: 0 done, 1 rejected or failed, 2 it cannot be meant, 130 interrupted by the keyboard
"""
APPROVERS = ["dashboard", "slack", "teams", "terminal", "inbox", "scripted"]
COMMANDS = {
    "demo": "see a whole story, answered by a script",
    "init": "make a sample to practise on: a small web service and three environments",
    "status": "what runs where",
    "changes": "what a commit would bring to an environment, and what it would take away",
    "diff": "the whole difference between two commits",
    "logs": "what the last deploy and the service have printed",
    "deploy": "bring a commit to an environment, through the same gate as the agent",
    "rollback": "go back to the last healthy release",
    "task": "run a named task of deploy.toml in the live release",
    "lift-freeze": "let a frozen environment move for a while; two people have to agree",
    "start": "start the services of the current releases again, after the machine was off",
    "stop": "stop the services",
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
    made.set_defaults(config=Path("deploy.toml"), repo="", agent="scripted", approver="dashboard")
    made.set_defaults(store="", by="", asking="", question=None, ref="main", chat=None)
    commands = made.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    for name, about in COMMANDS.items():
        one: Parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        _options(one)
        _values(name, one)
    return made.parse_args(words)


def _options(made: Parser) -> None:
    """Add what every command takes, before it or after it."""
    option = partial(made.add_argument, default=argparse.SUPPRESS)
    option("--config", type=Path, metavar="FILE", help="default: deploy.toml in this folder")
    option("--repo", metavar="PATH|URL", help="another repository than deploy.toml names")
    option("--agent", help="scripted (default), agentica, or a model such as openai:gpt-5")
    option("--approver", choices=APPROVERS, help="default: dashboard, and the command line")
    option("--chat", type=Path, metavar="FILE", help="default: slack.toml or teams.toml there too")
    option("--store", metavar="URL", help="requests and their record; default: beside the config")
    option("--by", metavar="NAME", help="who decides at this terminal or by the printed link")
    option("--as", dest="asking", metavar="NAME", help="who asks; else your account's name")


def _values(name: str, made: Parser) -> None:
    """Add what one command takes."""
    match name:
        case "init":
            made.add_argument("folder", type=Path, help="a folder that is empty or not there yet")
        case "changes" | "deploy":
            made.add_argument("ref", help="a branch, a tag, or a commit")
            made.add_argument("environment")
        case "diff":
            made.add_argument("before", help="a branch, a tag, or a commit")
            made.add_argument("after", help="a branch, a tag, or a commit")
        case "logs" | "rollback":
            made.add_argument("environment")
        case "task":
            made.add_argument("name", help="a task of deploy.toml")
            made.add_argument("environment")
        case "lift-freeze":
            made.add_argument("environment")
            made.add_argument("--because", required=True, help="why it cannot wait")
            made.add_argument("--minutes", type=_minutes, default=60, help="60 by default")
        case "start" | "stop":
            made.add_argument("environment", nargs="?", default="", help="all by default")
        case "ask":
            made.add_argument("question", nargs="?", help="what you want to have done")
        case _:
            pass


def _minutes(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 240:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 1 to 240")
    return number

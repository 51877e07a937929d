"""What the command line understands, and the help that teaches it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

PROGRAM = "python -m apps.analysis"
MISUSED = 2
ABOUT = "Questions answered in SQL over DuckDB; nothing changes before a person has agreed."
EXAMPLES = f"""\
examples:
  {PROGRAM} demo
  {PROGRAM} init shop.duckdb
  {PROGRAM} --database shop.duckdb
  {PROGRAM} --database shop.duckdb sql "DELETE FROM orders WHERE note = 'TEST'"
  {PROGRAM} --database shop.duckdb undo
  {PROGRAM} --database flights.csv airports.csv sql "SELECT count(*) FROM flights"
  {PROGRAM} --database shop.duckdb --agent openai:gpt-5 ask "Which month was best?"
  {PROGRAM} --database shop.duckdb --agent ollama:qwen3 ask
  {PROGRAM} --database shop.duckdb --approver dashboard
  {PROGRAM} --database shop.duckdb --approver inbox --store approvals.db
  {PROGRAM} --database shop.duckdb --approver slack --chat slack.toml --store approvals.db

Without a command the agent goes to work. Options may stand before or after the command.

With --environment development, GATE_DEVELOPMENT=free lets changes run unasked; they are rehearsed
and recorded all the same. GATE_PRODUCTION=closed refuses them.

exit codes: 0 done, 1 rejected or failed, 2 it cannot be meant, 130 interrupted by the keyboard
"""
APPROVERS = ["terminal", "dashboard", "slack", "teams", "inbox", "scripted"]
COMMANDS = {
    "demo": "see a whole story, answered by a script",
    "init": "make a shop to practise on",
    "sql": "put one statement of yours through the same gate",
    "undo": "bring back what the last change took",
    "ask": "put a question to a live agent; without one, talk with it",
}


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong, and leaves the rest to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"{message}; see {PROGRAM} --help\n")


def parsed(words: Sequence[str], environments: Sequence[str]) -> argparse.Namespace:
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
    _options(made, environments)
    made.set_defaults(database=[], agent="scripted", approver="terminal", question=None)
    made.set_defaults(chat=None)
    made.set_defaults(store="", by="", environment="production")
    commands = made.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    parsers: dict[str, Parser] = {}
    for name, about in COMMANDS.items():
        one: Parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        _options(one, environments)
        parsers[name] = one
    init = parsers["init"]
    init.add_argument("file", type=Path, help="the database to make")
    init.add_argument("--rows", type=_orders, default=100_000, help="orders (100,000 by default)")
    parsers["sql"].add_argument("statement", help="one statement in DuckDB's SQL")
    parsers["ask"].add_argument("question", nargs="?", help="what you want to know")
    return made.parse_args(_spread(words))


def _options(made: Parser, environments: Sequence[str]) -> None:
    """Add what every command takes, before it or after it."""
    option = partial(made.add_argument, default=argparse.SUPPRESS)
    files = "a DuckDB file, or CSV and Parquet files"
    option("--database", action="append", type=Path, metavar="FILE", help=files)
    option("--agent", help="scripted (default), agentica, or a model such as openai:gpt-5")
    option("--approver", choices=APPROVERS, help="default: terminal")
    option("--chat", type=Path, metavar="FILE", help="default: slack.toml or teams.toml")
    option("--store", metavar="URL", help="a file for requests and their record; else in memory")
    option("--by", metavar="NAME", help="who decides at the terminal; else your account's name")
    option("--environment", choices=environments, help="default: production")


def _spread(words: Sequence[str]) -> list[str]:
    """Let --database take files up to the next option or command, as in `--database a b sql …`."""
    made: list[str] = []
    is_file = False
    for word in words:
        if word.startswith("-") or word in COMMANDS:
            is_file = word == "--database"
        elif is_file and made[-1] != "--database":
            made.append("--database")
        made.append(word)
    return made


def _orders(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of orders from 1 up")
    return number

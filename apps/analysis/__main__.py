"""Questions answered in SQL over DuckDB; nothing changes before a person has agreed.

python -m apps.analysis demo                     a whole story, answered by a script
python -m apps.analysis init shop.duckdb         make a shop to practise on
python -m apps.analysis --database shop.duckdb   let the agent work, and be asked yourself
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.text import Text

from core import (
    ApprovalRequest,
    Approve,
    Approver,
    Decision,
    MemoryStore,
    Reject,
    Store,
    StoreError,
)
from core.approvers.drawing import draw
from core.approvers.inbox import Inbox
from core.approvers.scripted import Scripted
from core.approvers.terminal import Terminal
from core.audit import verify
from core.policies.environment import Environment
from core.stores.open import open_store

from .agent import tidy_up
from .approvals import Tools, gated
from .errors import AnalysisError
from .shop import make_shop
from .story import Story
from .warehouse import Warehouse

DATABASES = {"", ".duckdb", ".db"}


def main(words: list[str] | None = None) -> int:
    """Run one command; what goes wrong is one sentence on standard error."""
    options = parser().parse_args(words)
    try:
        return int(options.run(options) or 0)
    except (AnalysisError, PermissionError, StoreError, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing changed", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Return what the command line understands."""
    style = argparse.RawDescriptionHelpFormatter
    known = argparse.ArgumentParser("python -m apps.analysis", None, __doc__, formatter_class=style)
    known.set_defaults(run=work)
    known.add_argument(
        "--database", nargs="+", type=Path, help="a DuckDB file, or CSV and Parquet files"
    )
    known.add_argument("--approver", choices=["terminal", "scripted", "inbox"], default="terminal")
    known.add_argument("--store", default="", help="where requests live; in memory if left out")
    known.add_argument("--by", default="", help="your name; the account's if left out")
    commands = known.add_subparsers(title="commands", metavar="")
    commands.add_parser("demo", help="a whole story, answered by a script").set_defaults(run=demo)
    make = commands.add_parser("init", help="make a shop to practise on")
    make.add_argument("file", type=Path)
    make.add_argument("--rows", type=int, default=100_000, help="orders (default: %(default)s)")
    make.set_defaults(run=init)
    one = commands.add_parser("sql", help="put one statement of yours through the same gate")
    one.add_argument("statement")
    one.set_defaults(run=sql)
    commands.add_parser("undo", help="bring back what the last change took").set_defaults(run=undo)
    return known


def init(options: argparse.Namespace) -> None:
    """Make the sample shop, with a progress bar."""
    from rich.progress import Progress

    with Progress() as progress:
        bar = progress.add_task(f"{options.file}", total=options.rows)
        make_shop(
            options.file,
            orders=options.rows,
            progress=lambda done, _: progress.update(bar, completed=done),
        )


def work(options: argparse.Namespace) -> None:
    """Let the agent work."""
    _with_tools(options, lambda tools: Story().steps(tidy_up(tools)))


def sql(options: argparse.Namespace) -> None:
    """Run one statement."""
    _with_tools(options, lambda tools: print(tools.query(options.statement)))


def undo(options: argparse.Namespace) -> None:
    """Take back the last change."""
    _with_tools(options, lambda tools: print(tools.undo()))


def _with_tools(options: argparse.Namespace, use: Callable[[Tools], None]) -> None:
    store = open_store(options.store) if options.store else MemoryStore()
    switch = Environment.from_env(os.environ)
    for problem in switch.problems:
        print(problem, file=sys.stderr)
    try:
        approver = _approver(options, store)
        use(gated(_warehouse(options.database), approver, store=store, policies=[switch]))
    finally:
        store.close()


def _approver(options: argparse.Namespace, store: Store) -> Approver:
    match options.approver:
        case "terminal":
            return Terminal(by=options.by)
        case "inbox":
            return Inbox(store)
        case _:
            return Scripted(query=Ana(Story()), undo=Approve(by="ana"))


def _warehouse(files: list[Path] | None) -> Warehouse:
    if not files:
        raise AnalysisError("Say which database: --database FILE; `init FILE` makes one.")
    if len(files) == 1 and files[0].suffix in DATABASES:
        return Warehouse(files[0], reports=files[0].parent / "reports")
    folder = Path(tempfile.mkdtemp(prefix="analysis-"))
    return Warehouse.from_files(files, folder / "files.duckdb")


class Ana:
    """The person of the story: wants an archive first, and looks at what is deleted."""

    def __init__(self, story: Story) -> None:
        self.archived = False
        self._story = story

    def __call__(self, request: ApprovalRequest) -> Decision:
        question = Text("\n").join(draw(request, width=self._story.width))
        self._story.frame("a person is asked", question, "yellow")
        decision = self._decided(request)
        if isinstance(decision, Reject):
            self._story.frame("decision", Text(f"ana rejects: {decision.reason}"), "red")
        else:
            self._story.frame("decision", Text("ana approves"), "green")
        return decision

    def _decided(self, request: ApprovalRequest) -> Decision:
        statement = str(request.arguments["sql"])
        if statement.startswith("CREATE TABLE"):
            self.archived = True
            return Approve(by="ana")
        if not self.archived:
            return Reject(by="ana", reason="archive these orders in a table of their own first")
        self.archived = False
        return Approve(by="ana", note="archived, so it may go")


def demo(_: argparse.Namespace) -> None:
    """Tell the whole story on a small shop in a folder of its own."""
    Path(".demo").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=".demo", prefix="analysis-"))
    make_shop(folder / "shop.duckdb", orders=20_000)
    warehouse = Warehouse(folder / "shop.duckdb", reports=folder / "reports")
    store = open_store(str(folder / "approvals.db"))
    story = Story()
    story.steps(tidy_up(gated(warehouse, Scripted(query=Ana(story)), store=store)))
    found = verify(store.trail())
    story.say(f"The audit trail: {found}.")
    story.say(
        "Try it by hand:",
        f"  .venv/bin/python -m core --store {folder}/approvals.db history",
        f"  .venv/bin/python -m core --store {folder}/approvals.db verify",
        f"  .venv/bin/python -m apps.analysis --database {folder}/shop.duckdb undo",
    )
    store.close()
    if not found:
        raise StoreError("the audit trail does not hold")


if __name__ == "__main__":
    sys.exit(main())

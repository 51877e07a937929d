"""Questions answered in SQL over DuckDB; nothing changes before a person has agreed."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import assert_never

from core import (
    ApprovalRequest,
    Approve,
    Approver,
    Decision,
    Edit,
    MemoryStore,
    Reject,
    Store,
    StoreError,
)
from core.approvers.dashboard import Dashboard
from core.approvers.in_chat import in_chat
from core.approvers.inbox import Inbox
from core.approvers.scripted import Scripted
from core.approvers.story import Story
from core.approvers.terminal import Terminal
from core.audit import verify
from core.policies.environment import ENVIRONMENTS, Environment
from core.runners.program import ended, show, tell
from core.runners.talking import converse
from core.stores.open import open_store

from .agent import INSTRUCTIONS, Says, Sees, Step, tidy_up
from .ana import Ana, No, Rather, Yes
from .approvals import Tools, gated
from .errors import AnalysisError, Stopped
from .grammar import PROGRAM, parsed
from .opening import opened
from .shop import make_shop
from .warehouse import Warehouse

TRY = "DELETE FROM refunds WHERE reason = 'late'"


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one sentence on standard error."""
    options = parsed(sys.argv[1:] if words is None else words, ENVIRONMENTS)
    run = {"demo": demo, "init": init, "sql": sql, "undo": undo, "ask": ask, None: work}
    command = partial(run[options.command], options)
    return ended(command, AnalysisError, interrupts=(KeyboardInterrupt, Stopped))


def init(options: argparse.Namespace) -> None:
    """Make a shop to practise on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    screen = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("orders", total=options.rows)
        make_shop(
            options.file,
            orders=options.rows,
            progress=lambda done, _: progress.update(bar, completed=done),
        )
    print(f"{options.file} has {options.rows:,} orders. Now let the agent tidy up:")
    print(f"  {PROGRAM} --database {shlex.quote(str(options.file))}")


def work(options: argparse.Namespace) -> None:
    """Let the agent work."""
    if options.agent != "scripted":
        ask(options)
        return
    with wired(options) as tools:
        tell_all(Story(), tidy_up(tools))


def ask(options: argparse.Namespace) -> None:
    """Put a question to a live agent, or without one, talk with it."""
    if options.agent == "scripted":
        raise AnalysisError("The scripted agent takes no questions: name a model with --agent.")
    with wired(options) as tools:
        known: list[Callable[..., str]] = [tools.schema, tools.query, tools.chart, tools.export]
        converse(options.agent, known, options.question, instructions=INSTRUCTIONS)


def sql(options: argparse.Namespace) -> None:
    """Put one statement of yours through the same gate."""
    with wired(options) as tools:
        show(tools.query(options.statement))


def undo(options: argparse.Namespace) -> None:
    """Bring back what the last change took."""
    with wired(options) as tools:
        show(tools.undo())


@contextmanager
def wired(options: argparse.Namespace) -> Generator[Tools]:
    """Yield gated tools over the database that the options name."""
    switch = Environment.from_env(os.environ)
    for problem in switch.problems:
        tell(problem)
    with (
        opened(options.database, tell) as warehouse,
        closing(open_store(options.store) if options.store else MemoryStore()) as store,
        approver(options, store) as people,
    ):
        yield gated(
            warehouse,
            people,
            store=store,
            policies=[switch],
            environment=options.environment,
        )


@contextmanager
def approver(options: argparse.Namespace, store: Store) -> Generator[Approver]:
    """Yield whoever decides; their windows are open for as long."""
    match options.approver:
        case "terminal":
            yield Terminal(by=options.by)
        case "dashboard":
            yield Dashboard(store, by=options.by, title="Analysis", say=tell)
        case "slack" | "teams" as chat:
            settings = options.chat or Path(f"{chat}.toml")
            place = options.store or "memory:"
            with in_chat(chat, store, place, settings, environ=os.environ, say=tell) as there:
                yield there
        case "inbox":
            if isinstance(store, MemoryStore):
                raise AnalysisError("An inbox needs --store FILE: nobody else sees this memory.")
            yield Inbox(store, place=options.store, say=tell)
        case _:
            yield Story().over(person(Ana()))


def person(ana: Ana) -> Approver:
    """Let Ana decide."""

    def query(request: ApprovalRequest) -> Decision:
        match word := ana.word_on(str(request.arguments["sql"])):
            case Yes(words=words):
                return Approve(by="ana", note=words)
            case No(words=words):
                return Reject(by="ana", reason=words)
            case Rather(sql=statement, words=words):
                return Edit(by="ana", arguments={"sql": statement}, note=words)
            case _:
                assert_never(word)

    return Scripted(query=query, undo=Approve(by="ana"))


def tell_all(story: Story, steps: Iterable[Step]) -> None:
    """Tell what the agent does, step by step."""
    for step in steps:
        match step:
            case Says(text=text):
                story.says(text)
            case Sees(text=text, is_refusal=is_refusal):
                story.sees(text, is_refusal=is_refusal)
            case _:
                assert_never(step)


def demo(_: argparse.Namespace) -> None:
    """See a whole story, answered by a script."""
    Path(".demo").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=".demo", prefix="analysis-"))
    shop, record = folder / "shop.duckdb", folder / "approvals.db"
    make_shop(shop, orders=20_000)
    warehouse, story = Warehouse(shop, reports=folder / "reports"), Story()
    with closing(open_store(str(record))) as store:
        tell_all(story, tidy_up(gated(warehouse, story.over(person(Ana())), store=store)))
        found = verify(store.trail())
    if not found:
        raise StoreError(f"the audit trail does not hold: {found}")
    python = os.path.relpath(sys.executable)
    story.say(
        f"The audit trail is verified: {found}.",
        "Try it by hand:",
        f"  {python} -m core --store {record} history",
        f'  {python} -m apps.analysis --database {shop} sql "{TRY}"',
        f"  {python} -m apps.analysis --database {shop} undo",
    )


if __name__ == "__main__":
    sys.exit(main())

"""A release pipeline over real git repositories; production waits for two release managers."""

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
    Reject,
    Risk,
    Store,
    StoreError,
    run,
)
from core.approvers.account import account_name
from core.approvers.any_of import AnyOf
from core.approvers.dashboard import Dashboard
from core.approvers.in_chat import in_chat
from core.approvers.inbox import Inbox
from core.approvers.scripted import Scripted
from core.approvers.story import Story
from core.approvers.terminal import Terminal
from core.audit import verify
from core.model import StoredRequest, new_id
from core.runners.program import ended, show, tell
from core.runners.talking import converse
from core.runs import withdraw
from core.stores.open import open_store

from .agent import INSTRUCTIONS, Says, Sees, Step, bring
from .approvals import Tools, found, gated, lifting, switch
from .attention.secret_search import masked
from .errors import DeployError
from .grammar import PROGRAM, parsed
from .opening import opened
from .pipeline.progress import Progress
from .project import Project
from .sample import advance, make_sample

BEFORE = "v1.2"  # the last tag without a migration


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one sentence on standard error."""
    options = parsed(sys.argv[1:] if words is None else words)
    return ended(partial(COMMANDS[options.command], options), DeployError)


def init(options: argparse.Namespace) -> None:
    """Make a sample to practise on."""
    config = make_sample(options.folder)
    name = shlex.quote(str(config))
    print(f"{options.folder} has a repository, a pipeline and three environments. Try them:")
    for words in ("status", "deploy v1.0 staging", "deploy v1.0 production", ""):
        print(f"  {PROGRAM} --config {name} {words}".rstrip())


def work(options: argparse.Namespace) -> None:
    """Let the agent work."""
    if options.agent != "scripted":
        ask(options)
        return
    with wired(options) as tools:
        tell_all(Story(), bring(tools, options.ref))


def ask(options: argparse.Namespace) -> None:
    """Give a live agent a task, or without one, talk with it."""
    if options.agent == "scripted":
        raise DeployError("The scripted agent takes no task: name a model with --agent.")
    with wired(options) as tools:
        known: list[Callable[..., str]] = [tools.status, tools.changes, tools.logs]
        known += [tools.deploy, tools.rollback, tools.run_task]
        converse(options.agent, known, options.question, instructions=INSTRUCTIONS)


def called(name: str, *values: str) -> Callable[[argparse.Namespace], None]:
    """Return a command that calls one of the agent's tools, through the same gate."""

    def command(options: argparse.Namespace) -> None:
        with wired(options) as tools:
            show(getattr(tools, name)(*(getattr(options, value) for value in values)))

    return command


def diff(options: argparse.Namespace) -> None:
    """Show the whole difference between two commits; what looks like a secret is masked."""
    with project_of(options) as project:
        before, after = map(project.repository.resolve, (options.before, options.after))
        show(masked(project.repository.diff(before, after, most=sys.maxsize)).text)


def lift_freeze(options: argparse.Namespace) -> None:
    """Let a frozen environment move for a while."""
    with (
        project_of(options) as project,
        stored(options) as store,
        approver(options, store) as people,
    ):
        lift = lifting(project, people, store=store, requester=asker(options))
        show(lift(options.environment, options.minutes, options.because))


def start(options: argparse.Namespace) -> None:
    """Start services again."""
    with project_of(options) as project:
        show(project.start(options.environment))


def stop(options: argparse.Namespace) -> None:
    """Stop services."""
    with project_of(options) as project:
        show(project.stop(options.environment))


@contextmanager
def project_of(options: argparse.Namespace) -> Generator[Project]:
    """Yield the project that the options name; its stages are told as they happen."""
    with (
        Progress() as progress,
        opened(
            options.config, repository=options.repo, by=asker(options), progress=progress
        ) as project,
    ):
        yield project


@contextmanager
def stored(options: argparse.Namespace) -> Generator[Store]:
    """Yield the store of requests; by default it lies beside the configuration."""
    with closing(open_store(place(options))) as store:
        yield store


def place(options: argparse.Namespace) -> str:
    """Say where requests are kept."""
    if options.store:
        return str(options.store)
    folder = options.config.absolute().parent / ".deploy"
    folder.mkdir(exist_ok=True)
    return str(folder / "approvals.db")


@contextmanager
def wired(options: argparse.Namespace) -> Generator[Tools]:
    """Yield gated tools over the project that the options name."""
    with project_of(options) as project, stored(options) as store:
        for problem in switch(project.config, os.environ).problems:
            tell(problem)
        for cut_off in found(project, store):
            tell(unresolved(options, cut_off))
        with approver(options, store) as people, run(new_id(), acting_for=asker(options)) as work:
            try:
                yield gated(project, people, store=store, environ=os.environ)
            finally:
                withdraw(store, work.name)


def unresolved(options: argparse.Namespace, stored: StoredRequest) -> str:
    """Say what was found of a call that was cut off, and who has the last word."""
    request, said = stored.request, stored.outcome.finding if stored.outcome else ""
    where = f"python -m core --store {shlex.quote(place(options))} resolve {request.id[:8]}"
    return (
        f"An earlier {request.name} was cut off, and may or may not have happened. {said}"
        f" Say what became of it: {where} --happened (or --did-not-happen) --note HOW-YOU-KNOW"
    )


def asker(options: argparse.Namespace) -> str:
    """Return who asks, or for whom the agent asks; that person never decides."""
    return options.asking or account_name()


@contextmanager
def approver(options: argparse.Namespace, store: Store) -> Generator[Approver]:
    """Yield whoever decides; their windows are open for as long."""
    match options.approver:
        case "terminal":
            yield Terminal(by=options.by)
        case "dashboard":
            page = Dashboard(store, by=options.by, title="Deploy", say=tell)
            yield AnyOf(page, Inbox(store, place=place(options), say=tell))
        case "slack" | "teams" as chat:
            settings = options.chat or options.config.with_name(f"{chat}.toml")
            page = Dashboard(store, by=options.by, title="Deploy", say=tell)
            where = place(options)
            with in_chat(chat, store, where, settings, environ=os.environ, say=tell) as there:
                yield AnyOf(there, page)
        case "inbox":
            yield Inbox(store, place=place(options), say=tell)
        case _:
            yield managers(store, Story())


def managers(store: Store, story: Story) -> Approver:
    """Let Ana and Bo decide, each in a window of their own."""

    def both(request: ApprovalRequest) -> Decision:
        if request.risk == Risk.CRITICAL:
            return Reject(by="ana", reason=f"a migration is in it: ship {BEFORE} first, on its own")
        yes = Approve(by="bo", note="read it on the train")
        store.vote(request.id, yes, digest=request.digest, window="command line")
        story.hears(yes)
        return Approve(by="ana", note="a small step, and proven in staging")

    return story.over(Scripted(deploy=both, rollback=Approve(by="ana")))


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
    folder = Path(tempfile.mkdtemp(dir=".demo", prefix="deploy-"))
    config, record, story = make_sample(folder / "sample"), folder / "approvals.db", Story()
    with (
        Progress() as progress,
        opened(config, progress=progress) as project,
        closing(open_store(str(record))) as store,
    ):
        try:
            story.say("A small shop runs its first release everywhere.")
            for name in project.config.environments:
                project.deploy("v1.0", name)
            if project.frozen("production"):
                project.lift_freeze("production", 60, "a demo does not wait for Monday")
                story.say("It is Friday evening; for this demo the freeze is lifted.")
            tools = gated(project, managers(store, story), store=store)
            tell_all(story, bring(tools, "main"))
            story.say("", "A week later two more commits are on main.")
            advance(folder / "sample" / "shop")
            tell_all(story, bring(tools, "main"))
        finally:
            project.stop("")
        found = verify(store.trail())
    if not found:
        raise StoreError(f"the audit trail does not hold: {found}")
    python = os.path.relpath(sys.executable)
    story.say(
        "",
        f"The audit trail is verified: {found}.",
        "Try it by hand:",
        f"  {python} -m core --store {record} history",
        f"  {python} -m apps.deploy --config {config} start",
        f"  {python} -m apps.deploy --config {config} rollback production",
    )


COMMANDS: dict[str | None, Callable[[argparse.Namespace], None]] = {
    "demo": demo,
    "init": init,
    "status": called("status"),
    "changes": called("changes", "ref", "environment"),
    "diff": diff,
    "logs": called("logs", "environment"),
    "deploy": called("deploy", "ref", "environment"),
    "rollback": called("rollback", "environment"),
    "task": called("run_task", "name", "environment"),
    "lift-freeze": lift_freeze,
    "start": start,
    "stop": stop,
    "ask": ask,
    None: work,
}


if __name__ == "__main__":
    sys.exit(main())

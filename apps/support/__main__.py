"""A help desk that refunds through Stripe; whatever is not small waits for a person."""

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
from typing import Any, assert_never

from core import (
    ApprovalRequest,
    Approve,
    Approver,
    Batch,
    Decision,
    Edit,
    Reject,
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
from core.approvers.together import Together
from core.audit import verify
from core.model import StoredRequest, new_id
from core.runners.live import is_coder
from core.runners.program import ended, show, tell
from core.runners.talking import converse
from core.runs import withdraw
from core.stores.open import open_store

from .agent import INSTRUCTIONS, Says, Sees, Step, night, work
from .approvals import Tools, found, gated
from .config import read
from .desk import Desk
from .errors import SupportError
from .grammar import PROGRAM, parsed
from .listening import listen
from .money import parse
from .opening import KEY, mails, opened
from .payments import kind_of
from .sample import make_sample

FIRST, NEXT = 8, 14  # tickets of the demo
SHIPPING = 4_90


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is one sentence on standard error."""
    options = parsed(sys.argv[1:] if words is None else words)
    return ended(partial(COMMANDS[options.command], options), SupportError)


def init(options: argparse.Namespace) -> None:
    """Make a sample to practise on."""
    config = make_sample(options.folder)
    name = shlex.quote(str(config))
    print(f"{options.folder} has 60 tickets and what their customers have paid. Try them:")
    for words in ("tickets", "--approver terminal", "--approver terminal --batch"):
        print(f"  {PROGRAM} --config {name} {words}".rstrip())


def answer_all(options: argparse.Namespace) -> None:
    """Let the agent work."""
    if options.agent != "scripted":
        ask(options)
        return
    with wired(options) as tools:
        wait = tools.wait_for_approvals
        tell_all(Story(), night(tools, wait) if wait else work(tools))


def ask(options: argparse.Namespace) -> None:
    """Give a live agent a task, or without one, talk with it."""
    if options.agent == "scripted":
        raise SupportError("The scripted agent takes no task: name a model with --agent.")
    with wired(options) as tools:
        known: list[Callable[..., Any]] = [tools.tickets, tools.ticket, tools.charges]
        known += [tools.refunds, tools.refund, tools.reply, tools.close]
        if wait := tools.wait_for_approvals:
            known.append(wait if is_coder(options.agent) else told(wait))
        converse(options.agent, known, options.question, instructions=INSTRUCTIONS)


def told(wait: Callable[[], dict[int, object]]) -> Callable[[], str]:
    """Return `wait` for a model, which reads text."""

    def wait_for_approvals() -> str:
        """Wait until people have decided; return what became of each call, a line each."""
        return "\n".join(f"PENDING_APPROVAL_{n}: {result}" for n, result in wait().items())

    return wait_for_approvals


def looked(name: str, *values: str) -> Callable[[argparse.Namespace], None]:
    """Return a command that only reads, past all gates."""

    def command(options: argparse.Namespace) -> None:
        with desk_of(options) as desk:
            show(getattr(desk, name)(*(getattr(options, value) for value in values)))

    return command


def called(name: str, *values: str) -> Callable[[argparse.Namespace], None]:
    """Return a command that calls one of the agent's tools, through the same gate."""

    def command(options: argparse.Namespace) -> None:
        with wired(options) as tools:
            show(getattr(tools, name)(*(getattr(options, value) for value in values)))

    return command


def refund(options: argparse.Namespace) -> None:
    """Pay money back, through the same gate as the agent."""
    with desk_of(options) as desk:
        currency = desk.payments.charge(options.charge).paid.currency
        amount = parse(options.amount, currency).amount
        with gates(options, desk) as tools:
            answer = tools.refund(
                options.charge, amount, options.reason, options.note, options.ticket
            )
    show(answer)


def receive(options: argparse.Namespace) -> None:
    """Take in one mail."""
    helpdesk, raw = mails(read(options.config), os.environ), sys.stdin.buffer.read()
    if not raw.strip():
        raise SupportError("There is no mail on standard input, so nothing was taken in.")
    show(helpdesk.deliver(raw))


def send(options: argparse.Namespace) -> None:
    """Send what lies in the outbox."""
    sent = mails(read(options.config), os.environ).flush()
    show(f"{sent} mail{'s' if sent != 1 else ''} sent")


@contextmanager
def desk_of(options: argparse.Namespace) -> Generator[Desk]:
    """Yield the desk that the options name."""
    is_live = kind_of(os.environ.get(KEY, "")) == "live" and options.live
    if is_live:
        confirm_live()
    with opened(options.config, os.environ, live=is_live) as desk:
        yield desk


def confirm_live() -> None:
    """Let a person say that real money is meant.

    Raises:
        SupportError: Nobody is at a terminal, or says so.
    """
    if not sys.stdin.isatty():
        raise SupportError(f"{KEY} moves real money, and nobody is here to confirm it.")
    print(
        "This moves real money. Type 'real money' to go on: ", end="", file=sys.stderr, flush=True
    )
    if sys.stdin.readline().strip() != "real money":
        raise SupportError("Not confirmed, so nothing was opened.")


@contextmanager
def wired(options: argparse.Namespace) -> Generator[Tools]:
    """Yield gated tools over the desk that the options name."""
    with desk_of(options) as desk, gates(options, desk) as tools:
        yield tools


@contextmanager
def gates(options: argparse.Namespace, desk: Desk) -> Generator[Tools]:
    """Yield the tools of a desk, gated; what nobody answers is taken back in the end."""
    with closing(open_store(place(options))) as store:
        for cut_off in found(desk, store):
            tell(unresolved(options, cut_off))
        with approver(options, store) as people, run(new_id(), acting_for=asker(options)) as work:
            batch = Batch(approver=people, store=store) if options.batch else None
            try:
                yield gated(desk, people, store=store, batch=batch)
            finally:
                withdraw(store, work.name)


def place(options: argparse.Namespace) -> str:
    """Say where requests are kept; by default beside the configuration."""
    if options.store:
        return str(options.store)
    return str(options.config.absolute().parent / "approvals.db")


def unresolved(options: argparse.Namespace, stored: StoredRequest) -> str:
    """Say what was found of a call that was cut off, and who has the last word."""
    request, said = stored.request, stored.outcome.finding if stored.outcome else ""
    where = f"python -m core --store {shlex.quote(place(options))} resolve {request.id[:8]}"
    return (
        f"An earlier {request.name} was cut off, and may or may not have happened: {said}."
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
            yield Together(by=options.by)
        case "dashboard":
            page = Dashboard(store, by=options.by, users=options.users, title="Help desk", say=tell)
            yield AnyOf(page, Inbox(store, place=place(options), say=tell))
        case "slack" | "teams" as chat:
            settings = options.chat or options.config.with_name(f"{chat}.toml")
            where = place(options)
            with in_chat(chat, store, where, settings, environ=os.environ, say=tell) as there:
                yield there
        case "inbox":
            yield Inbox(store, place=place(options), say=tell)
        case _:
            yield people(Story())


def people(story: Story) -> Approver:
    """Let Ana decide, who leads the help desk, and Mia, who manages the shop."""
    return story.over(Scripted(refund=word_on_refund, reply=word_on_reply))


def word_on_refund(request: ApprovalRequest) -> Decision:
    """Say what a careful lead would say, and above her limit, the manager."""
    by = "ana" if "ana" in request.panel.members else "mia"
    why, money = str(request.arguments["note"]), int(str(request.arguments["amount"]))
    if any("times this customer was refunded: 3 of 3" in remark for remark in request.remarks):
        return Reject(by=by, reason="the fourth time in 90 days: leave this customer to me")
    if "late" in why and money > SHIPPING:
        return Reject(by=by, reason="it arrived after all: only the shipping, 4.90")
    if "damaged" in why and not request.revision:
        return Edit(by=by, arguments={"amount": money // 2}, note="half, they can keep it")
    return Approve(by=by)


def word_on_reply(_: ApprovalRequest) -> Decision:
    """Stand by what the reply promises."""
    return Approve(by="ana", note="we do")


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


def hooks(options: argparse.Namespace) -> None:
    """Listen for what Stripe says of refunds."""
    listen(read(options.config), os.environ, options.port, tell)


def demo(_: argparse.Namespace) -> None:
    """See a whole story, answered by a script."""
    Path(".demo").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=".demo", prefix="support-"))
    config, record, story = make_sample(folder / "sample"), folder / "approvals.db", Story()
    with opened(config, {}) as desk, closing(open_store(str(record))) as store:
        story.say("Sixty mails wait at a small shop's help desk.")
        tell_all(story, work(gated(desk, people(story), store=store), most=FIRST))
        story.say("", "At night the agent collects what it wants to refund, and asks once.")
        quiet = Scripted(refund=word_on_refund, reply=word_on_reply)
        tools = gated(desk, quiet, store=store, batch=Batch(approver=quiet, store=store))
        assert tools.wait_for_approvals is not None
        tell_all(story, night(tools, tools.wait_for_approvals, most=NEXT))
        found = verify(store.trail())
    if not found:
        raise StoreError(f"the audit trail does not hold: {found}")
    python = os.path.relpath(sys.executable)
    story.say(
        "",
        f"The audit trail is verified: {found}.",
        "Try it by hand:",
        f"  {python} -m core --store {record} history",
        f"  {python} -m apps.support --config {config} --approver terminal",
        f"  {python} -m apps.support --config {config} --approver terminal --batch",
    )


COMMANDS: dict[str | None, Callable[[argparse.Namespace], None]] = {
    "demo": demo,
    "init": init,
    "tickets": looked("tickets"),
    "ticket": looked("ticket", "ticket"),
    "charges": looked("charges", "customer"),
    "refunds": looked("refunds", "customer"),
    "refund": refund,
    "reply": called("reply", "ticket", "text"),
    "close": called("close", "ticket"),
    "receive": receive,
    "send": send,
    "hooks": hooks,
    "ask": ask,
    None: answer_all,
}


if __name__ == "__main__":
    sys.exit(main())

"""Who is asked about what: the only file here that wires gates.

| tool      | risk   | who decides                                                               |
| --------- | ------ | ------------------------------------------------------------------------- |
| `tickets` | -      | nobody: it only reads                                                     |
| `ticket`  | -      | nobody: it only reads                                                     |
| `charges` | -      | nobody: it only reads                                                     |
| `refunds` | -      | nobody: it only reads                                                     |
| `refund`  | LOW    | policy approves: up to 50.00, while all budgets hold                      |
|           | MEDIUM | a support lead or a manager: up to 500.00                                 |
|           | HIGH   | a manager: above that, without a known rate, or for fraud                 |
|           | HIGH   | policy rejects: more than is left, disputed, not captured, no such ticket |
| `reply`   | LOW    | policy approves: a plain answer                                           |
|           | MEDIUM | a support lead or a manager: it promises money, goods or an apology       |
| `close`   | LOW    | policy approves: it is recorded                                           |

The budgets: 500.00 a day in all, three refunds for one customer in 90 days, and 50.00 in 30 days
for one customer and for one charge, so that a large refund is not slipped through in small ones.
What is pending counts in all of them. The figures stand in `support.toml`; these are the sample's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, wraps

from core import (
    ApprovalRequest,
    Approver,
    OutcomeUnknown,
    Panel,
    Policy,
    Preview,
    Quote,
    Risk,
    Store,
    Table,
    current_request,
    facade,
    gate,
)
from core.batch import Batch
from core.model import State, StoredRequest
from core.policies.authority import Authority, Role
from core.policies.budget import Budget
from core.policies.conditional import ApproveIf, RejectIf
from core.running import running

from .config import Config
from .desk import Desk
from .errors import PaymentUnknown, SupportError
from .model import Reason
from .money import places
from .rules import Rules
from .showing import COLUMNS, Showing, Shown
from .weighing import Weights

TIMES_ASKED_AGAIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the agent gets: the same names as on `Desk`.

    Attributes:
        wait_for_approvals: Only where calls are collected: has them reviewed, and returns what
            became of each by its number.
    """

    tickets: Callable[[], str]
    ticket: Callable[[str], str]
    charges: Callable[[str], str]
    refunds: Callable[[str], str]
    refund: Callable[[str, int, Reason, str, str], str]
    reply: Callable[[str, str], str]
    close: Callable[[str], str]
    wait_for_approvals: Callable[[], dict[int, object]] | None = None


def gated(
    desk: Desk,
    approver: Approver,
    *,
    store: Store | None = None,
    policies: Iterable[Policy] = (),
    batch: Batch | None = None,
) -> Tools:
    """Return the desk's tools with people in front of what costs more than asking.

    Args:
        policies: Asked before a person, and after the rules of the tools.
        batch: Takes refunds and replies: they wait until it is reviewed, and are asked together.
    """
    clerk, rules = Clerk(desk), Rules(desk)
    people, world = People(rules), Showing(rules)
    unknown = RejectIf(rules.is_unknown, because="there is no such ticket; tickets() lists them")
    ask = partial(gate, approver=approver, store=store)
    queue = batch.gate if batch else ask
    tools = Tools(
        tickets=desk.tickets,
        ticket=desk.ticket,
        charges=desk.charges,
        refunds=desk.refunds,
        refund=queue(
            clerk.refund,
            policies=[
                RejectIf(rules.is_impossible, because=rules.why_impossible),
                ApproveIf(rules.is_small, because=f"at most {desk.config.free_up_to}"),
                *policies,
            ],
            budgets=budgets(rules),
            risk=people.risk_of_refund,
            panel=people.for_refund,
            preview=drawn(world.refund),
            ask_again=TIMES_ASKED_AGAIN,
            reconcile=clerk.sign_of_refund,
        ),
        reply=queue(
            clerk.reply,
            policies=[
                unknown,
                ApproveIf(rules.is_plain, because="a plain answer"),
                *policies,
            ],
            risk=people.risk_of_reply,
            panel=people.anybody,
            preview=drawn(world.reply),
            ask_again=TIMES_ASKED_AGAIN,
            reconcile=clerk.sign_of_reply,
        ),
        close=ask(
            clerk.close,
            policies=[unknown, ApproveIf(always, because="it is recorded")],
            risk=Risk.LOW,
        ),
        wait_for_approvals=batch.wait_for_approvals if batch else None,
    )
    return facade(tools)


def found(desk: Desk, store: Store) -> Iterator[StoredRequest]:
    """Yield calls that were cut off, each with what Stripe or the mails say of it now.

    Nobody calls them again, so nobody else would look. A person says what became of them.
    """
    store.sweep()
    clerk = Clerk(desk)
    for stored in store.search(state=State.OUTCOME_UNKNOWN):
        finding = clerk.sign_of(stored.request)
        known = stored.outcome.finding if stored.outcome else ""
        yield stored if finding == known else store.report(stored.request.id, finding=finding)


@dataclass(frozen=True, slots=True, eq=False)
class Clerk:
    """Does what was decided, under the id of its request: done again, it is done once."""

    desk: Desk

    def refund(self, charge: str, amount: int, reason: Reason, note: str, ticket: str) -> str:
        """Pay money back to whoever paid.

        Args:
            charge: Id of the payment, as `charges` lists it.
            amount: In the smallest unit of the charge's currency: 1999 for 19.99 EUR, 2000 for
                2,000 JPY.
            reason: duplicate, fraudulent or requested_by_customer.
            note: Why, in a few words, for colleagues.
            ticket: Id of the ticket that it is for.
        """
        key = current_request().id
        try:
            return self.desk.refund(charge, amount, reason, note, ticket, key=key)
        except PaymentUnknown as unknown:  # it may have gone back all the same
            raise OutcomeUnknown(str(unknown), request_id=key) from unknown

    def reply(self, ticket: str, text: str) -> str:
        """Answer a ticket by mail. Say only what has happened, never what might."""
        return self.desk.reply(ticket, text, key=current_request().id)

    def close(self, ticket: str) -> str:
        """Close a ticket that needs nothing more; a new mail of the customer opens it again."""
        return self.desk.close(ticket, key=current_request().id)

    def sign_of(self, request: ApprovalRequest) -> str:
        """Say what became of a call that was cut off, as far as the world shows it."""
        try:
            with running(request):
                match request.name:
                    case "refund":
                        return self.sign_of_refund(str(request.arguments["charge"]))
                    case "reply":
                        return self.sign_of_reply(str(request.arguments["ticket"]))
                    case _:
                        return "nobody has looked"
        except (SupportError, KeyError) as error:
            return f"the look failed ({error})"

    def sign_of_refund(self, charge: str) -> str:
        """Say what Stripe knows of a refund that was cut off."""
        made = self.desk.payments.find(current_request().id, charge)
        return f"Stripe has it: {made.id}, {made.status}" if made else "Stripe does not know it"

    def sign_of_reply(self, ticket: str) -> str:
        """Say whether a reply that was cut off lies with the ticket."""
        is_there = self.desk.helpdesk.has_answered(ticket, key=current_request().id)
        return "the reply is in the ticket" if is_there else "there is no such reply"


def budgets(rules: Rules) -> list[Budget]:
    """Return what bounds all refunds that nobody is asked about."""
    config, weights = rules.desk.config, Weights(rules)
    unit, split = config.currency.upper(), timedelta(days=config.split_days)
    weighed = partial(Budget, of=weights.worth, places=places(config.currency), unit=unit)
    return [
        weighed("refunds a day", config.day_budget.amount, within=timedelta(days=1)),
        weighed(
            "refunds to this customer",
            config.free_up_to.amount,
            per=weights.payer,
            within=split,
            elsewhere=partial(weights.worth_elsewhere, days=config.split_days),
        ),
        weighed("refunds of this charge", config.free_up_to.amount, per="charge", within=split),
        Budget(
            "times this customer was refunded",
            config.customer_refunds,
            per=weights.payer,
            within=timedelta(days=config.customer_days),
            elsewhere=partial(weights.times_elsewhere, days=config.customer_days),
        ),
    ]


@dataclass(frozen=True, slots=True)
class People:
    """Who decides, and how bad it could be."""

    rules: Rules

    def for_refund(self, charge: str, amount: int, reason: str) -> Panel:
        """Everybody whose limit reaches that far."""
        worth = self.rules.worth(charge, amount)
        if worth is None or reason == "fraudulent":
            return Panel(members=frozenset(self._config.managers))
        return self._authority.panel(worth)

    def anybody(self) -> Panel:
        """Leads and managers."""
        return self._authority.panel(0)

    def risk_of_refund(self, charge: str, amount: int, reason: str, ticket: str) -> Risk:
        """Say how bad it could be."""
        worth = self.rules.worth(charge, amount)
        if worth is None or worth > self._config.lead_up_to.amount or reason == "fraudulent":
            return Risk.HIGH
        try:
            is_small = self.rules.is_small(charge, amount, reason, ticket)
        except SupportError:  # there is no such ticket, so it will be rejected
            return Risk.HIGH
        return Risk.LOW if is_small else Risk.MEDIUM

    def risk_of_reply(self, ticket: str, text: str) -> Risk:
        """A promise is kept, or regretted."""
        if self.rules.is_unknown(ticket):
            return Risk.HIGH
        return Risk.LOW if self.rules.is_plain(ticket, text) else Risk.MEDIUM

    @property
    def _config(self) -> Config:
        return self.rules.desk.config

    @property
    def _authority(self) -> Authority:
        config = self._config
        leads, managers = frozenset(config.leads), frozenset(config.managers)
        lead = Role("support lead", members=leads, up_to=config.lead_up_to.amount)
        return Authority((lead, Role("manager", members=managers)))


def always() -> bool:
    """Whatever it is, it is only written down."""
    return True


def drawn(look: Callable[..., Shown]) -> Callable[..., Preview]:
    """Return a look in the words that every window shows."""

    @wraps(look)
    def preview(**arguments: object) -> Preview:
        seen = look(**arguments)
        rows = Table(title="what went back so far", columns=COLUMNS, rows=seen.history)
        return Preview(
            summary=seen.summary,
            facts=seen.facts,
            tables=(rows,) if seen.history else (),
            warnings=seen.warnings,
            quotes=(Quote(who=f"the customer, {seen.who}", text=seen.words),),
        )

    return preview

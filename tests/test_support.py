"""The help desk as its agent meets it: what goes back, what does not, and who was asked."""

import os
from datetime import timedelta

import pytest
from people import Says, Silent
from support_desk import NOW, address, eur, mail, set_up

from apps.support import approvals
from apps.support.approvals import gated
from apps.support.errors import PaymentError
from apps.support.model import TicketState
from apps.support.money import Money
from apps.support.opening import opened
from apps.support.sandbox import seeding
from apps.support.sandbox.faults import ordered
from apps.support.sandbox.state import State as Kept
from core import (
    Approve,
    Edit,
    MemoryStore,
    NotAnswered,
    NotCounted,
    OutcomeUnknown,
    Reject,
    Rejected,
    Risk,
    State,
)
from core.approvers.deadline import Deadline
from core.model import ApprovalRequest, Usage
from core.running import running

YES = Approve(by="ana")
MIA = Approve(by="mia")
WANTED = "requested_by_customer"


@pytest.fixture
def shop(tmp_path):
    return set_up(tmp_path)


@pytest.fixture
def desk(shop):
    """The desk, with its sandbox served over HTTP."""
    environ = {name: text for name, text in os.environ.items() if name != "STRIPE_API_KEY"}
    with opened(shop.config.path, environ) as desk:
        yield desk


@pytest.fixture
def store():
    return MemoryStore()


class Counter:
    """The gated tools, called as an agent would, by a customer's first name."""

    def __init__(self, shop, desk, store, *words):
        self.shop, self.desk, self.store = shop, desk, store
        self.people = Says(*words)
        self.tools = gated(desk, self.people, store=store)

    def refund(self, name, amount, reason=WANTED, *, of=None, note="it is broken"):
        charge, ticket = self.shop.charges[of or name], self.shop.tickets[name]
        return self.tools.refund(charge, amount, reason, note, ticket)

    def reply(self, name, text):
        return self.tools.reply(self.shop.tickets[name], text)

    def close(self, name):
        return self.tools.close(self.shop.tickets[name])

    def gone_back(self, name):
        """What Stripe has sent back to a customer, in the smallest unit."""
        made = self.desk.payments.refunds_of(address(name))
        return [one.money.amount for one in made if one.status != "failed"]

    def state(self, name):
        return self.desk.helpdesk.ticket(self.shop.tickets[name]).state

    @property
    def asked(self):
        """What people were asked."""
        return self.people.seen


@pytest.fixture
def counter(shop, desk, store):
    """Make a counter whose people say one word after another."""
    return lambda *words: Counter(shop, desk, store, *words)


# Who decides


def promised():
    """The table in the docstring: tool, risk, and the words before the colon."""
    found, tool = [], ""
    for line in approvals.__doc__.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] != "tool" and "---" not in cells[0]:
            tool = cells[0].strip("`") or tool
            found.append((tool, cells[1], cells[2].partition(":")[0]))
    return found


LEAD, MANAGER = "a support lead or a manager", "a manager"
TRIALS = {
    ("tickets", "-", "nobody"): [lambda c: c.tools.tickets()],
    ("ticket", "-", "nobody"): [lambda c: c.tools.ticket(c.shop.tickets["rosa"])],
    ("charges", "-", "nobody"): [lambda c: c.tools.charges(address("rosa"))],
    ("refunds", "-", "nobody"): [lambda c: c.tools.refunds(address("rosa"))],
    ("refund", "LOW", "policy approves"): [
        lambda c: c.refund("rosa", 40_00),
        lambda c: c.refund("dora", 50_00),
        lambda c: c.refund("yuki", 6_000),
    ],
    ("refund", "MEDIUM", LEAD): [
        lambda c: c.refund("dora", 50_01),
        lambda c: c.refund("luis", 500_00),
        lambda c: c.refund("rosa", 10_00, of="finn"),
    ],
    ("refund", "HIGH", MANAGER): [
        lambda c: c.refund("luis", 500_01),
        lambda c: c.refund("cara", 1_00),
        lambda c: c.refund("rosa", 1_00, "fraudulent"),
    ],
    ("refund", "HIGH", "policy rejects"): [
        lambda c: c.refund("rosa", 40_01),
        lambda c: c.refund("rosa", 0),
        lambda c: c.refund("rosa", -1),
        lambda c: c.tools.refund("ch_none", 1, WANTED, "x", c.shop.tickets["rosa"]),
        lambda c: c.tools.refund(c.shop.charges["rosa"], 1, WANTED, "x", "t-0000000000"),
    ],
    ("reply", "LOW", "policy approves"): [lambda c: c.reply("rosa", "It left on Monday.")],
    ("reply", "MEDIUM", LEAD): [
        lambda c: c.reply("rosa", "You get 20 EUR back."),
        lambda c: c.reply("rosa", "We send you a new one."),
        lambda c: c.reply("rosa", "We are sorry."),
    ],
    ("close", "LOW", "policy approves"): [lambda c: c.close("rosa")],
}
MEMBERS = {LEAD: {"ana", "bo", "mia"}, MANAGER: {"mia"}}


def test_the_table_is_tried_row_by_row():
    """Every row of the table that people read has its trials here, and no trial is beside it."""
    assert set(promised()) == set(TRIALS)


@pytest.mark.parametrize(("tool", "risk", "who"), list(TRIALS))
def test_the_table_is_true(tool, risk, who, shop, desk, store):
    """Who is asked, and how bad it is held to be, is what the table says."""
    for trial in TRIALS[tool, risk, who]:
        counter, before = Counter(shop, desk, store, Reject(by="mia", reason="no")), store.search()
        try:
            trial(counter)
        except Rejected:
            assert "approves" not in who
        else:
            assert "approves" in who or who == "nobody"
        made = [one for one in store.search() if one not in before]
        assert len(counter.asked) == (who in MEMBERS)
        if who == "nobody":
            assert not made
            continue
        [stored] = made
        assert stored.request.name == tool
        if who != "policy rejects":
            assert stored.request.risk.name == risk
        if who in MEMBERS:
            assert stored.request.panel.members == MEMBERS[who]
            assert stored.request.panel.votes == 1


# Nobody, yes, no, something else


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.refund("dora", 50_01),
        lambda c: c.refund("luis", 800_00),
        lambda c: c.refund("cara", 1_00),
        lambda c: c.refund("rosa", 1_00, "fraudulent"),
        lambda c: c.refund("rosa", 1_00, of="finn"),
        lambda c: c.reply("rosa", "You get 20 EUR back."),
    ],
)
def test_silence_changes_nothing(shop, desk, store, call):
    """Nobody answers: no money moves, no mail leaves, and the agent hears that nobody answered."""
    counter = Counter(shop, desk, store)
    counter.tools = gated(desk, Deadline(Silent(), seconds=0.2), store=store)
    with pytest.raises(NotAnswered, match="nobody answered"):
        call(counter)
    for name in shop.tickets:
        assert counter.gone_back(name) == []
        assert counter.state(name) is TicketState.NEW


def test_a_yes_pays_exactly_what_was_shown(counter, store):
    """Once, to the cent, with the ticket and the request's id where Stripe keeps them."""
    desk = counter(YES)
    assert "refunded 120.00 EUR" in desk.refund("dora", 120_00)
    [made] = desk.desk.payments.refunds_of(address("dora"))
    [stored] = store.search()
    assert (made.money, made.status) == (eur("120"), "succeeded")
    assert (made.key, made.ticket) == (stored.request.id, desk.shop.tickets["dora"])


def test_a_small_refund_is_on_record_though_nobody_was_asked(counter, store):
    """Who approved it, by which rule, and under which key it was paid."""
    desk = counter()
    desk.refund("rosa", 4_90)
    [stored] = store.search()
    assert stored.state is State.SUCCEEDED
    assert stored.decision.by == "policy"
    assert "50.00" in stored.decision.note
    [made] = desk.desk.payments.refunds_of(address("rosa"))
    assert made.key == stored.request.id


def test_a_no_pays_nothing_and_tells_the_agent_why(counter):
    """The reason arrives whole, so that the agent can ask for less."""
    desk = counter(Reject(by="ana", reason="only the shipping, 4.90"))
    with pytest.raises(Rejected, match=r"only the shipping, 4\.90"):
        desk.refund("dora", 120_00)
    assert desk.gone_back("dora") == []


def test_an_edit_pays_the_other_amount_and_says_so(counter):
    """The result names what was really refunded, and that it was edited."""
    desk = counter(Edit(by="ana", arguments={"amount": 60_00}), YES)
    said = desk.refund("dora", 120_00)
    assert "refunded 60.00 EUR" in said
    assert "as edited by ana" in said
    assert desk.gone_back("dora") == [60_00]


def test_an_edit_upwards_needs_the_higher_role(counter, store):
    """A lead who raises an amount above the limit cannot approve it; a manager can."""

    def votes(request):
        with pytest.raises(NotCounted, match="may not"):
            store.vote(request.id, YES, digest=request.digest, window="test")
        return MIA

    desk = counter(Edit(by="ana", arguments={"amount": 600_00}), votes)
    desk.refund("luis", 300_00)
    assert [request.panel.members for request in desk.asked][1:] == [{"mia"}]
    assert desk.gone_back("luis") == [600_00]


def test_an_edit_is_never_above_what_is_left(counter):
    """It faces the same rules as the agent: more than was paid is told to whoever edits."""

    def sees(request):
        assert "are left" in request.problem
        return Reject(by="ana", reason="then not at all")

    desk = counter(Edit(by="ana", arguments={"amount": 120_01}), sees)
    with pytest.raises(Rejected, match="then not at all"):
        desk.refund("dora", 100_00)
    assert desk.gone_back("dora") == []


# Budgets


def test_small_refunds_to_one_customer_do_not_add_up_unseen(counter):
    """Two of 30.00 are one of 60.00: the second is asked about, whichever way it is split."""
    desk = counter(Reject(by="ana", reason="that is one refund"))
    desk.refund("dora", 30_00)
    with pytest.raises(Rejected, match="one refund"):
        desk.refund("dora", 30_00)
    [request] = desk.asked
    assert any("refunds to this customer: 30.00" in remark for remark in request.remarks)
    assert desk.gone_back("dora") == [30_00]


def test_what_was_refunded_elsewhere_counts(counter, shop):
    """A refund from Stripe's own pages takes its part of the customer's budget."""
    with seeding(shop.config.state / "stripe.db") as past:
        past.refund(shop.charges["dora"], 30_00, created=NOW - timedelta(days=2))
    desk = counter(Reject(by="ana", reason="no"))
    with pytest.raises(Rejected):
        desk.refund("dora", 30_00)
    assert desk.asked


def test_a_fourth_refund_within_the_days_is_asked(counter, shop):
    """However small: three of 1.00 go through, the fourth does not."""
    desk = counter(Reject(by="ana", reason="no"))
    for _ in range(3):
        desk.refund("rosa", 1_00)
    with pytest.raises(Rejected):
        desk.refund("rosa", 1_00)
    assert desk.gone_back("rosa") == [1_00] * 3
    assert any("3 of 3" in remark for remark in desk.asked[0].remarks)


def test_the_budget_of_a_day_is_shown_and_holds(shop, desk, store):
    """What people have approved counts; what is beyond is asked, with the figures."""
    counter = Counter(shop, desk, store, YES, Reject(by="ana", reason="tomorrow"))
    counter.refund("luis", 470_00)
    with pytest.raises(Rejected, match="tomorrow"):
        counter.refund("rosa", 40_00)
    remarks = " ".join(counter.asked[1].remarks)
    assert "refunds a day: 470.00 of 500.00 EUR used" in remarks
    counter.refund("finn", 30_00)
    assert counter.gone_back("finn") == [30_00]


def test_a_refund_that_was_rejected_takes_nothing_from_the_budget(counter):
    """Its part is free again the moment that somebody says no."""
    desk = counter(Reject(by="ana", reason="no"))
    with pytest.raises(Rejected):
        desk.refund("dora", 120_00)
    desk.refund("dora", 50_00)
    assert desk.gone_back("dora") == [50_00]


# The world moves


def test_money_that_moves_meanwhile_is_asked_about_again(counter, shop, store):
    """A colleague refunds a part while somebody thinks: what was approved is not what would be."""

    def slow(_request):
        with seeding(shop.config.state / "stripe.db") as past:
            past.refund(shop.charges["dora"], 10_00, created=NOW)
        return YES

    def sees(request):
        assert ("left", "110.00 EUR") in request.preview.facts
        assert "asked again" in " ".join(request.remarks)
        return YES

    desk = counter(slow, sees)
    desk.refund("dora", 100_00)
    assert sorted(desk.gone_back("dora")) == [10_00, 100_00]
    states = sorted(stored.state.value for stored in store.search())
    assert states == ["CANCELLED", "SUCCEEDED"]


def test_more_than_is_left_by_then_is_refused(counter, shop):
    """The rest was refunded elsewhere: nothing is paid twice, whatever was approved."""

    def slow(_request):
        with seeding(shop.config.state / "stripe.db") as past:
            past.refund(shop.charges["dora"], 100_00, created=NOW)
        return YES

    desk = counter(slow)
    with pytest.raises(Rejected, match="are left"):
        desk.refund("dora", 60_00)
    assert desk.gone_back("dora") == [100_00]


def test_a_dispute_that_comes_meanwhile_stops_it(counter, shop):
    """A bank that takes it up pays the customer itself; both together would pay twice."""

    def slow(_request):
        with seeding(shop.config.state / "stripe.db") as past:
            past.dispute(shop.charges["dora"], created=NOW)
        return YES

    desk = counter(slow)
    with pytest.raises(Rejected, match="disputed"):
        desk.refund("dora", 60_00)
    assert desk.gone_back("dora") == []


# What people see


def test_people_see_the_money_the_history_and_the_customers_words(counter, shop):
    """As Stripe and the mails have them; the words stand apart, and say whose they are."""
    with seeding(shop.config.state / "stripe.db") as past:
        past.refund(shop.charges["dora"], 20_00, created=NOW - timedelta(days=2))
    desk = counter(Reject(by="ana", reason="no"))
    with pytest.raises(Rejected):
        desk.refund("dora", 60_00)
    [request] = desk.asked
    preview, facts = request.preview, dict(request.preview.facts)
    assert facts["paid"].startswith("120.00 EUR")
    assert "4 weeks ago" in facts["paid"]
    assert (facts["refunded"], facts["left"]) == ("20.00 EUR", "100.00 EUR")
    assert facts["disputed"] == "no"
    assert facts["asked because"] == "60.00 EUR is more than 50.00 EUR"
    [table] = preview.tables
    assert [row[1] for row in table.rows] == ["20.00 EUR"]
    [quote] = preview.quotes
    assert quote.who == f"the customer, {address('dora')}"
    assert "Order #1002 is not right" in quote.text
    assert request.risk is Risk.MEDIUM


def test_somebody_elses_charge_is_never_free_and_looks_like_it(counter):
    """A mail that asks for another customer's money is asked about, with a warning."""
    desk = counter(Reject(by="ana", reason="no"))
    with pytest.raises(Rejected):
        desk.refund("rosa", 1_00, of="finn")
    [request] = desk.asked
    assert "Whoever writes is not whoever has paid." in request.preview.warnings
    assert desk.gone_back("finn") == []


# Replies


def test_to_tell_what_was_refunded_asks_nobody(counter):
    """After the refund the amount is a fact; before it, the same words are a promise."""
    desk = counter(Reject(by="ana", reason="refund it first"))
    words = "We refunded 4.90 EUR to the card that you paid with."
    with pytest.raises(Rejected, match="refund it first"):
        desk.reply("rosa", words)
    assert desk.state("rosa") is TicketState.NEW
    desk.refund("rosa", 4_90)
    desk.reply("rosa", words)
    assert desk.state("rosa") is TicketState.ANSWERED


def test_a_promise_that_a_person_rewords_goes_out_reworded(counter, shop):
    """The customer reads the edited words and no other."""
    better = "We look at it today and write to you by 17:00."
    desk = counter(Edit(by="ana", arguments={"text": better}), YES)
    desk.reply("rosa", "We are sorry, and refund everything.")
    sent = desk.desk.helpdesk.ticket(shop.tickets["rosa"]).messages[-1]
    assert sent.ours
    assert better in sent.text
    assert "sorry" not in sent.text


def test_closing_is_recorded(counter, store):
    """Nobody is asked, and it is known who closed what."""
    desk = counter()
    desk.close("rosa")
    assert desk.state("rosa") is TicketState.CLOSED
    [stored] = store.search()
    assert (stored.state, stored.decision.by) == (State.SUCCEEDED, "policy")


def test_what_is_cut_off_is_looked_for_by_its_own_id(counter, store, shop, desk):
    """Whoever says what became of a refund is told what Stripe knows of it."""
    clerk = approvals.Clerk(desk)
    desk.payments.refund(
        shop.charges["rosa"], 1_00, WANTED, "x", ticket=shop.tickets["rosa"], key="k" * 32
    )
    with running(ApprovalRequest(action="x", id="k" * 32)):
        assert "succeeded" in clerk.sign_of_refund(shop.charges["rosa"])
    with running(ApprovalRequest(action="x", id="n" * 32)):
        assert "does not know" in clerk.sign_of_refund(shop.charges["rosa"])


def test_money_in_yen_is_exact(counter):
    """2,000 JPY are 2,000, not 20.00 and not 200,000."""
    desk = counter()
    assert "2,000 JPY" in desk.refund("yuki", 2_000)
    [made] = desk.desk.payments.refunds_of(address("yuki"))
    assert made.money == Money(amount=2_000, currency="jpy")


def test_a_mail_that_comes_while_an_answer_is_written_stays_unanswered(counter, shop):
    """What the agent has not read is not put away as answered."""
    desk = counter()
    desk.tools.ticket(shop.tickets["rosa"])
    more = mail(address("rosa"), "Re: About Order #1001 of rosa", "And the shade is torn.", days=0)
    first = desk.desk.helpdesk.ticket(shop.tickets["rosa"]).messages[0].id
    desk.desk.helpdesk.deliver(b"In-Reply-To: " + first.encode() + b"\n" + more)
    desk.reply("rosa", "It left on Monday.")
    ticket = desk.desk.helpdesk.ticket(shop.tickets["rosa"])
    assert len(ticket.messages) == 3
    assert ticket.state in {TicketState.NEW, TicketState.REOPENED}


# Answers that are lost


def broken(shop, kind, times=1):
    """Let the next refunds at the sandbox meet a fault."""
    state = Kept(shop.config.state / "stripe.db")
    with state.writing() as rows:
        ordered(rows, kind, times, "POST /v1/refunds")
    state.close()


def test_a_lost_answer_is_unknown_and_its_part_stays_reserved(counter, shop, store, desk):
    """Nobody says that it failed, no budget is freed, and a person is told what Stripe knows."""
    broken(shop, "500", times=20)
    agent = counter()
    with pytest.raises(OutcomeUnknown):
        agent.refund("rosa", 40_00)
    [stored] = store.search()
    assert stored.state is State.OUTCOME_UNKNOWN
    [day, *_] = stored.request.charges
    assert store.usage(day) == Usage(0, 40_00)
    [cut_off] = approvals.found(desk, store)
    assert cut_off.outcome.finding == "Stripe does not know it"
    store.resolve(stored.request.id, by="ana", happened=False)
    assert store.usage(day) == Usage(0, 0)
    assert list(approvals.found(desk, store)) == []


@pytest.mark.parametrize("kind", ["drop-after", "drop-before", "429", "409", "500-after"])
def test_an_answer_that_is_lost_on_the_way_refunds_once(counter, shop, store, kind):
    """It is asked for again under the same key, or found: one refund, and it is on record."""
    broken(shop, kind)
    agent = counter()
    agent.refund("rosa", 40_00)
    assert agent.gone_back("rosa") == [40_00]
    assert [one.state for one in store.search()] == [State.SUCCEEDED]


def test_a_refusal_of_stripe_is_a_failure_with_its_sentence(counter, shop, store):
    """What certainly did not happen takes nothing from the budget, and the agent reads why."""
    broken(shop, "429", times=50)
    agent = counter()
    with pytest.raises(PaymentError, match="nothing was paid back"):
        agent.refund("rosa", 40_00)
    [stored] = store.search()
    assert stored.state is State.FAILED
    assert store.usage(stored.request.charges[0]) == Usage(0, 0)
    assert agent.gone_back("rosa") == []

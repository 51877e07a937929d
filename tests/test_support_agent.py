"""The help desk's agent: what it makes of sixty letters, of a no, of an edit, and of silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import Silent

from apps.support.__main__ import word_on_refund, word_on_reply
from apps.support.agent import Says, Sees, night, work
from apps.support.approvals import gated
from apps.support.config import read
from apps.support.errors import ConfigError
from apps.support.model import TicketState
from apps.support.money import Money
from apps.support.opening import opened
from apps.support.sample import make_sample
from apps.support.sample.letters import LETTERS
from apps.support.wishes import smaller, wish_of
from core import Approve, Batch, MemoryStore, Reject, State
from core.approvers.deadline import Deadline
from core.approvers.scripted import Scripted

pytestmark = pytest.mark.slow  # sixty mails are written, read and answered

PEOPLE = {"refund": word_on_refund, "reply": word_on_reply}
STORY = 8  # the letters that the demo begins with


@pytest.fixture
def desk(tmp_path):
    """The sample, with its sandbox served over HTTP."""
    with opened(make_sample(tmp_path / "sample"), {}) as desk:
        yield desk


@pytest.fixture
def store():
    return MemoryStore()


def back(desk, who):
    """What has gone back to somebody in this store's time, as text."""
    made = desk.payments.refunds_of(f"{who}@mail.example")
    return [str(one.money) for one in made if one.key and one.status != "failed"]


def thread(desk, who):
    """The first ticket of somebody."""
    return desk.helpdesk.of(f"{who}@mail.example")[0]


def answered(desk, who):
    """What we wrote to somebody."""
    return [message.text for message in thread(desk, who).messages if message.ours]


def worked(desk, store, most=STORY, **words):
    """Let the agent work, answered by the demo's people or by others; return its steps."""
    people = Scripted(**{**PEOPLE, **words})
    return list(work(gated(desk, people, store=store), most=most))


def test_what_is_clear_is_refunded_answered_and_closed(desk, store):
    """Charged twice: one of the two goes back as a duplicate, and nobody is asked."""
    worked(desk, store)
    [made] = desk.payments.refunds_of("timo.berg@mail.example")
    assert (str(made.money), made.reason) == ("24.90 EUR", "duplicate")
    assert thread(desk, "timo.berg").state is TicketState.CLOSED
    assert "24.90 EUR" in answered(desk, "timo.berg")[0]


def test_after_a_no_it_does_what_the_no_says(desk, store):
    """Told "only the shipping, 4.90" it does that, and the customer is told that amount."""
    worked(desk, store)
    assert back(desk, "rosa.lind") == ["4.90 EUR"]
    assert "4.90 EUR" in answered(desk, "rosa.lind")[0]
    states = [one.state for one in store.search() if one.request.arguments.get("amount") == 89_00]
    assert states == [State.REJECTED]


def test_after_an_edit_the_customer_hears_what_was_really_refunded(desk, store):
    """Asked for 120.00, edited to 60.00: the mail says 60.00."""
    worked(desk, store)
    assert back(desk, "dora.weiss") == ["60.00 EUR"]
    [text] = answered(desk, "dora.weiss")
    assert "60.00 EUR" in text
    assert "120" not in text


def test_a_customers_words_are_no_orders(desk, store):
    """A mail that tells the agent to ignore its rules moves nothing, and waits for a colleague."""
    worked(desk, store)
    assert back(desk, "eve.cross") == []
    assert thread(desk, "eve.cross").state is TicketState.NEW


def test_a_fourth_refund_is_left_to_people(desk, store):
    """Whoever was refunded three times in 90 days is asked about, however small the amount."""
    worked(desk, store)
    assert back(desk, "mark.foss") == []
    assert thread(desk, "mark.foss").state is TicketState.NEW


def test_yen_are_refunded_and_told_in_japanese(desk, store):
    """6,000 JPY, and an answer in the language of the mail."""
    worked(desk, store)
    assert back(desk, "yuki.tanaka") == ["6,000 JPY"]
    assert "6,000 JPY を返金しました" in answered(desk, "yuki.tanaka")[0]


def test_all_sixty_are_gone_through_and_none_twice(desk, store):
    """Every ticket is answered once or left open; nothing disputed or uncaptured is paid."""
    worked(desk, store, most=None)
    for letter in LETTERS:
        assert len(answered(desk, letter.who)) <= 1
        if letter.state:
            assert back(desk, letter.who) == []
    made = [one for one in store.search(limit=1000) if one.request.name == "refund"]
    alone = [one for one in made if one.decision.by == "policy" and one.state is State.SUCCEEDED]
    assert sum(one.request.charges[0].amount for one in alone) <= 500_00


def test_silence_leaves_everything_open(desk, store):
    """Nobody is there: only what needs nobody happens, and the agent says that nobody answered."""
    nobody = Deadline(Silent(), seconds=0.05)
    steps = list(work(gated(desk, nobody, store=store), most=STORY))
    assert any("nobody answered" in step.text for step in steps if isinstance(step, Sees))
    for who in ("rosa.lind", "dora.weiss", "mark.foss", "lena.holm"):
        assert back(desk, who) == []
        assert thread(desk, who).state is TicketState.NEW
    assert any("Nobody is there" in step.text for step in steps if isinstance(step, Says))


def collected(desk, store, most=STORY, **words):
    """Let the agent collect its refunds; return its steps and the batch."""
    people = Scripted(**{**PEOPLE, **words})
    batch = Batch(approver=people, store=store)
    tools = gated(desk, people, store=store, batch=batch)
    return list(night(tools, tools.wait_for_approvals, most=most)), batch


def test_at_night_it_asks_once_and_adapts(desk, store):
    """Refunds and promises are decided together; what was cut down comes in a second round."""
    steps, batch = collected(desk, store)
    asked = {}
    for one in store.search(limit=100):
        if one.votes:
            asked.setdefault(one.request.batch.number, one.request.name)
    assert sorted(asked.values()) == ["refund", "refund", "refund", "reply"]
    assert max(asked) <= 7  # all of them in the first round
    assert back(desk, "rosa.lind") == ["4.90 EUR"]
    assert back(desk, "dora.weiss") == ["60.00 EUR"]
    assert "60.00 EUR" in answered(desk, "dora.weiss")[0]
    assert "4.90 EUR" in answered(desk, "rosa.lind")[0]
    assert thread(desk, "rosa.lind").state is TicketState.CLOSED
    results = [str(result) for result in batch.results().values()]
    assert sum(result.startswith("REJECTED: ") for result in results) == 2
    assert sum("to be decided together" in one.text for one in steps if isinstance(one, Says)) == 3


def test_at_night_nothing_moves_before_the_decision(desk, store):
    """While the batch waits, no money has gone back and no customer has been told of any."""

    def looks(request):
        assert back(desk, "dora.weiss") == []
        assert answered(desk, "dora.weiss") == []
        return word_on_refund(request)

    collected(desk, store, refund=looks)
    assert back(desk, "dora.weiss") == ["60.00 EUR"]


def test_at_night_a_no_to_all_pays_what_needs_nobody_and_no_more(desk, store):
    """Whoever says no to everything that is asked leaves all of those tickets open."""
    collected(desk, store, refund=Reject(by="ana", reason="not tonight"))
    assert back(desk, "dora.weiss") == back(desk, "rosa.lind") == []
    assert thread(desk, "dora.weiss").state is TicketState.NEW
    assert back(desk, "timo.berg") == ["24.90 EUR"]


def test_a_yes_to_all_is_paid_as_asked(desk, store):
    """The whole amounts, once."""

    def yes(request):
        return Approve(by="ana" if "ana" in request.panel.members else "mia")

    collected(desk, store, refund=yes, reply=yes)
    assert back(desk, "rosa.lind") == ["89.00 EUR"]
    assert back(desk, "dora.weiss") == ["120.00 EUR"]


# The sample


def test_the_sample_is_sixty_tickets_with_what_their_customers_paid(desk):
    """Each letter is a ticket, readable as it was written, and its order is on a charge."""
    tickets = desk.helpdesk.tickets()
    assert len(tickets) == len(LETTERS) == 60
    assert [t for t in tickets if any(m.problems for m in t.messages)] == []
    for letter in LETTERS:
        found = desk.helpdesk.of(f"{letter.who}@mail.example")
        [ticket] = [one for one in found if one.subject == letter.subject]
        assert len(ticket.messages) == 1 + len(letter.later)
        paid = desk.payments.charges(ticket.customer)
        mine = [charge for charge in paid if f"#{letter.order}:" in charge.description]
        assert len(mine) == (2 if letter.twice else 1)
        assert mine[0].disputed == (letter.state == "disputed")
        assert mine[0].captured == (letter.state != "uncaptured")


def test_the_sample_is_the_same_each_time_and_spares_what_is_there(tmp_path):
    """Same tickets, same charges; a folder with something in it is left alone."""
    texts = []
    for name in ("one", "two"):
        with opened(make_sample(tmp_path / name), {}) as desk:
            texts.append((desk.tickets(), desk.charges("dora.weiss@mail.example")))
    assert texts[0] == texts[1]
    with pytest.raises(ConfigError, match="not empty"):
        make_sample(tmp_path / "one")
    assert read(tmp_path / "one" / "support.toml").leads == ("ana", "bo")


# Reading


def test_a_letter_without_an_order_or_a_charge_is_for_people():
    """What the rules do not understand is left alone."""
    paid = "ch_1  2026-01-01  paid 9.00 EUR  refunded 0.00 EUR  left 9.00 EUR  Order #1001: Cup"
    assert wish_of("t", "> it is broken", paid) is None
    assert wish_of("t", "> #1002 is broken", paid) is None
    assert wish_of("t", "#1001 is broken, and nobody wrote that", paid) is None
    assert wish_of("t", "> #1001 is green", paid) is None
    assert wish_of("t", "> #1001 is broken", paid).money == Money(amount=9_00, currency="eur")


@pytest.mark.parametrize(
    ("money", "said", "less"),
    [
        (Money(amount=89_00, currency="eur"), "only the shipping, 4.90", 4_90),
        (Money(amount=89_00, currency="eur"), "order #1001 and ch_100 say 12.00 at most", 12_00),
        (Money(amount=89_00, currency="eur"), "never more than 1,000.00, and never 89.00", None),
        (Money(amount=89_00, currency="eur"), "wait for 5 days", None),
        (Money(amount=6_000, currency="jpy"), "2,000 are enough", 2_000),
        (Money(amount=9_000, currency="kwd"), "half: 4.500", 4_500),
    ],
)
def test_an_amount_in_a_no_is_read_exactly(money, said, less):
    """Only an amount of that currency, and only if it is less."""
    found = smaller(money, said)
    assert (found.amount if found else None) == less


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_letter_can_be_read(text, charges):
    """Whatever stands in a mail or on a list, the answer is a wish or none."""
    wish = wish_of("t", f"> #1001 {text}", charges)
    assert wish is None or wish.answer()

"""A batch at the terminal: one table, one answer for all, a range, or one by one."""

import asyncio
import re
import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from test_terminal import CTRL_C, ESCAPE, person, request

from core import Approve, Batch, MemoryStore, Preview, Quote, Reject, Risk, gate
from core.approvers.any_of import AnyOf
from core.approvers.batch_table import picked, table, totals, why_alone
from core.approvers.together import Together
from core.model import Place

__all__ = ["person"]
ALL = "e edit one > "


class Shop:
    """Refunds, and what was really paid."""

    def __init__(self):
        self.paid = []

    def refund(self, charge: str, amount: int) -> str:
        """Pay a charge back, in cents."""
        self.paid.append((charge, amount))
        return f"re_{charge}"


def keeping(ran):
    """Return a tool that does nothing but keep what it is given."""

    def keep(value):
        ran.append(value)

    return keep


@pytest.fixture
def shop():
    return Shop()


def place(number, **more):
    """A place in a batch of ten."""
    return Place(id="b" * 32, number=number, of=10, **more)


def reviewed(batch, somebody, act):
    """Review the batch while `act(somebody)` plays the person's part; return the results."""
    failed = []

    def play():
        try:
            act(somebody)
        except BaseException as error:
            failed.append(error)
            somebody.leave()

    acting = threading.Thread(target=play)
    acting.start()
    results = batch.review_and_execute()
    acting.join()
    if failed:
        raise failed[0]
    return results


def night(shop, somebody, amounts=(100, 200, 300), **options):
    """A batch of refunds before that person."""
    store = MemoryStore()
    batch = Batch(approver=Together(by="ana", device=somebody.device), store=store)
    refund = batch.gate(shop.refund, **options)
    for number, amount in enumerate(amounts, 1):
        refund(f"ch_{number}", amount)
    return batch, store


def test_all_are_shown_in_one_table_and_approved_at_once(person, shop):
    """One table with every argument and the sum, one answer and one yes."""

    def act(person):
        screen = person.sees(ALL)
        assert "approval needed: 3 calls together" in screen
        assert all(f"ch_{number}" in screen for number in (1, 2, 3))
        assert "refund amount │ 600" in re.sub(r"\x1b\[[\d;]*m", "", screen)
        person.press("a")
        person.sees("approve 3 calls: 1-3? y yes, n no > ")
        assert shop.paid == []
        person.press("y")

    batch, store = night(shop, person)
    assert reviewed(batch, person, act) == {1: "re_ch_1", 2: "re_ch_2", 3: "re_ch_3"}
    assert shop.paid == [("ch_1", 100), ("ch_2", 200), ("ch_3", 300)]
    votes = [stored.votes[0] for stored in store.search()]
    assert {vote.by for vote in votes} == {"ana"}
    assert all(vote.window.startswith("terminal (uid") for vote in votes)


def test_all_are_denied_with_a_reason(person, shop):
    """Every agent whose call is denied hears why, and nothing runs."""

    def act(person):
        person.sees(ALL)
        person.press("d")
        person.sees("why, and what instead? ")
        person.press("not tonight\r")

    batch, _ = night(shop, person)
    results = reviewed(batch, person, act)
    assert all("rejected by ana: not tonight" in text for text in results.values())
    assert shop.paid == []


@pytest.mark.parametrize("keys", ["\r", " ", "y", "n", "x", "\x1b[200~a\x1b[201~", "\t"])
def test_other_keys_decide_nothing(keys, person, shop):
    """Enter, a paste, and whatever is not offered leave everything as it was."""

    def act(person):
        person.sees(ALL)
        person.press(keys)
        person.sees("That key decides nothing here.")
        person.sees(ALL)
        person.press(CTRL_C)

    batch, _ = night(shop, person)
    reviewed(batch, person, act)
    assert shop.paid == []


def test_approving_all_is_asked_once_more(person, shop):
    """A no leads back to the table's menu; nothing has happened."""

    def act(person):
        person.sees(ALL)
        person.press("a")
        person.sees("y yes, n no > ")
        person.press("n")
        person.sees(ALL)
        person.press("d")
        person.sees("instead? ")
        person.press(ESCAPE)
        person.sees(ALL)
        person.press(CTRL_C)

    batch, _ = night(shop, person)
    results = reviewed(batch, person, act)
    assert all("interrupted at the terminal" in text for text in results.values())
    assert shop.paid == []


def test_a_range_is_approved_and_the_rest_is_shown_again(person, shop):
    """Numbers and ranges are picked; what is left makes a smaller table."""

    def act(person):
        person.sees(ALL)
        person.press("s")
        person.sees("goes back): ")
        person.press("9\r")
        person.sees("there is no call 9 here")
        person.sees("goes back): ")
        person.press("1-2,4\r")
        person.sees("1-2,4: a approve them, d deny them, b back > ")
        person.press("a")
        person.sees("approve 3 calls: 1-2,4? ")
        person.press("y")
        screen = person.sees(ALL)
        assert "2 calls together" in screen and "ch_3" in screen and "ch_1" not in screen
        person.press("d")
        person.sees("instead? ")
        person.press("later\r")

    batch, _ = night(shop, person, amounts=(1, 2, 3, 4, 5))
    results = reviewed(batch, person, act)
    assert shop.paid == [("ch_1", 1), ("ch_2", 2), ("ch_4", 4)]
    assert "later" in results[3] and "later" in results[5]


def test_one_by_one_asks_about_each_as_a_terminal_does(person, shop):
    """Each is shown whole and decided by itself."""

    def act(person):
        person.sees(ALL)
        person.press("o")
        for number, key in ((1, "a"), (2, "r")):
            person.sees(f"call {number}")
            person.sees("r reject > ")
            person.press(key)
            person.sees("n no > " if key == "a" else "instead? ")
            person.press("y" if key == "a" else "no\r")

    batch, _ = night(shop, person, amounts=(1, 2))
    results = reviewed(batch, person, act)
    assert (results[1], shop.paid) == ("re_ch_1", [("ch_1", 1)])
    assert "rejected by ana: no" in results[2]


def test_one_is_edited_and_the_others_are_asked_on(person, shop):
    """The change is shown, runs as written, and the rest waits in the table."""

    def act(person):
        person.sees(ALL)
        person.press("e")
        person.sees("its number; Escape goes back): ")
        person.press("2\r")
        person.sees("which one (number or name; Escape goes back): ")
        person.press("amount\r")
        person.sees("amount = 200")
        person.press("\x15150\r")
        person.sees("n drop it > ")
        person.press("y")
        screen = person.sees(ALL)
        assert "2 calls together" in screen
        person.press("a")
        person.sees("1,3? ")
        person.press("y")

    batch, _ = night(shop, person)
    results = reviewed(batch, person, act)
    assert sorted(shop.paid) == [("ch_1", 100), ("ch_2", 150), ("ch_3", 300)]
    assert "edited by ana: amount: 200 -> 150" in results[2]


def test_what_a_row_cannot_show_is_looked_at_alone(person, shop):
    """Approving all approves what was shown; the marked one is then asked about by itself."""

    def preview(amount):
        if amount == 200:
            return Preview(summary="pays", diff="+ Please!")
        words = Quote(who="the customer", text=f"It is {amount}!")
        return Preview(summary=f"pays {amount}", warnings=("Not the first one.",), quotes=(words,))

    def act(person):
        screen = person.sees(ALL)
        assert "* there is more to read: looked at alone" in screen
        assert "pays 100" in screen and "Not the first one." in screen and "It is 300!" in screen
        assert "Please!" not in screen
        person.press("a")
        person.sees("approve 2 calls: 1,3? ")
        person.press("y")
        assert "Please!" in person.sees("r reject > ")
        person.press("r")
        person.sees("instead? ")
        person.press("a voucher\r")

    batch, _ = night(shop, person, preview=preview)
    results = reviewed(batch, person, act)
    assert shop.paid == [("ch_1", 100), ("ch_3", 300)]
    assert "a voucher" in results[2]


def test_a_flood_is_paged_and_not_approved_unread(person, shop):
    """Who stops reading may deny all or look at each, and has no key for approving all."""

    def act(person):
        person.sees("more lines: ")
        person.sees("q stops reading > ")
        person.press("q")
        person.sees("Without reading all of it")
        person.sees("d deny all, o one by one > ")
        person.press("a")
        person.sees("That key decides nothing here.")
        person.sees("o one by one > ")
        person.press("d")
        person.sees("instead? ")
        person.press("too many\r")

    batch, _ = night(shop, person, amounts=range(1, 1001))
    results = reviewed(batch, person, act)
    assert len(results) == 1000 and all("too many" in text for text in results.values())
    assert shop.paid == []


def test_needs_and_what_policies_decide_stand_in_the_table(person, shop):
    """The graph is there by numbers; what nobody is asked about is listed apart."""
    from core.policies.conditional import ApproveIf

    def act(person):
        screen = person.sees(ALL)
        assert "decided by policies, not by you" in screen
        assert "1 refund(charge=ch_1, amount=20): approved by policy, at most 50" in screen
        assert "needs 2" in screen
        assert "PENDING_APPROVAL_2 stands for the result of call 2" in screen
        person.press("a")
        person.sees("2-3? ")
        person.press("y")

    small = ApproveIf(lambda amount: amount <= 50, because="at most 50")
    batch, _ = night(shop, person, amounts=(20, 900), policies=[small])
    said = []
    batch.gate(keeping(said))("PENDING_APPROVAL_2")
    reviewed(batch, person, act)
    assert said == ["re_ch_2"]
    assert shop.paid == [("ch_1", 20), ("ch_2", 900)]


def test_a_call_that_is_decided_elsewhere_leaves_the_table(person, shop):
    """The vote from the other window counts; here the rest is decided, and nothing twice."""

    def act(person):
        person.sees(ALL)
        first = min(store.pending(), key=lambda stored: stored.request.batch.number).request
        store.vote(first.id, Reject(by="bob", reason="known fraud"), digest=first.digest)
        while len(store.pending()) > 2:
            pass
        person.press("a")
        person.sees("n no > ")
        person.press("y")

    batch, store = night(shop, person)
    results = reviewed(batch, person, act)
    assert "bob: known fraud" in results[1]
    assert shop.paid == [("ch_2", 200), ("ch_3", 300)]


def test_when_all_are_decided_elsewhere_the_table_goes_away(person, shop):
    """The prompt ends by itself and the terminal is as it was."""

    def act(person):
        person.sees(ALL)
        for stored in store.pending():
            asked = stored.request
            store.vote(asked.id, Approve(by="bob"), digest=asked.digest)
        person.sees("there is nothing left to decide here")

    batch, store = night(shop, person)
    assert [*reviewed(batch, person, act)] == [1, 2, 3]
    assert len(shop.paid) == 3


def test_without_a_terminal_everything_is_rejected(shop, tmp_path):
    """Nobody is there, so nothing runs."""
    batch = Batch(approver=Together(device=str(tmp_path / "none")))
    batch.gate(shop.refund)("ch_1", 1)
    batch.gate(shop.refund)("ch_2", 2)
    results = batch.review_and_execute()
    assert all("no one is at a terminal" in text for text in results.values())
    assert shop.paid == []


def test_a_wrapped_table_still_gathers_the_batch(person, shop):
    """Wrappers hand over one request after another; the table comes when no more do."""

    async def nobody(request):
        await asyncio.Event().wait()

    def act(person):
        assert "3 calls together" in person.sees(ALL)
        person.press("a")
        person.sees("n no > ")
        person.press("y")

    batch = Batch(approver=AnyOf(nobody, Together(by="ana", device=person.device)))
    refund = batch.gate(shop.refund)
    for number in (1, 2, 3):
        refund(f"ch_{number}", number)
    assert len(reviewed(batch, person, act)) == len(shop.paid) == 3


def test_a_single_call_is_asked_about_as_ever(person, shop):
    """Outside a batch, and alone in one, the whole request is shown."""

    def approve(person):
        person.sees("r reject > ")
        person.press("a")
        person.sees("n no > ")
        person.press("y")

    batch, _ = night(shop, person, amounts=(7,))
    assert reviewed(batch, person, approve) == {1: "re_ch_1"}
    acting = threading.Thread(target=approve, args=(person,))
    acting.start()
    alone = gate(shop.refund, approver=Together(by="ana", device=person.device))
    assert alone("ch_2", 8) == "re_ch_2"
    acting.join()
    assert shop.paid == [("ch_1", 7), ("ch_2", 8)]


def test_a_person_who_asked_cannot_approve_their_own_batch(person, shop):
    """The table is a window like any other: the store decides whose vote counts."""

    def act(person):
        person.sees(ALL)
        person.press("a")
        person.sees("n no > ")
        person.press("y")

    batch = Batch(approver=Together(by="agent", device=person.device))
    refund = batch.gate(shop.refund)
    refund("ch_1", 1)
    refund("ch_2", 2)
    somebody = threading.Thread(target=_again_and_again, args=(person,))
    somebody.start()
    results = batch.review_and_execute()
    person.leave()
    somebody.join(5)
    assert all("REJECTED" in text for text in results.values())
    assert shop.paid == []


def _again_and_again(person):
    """Approve whatever is offered, until nobody offers anything."""
    try:
        while True:
            screen = person.rest(0.05)
            if screen.endswith((ALL, "r reject > ")):
                person.press("a")
            elif screen.endswith("n no > "):
                person.press("y")
    except (OSError, ValueError):
        return


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", [1]), (" 1 - 2", None), ("1-3,7", [1, 2, 3, 7]), ("3,1,3", [3, 1]), ("", None)],
)
def test_numbers_are_read_as_they_are_written(text, found):
    """A range, a list, each number once; what is neither is told and picks nothing."""
    if found is None:
        with pytest.raises(ValueError, match=r"is no number|was named"):
            picked(text, [1, 2, 3, 7])
    else:
        assert picked(text, [1, 2, 3, 7]) == found


@pytest.mark.parametrize("text", ["0", "4", "1-9", "3-1", "1-999999999", "one", "1;2", "-1", "1-"])
def test_numbers_that_are_not_offered_pick_nothing(text):
    """Neither a call that is not there, nor a range that runs backwards or without end."""
    with pytest.raises(ValueError, match=r"\w+"):
        picked(text, [1, 2, 3, 7])


def test_amounts_are_added_exactly_and_apart_for_each_tool_and_currency():
    """Whole numbers and decimals, never floats, flags or numbers that are names."""
    asked = [
        request({"amount": 10**20, "currency": "eur", "charge_id": 7}),
        request({"amount": 1, "currency": "eur", "charge_id": 7}),
        request({"amount": 5, "currency": "jpy", "rush": True, "weight": 1.5}),
        request({"price": Decimal("0.10")}),
        request({"price": Decimal("0.20")}),
    ]
    assert totals(asked) == [
        ("refund amount", "100,000,000,000,000,000,001 eur"),
        ("refund amount", "5 jpy"),
        ("refund price", "0.30"),
    ]


def test_nothing_in_a_row_can_forge_a_line():
    """Values stand behind margins, and what cannot be seen is written out."""
    evil = "x\n   9  refund  LOW\n│ amount │ 1\u202e"
    words = Preview(quotes=(Quote(who=f"{'x' * 75}{evil}", text=evil),))
    asked = request({"note": evil}, batch=place(1), preview=words)
    lines = [line.plain for line in table([asked], 80)]
    values = [line for line in lines if "9  refund" in line or "amount" in line]
    assert len(values) > 4 and all(line.lstrip().startswith(("│", "┊")) for line in values)
    assert "\u202e" not in "".join(lines) and "⟨U+202E⟩" in "".join(lines)


@pytest.mark.parametrize(
    ("changes", "is_alone"),
    [
        ({}, False),
        ({"risk": Risk.CRITICAL}, True),
        ({"problem": "no"}, True),
        ({"preview": Preview(summary="a", facts=(("b", "c"),), warnings=("d",))}, False),
        ({"preview": Preview(diff="+ a")}, True),
        ({"preview": Preview(quotes=(Quote(who="it", text="a"),))}, False),
        ({"preview": Preview(quotes=(Quote(who="it", text="a" * 700),) * 2)}, True),
    ],
)
def test_only_what_a_row_shows_whole_is_decided_in_the_table(changes, is_alone):
    """The worst, what has tables or much text, and what a person sent back is looked at alone."""
    asked = replace(request({"amount": 5}), batch=place(1), **changes)
    assert bool(why_alone(asked)) is is_alone
    assert bool(why_alone(replace(asked, frozen=request({"a": "x" * 5000}).frozen))) is True

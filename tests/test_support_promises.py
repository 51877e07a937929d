"""A reply that binds the company is told from a plain answer; what has happened is a plain fact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.support.money import Money
from apps.support.promises import amounts, promises

FIFTEEN = Money(amount=15_00, currency="eur")
YEN = Money(amount=2_000, currency="jpy")


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel left us on Monday and is on its way.",
        "Which of the two sizes did you order?",
        "Please send us a photo of the damage, and the number on the box: 4711.",
        "A colleague reads your mail and answers you by Friday.",
        "Your order #1042 has 3 parts; the third follows on 2026-11-30.",
        "",
    ],
)
def test_a_plain_answer_promises_nothing(text):
    """Facts, questions, numbers and dates bind nobody."""
    assert promises(text) == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("We will refund you.", "money"),
        ("We'll REIMBURSE the shipping", "money"),
        ("You get your money back.", "money"),
        ("Here is a voucher for your trouble.", "money"),
        ("You will have 20 EUR by Monday", "money"),
        ("You will have €20.00 by Monday", "money"),
        ("twenty is on us: 20.00 euros", "money"),
        ("The next order is free of charge.", "money"),
        ("We send you a new one.", "a replacement"),
        ("A replacement is on its way.", "a replacement"),
        ("We exchange it.", "a replacement"),
        ("Wir schicken Ihnen Ersatz.", "a replacement"),
        ("We are sorry.", "an apology"),
        ("Our sincere apologies", "an apology"),
        ("That was our mistake.", "an apology"),
        ("Das tut uns leid.", "an apology"),
        ("Sie erhalten einen Gutschein", "money"),
        ("2,000円を返金いたします。", "money"),
        ("商品を交換いたします。", "a replacement"),
        ("申し訳ございません。", "an apology"),
        ("We will re\u200bfund you.", "money"),
        ("We will \uff52\uff45\uff46\uff55\uff4e\uff44 you.", "money"),
    ],
)
def test_what_binds_the_company_is_found(text, kind):
    """Money, goods and apologies, in the languages that the shop's customers write."""
    assert any(found.startswith(kind) for found in promises(text)), promises(text)


@pytest.mark.parametrize(
    "text",
    [
        "We refunded 15.00 EUR to your card.",
        "15 EUR were refunded.",
        "€15.00 has been refunded; it takes a few days to arrive.",
    ],
)
def test_to_say_what_has_gone_back_is_plain(text):
    """An amount that is on record is a fact, and with nothing on record it is a promise."""
    assert promises(text, [FIFTEEN]) == ()
    assert promises(text) != ()


def test_it_is_plain_in_japanese_too():
    """What was sent back in yen is a fact, and what is to be sent back a promise."""
    assert promises("2,000 JPY を返金しました。", [YEN]) == ()
    assert promises("2,000 JPY を返金します。", [YEN]) != ()
    assert promises("3,000 JPY を返金しました。", [YEN]) != ()


@pytest.mark.parametrize(
    "text",
    [
        "We refunded 15.00 EUR, and 20.00 EUR follow.",
        "We refunded 15.00 USD to your card.",
        "We refunded 1,500 EUR to your card.",
        "We refunded 15.00 EUR and will refund the rest.",
        "It will be refunded when you send it back: 15.00 EUR and a voucher.",
    ],
)
def test_more_than_what_has_gone_back_is_a_promise(text):
    """One true amount in a sentence hides no other."""
    assert promises(text, [FIFTEEN]) != ()


@given(st.integers(1, 99_999_999), st.sampled_from(["eur", "usd", "jpy", "kwd"]))
def test_an_amount_is_read_back_as_it_was_written(amount, currency):
    """However large, with its commas, in any of the currencies: exact to the smallest unit."""
    money = Money(amount=amount, currency=currency)
    assert [found for _, found in amounts(f"We sent {money} today")] == [money]


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text):
    """Whatever an agent writes, there is an answer."""
    assert isinstance(promises(text, [YEN]), tuple)

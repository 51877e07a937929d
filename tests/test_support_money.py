"""Amounts are whole numbers of the smallest unit, exact in both directions, in every currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.support.errors import SupportError
from apps.support.money import IN_STEPS, LARGEST, NO_PLACES, THREE_PLACES, Money, parse, places

CURRENCIES = ["eur", "usd", "jpy", "krw", "kwd", "bhd", "isk", "ugx", "huf", "twd", "xof"]


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1999, "eur", "19.99 EUR"),
        (5, "eur", "0.05 EUR"),
        (-5, "eur", "-0.05 EUR"),
        (0, "eur", "0.00 EUR"),
        (123_456_789, "usd", "1,234,567.89 USD"),
        (500, "jpy", "500 JPY"),
        (5120, "kwd", "5.120 KWD"),
        (500, "isk", "5.00 ISK"),
        (500, "ugx", "5.00 UGX"),
        (1045, "huf", "10.45 HUF"),
        (80045, "twd", "800.45 TWD"),
        (LARGEST, "jpy", "999,999,999,999 JPY"),
    ],
)
def test_an_amount_is_written_as_its_currency_is(amount, currency, written):
    """No decimals, two or three: as Stripe counts them in charges and refunds."""
    assert str(Money(amount=amount, currency=currency)) == written


def test_what_stripe_counts_otherwise_than_people():
    """UGX and ISK have no decimals, yet on the wire 5 of them are 500; HUF and TWD have two."""
    assert {"isk", "ugx", "huf", "twd"}.isdisjoint(NO_PLACES | THREE_PLACES)
    assert (IN_STEPS["isk"], IN_STEPS["ugx"]) == (100, 100)
    assert "huf" not in IN_STEPS and "twd" not in IN_STEPS
    assert {IN_STEPS[one] for one in THREE_PLACES} == {10}
    assert parse("5", "ugx").amount == parse("5", "isk").amount == 500


@given(amount=st.integers(0, LARGEST), currency=st.sampled_from(CURRENCIES))
def test_writing_and_reading_give_the_same_amount(amount, currency):
    """What is shown is what was meant, to the last unit."""
    written = str(Money(amount=amount, currency=currency))
    number, _, name = written.partition(" ")
    assert parse(number.replace(",", ""), name.lower()).amount == amount
    assert Decimal(number.replace(",", "")).scaleb(places(currency)) == amount


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("19.99", "usd", 1999),
        ("19.9", "usd", 1990),
        ("19", "usd", 1900),
        ("0.1", "usd", 10),
        ("1.10", "jpy", None),
        ("1.00", "jpy", 1),
        ("1.234", "kwd", 1234),
        ("1.2345", "kwd", None),
        ("1.230000", "usd", 123),
        ("007", "usd", 700),
    ],
)
def test_a_number_is_read_exactly(text, currency, amount):
    """Decimals that a currency does not have are refused, never rounded."""
    if amount is None:
        with pytest.raises(SupportError, match="at most"):
            parse(text, currency)
    else:
        assert parse(text, currency).amount == amount


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "-1", "+1", "1,000", "1e3", "1e999999999", "1.", ".5", "NaN", "Infinity"),
        *("٣", "1_0", "1.2.3", "0x1", "1\n", "9" * 13, "1." + "0" * 5000, "19.99 EUR"),
    ],
)
def test_what_is_no_number_is_refused_at_once(text):
    """Signs, spaces, letters, other digits and numbers without end are no amounts."""
    with pytest.raises(SupportError, match="is no amount"):
        parse(text, "usd")


@pytest.mark.parametrize("amount", [1.0, True, "1", None, Decimal(1), float("nan")])
def test_only_whole_numbers_are_amounts(amount):
    """A float, a truth or a text is refused, also where its value would fit."""
    with pytest.raises(SupportError, match="whole number"):
        Money(amount=amount, currency="eur")


@pytest.mark.parametrize(
    "amount", [10**15, -(10**15), 1 << 20_000], ids=["sixteen", "minus", "endless"]
)
def test_a_number_without_end_is_no_amount(amount):
    """What could not even be printed is refused in one sentence."""
    with pytest.raises(SupportError, match="fifteen digits"):
        Money(amount=amount, currency="eur")


@pytest.mark.parametrize("currency", ["EUR", "", "eu", "euro", "e1r", "eur\n", "éur", "x" * 9999])
def test_a_currency_is_three_small_letters(currency):
    """Anything else is refused, and not repeated at length."""
    with pytest.raises(SupportError, match="is no currency") as refused:
        Money(amount=1, currency=currency)
    assert len(str(refused.value)) < 100

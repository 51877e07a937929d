"""What `support.toml` says is exact, and what it cannot mean is one sentence."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.support.config import read
from apps.support.errors import ConfigError
from apps.support.money import Money

GOOD = """\
mail = "mail"
address = "Help@shop.example"
name = "Shop help desk"

[refunds]
currency = "eur"
free_up_to = "50.00"
day_budget = "500.00"
lead_up_to = "500.00"

[rates]
usd = "0.92"
jpy = "0.0061"
kwd = "2.99"

[people]
leads = ["ana", "bo"]
managers = ["mia"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "support.toml"
    path.write_text(GOOD, "utf-8")
    return path


def test_what_it_says_is_what_it_means(file):
    """Amounts in the smallest unit, paths beside the file, what is left out at its default."""
    config = read(file)
    assert config.mail == file.parent / "mail"
    assert config.state == file.parent / "state"
    assert config.address == "help@shop.example"
    assert config.free_up_to == Money(amount=50_00, currency="eur")
    assert config.day_budget == config.lead_up_to == Money(amount=500_00, currency="eur")
    assert (config.split_days, config.customer_refunds, config.customer_days) == (30, 3, 90)
    assert (config.leads, config.managers, config.smtp) == (("ana", "bo"), ("mia",), None)


@pytest.mark.parametrize(
    ("amount", "currency", "worth"),
    [
        (50_00, "eur", 50_00),
        (50_00, "usd", 46_00),
        (54_35, "usd", 50_01),  # 50.002, rounded up: never more than the limit
        (8_000, "jpy", 48_80),
        (1, "jpy", 1),
        (16_722, "kwd", 50_00),
        (16_730, "kwd", 50_03),
        (50_00, "chf", None),
    ],
)
def test_an_equivalent_is_exact_and_rounded_up(file, amount, currency, worth):
    """In the smallest unit of the limits' currency, whatever the places of the other one."""
    assert read(file).worth(Money(amount=amount, currency=currency)) == worth


@given(st.integers(1, 99_999_999))
def test_more_money_is_never_worth_less(tmp_path_factory, amount):
    """A larger amount does not slip below a limit by rounding."""
    path = tmp_path_factory.mktemp("config") / "support.toml"
    path.write_text(GOOD, "utf-8")
    config = read(path)
    for currency in ("usd", "jpy", "kwd"):
        less = config.worth(Money(amount=amount - 1, currency=currency))
        more = config.worth(Money(amount=amount, currency=currency))
        assert less <= more
        places = {"usd": 2, "jpy": 0, "kwd": 3}[currency]
        exact = Decimal(amount).scaleb(-places) * config.rates[currency] * 100
        assert 0 <= more - exact < 1


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('free_up_to = "50.00"', "free_up_to = 50.0", "refunds.free_up_to"),
        ('free_up_to = "50.00"', 'free_up_to = "50.001"', "refunds.free_up_to"),
        ('free_up_to = "50.00"', 'free_up_to = "-1"', "decimal number in quotes"),
        ('free_up_to = "50.00"', 'free_up_to = "600.00"', "nobody decides"),
        ('currency = "eur"', 'currency = "EUR"', "refunds.currency"),
        ('usd = "0.92"', 'usd = "0"', "rates.usd"),
        ('usd = "0.92"', 'dollar = "0.92"', "rates.dollar"),
        ('leads = ["ana", "bo"]', "leads = []", "people.leads"),
        ('managers = ["mia"]', "", "people.managers is missing"),
        ('name = "Shop help desk"', 'name = "Shop\\r\\nBcc: x@y.example"', "one line"),
        ('address = "Help@shop.example"', 'address = "help"', "mail address"),
        ('mail = "mail"', 'mial = "mail"', "mial is not known"),
        ('mail = "mail"', "mail = ", "no TOML"),
        ("[rates]", '[smtp]\nhost = "mail.example"\ntls = "none"\n[rates]', "in the open"),
        ("[rates]", '[smtp]\nhost = "mail.example"\nport = 0\n[rates]', "smtp.port"),
    ],
)
def test_what_it_cannot_mean_is_a_sentence_with_its_place(file, was, now, said):
    """Nothing is guessed, and nothing is opened after a mistake."""
    text = GOOD.replace(was, now)
    assert text != GOOD
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=said):
        read(file)


def test_a_file_that_is_not_there_or_not_readable_is_a_sentence(file):
    """It says which, and how to get one."""
    with pytest.raises(ConfigError, match=r"other\.toml.*init"):
        read(file.parent / "other.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(file.parent)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="no TOML"):
        read(file)

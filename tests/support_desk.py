"""A help desk for tests: real mails in a Maildir, and a Stripe on this machine with a past.

`set_up(folder)` writes `support.toml`, six customers' mails and what they have paid; `opened` of
the app then serves it. `Shop` names what is in it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from apps.support.config import read
from apps.support.helpdesk import Helpdesk
from apps.support.money import Money
from apps.support.sandbox import seeding

NOW = datetime.now(UTC).replace(microsecond=0)
TOML = """\
mail = "mail"
address = "help@shop.example"
name = "Shop help desk"

[refunds]
currency = "eur"
free_up_to = "50.00"
day_budget = "500.00"
lead_up_to = "500.00"

[rates]
usd = "0.92"
jpy = "0.0061"

[people]
leads = ["ana", "bo"]
managers = ["mia"]
"""


@dataclass(frozen=True)
class Shop:
    """What is there: ids of charges and tickets by the customer's first name."""

    config: object
    charges: dict
    tickets: dict


def eur(text):
    """19.99 EUR in cents."""
    return Money(amount=round(float(text) * 100), currency="eur")


def mail(customer, subject, text, *, days=1):
    """A customer's mail, as a mail server hands it over."""
    made = EmailMessage()
    made["From"] = customer
    made["To"] = "help@shop.example"
    made["Subject"] = subject
    made["Date"] = format_datetime(NOW - timedelta(days=days))
    made["Message-ID"] = f"<{subject.replace(' ', '-').lower()}.{customer}>"
    made.set_content(text)
    return made.as_bytes()


PAID = {
    "rosa": (eur("40"), "Order #1001: a lamp"),
    "dora": (eur("120"), "Order #1002: a kettle"),
    "luis": (eur("800"), "Order #1003: a bicycle"),
    "yuki": (Money(amount=6_000, currency="jpy"), "Order #1004: a cup"),
    "cara": (Money(amount=30_00, currency="chf"), "Order #1005: a book"),
    "finn": (eur("45"), "Order #1006: socks"),
}
"""First name of a customer to what they paid, and what for."""


def set_up(folder, *, toml=TOML):
    """Make all of it, and return the `Shop`."""
    path = folder / "support.toml"
    path.write_text(toml, "utf-8")
    config = read(path)
    config.state.mkdir()
    charges, tickets = {}, {}
    month = NOW - timedelta(days=30)
    with seeding(config.state / "stripe.db") as past:
        for name, (money, what) in PAID.items():
            payer = past.customer(address(name), name.title(), created=month)
            charges[name] = past.charge(payer, money, created=month, description=what)
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    for name, (_, what) in PAID.items():
        order = what.partition(":")[0]
        raw = mail(address(name), f"About {order} of {name}", f"{order} is not right. {name}")
        tickets[name] = helpdesk.deliver(raw)
    return Shop(config, charges, tickets)


def address(name):
    """The mail address of a customer."""
    return f"{name}@mail.example"

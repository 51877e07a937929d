"""Make the sample: its mails, what was paid for, and the `support.toml` that describes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from ..config import read
from ..errors import ConfigError
from ..helpdesk import Helpdesk
from ..money import parse
from ..sandbox import Seeding, seeding
from .letters import LETTERS, Letter
from .mails import address, mails

TWO_WEEKS = timedelta(days=14)
SEED = 1
CONFIG = """\
# What this help desk is. Paths are relative to this file; amounts are exact, so in quotes.
mail = "mail"                  # a Maildir
address = "help@shop.example"  # who we are: mails from it are ours
name = "Shop help desk"
state = "state"                # what the help desk keeps for itself, and the sandbox's Stripe

# Replies wait in the outbox until a server is named here. Its password is read from the variable
# SUPPORT_SMTP_PASSWORD.
# [smtp]
# host = "smtp.shop.example"
# port = 587
# user = "help@shop.example"
# tls = "starttls"             # or "tls"

[refunds]
currency = "eur"               # of these limits
free_up_to = "50.00"           # of one refund, and of all for one customer or charge ...
split_days = 30                # ... within so many days
day_budget = "500.00"          # of all refunds within 24 hours
customer_refunds = 3           # for one customer ...
customer_days = 90             # ... within so many days
lead_up_to = "500.00"          # above it, a manager decides

[rates]                        # what one unit is worth; whatever is not here is always asked about
usd = "0.92"
gbp = "1.16"
jpy = "0.0061"

[people]
leads = ["ana", "bo"]
managers = ["mia"]
"""


def make_sample(folder: Path, *, now: datetime | None = None) -> Path:
    """Make the sample in a folder that is empty or not there yet; return its `support.toml`.

    Args:
        now: The day on which it is; the youngest mail is a day old.

    Raises:
        ConfigError: There is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not empty; name a folder that is, or is not there yet.")
    folder.mkdir(parents=True, exist_ok=True)
    path, today = folder / "support.toml", now or datetime.now(UTC)
    path.write_text(CONFIG, "utf-8")
    config = read(path)
    config.state.mkdir()
    with seeding(config.state / "stripe.db", seed=SEED) as past:
        customers: dict[str, str] = {}
        for letter in LETTERS:
            _pay(past, customers, letter, today)
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    for letter in LETTERS:
        for raw in mails(letter, config.address, today):
            helpdesk.deliver(raw)
    return path


def _pay(past: Seeding, customers: dict[str, str], letter: Letter, now: datetime) -> None:
    """Write down what the letter's customer has paid, and what went back before."""
    at = now - timedelta(days=letter.ago) - TWO_WEEKS
    if letter.who not in customers:
        customers[letter.who] = past.customer(address(letter), letter.name, created=at)
    customer, money = customers[letter.who], parse(letter.price, letter.currency)
    for number, (ago, amount) in enumerate(letter.before, start=1):
        paid = now - timedelta(days=ago) - TWO_WEEKS
        order = f"Order #{letter.order - 100 * number}: an earlier order"
        old = past.charge(customer, parse(amount, letter.currency), created=paid, description=order)
        back = parse(amount, letter.currency).amount
        past.refund(old, back, created=now - timedelta(days=ago))
    charge = partial(
        past.charge,
        customer,
        money,
        created=at,
        description=f"Order #{letter.order}: {letter.item}",
        method=letter.fate,
        captured=letter.state != "uncaptured",
    )
    made = [charge() for _ in range(2 if letter.twice else 1)]
    if letter.state == "disputed":
        past.dispute(made[0], created=now - timedelta(days=letter.ago))

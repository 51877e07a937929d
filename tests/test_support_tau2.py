"""Sixty-six refunds of somebody else's shop go through the gate exact to the cent."""

from datetime import UTC, datetime, timedelta

import pytest
from people import YES
from support_desk import TOML, mail
from tau2 import REFUNDS

from apps.support.approvals import gated
from apps.support.config import read
from apps.support.helpdesk import Helpdesk
from apps.support.money import Money
from apps.support.opening import opened
from apps.support.sandbox import seeding
from core import Approve, MemoryStore

FREE = 50_00
IN_DOLLARS = (
    TOML.replace('currency = "eur"', 'currency = "usd"')
    .replace('usd = "0.92"\n', 'eur = "1.08"\n')
    .replace('day_budget = "500.00"', 'day_budget = "1000000.00"')
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Each case with a customer, a charge and a ticket of its own."""
    path = tmp_path_factory.mktemp("tau2") / "support.toml"
    path.write_text(IN_DOLLARS, "utf-8")
    config, month = read(path), datetime.now(UTC) - timedelta(days=30)
    config.state.mkdir()
    helpdesk = Helpdesk(config.mail, address=config.address, name=config.name)
    found = []
    with seeding(config.state / "stripe.db") as past:
        for number, (order, user, paid, back) in enumerate(REFUNDS):
            who = f"{user}.{number}@mail.example"
            payer, money = past.customer(who, created=month), Money(amount=paid, currency="usd")
            charge = past.charge(payer, money, created=month, description=f"Order {order}")
            found.append((charge, back, helpdesk.deliver(mail(who, f"Order {order}", "It broke."))))
    with opened(path, {}) as desk:
        yield desk, found


def test_there_are_sixty_six_and_some_are_small():
    """Nothing is left out, and both sides of the threshold occur."""
    assert len(REFUNDS) == 66
    assert {back <= FREE for _, _, _, back in REFUNDS} == {True, False}
    assert all(0 < back <= paid for _, _, paid, back in REFUNDS)


@pytest.mark.slow
def test_each_goes_back_to_the_cent_and_only_the_small_ones_alone(shop):
    """Automatic at most 50.00, asked above it; and what Stripe has is what the case says."""
    desk, cases = shop
    store, asked = MemoryStore(), []

    def person(request):
        asked.append(request.arguments["charge"])
        members = request.panel.members
        return YES if YES.by in members else Approve(by=min(members))

    tools = gated(desk, person, store=store)
    for charge, back, ticket in cases:
        said = tools.refund(charge, back, "requested_by_customer", "sent back", ticket)
        assert f"refunded {back // 100:,}.{back % 100:02} USD" in said
        [made] = desk.payments.refunds(charge)
        assert made.money == Money(amount=back, currency="usd")
    assert asked == [charge for charge, back, _ in cases if back > FREE]
    total = sum(
        made.money.amount for charge, _, _ in cases for made in desk.payments.refunds(charge)
    )
    assert total == sum(back for _, _, _, back in REFUNDS)

"""A live model at the help desk, over loopback HTTP: it reads what people decide, and goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer, calls, text
from support_desk import address, set_up

from apps.support.opening import opened

ROOT = Path(__file__).parent.parent
APP = [sys.executable, "-m", "apps.support"]

pytestmark = pytest.mark.slow  # a program starts, with its sandbox


@pytest.fixture
def shop(tmp_path):
    return set_up(tmp_path)


def asked(shop, *turns, options=()):
    """Let a model that says these turns answer one task; return the server and the program."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE_", "GATE_"))}
    with ModelServer(*turns) as server:
        kept |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test", "NO_PROXY": "*"}
        words = ["--config", str(shop.config.path), "--agent", "openai:gpt-5", *options]
        done = subprocess.run(
            [*APP, *words, "ask", "Answer what is easy."],
            env={**kept, "PYTHONPATH": str(ROOT)},
            cwd=shop.config.path.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )
    return server, done


def refund(shop, name, amount):
    """A model's call of the tool."""
    values = {
        "charge": shop.charges[name],
        "amount": amount,
        "reason": "requested_by_customer",
        "note": "it is damaged",
        "ticket": shop.tickets[name],
    }
    return calls(("refund", values))


def gone_back(shop, name):
    with opened(shop.config.path, {}) as desk:
        return [one.money.amount for one in desk.payments.refunds_of(address(name))]


def test_a_model_has_the_tools_reads_a_no_and_does_less(shop):
    """Seven tools and the instructions; the reason arrives as text; the smaller refund is made."""
    server, done = asked(
        shop,
        calls(("tickets", {})),
        refund(shop, "luis", 800_00),
        refund(shop, "luis", 4_90),
        text("4.90 EUR went back."),
        options=("--approver", "terminal"),  # nobody is at one
    )
    assert (done.returncode, done.stdout) == (0, "4.90 EUR went back.\n"), done
    tools = {"tickets", "ticket", "charges", "refunds", "refund", "reply", "close"}
    assert set(server.requests[0].tools) == tools
    listing, no, yes = server.results
    assert shop.tickets["rosa"] in listing
    assert no.endswith("It was not run.")
    assert "refunded 4.90 EUR" in yes
    assert gone_back(shop, "luis") == [4_90]


def test_a_model_collects_and_is_told_what_became_of_each(shop):
    """Placeholders first; then one tool that waits, and a line for each refund."""
    server, done = asked(
        shop,
        refund(shop, "rosa", 40_00),
        refund(shop, "dora", 120_00),
        calls(("wait_for_approvals", {})),
        text("Done."),
        options=("--approver", "scripted", "--batch"),
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Done."), done
    first, second, both = server.results
    assert (first, second) == ("PENDING_APPROVAL_1", "PENDING_APPROVAL_2")
    assert "PENDING_APPROVAL_1: refunded 40.00 EUR" in both
    assert "PENDING_APPROVAL_2: refunded 60.00 EUR" in both
    assert "as edited by ana" in both
    assert (gone_back(shop, "rosa"), gone_back(shop, "dora")) == ([40_00], [60_00])

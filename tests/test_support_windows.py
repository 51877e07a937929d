"""The help desk's people at their windows: a page that opens, and a terminal at night."""

import re
import sys

import browsers
import pexpect
import pytest
from support_desk import address, mail, set_up
from test_support_program import environment, gone_back, run, started, store_of

from apps.support.opening import opened

pytestmark = pytest.mark.slow  # programs start, and a browser

browser, person = browsers.browser, browsers.person
__all__ = ["browser", "person"]  # fixtures that the tests name
NIGHT = {"dora": "Order #1002 is broken.", "luis": "Order #1003 is broken."}


@pytest.fixture
def shop(tmp_path):
    """A desk with two customers more, whose orders are broken."""
    made = set_up(tmp_path)
    for name, text in NIGHT.items():
        run(made, "receive", stdin=mail(address(name), f"Broken {name}", text))
    return made


def paid_back(shop):
    """What has gone back to each of the two, in cents."""
    with opened(shop.config.path, {}) as desk:
        return {name: gone_back(desk, name) for name in NIGHT}


def votes(shop):
    """Who has said what, and where."""
    with store_of(shop) as store:
        said = [vote for stored in store.search() for vote in stored.votes]
    return {(vote.by, vote.choice, vote.window.partition(" ")[0]) for vote in said}


def come_in(page, program):
    """Follow the link that the program prints."""
    link = next(found for line in program.stderr if (found := re.search(r"http\S+/once/\S+", line)))
    page.goto(link[0])


def refund(shop):
    """The words of a refund that a lead decides, asked for by somebody else."""
    wanted = ("--ticket", shop.tickets["dora"], "--note", "it broke")
    return ("refund", shop.charges["dora"], "120.00", *wanted, "--as", "carl", "--by", "bo")


def test_a_refund_is_approved_on_the_page(shop, person):
    """By default a page opens for whoever is named: their yes pays, once, under their name."""
    page = person()
    with started(shop, *refund(shop)) as program:
        come_in(page, program)
        page.get_by_role("link", name="refund").first.click()
        assert "it broke" in page.locator("main").inner_text()
        page.get_by_role("button", name="Approve", exact=True).click()
        out, _ = program.communicate(timeout=60)
    assert (program.returncode, "refunded 120.00 EUR" in out) == (0, True)
    assert paid_back(shop) == {"dora": [120_00], "luis": []}
    assert votes(shop) == {("bo", "approve", "dashboard")}


def test_a_reason_on_the_page_ends_the_refund(shop, person):
    """Whoever asked reads it, and nothing is paid."""
    page = person()
    with started(shop, *refund(shop)) as program:
        come_in(page, program)
        page.get_by_role("link", name="refund").first.click()
        page.get_by_label("Reason, for the agent").fill("send a new kettle instead")
        page.get_by_role("button", name="Reject", exact=True).click()
        _, told = program.communicate(timeout=60)
    assert (program.returncode, "send a new kettle instead" in told) == (1, True)
    assert paid_back(shop) == {"dora": [], "luis": []}


class Night:
    """The program in a terminal: what the agent has collected is one table."""

    def __init__(self, shop, by):
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "apps.support", "--batch", "--approver", "terminal", "--by", by],
            cwd=shop.config.path.parent,
            env=environment(TERM="xterm"),
            dimensions=(60, 120),
            encoding="utf-8",
            timeout=40,
        )

    def play(self, *pairs):
        """Press keys each time something appears; return all that was shown, and the exit code."""
        shown = ""
        for seen, pressed in pairs:
            self.child.expect_exact(seen)
            shown += self.child.before + self.child.after
            self.child.send(pressed)
        self.child.expect(pexpect.EOF)
        self.child.close()
        shown += self.child.before
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown), self.child.exitstatus


def test_a_night_is_answered_at_the_terminal(shop):
    """Both refunds stand in one table; a manager says yes once, and both are paid and told."""
    shown, code = Night(shop, "mia").play(("e edit one > ", "a"), ("y yes, n no > ", "y"))
    assert code == 0 and "calls together" in shown
    assert paid_back(shop) == {"dora": [120_00], "luis": [800_00]}
    assert votes(shop) == {("mia", "approve", "terminal")}


def test_ctrl_c_at_the_table_pays_nothing(shop):
    """Every call is rejected with that word, and the agent promises nobody money."""
    shown, _ = Night(shop, "mia").play(("e edit one > ", "\x03"))
    assert "interrupted at the terminal" in shown
    assert paid_back(shop) == {"dora": [], "luis": []}
    assert votes(shop) <= {("mia", "reject", "terminal")}

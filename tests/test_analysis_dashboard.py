"""The analysis app asks on the web: one program, one link, one real browser."""

import re

import browsers
import duckdb
import pytest
from test_analysis_cli import DELETE, made, rows, shop, started

pytestmark = pytest.mark.slow  # every test starts the program and a browser

browser, person = browsers.browser, browsers.person
__all__ = ["browser", "made", "person", "shop"]  # fixtures that the tests name


def come_in(page, program):
    """Follow the link that the program prints, to the page of the only request."""
    link = next(found for line in program.stderr if (found := re.search(r"http\S+/once/\S+", line)))
    page.goto(link[0])
    page.get_by_role("link", name="query").first.click()


def test_what_is_approved_on_the_web_runs(shop, person):
    """The rows that the page shows are the rows that go."""
    page = person()
    with started("--database", shop, "--approver", "dashboard", "sql", DELETE) as program:
        come_in(page, program)
        assert "note = 'TEST'" in page.locator("main").inner_text()
        page.get_by_role("button", name="Approve", exact=True).click()
        out, _ = program.communicate(timeout=60)
    assert program.returncode == 0 and "deleted" in out
    assert rows(shop, "SELECT count(*) FROM orders WHERE note = 'TEST'") == [(0,)]


def test_a_reason_on_the_web_reaches_the_program(shop, person):
    """A rejection is one sentence for whoever asked; the rows stay."""
    before = shop.read_bytes()
    page = person()
    with started("--database", shop, "--approver", "dashboard", "sql", DELETE) as program:
        come_in(page, program)
        page.get_by_label("Reason, for the agent").fill("archive them first")
        page.get_by_role("button", name="Reject", exact=True).click()
        _, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "archive them first. It was not run." in err
    assert shop.read_bytes() == before
    duckdb.connect(str(shop), read_only=True).close()

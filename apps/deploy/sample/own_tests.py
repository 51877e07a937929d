"""The tests that come with the sample's service, release by release."""

from __future__ import annotations

TEST_PAGES = """\
import unittest

import pages


class Front(unittest.TestCase):
    def test_the_page_names_shop_and_version(self):
        page = pages.front("7.7", [])
        self.assertIn("The tea shop", page)
        self.assertIn("version 7.7", page)

    def test_what_guests_write_is_text(self):
        page = pages.front("7.7", [("Eve", "<script>")])
        self.assertNotIn("<script>", page)
"""

TEST_STORAGE = """\
import tempfile
import unittest
from pathlib import Path

import migrate
import storage


class Storage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "data" / "shop.db"

    def test_before_the_first_migration_the_guest_book_is_empty(self):
        self.assertEqual(storage.greetings(self.file), [])
        self.assertEqual(storage.problem(self.file), "")

    def test_a_migration_runs_once(self):
        self.assertIn("0001_greetings.sql", migrate.migrate(self.file))
        self.assertEqual(migrate.migrate(self.file), [])
        self.assertEqual(len(storage.greetings(self.file)), 2)

    def test_a_folder_that_cannot_be_used_is_a_problem(self):
        self.file.parent.parent.joinpath("data").write_text("in the way")
        self.assertIn("does not answer", storage.problem(self.file))
"""

TEST_HELLO = """\

class Hello(unittest.TestCase):
    def test_whoever_says_who_they_are_is_greeted(self):
        self.assertIn("Hello Ana!", pages.front("7.7", [], name="Ana"))
        self.assertIn("Hello!", pages.front("7.7", []))

"""

TEST_PRODUCTS = """\
import unittest

import products


class Price(unittest.TestCase):
    def test_cents_have_two_digits(self):
        self.assertIn("12.50", products.price(12_50))
        self.assertIn("3.05", products.price(3_05))
"""

TEST_RATINGS = """\
    def test_before_its_migration_nothing_is_rated(self):
        self.assertEqual(storage.ratings(self.file), {})
        migrate.migrate(self.file)
        self.assertEqual(storage.ratings(self.file)["Tea pot"], 4.0)

"""

TEST_STARS = """\
    def test_stars_are_shown_where_there_are_any(self):
        page = pages.front("7.7", [], ratings={"Tea pot": 4.5})
        self.assertEqual(page.count("stars"), 1)

"""

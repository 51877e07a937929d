"""The sample's history: who changed what, and why its five releases end as they do.

- v1.0 works.
- v1.1 fails its tests: it writes five cents as 0.5.
- v1.2 works; a merge is among its commits.
- v1.3 works, and brings a migration, a newer Python and a setting. Until the task `migrate` has
  run, the part of the page that needs the new table stays away.
- v1.4 passes its tests and is unhealthy: it counts on a variable that only the tests set. Its
  commits wait on the branch `next`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import beginning as start
from . import own_tests as tests
from . import pieces as piece

Edits = Mapping[str, Sequence[tuple[str, str]]]

MIRA, TOMAS, AIKO, PAUL = "Mira Lund", "Tomas Weber", "Aiko Sato", "Paul Okafor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit.

    Attributes:
        files: Files that come, as a whole.
        edits: By path: pieces of a file, each found once, and what stands there instead.
        onto: The branch that moves; one that is not there begins where `main` is.
        merges: The branch that it merges.
        tag: What people call it.
    """

    author: str
    subject: str
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    edits: Edits = field(default_factory=dict[str, Sequence[tuple[str, str]]])
    onto: str = "main"
    merges: str = ""
    tag: str = ""


def _version(author: str, old: str, new: str, *, onto: str = "main", tag: str = "") -> Change:
    edits = {"service.py": [(f'VERSION = "{old}"', f'VERSION = "{new}"')]}
    return Change(author=author, subject=f"Version {new}", edits=edits, onto=onto, tag=tag)


_BY_NAME: Edits = {
    "service.py": [
        ("import TCPServer\n", "import TCPServer\nfrom urllib.parse import parse_qs\n"),
        (piece.ANSWER, piece.ANSWER + piece.NAME),
        ("storage.greetings())", "storage.greetings(), name)"),
    ],
    "pages.py": [
        ("def front(version, greetings):", 'def front(version, greetings, name=""):'),
        ("{guest_book(greetings)}", "{hello(name)}\n{guest_book(greetings)}"),
        ("def guest_book(", piece.HELLO + "def guest_book("),
    ],
    "tests/test_pages.py": [("import pages\n\n", "import pages\n\n" + tests.TEST_HELLO)],
}

CHANGES = (
    Change(
        author=MIRA,
        subject="A page, and a health check for whoever runs it",
        files={
            "service.py": start.SERVICE,
            "pages.py": start.PAGES,
            "storage.py": start.STORAGE,
            "shop.ini": start.SETTINGS,
            "pyproject.toml": start.PROJECT,
            "tests/__init__.py": "",
            "tests/test_pages.py": tests.TEST_PAGES,
        },
    ),
    Change(
        author=TOMAS,
        subject="Bring the guest book's table into the database",
        files={
            "migrate.py": start.MIGRATE,
            "migrations/0001_greetings.sql": start.GREETINGS,
            "tests/test_storage.py": tests.TEST_STORAGE,
            ".gitignore": "__pycache__/\n/data/\n",
        },
    ),
    Change(
        author=MIRA, subject="Say how to run it", files={"README.md": start.READ_ME}, tag="v1.0"
    ),
    Change(author=PAUL, subject="Greet visitors by their name", edits=_BY_NAME, onto="by-name"),
    Change(
        author=AIKO,
        subject="Show what there is to buy",
        files={"products.py": piece.PRODUCTS},
        edits={
            "pages.py": [
                ("import Path\n", "import Path\n\nimport products\n"),
                ("<h1>{title}</h1>", "<h1>{title}</h1>\n{shelf()}"),
                ("def front(", piece.SHELF + "def front("),
            ]
        },
    ),
    Change(
        author=TOMAS,
        subject="Test how prices are written",
        files={"tests/test_products.py": tests.TEST_PRODUCTS},
    ),
    _version(AIKO, "1.0", "1.1", tag="v1.1"),
    Change(
        author=TOMAS,
        subject="Write cents with two digits, so that five of them are not fifty",
        edits={"products.py": [("{cents % 100}", "{cents % 100:02}")]},
    ),
    Change(author=MIRA, subject="Merge branch 'by-name'", edits=_BY_NAME, merges="by-name"),
    _version(MIRA, "1.1", "1.2", tag="v1.2"),
    Change(
        author=PAUL,
        subject="Ask for Python 3.11, as every server has it now",
        edits={"pyproject.toml": [(">=3.9", ">=3.11")]},
    ),
    Change(
        author=AIKO,
        subject="Let people rate products",
        files={"migrations/0002_ratings.sql": piece.RATINGS},
        edits={
            "storage.py": [("def problem(", piece.READ_RATINGS + "def problem(")],
            "tests/test_storage.py": [
                ("    def test_a_folder", tests.TEST_RATINGS + "    def test_a_folder")
            ],
        },
    ),
    Change(
        author=AIKO,
        subject="Show ratings beside the products",
        edits={
            "pages.py": [
                (piece.SHELF, piece.RATED_SHELF),
                ("{shelf()}", "{shelf(ratings or {})}"),
                ('greetings, name=""):', 'greetings, name="", ratings=None):'),
            ],
            "service.py": [("storage.greetings(), name)", piece.FRONT_WITH_RATINGS)],
            "shop.ini": [("tea shop\n", "tea shop\nratings = yes\n")],
            "tests/test_pages.py": [
                ("    def test_what_guests", tests.TEST_STARS + "    def test_what_guests")
            ],
        },
    ),
    _version(TOMAS, "1.2", "1.3", tag="v1.3"),
    Change(
        author=PAUL,
        subject="Name prices in the currency of the region",
        edits={
            "products.py": [
                ('cents."""\n', 'cents."""\n\nimport os\n'),
                (' EUR"', " {os.environ['SHOP_CURRENCY']}\""),
            ],
            "service.py": [
                ("import pages\n", "import pages\nimport products\n"),
                ("def health():", piece.HEALTH + "def health():"),
                ("problem = storage.problem()", "problem = storage.problem() or price_problem()"),
            ],
            "tests/__init__.py": [("", 'import os\n\nos.environ["SHOP_CURRENCY"] = "EUR"\n')],
            "tests/test_products.py": [('"3.05"', '"3.05 EUR"')],
        },
        onto="next",
    ),
    _version(PAUL, "1.3", "1.4", onto="next"),
)

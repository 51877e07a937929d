"""What is copied works under any name, and nothing of yours is overwritten."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.copying import (
    BEGIN,
    CORE,
    END,
    UnknownPattern,
    catalogue,
    closure,
    copy,
    find,
    imported,
    listing,
    patterns,
    rewrite,
    with_catalogue,
)

NAMES = sorted(patterns())
NOT_FOR_COPYING = ("commands", "copying", "__main__.py")

# Imports everything below a package and says where each of its modules came from.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
package = importlib.import_module("borrowed.deep.name")
for found in pkgutil.walk_packages(package.__path__, "borrowed.deep.name."):
    importlib.import_module(found.name)
print(json.dumps({name: getattr(m, "__file__", None) for name, m in sys.modules.items()}))
"""

WORK = {
    "conditional": """
from borrowed.deep.name.model import ApprovalRequest
from borrowed.deep.name.policies.conditional import ApproveIf
small = ApproveIf(lambda amount: amount <= 50, because="small")
calls = [ApprovalRequest(action="pay", arguments={"amount": amount}) for amount in (50, 51)]
print([decision and decision.note for decision in map(small, calls)])
""",
    "office_hours": """
from datetime import UTC, datetime, time
from borrowed.deep.name.model import ApprovalRequest
from borrowed.deep.name.policies.office_hours import FreezeOutside, OfficeHours
hours = OfficeHours(opens=time(9), closes=time(17), timezone=UTC)
night = datetime(2026, 11, 23, 23, tzinfo=UTC)
print(FreezeOutside(hours, now=lambda: night)(ApprovalRequest(action="deploy")).reason[-28:])
""",
    "scripted": """
import asyncio, inspect
from borrowed.deep.name.approvers.scripted import Scripted
from borrowed.deep.name.model import ApprovalRequest, Approve
ana = Scripted(pay=Approve(by="ana"))
async def ask(action):
    answer = ana(ApprovalRequest(action=action))
    return await answer if inspect.isawaitable(answer) else answer
answers = [asyncio.run(ask(action)) for action in ("shop.pay", "shop.close")]
print([type(a).__name__ for a in answers], [r.action for r in ana.requests])
""",
    "gate": """
from borrowed.deep.name.gate import gate
from borrowed.deep.name.model import Approve, Reject, Rejected
from borrowed.deep.name.stores.memory import MemoryStore
store = MemoryStore()
def ana(request):
    if request.arguments["amount"] > 50:
        return Reject(by="ana", reason="too much")
    return Approve(by="ana")
pay = gate(lambda amount: f"paid {amount}", approver=ana, store=store)
try:
    pay(51)
except Rejected as rejected:
    print(pay(50), [stored.state.value for stored in store.search()])
""",
    "sqlite": """
from borrowed.deep.name.model import ApprovalRequest, Approve
from borrowed.deep.name.stores.sqlite import SqliteStore
for turn in (1, 2):
    store = SqliteStore("requests.db")
    if turn == 1:
        request = ApprovalRequest(action="pay")
        store.submit(request)
        store.vote(request.id, Approve(by="ana"), digest=request.digest)
    print(*(stored.state.value for stored in store.search()))
    store.close()
""",
    "audit": """
from datetime import UTC, datetime
from borrowed.deep.name.audit import START, record, seal
made = record(seq=1, at=datetime.now(UTC), event="stopped", request_id="", by="ana", details={},
              previous=START)
print(made.hash == seal(START, made.body), made.hash == seal(START, made.body + " "))
""",
}
PRINTS = {
    "conditional": "['small', None]",
    "office_hours": "Tuesday 2026-11-24 09:00 UTC",
    "scripted": "['Approve', 'Reject'] ['shop.pay', 'shop.close']",
    "gate": "paid 50 ['SUCCEEDED', 'REJECTED']",
    "sqlite": "approved\napproved",
    "audit": "True False",
}


def borrowed(name, folder):
    """Copy a pattern deep into somebody else's package."""
    return copy(name, folder / "borrowed" / "deep" / "name")


def elsewhere(code, folder):
    """Run code where nothing but the copy, the standard library and packages can be found."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, '.')\n{code}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path):
    """Write files of a small core below a folder, and return the folder."""

    def write(**files):
        for name, text in {"__init__": '"""Root."""\n', **files}.items():
            path = tmp_path / "origin" / f"{name.replace('__init__', '@').replace('__', '/')}"
            path = path.with_name(path.name.replace("@", "__init__"))
            path = path if path.suffix else path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path / "origin"

    return write


def names(files, root):
    """Paths as short text."""
    return sorted(path.relative_to(root).as_posix() for path in files)


@pytest.mark.parametrize("name", NAMES)
def test_a_copied_pattern_imports_under_another_name(name, tmp_path):
    """Copied into another package, a pattern imports by itself and never reaches back."""
    written = borrowed(name, tmp_path)
    assert {path.suffix for path in written} <= {".py", ".html", ".css", ".js", ".svg", ".md"}
    loaded = json.loads(elsewhere(IMPORT_ALL, tmp_path))
    assert "core" not in {module.partition(".")[0] for module in loaded}
    assert not [file for file in loaded.values() if file and file.startswith(str(CORE))]
    modules = {str(path) for path in written if path.suffix == ".py"}
    assert modules <= {str(tmp_path / file) for file in loaded.values() if file}


@pytest.mark.parametrize("name", sorted(WORK))
def test_a_copied_pattern_works(name, tmp_path):
    """Copied into another package, a pattern does what it did here."""
    borrowed(name, tmp_path)
    assert elsewhere(WORK[name], tmp_path) == PRINTS[name]


def test_all_patterns_live_in_one_folder(tmp_path):
    """Every pattern may be copied to the same place; shared files are written once."""
    written = [path for name in NAMES for path in borrowed(name, tmp_path)]
    assert len(written) == len(set(written))
    assert [path for name in NAMES for path in borrowed(name, tmp_path)] == []
    elsewhere(IMPORT_ALL, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_the_original_byte_for_byte(name, tmp_path):
    """What arrives is what is tested here; besides it there are only empty package marks."""
    for path in copy(name, tmp_path / "mine"):
        original = CORE / path.relative_to(tmp_path / "mine")
        assert path.read_bytes() == original.read_bytes()
    listed = {tmp_path / "mine" / file for file in find(name).files}
    others = {path for path in (tmp_path / "mine").rglob("*") if path.is_file()} - listed
    assert {path.name for path in others} <= {"__init__.py"}
    assert {path.read_bytes() for path in others} <= {b""}


def test_policies_need_only_the_model():
    """A policy is copied as two files: itself and the nouns."""
    policies = [p for p in patterns().values() if p.path.parts[0] == "policies"]
    assert len(policies) >= 4
    assert {tuple(map(str, p.files)) for p in policies} == {
        ("model.py", str(p.path)) for p in policies
    }


def test_every_file_belongs_to_a_pattern():
    """Whatever is written in core can be taken home, alone or with what needs it."""
    everything = {
        path.relative_to(CORE).as_posix()
        for path in CORE.rglob("*.py")
        if path.name != "__init__.py" and path.relative_to(CORE).parts[0] not in NOT_FOR_COPYING
    }
    copied = {str(file) for pattern in patterns().values() for file in pattern.files}
    assert everything - copied == set()


def test_an_edited_file_is_never_overwritten(tmp_path):
    """One edited file stops the whole copy before anything is written."""
    (tmp_path / "model.py").write_text("mine = True\n", "utf-8")
    with pytest.raises(FileExistsError, match=r"model\.py"):
        copy("conditional", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["model.py"]
    assert (tmp_path / "model.py").read_text("utf-8") == "mine = True\n"


def test_copying_twice_changes_nothing(tmp_path):
    """Files that are there already are left alone, down to their time of writing."""
    first = copy("conditional", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert names(first, tmp_path) == ["model.py", "policies/conditional.py"]
    assert copy("conditional", tmp_path) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_your_package_marks_are_yours(tmp_path):
    """An `__init__.py` with your own words in it stays as it is, and the copy goes ahead."""
    (tmp_path / "policies").mkdir()
    for mark in (tmp_path / "__init__.py", tmp_path / "policies" / "__init__.py"):
        mark.write_text('"""Mine."""\n', "utf-8")
    assert len(copy("conditional", tmp_path)) == 2
    assert (tmp_path / "__init__.py").read_text("utf-8") == '"""Mine."""\n'
    assert (tmp_path / "policies" / "__init__.py").read_text("utf-8") == '"""Mine."""\n'


@pytest.mark.parametrize("place", ["model.py", "policies", "policies/conditional.py"])
def test_what_is_in_the_way_stops_the_copy(place, tmp_path):
    """A link to nowhere, a folder for a file or a file for a folder is not replaced."""
    target = tmp_path / "mine"
    (target / place).parent.mkdir(parents=True)
    if place == "policies":
        (target / place).write_text("a file", "utf-8")
    elif place == "model.py":
        (target / place).symlink_to(tmp_path / "nowhere")
    else:
        (target / place).mkdir()
    before = sorted(target.rglob("*"))
    with pytest.raises((FileExistsError, NotADirectoryError), match=place):
        copy("conditional", target)
    assert sorted(target.rglob("*")) == before
    assert not (tmp_path / "nowhere").exists()


def test_a_copy_that_fails_half_way_leaves_no_file(tmp_path, monkeypatch):
    """When the disk is full, no file of the pattern stays behind."""
    opened = Path.open

    def open_two(path, mode="r", *args, **kwargs):
        if "x" in mode and path.name == "conditional.py":
            raise OSError(28, "No space left on device")
        return opened(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_two)
    with pytest.raises(OSError, match="No space"):
        copy("conditional", tmp_path / "mine")
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("conditionl", "conditional"), ("office-hours", "office_hours"), ("Memory", "memory")],
)
def test_an_unknown_pattern_is_one_clear_sentence(asked, meant, tmp_path):
    """A misspelt name leads to the one that was meant, and nothing is written."""
    with pytest.raises(UnknownPattern, match=f"no pattern '{asked}'; did you mean .*{meant}"):
        copy(asked, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_like_no_other_gets_the_whole_list():
    """When nothing is near, the message names what there is."""
    with pytest.raises(UnknownPattern, match=r"there are .*conditional.*gate"):
        find("qqq")


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_has_more_than_one_spelling(name):
    """The name, the path and the path without its ending all mean the same pattern."""
    pattern = patterns()[name]
    for spelling in (name, str(pattern.path), str(pattern.path.with_suffix(""))):
        assert find(spelling) == pattern


def test_imports_are_followed_wherever_they_stand(tree):
    """Inside functions, behind conditions, from a package, and from files that those import."""
    root = tree(
        model="x = 1\n",
        far="from .model import x\n",
        near="def f():\n    from . import far\n    return far\n",
        aside="y = 1\n",
        unused="z = 1\n",
        policies____init__='"""Rules."""\n',
        policies__rule="if 1:\n    from ..near import f\nfrom .. import aside as b, model\n",
    )
    assert names(closure(root / "policies/rule.py", root), root) == [
        "aside.py",
        "far.py",
        "model.py",
        "near.py",
        "policies/rule.py",
    ]


def test_what_a_package_says_itself_is_copied_too(tree):
    """A name that stands in a package's `__init__` brings that file and all it imports."""
    root = tree(
        __init__="from .deep import x\n",
        deep="x = 1\n",
        policies__rule="from .. import x\n",
    )
    assert names(closure(root / "policies/rule.py", root), root) == [
        "__init__.py",
        "deep.py",
        "policies/rule.py",
    ]


def test_a_package_comes_whole(tree):
    """A pattern that is a folder brings its pages and pictures, but no leftovers of Python."""
    root = tree(
        model="x = 1\n",
        only_for_pages="y = 1\n",
        approvers____init__='"""People."""\n',
        approvers__board____init__='"""A board."""\nfrom ...model import x\n',
        approvers__board__pages="from ...only_for_pages import y\n",
    )
    board = root / "approvers" / "board"
    for extra in ("templates/page.html", "__pycache__/pages.cpython-311.pyc", ".hidden"):
        (board / extra).parent.mkdir(exist_ok=True)
        (board / extra).write_bytes(b"<p>\r\n\xff")
    pattern = patterns(root)["board"]
    assert str(pattern.path) == "approvers/board"
    assert [str(file) for file in pattern.files] == [
        "approvers/board/__init__.py",
        "approvers/board/pages.py",
        "approvers/board/templates/page.html",
        "model.py",
        "only_for_pages.py",
    ]
    copy("board", root.parent / "mine", root)
    page = root.parent / "mine/approvers/board/templates/page.html"
    assert page.read_bytes() == b"<p>\r\n\xff"


def test_a_file_for_a_neighbour_is_no_pattern(tree):
    """What only serves the module beside it is copied with that module and not listed."""
    root = tree(
        approvers__terminal='"""Ask here."""\nfrom .drawing import x\n',
        approvers__drawing="x = 1\n",
    )
    assert {n: [str(f) for f in p.files] for n, p in patterns(root).items()} == {
        "terminal": ["approvers/drawing.py", "approvers/terminal.py"]
    }


def test_an_approver_that_a_neighbour_uses_is_a_pattern_all_the_same(tree):
    """A window may build on the inbox without taking it out of the list."""
    root = tree(
        approvers__inbox='"""Wait for votes."""\n',
        approvers__slack='"""Ask in a channel."""\nfrom .inbox import x\n',
    )
    assert [*patterns(root)] == ["inbox", "slack"]


def answers_requests(path):
    """Whether a public class of the file takes a request, as approvers and policies do."""
    return any(
        isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and method.name == "__call__"
        and [argument.arg for argument in method.args.posonlyargs] == ["self", "request"]
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for method in node.body
    )


def test_whatever_decides_is_in_the_list_and_parts_of_a_window_are_not():
    """Approvers and policies can be copied alone; the parts of a terminal come along with it."""
    files = [*(CORE / "approvers").rglob("*.py"), *(CORE / "policies").glob("*.py")]
    deciding = {path for path in files if answers_requests(path)}
    offered = {CORE / pattern.path for pattern in patterns().values()}
    assert len(deciding) >= 9
    assert not {path for path in deciding if not {path, *path.parents} & offered}
    parts = {CORE / file for file in find("terminal").files if file.parts[0] == "approvers"}
    assert len(parts) >= 5
    assert parts & offered == {CORE / "approvers/terminal.py"}


def test_two_files_of_one_name_are_told_apart(tree):
    """Where two folders have a file of the same name, both are listed with their folder."""
    root = tree(approvers__scripted='"""A."""\n', runners__scripted='"""R."""\n')
    assert {name: p.summary for name, p in patterns(root).items()} == {
        "approvers/scripted": "A.",
        "runners/scripted": "R.",
    }
    with pytest.raises(UnknownPattern, match=r"did you mean .*approvers/scripted"):
        find("scripted", root)


@pytest.mark.parametrize(
    "line", ["from .missing import x", "from ... import x", "from ..other import x"]
)
def test_an_import_that_leads_nowhere_stops_the_copy(line, tree):
    """What cannot be followed cannot be copied: the error names the file and the line."""
    root = tree(gate=f"y = 1\n{line}\n")
    (root.parent / "other.py").write_text("x = 1\n", "utf-8")
    with pytest.raises(LookupError, match=r"gate\.py, line 2"):
        copy("gate", root.parent / "mine", root)
    assert not (root.parent / "mine").exists()


def test_needs_are_the_packages_imported_from_outside():
    """A pattern says what has to be installed beside it, and only that."""
    assert patterns()["conditional"].needs == ()
    assert patterns()["gate"].needs == ("pydantic",)
    assert patterns()["sqlite"].needs == ("pysqlite3",)


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_is_the_first_line_of_the_docstring(name):
    """The list says of a file what the file says of itself."""
    pattern = patterns()[name]
    path = CORE / pattern.path
    source = path / "__init__.py" if path.is_dir() else path
    first = ast.get_docstring(ast.parse(source.read_text("utf-8"))).splitlines()[0]
    assert pattern.summary == first


def test_the_readme_holds_the_list():
    """The table in the README is the list; `core.copying.rewrite` brings it up to date."""
    text = (CORE / "README.md").read_text("utf-8")
    assert with_catalogue(text) == text
    assert catalogue() in text


def test_the_readme_is_rewritten_between_its_marks(tmp_path):
    """Only what stands between the marks changes, and a second time nothing does."""
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", "utf-8")
    assert rewrite(readme) is True
    assert rewrite(readme) is False
    assert readme.read_text("utf-8") == f"above\n{BEGIN}\n\n{catalogue()}\n\n{END}\nbelow\n"
    readme.write_text("no marks\n", "utf-8")
    with pytest.raises(ValueError, match="to write the table between"):
        rewrite(readme)


def test_the_list_for_programs_says_the_same():
    """The list as JSON has the rows of the table, with paths that exist."""
    rows = json.loads(json.dumps(listing()))
    assert [row["name"] for row in rows] == list(patterns())
    assert all((CORE / file).is_file() for row in rows for file in row["files"])
    table = catalogue()
    assert all(f"`{row['command']}`" in table for row in rows)


def test_an_import_is_read_from_the_file_as_it_is_now(tree):
    """A file that has changed is read again."""
    root = tree(model="x = 1\n", gate="y = 1\n")
    assert imported(root / "gate.py", root) == set()
    (root / "gate.py").write_text("from .model import x\n", "utf-8")
    os.utime(root / "gate.py", ns=(1, 1))
    assert imported(root / "gate.py", root) == {root / "model.py"}

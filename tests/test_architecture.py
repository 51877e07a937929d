"""The shape of core: imports point down, stay inside, and do nothing."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.copying import find

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core"
APPS = ROOT / "apps"
FILES = sorted(CORE.rglob("*.py"))
FACADES = [CORE / "__init__.py"]
POLICIES = sorted((CORE / "policies").glob("*.py"))

# Whoever draws on a terminal needs rich at once; everybody else does without.
WITH_TEXT = [file for name in ("terminal", "together", "story") for file in find(name).files]
DRAWING = [CORE / file for file in WITH_TEXT if file.parts[0] == "approvers"]

# A window that is a web application needs its framework at once; its package does not.
WINDOWS = ("dashboard", "browser")
WEB = [path for name in WINDOWS for path in (CORE / "approvers" / name).glob("*.py")]
FRAMEWORK = {
    *("anyio", "argon2", "authlib", "httpx2", "jinja2", "joserfc", "markupsafe"),
    *("starlette", "uvicorn", "pydantic"),
}

# Runs with a folder and modules in it. `touched` holds what code below the folder did while they
# were imported: environment variables, sockets, processes, files written, databases opened.
WATCH = """
import importlib, io, json, os, signal, socket, sqlite3, subprocess, sys, threading
folder, modules = sys.argv[1], sys.argv[2:]
touched = []

def doer():
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(folder):
            return name.removeprefix(folder)
        owner = frame.f_globals.get("__name__", "").partition(".")[0]
        if owner not in {"os", "collections", "_collections_abc", "__main__", *PASSING}:
            return ""
        frame = frame.f_back
    return ""

PASSING = {"socket", "subprocess", "sqlite3", "pathlib", "signal", "tempfile", "getpass"}

def saw(what):
    if by := doer():
        touched.append(f"{by} {what}")

class Watched(dict):
    pass

def watch(name):
    plain = getattr(dict, name)
    def watched(self, *arguments):
        saw(f"reads {arguments[0] if arguments else 'everything'}")
        return plain(self, *arguments)
    setattr(Watched, name, watched)

for name in ("__getitem__", "get", "__contains__", "__iter__", "keys", "values", "items", "copy"):
    watch(name)

EVENTS = ("socket.bind", "socket.connect", "subprocess.", "os.system", "os.fork", "os.exec",
          "os.putenv", "os.mkdir", "os.remove", "os.rename", "sqlite3.connect", "signal.",
          "_thread.start")

def hear(event, arguments):
    writes = event == "open" and any(letter in str(arguments[1]) for letter in "wxa+")
    if writes or event.startswith(EVENTS):
        saw(event)

os.environ = Watched(os.environ)
os.getenv = lambda key, default=None: os.environ.get(key, default)
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
sys.dont_write_bytecode = True
threads = threading.active_count()
sys.addaudithook(hear)
for module in modules:
    importlib.import_module(module)
printed = sys.stdout.getvalue() + sys.stderr.getvalue()
sys.stdout = sys.__stdout__
print(json.dumps({
    "touched": touched,
    "printed": printed,
    "threads": threading.active_count() - threads,
    "packages": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def short(path):
    """A path as a test's id shows it."""
    return path.relative_to(ROOT).as_posix()


def dotted(path):
    """The name under which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path):
    """A file as syntax."""
    return ast.parse(path.read_text("utf-8"))


def at_the_top(path):
    """The import statements that run when the file is imported."""

    def walk(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            yield child
            yield from walk(child)

    return [node for node in walk(tree(path)) if isinstance(node, ast.Import | ast.ImportFrom)]


def absolute(nodes):
    """The first part of each absolute import among `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def watched(folder, *modules):
    """Import modules in a fresh process and return what they did meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, f"{folder}{os.sep}", *modules],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "SECRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", FILES, ids=short)
def test_core_imports_itself_by_relative_names(path):
    """No file of core names core, the apps or the tests: it can be copied under another name."""
    assert {"core", "apps", "tests"}.isdisjoint(absolute(ast.walk(tree(path))))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_no_import_climbs_out_of_core(path):
    """A relative import never has more dots than there are folders above it."""
    depth = len(path.relative_to(CORE).parts)
    levels = [node.level for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    assert max(levels, default=0) <= depth


@pytest.mark.parametrize("path", [path for path in FILES if path not in FACADES], ids=short)
def test_nothing_inside_core_uses_its_facade(path):
    """`core/__init__.py` is for those outside; inside, names come from where they are made."""
    depth = len(path.relative_to(CORE).parts)
    names = {
        alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level == depth and node.module is None
        for alias in node.names
    }
    modules = {p.stem for p in CORE.glob("*.py")} | {p.name for p in CORE.iterdir() if p.is_dir()}
    assert names - modules == set()


@pytest.mark.parametrize("folder", ["policies", "approvers", "stores", "runners"])
def test_the_four_folders_are_only_folders(folder):
    """Their `__init__.py` says what lies there and loads none of it, so one can be copied alone."""
    (said,) = tree(CORE / folder / "__init__.py").body
    assert isinstance(said, ast.Expr)


@pytest.mark.parametrize("path", POLICIES, ids=short)
def test_a_policy_knows_only_the_model(path):
    """A policy imports the nouns and the standard library, never another policy."""
    relative = {
        (node.level, node.module)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    }
    assert relative <= {(2, "model")}
    assert set(absolute(ast.walk(tree(path)))) <= sys.stdlib_module_names


def test_the_model_needs_only_the_standard_library():
    """The nouns come along with every pattern, so they need nothing."""
    nodes = list(ast.walk(tree(CORE / "model.py")))
    assert set(absolute(nodes)) <= sys.stdlib_module_names
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("path", FILES, ids=short)
def test_a_relative_import_is_written_out(path):
    """A module that is found by a text at run time would be left behind by a copy."""
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    asked = [
        ast.unparse(node.args[0])
        for node in calls
        if ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}
    ]
    assert [text for text in asked if text[0] not in "'\"" or text[1] == "."] == []


@pytest.mark.parametrize("path", FILES, ids=short)
def test_a_file_opens_with_a_sentence(path):
    """The first line of a file says, as one sentence, what it is there for."""
    said = ast.get_docstring(tree(path))
    first = said.splitlines()[0]
    assert first[0].isupper() or first[0] == "`"
    assert first[-1] in ".:!?`" and len(first.split()) >= 3


@pytest.mark.parametrize("name", WINDOWS)
def test_a_web_window_is_named_without_its_framework(name):
    """An app that may be asked to open the window starts without the libraries for it."""
    did = watched(ROOT, f"core.approvers.{name}")
    assert not {*did["packages"]} & FRAMEWORK


@pytest.mark.parametrize("path", FILES, ids=short)
def test_nothing_from_outside_is_imported_at_the_top(path):
    """What core can do without is imported inside the one function that needs it."""
    outside = set(absolute(at_the_top(path))) - sys.stdlib_module_names
    allowed = {"rich"} if path in DRAWING else FRAMEWORK if path in WEB else set()
    assert outside <= allowed


def test_importing_does_nothing():
    """Importing core reads no variable, prints, writes, connects, starts and loads nothing else."""
    did = watched(ROOT, *(dotted(path) for path in FILES if path not in [*DRAWING, *WEB]))
    assert (did["touched"], did["printed"], did["threads"]) == ([], "", 0)
    mentioned = {name for path in FILES for name in absolute(ast.walk(tree(path)))}
    optional = {"duckdb", "pydantic", "pydantic_ai", "pysqlite3", "rich"} | mentioned
    assert {*did["packages"]} & (optional - sys.stdlib_module_names) == set()


@pytest.mark.parametrize(("window", "needs"), [(DRAWING, "rich"), (WEB, "starlette")])
def test_importing_a_window_does_nothing(window, needs):
    """A window loads what it draws with, and does nothing else before it is asked."""
    did = watched(ROOT, *map(dotted, window))
    assert (did["touched"], did["printed"], did["threads"]) == ([], "", 0)
    assert needs in did["packages"]


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os; os.environ.get('SECRET')", "reads SECRET"),
        ("import os; os.getenv('SECRET')", "reads SECRET"),
        ("from os import environ; 'SECRET' in environ", "reads SECRET"),
        ("import os; dict(os.environ.items())", "reads everything"),
        ("import socket; socket.create_server(('127.0.0.1', 0)).close()", "socket.bind"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("open('/dev/null', 'w').close()", "open"),
        ("import pathlib; pathlib.Path('/dev/null').write_text('')", "open"),
        ("import sqlite3; sqlite3.connect(':memory:').close()", "sqlite3.connect"),
    ],
)
def test_the_watch_sees_what_an_import_does(code, seen, tmp_path):
    """The watch that finds nothing in core finds these when a file does them."""
    (tmp_path / "noisy.py").write_text(f"{code}\n", "utf-8")
    assert f"noisy.py {seen}" in watched(tmp_path, "noisy")["touched"]


def test_the_watch_hears_prints_and_counts_threads(tmp_path):
    """Words on the screen and threads that stay are found too."""
    lines = ["import threading", "print('hello')", "wait = threading.Event().wait"]
    lines.append("threading.Thread(target=wait, daemon=True).start()")
    (tmp_path / "noisy.py").write_text("\n".join(lines), "utf-8")
    did = watched(tmp_path, "noisy")
    assert (did["printed"], did["threads"]) == ("hello\n", 1)


def test_every_app_has_the_same_files():
    """Read one app, know the others: flags, agent and approvals lie where they always lie."""
    apps = [path for path in APPS.iterdir() if (path / "__init__.py").exists()]
    assert apps
    same = {"__init__.py", "__main__.py", "agent.py", "approvals.py", "README.md"}
    assert {app.name: same - {path.name for path in app.iterdir()} for app in apps} == {
        app.name: set() for app in apps
    }


@pytest.mark.parametrize("path", sorted(APPS.glob("*/*.py")), ids=short)
def test_only_the_wiring_of_an_app_knows_of_gates(path):
    """The world and the agent have never heard of gates: only flags and approvals import core."""
    if path.name in {"approvals.py", "__main__.py"}:
        assert "core" in absolute(ast.walk(tree(path)))
    else:
        assert "core" not in absolute(ast.walk(tree(path)))

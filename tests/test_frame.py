"""The shape of the repository, kept true by tests."""

import ast
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = sorted((ROOT / ".lock").glob("*.txt"))
SOURCES = [path for top in ("core", "apps", "tests") for path in sorted((ROOT / top).rglob("*.py"))]
TESTS = [path for kind in ("test", "agentica") for path in (ROOT / "tests").glob(f"{kind}_*.py")]


def relative(path):
    """The path as a test's id shows it."""
    return str(path.relative_to(ROOT))


def canonical_name(requirement):
    """The name that a requirement asks for, as an index spells it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()


def entries(lock):
    """Each pinned requirement of a lock file, as its whole logical lines."""
    lines = [line for line in lock.read_text("utf-8").splitlines() if "#" not in line]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def asked_for(group):
    """The requirements of a dependency group and of the groups that it includes."""
    for item in PYPROJECT["dependency-groups"][group]:
        if isinstance(item, dict):
            yield from asked_for(item["include-group"])
        else:
            yield item


def required(lock):
    """What pyproject.toml wants to find in the lock file of that name."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    yield from PYPROJECT["project"]["dependencies"]
    if lock == "demo":
        yield from extras["analysis"]
    else:
        yield from (item for extra in extras.values() for item in extra)
        yield from asked_for("dev")


def make(*words, cwd=ROOT):
    """Run make as a person would and return what came of it."""
    return subprocess.run(["make", *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("lock", LOCKS, ids=relative)
def test_a_lock_names_no_address(lock):
    """Where a package is fetched from is the choice of who installs it."""
    assert not re.search(r"://|\s@\s|--(extra-)?index|--find-links", lock.read_text("utf-8"))


@pytest.mark.parametrize("lock", LOCKS, ids=relative)
def test_every_locked_package_has_one_version_and_hashes(lock):
    """Nothing is installed that differs by a byte from what was locked."""
    pinned = re.compile(
        r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[\w.]+ +(; [^\\]+? +)?--hash=sha256:[0-9a-f]{64}"
    )
    assert entries(lock)
    assert [entry for entry in entries(lock) if not pinned.match(entry)] == []


@pytest.mark.parametrize("lock", ["demo", "dev"])
def test_the_lock_holds_all_that_the_project_requires(lock):
    """A requirement that was added but not locked is found before somebody's set-up breaks."""
    locked = {canonical_name(entry) for entry in entries(ROOT / ".lock" / f"{lock}.txt")}
    assert {canonical_name(item) for item in required(lock)} - locked == set()


def test_a_demo_runs_on_the_versions_that_are_tested():
    """What `make demo` installs is a part of what `make test` installs."""
    demo, dev = (
        {
            re.sub(r"( ;.*?)? +--hash", " --hash", entry)
            for entry in entries(ROOT / f".lock/{lock}.txt")
        }
        for lock in ("demo", "dev")
    )
    assert demo <= dev  # on which machines a package is needed depends on who else needs it


def test_make_alone_lists_every_target():
    """Whoever types only `make` sees each target with a word on what it is for."""
    targets = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.M)[1]
    listed = make()
    assert listed.returncode == 0
    described = dict(re.findall(r"^  make (\S+) +(\S.*)$", listed.stdout, re.M))
    assert list(described) == targets.split()
    assert {"demo", "analysis", "test", "check", "format", "bench", "copy"} <= set(described)


def test_a_machine_without_a_fitting_python_is_told_so(tmp_path):
    """Set-up without Python 3.11 says what to install and makes nothing."""
    venv = subprocess.run(
        ["/bin/sh", ROOT / ".ci/venv"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
    )
    assert venv.returncode == 1
    assert re.fullmatch(r"No Python 3\.11 or newer here: .+\n", venv.stderr)
    assert list(tmp_path.iterdir()) == []


def test_set_up_asks_for_the_python_that_the_project_names():
    """One minimum: what set-up accepts, what is published, what is checked and what is locked."""
    minimum = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    major, minor = minimum.split(".")
    assert f"sys.version_info < ({major}, {minor})" in (ROOT / ".ci/venv").read_text("utf-8")
    assert f"--python-version {minimum} " in (ROOT / "Makefile").read_text("utf-8")
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{major}{minor}"
    assert PYPROJECT["tool"]["pyright"]["pythonVersion"] == minimum


def test_a_python_that_cannot_make_environments_is_told_apart(tmp_path):
    """Debian's Python without its venv package leads to the name of that package."""
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n', "utf-8")
    python.chmod(0o755)
    venv = subprocess.run(
        ["/bin/sh", ROOT / ".ci/venv"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert venv.returncode == 1
    assert re.fullmatch(r"python3 cannot .+: on Debian, apt install python3-venv\.\n", venv.stderr)


def test_the_top_level_is_fixed():
    """A visitor finds six names, the licence and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    tops = {name.split("/")[0] for name in listed.stdout.decode("utf-8").split("\0") if name}
    fixed = {"pyproject.toml", "core", "apps", "tests", "Makefile", "README.md", "LICENSE"}
    assert {name for name in tops if not name.startswith(".")} == fixed


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_module_hides_the_standard_library(path):
    """Running a file from its own folder must not break an `import queue` elsewhere."""
    assert path.stem not in sys.stdlib_module_names - {"__main__"}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_ignore_says_why(path):
    """A check that is switched off carries its reason on the same line."""
    switched_off = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)\b(.*)")
    reason = re.compile(r"(:\s*[A-Z0-9, ]*\d|\[[\w, -]+\])\W+\w+\W+\w+")
    lines = path.read_text("utf-8").splitlines()
    found = [
        (number, hit[1])
        for number, line in enumerate(lines, 1)
        if (hit := switched_off.search(line))
    ]
    assert [number for number, rest in found if not reason.match(rest)] == []


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_states_its_law(path):
    """A test that fails tells, in a sentence, what no longer holds."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    assert ast.get_docstring(tree)
    assert [node.name for node in functions if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_test_is_skipped(path):
    """A law that is not checked is not a law."""
    calls = [
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    ]
    assert not {"skip", "skipif", "importorskip", "xfail"} & set(calls)


def test_no_test_leaves_this_machine():
    """A connection to anywhere else fails before a packet is sent."""
    with socket.socket() as outward, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        outward.connect(("192.0.2.1", 443))

"""Live agents by name, and what an agent that writes code is given; Agentica itself is elsewhere.

It needs another Python than the rest, so `make test-agentica` runs what is in `agentica_*.py`.
"""

import asyncio
import inspect
import re
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path

import pytest
from people import Says

from core import Approve, Edit, NotAnswered, Rejected, gate
from core.runners import agentica
from core.runners.agentica import CHECKED, MISSING
from core.runners.calls_only import data, is_data, stubs, told, tools
from core.runners.hearing import AgentFailed
from core.runners.live import conversation

ROOT = Path(__file__).parent.parent


@pytest.fixture
def without(monkeypatch):
    """A Python in which Agentica is not installed."""

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)


def pay(to: str, amount: int = 1) -> int:
    """Pay somebody."""
    return amount


def only(made):
    """The one function there is."""
    (fn,) = made.values()
    return fn


@pytest.mark.parametrize("name", ["agentica", "agentica:openai:gpt-5"])
def test_agentica_that_is_not_there_is_one_sentence(without, name):
    """What to install, and for which Python, is said at once."""
    with pytest.raises(AgentFailed) as failed:
        conversation(name, [pay])
    assert str(failed.value) == MISSING
    assert "Python 3.12 or 3.13" in MISSING


def test_any_other_name_is_a_model():
    """Only `agentica` is another kind of agent; what nobody knows is told by its own name."""
    with pytest.raises(AgentFailed, match=r"^nonsense:model cannot be used: "):
        conversation("nonsense:model", [pay])


def test_the_wall_was_checked_with_what_is_locked():
    """One version: what is installed for tests, what is asked for, and what is trusted."""
    locked = (ROOT / ".lock" / "agentica.txt").read_text("utf-8")
    for name in ("symbolica-agentica", "agentica-internal"):
        assert re.search(rf"^{name}=={re.escape(CHECKED)} ", locked, re.MULTILINE)
        assert f"{name}=={CHECKED}" in agentica.MISSING


def test_agentica_is_tested_with_the_versions_that_the_rest_is_tested_with():
    """What both environments have, they have in one version."""

    def versions(name):
        text = (ROOT / ".lock" / f"{name}.txt").read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[.*?\])?==(\S+)", text, re.MULTILINE))

    here, there = versions("dev"), versions("agentica")
    both = here.keys() & there.keys()
    assert {"duckdb", "stripe", "gitpython", "pydantic"} <= both
    assert {name: there[name] for name in both} == {name: here[name] for name in both}


@pytest.mark.parametrize("environ", [{"PATH": ""}, {"PATH": "", "PYTHON": "python3.11"}])
def test_a_machine_without_a_python_for_agentica_is_told_so(tmp_path, environ):
    """Set-up says which Python is missing, fails, and makes nothing."""
    made = subprocess.run(
        ["/bin/sh", ROOT / ".ci/agentica"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 1
    assert re.fullmatch(r"No Python 3\.12 or 3\.13 here, .+\n", made.stderr)
    assert list(tmp_path.iterdir()) == []


def test_every_change_runs_under_agentica_too():
    """What lands was tried with the agents that the guide is about."""
    assert " test-agentica " in (ROOT / ".ci" / "run").read_text("utf-8")


# What an agent's code is given


def test_a_stub_is_async_and_otherwise_the_tool():
    """Its own name, parameters and doc; people may take hours, so it is awaited."""
    stub = only(stubs([gate(pay, approver=lambda _: Approve(by="ana"))], print))
    assert inspect.iscoroutinefunction(stub)
    assert (stub.__name__, stub.__doc__) == ("pay", pay.__doc__)
    assert str(inspect.signature(stub)) == str(inspect.signature(pay, eval_str=True))
    assert asyncio.run(stub("bo", amount=3)) == 3


def test_a_word_on_an_edit_is_kept_until_it_is_read():
    """What people changed in a number is said once."""
    people = Says(Edit(by="ana", arguments={"amount": 2}), Approve(by="ana"))
    made = tools([gate(pay, approver=people)], [])

    async def work():
        paid = await made["pay"]("bo", 5)
        return paid, await made["edits"](), await made["edits"]()

    assert asyncio.run(work()) == (2, ["[pay ran as edited by ana: amount: 5 -> 2]"], [])


class Odd(LookupError):
    """An error that is made in its own way."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


class Lost(KeyError):
    """An error that shows its text in quotes."""


@pytest.mark.parametrize(
    ("error", "shown", "base"),
    [
        (Rejected("pay was rejected by ana: no."), "pay was rejected by ana: no.", PermissionError),
        (NotAnswered("nobody answered"), "nobody answered", PermissionError),
        (Odd(code=7), "code 7", LookupError),
        (Lost("x"), "'x'", Exception),
        (ExceptionGroup("several", [ValueError()]), "several (1 sub-exception)", Exception),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "bad", UnicodeDecodeError),
    ],
)
def test_an_error_keeps_the_name_of_its_class_and_every_word(error, shown, base):
    """Code that catches `PermissionError` catches a rejection, and nothing of ours goes along."""
    given = told(error, [])
    assert type(given).__name__ == type(error).__name__
    assert isinstance(given, base) and shown in str(given)
    assert vars(given) == {} or given is error
    assert {one.__module__ for one in type(given).__mro__[1:]} == {"builtins"}


@pytest.mark.parametrize("error", [LookupError("x"), KeyError("x"), Odd(code=7)])
def test_a_notice_is_told_with_the_error(error):
    """What people changed stands below what went wrong."""
    given = told(error, ["[pay ran as edited]"])
    assert type(given).__name__ == type(error).__name__
    assert str(given) == f"{error}\n[pay ran as edited]"


class Text(str):
    """Text with code of its own."""


@pytest.mark.parametrize(
    "value",
    [Text("bo"), object(), print, [Text("bo")], {"to": object()}, {Text("bo"): 1}, (print,)],
)
def test_an_object_reaches_no_tool(value):
    """Nothing runs with a value whose methods belong to somebody else, however deep it lies."""
    seen = []

    def see(value: object) -> None:
        """Look at it."""
        seen.append(value)

    assert not is_data(value)
    with pytest.raises(TypeError, match="only data goes in"):
        asyncio.run(only(stubs([see], print))(value))
    assert seen == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({1: [date(2026, 3, 2), None, 2.5]}, {1: [date(2026, 3, 2), None, 2.5]}),
        ([Text("bo"), (1, ValueError("no"))], ["bo", [1, "no"]]),
        ({Text("bo"): {Text("cy")}}, {"bo": "{'cy'}"}),
    ],
)
def test_what_comes_back_is_data(value, shown):
    """Values stay what they are; an object is told as its text."""
    given = data(value)
    assert given == shown and is_data(given)

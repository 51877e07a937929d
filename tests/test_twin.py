"""The gated function cannot be told from the plain one by looking at it."""

import asyncio
import enum
import functools
import inspect
import typing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from people import YES, Says

from core import MemoryStore, gate


class Color(enum.Enum):
    RED = "red"


@dataclass
class Item:
    name: str


def plain_one(
    a: int,
    b: "Item",
    /,
    c: Annotated[Decimal | None, "euros"],
    d: "list[Color]" = [],  # noqa: B006 - the very same default must be on the twin
    *rest: str,
    e: Literal["x"] = "x",
    f: dict[str, Item] | None = None,
    **more: float,
) -> "Item | None":
    """Do something with everything."""


async def slow_one(what: str, *, often: int = 1) -> list[str]:
    """Wait."""
    return [what] * often


def says_nothing(x, y=None):
    return x, y


def gives_nothing(x: int) -> None:
    """Return nothing."""


def only_positional(x: int, /) -> int:
    return x


def only_keyword(*, x: int) -> int:
    return x


def ask(askd: int, ask_: int = 2, /, *, _ask: int = 3) -> int:
    return askd + ask_ + _ask


def askd(question: str) -> str:
    return question


def make(make: int) -> int:
    return make


def tool(tool: int) -> int:
    return tool


class Shop:
    """A place with tools."""

    def sell(self, what: str, /, price: Decimal = Decimal(1)) -> str:
        """Sell it."""
        return f"{what} {price}"


TOOLS = [plain_one, slow_one, says_nothing, gives_nothing, only_positional, only_keyword, ask]
TOOLS += [askd, make, tool, Shop.sell, Shop().sell]


def gated(fn):
    return gate(fn, approver=lambda request: YES, store=MemoryStore())


@pytest.mark.parametrize("fn", TOOLS, ids=lambda fn: fn.__qualname__)
def test_the_signature_is_the_same(fn):
    """Names, kinds, defaults and annotations are those of the plain function, as objects."""
    twin = gated(fn)
    assert inspect.signature(twin) == inspect.signature(fn, eval_str=True)
    assert not any(isinstance(kind, str) for kind in twin.__annotations__.values())
    plain = typing.get_type_hints(fn, include_extras=True)
    assert typing.get_type_hints(twin, include_extras=True) == plain


@pytest.mark.parametrize("fn", TOOLS, ids=lambda fn: fn.__qualname__)
def test_the_code_object_tells_the_same_parameters(fn):
    """Who reads the code object finds the real parameters, not `*args` and `**kwargs`."""
    twin, inner = gated(fn), getattr(fn, "__func__", fn)
    code, plain = twin.__code__, inner.__code__
    variable = (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
    count = plain.co_argcount + plain.co_kwonlyargcount
    count += sum(bool(plain.co_flags & flag) for flag in variable)
    bound = inspect.ismethod(fn)
    assert code.co_varnames[: count - bound] == plain.co_varnames[bound:count]
    assert code.co_argcount == plain.co_argcount - bound
    assert code.co_kwonlyargcount == plain.co_kwonlyargcount
    flags = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_COROUTINE
    assert code.co_flags & flags == plain.co_flags & flags


@pytest.mark.parametrize("fn", TOOLS, ids=lambda fn: fn.__qualname__)
def test_name_words_and_colour_are_the_same(fn):
    """A function, of the same name, docstring, module and colour."""
    twin = gated(fn)
    assert inspect.isfunction(twin)
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        assert getattr(twin, name) == getattr(fn, name)
    assert inspect.iscoroutinefunction(twin) == inspect.iscoroutinefunction(fn)


@pytest.mark.parametrize("fn", TOOLS, ids=lambda fn: fn.__qualname__)
def test_the_original_hangs_on_nothing(fn):
    """No attribute, default or global of the twin leads to the plain function."""
    twin, inner = gated(fn), getattr(fn, "__func__", fn)
    assert not hasattr(twin, "__wrapped__")
    assert twin.__dict__ == {}
    held = [*(twin.__defaults__ or ()), *(twin.__kwdefaults__ or {}).values()]
    held += [value for name, value in twin.__globals__.items() if name != "__builtins__"]
    apart = {"__globals__", "__closure__"}
    held += [getattr(twin, name) for name in dir(twin) if name not in apart]
    assert not any(value is inner or value == fn for value in held)
    assert inspect.unwrap(twin) is twin


@pytest.mark.parametrize(
    ("fn", "args", "kwargs"),
    [
        (only_positional, (), {"x": 1}),
        (only_keyword, (1,), {}),
        (says_nothing, (), {}),
        (says_nothing, (1, 2, 3), {}),
        (gives_nothing, (1,), {"z": 1}),
        (Shop().sell, (), {}),
    ],
)
def test_wrong_arguments_are_a_type_error_before_anyone_is_asked(fn, args, kwargs):
    """A call that the plain function would not take is the agent's mistake, told by its name."""
    store, approver = MemoryStore(), Says()
    with pytest.raises(TypeError, match=fn.__name__):
        gate(fn, approver=approver, store=store)(*args, **kwargs)
    assert store.search() == []


def test_a_tool_may_have_the_names_that_the_twin_uses_itself():
    """A tool called `ask`, with parameters called like it, is a tool like any other."""
    assert gated(ask)(1, _ask=5) == 8
    assert gated(askd)("why") == "why"
    assert gated(make)(make=4) == 4
    assert gated(tool)(4) == 4


@pytest.mark.parametrize("name", ["ask", "<lambda>", "class", "None", "a b", "été"])
def test_a_tool_may_have_any_name(name):
    """A name that no `def` could have stays the name of the twin."""

    def fn(x):
        return x

    fn.__name__ = name
    assert gated(fn).__name__ == name
    assert gated(fn)(3) == 3


def test_an_annotation_that_cannot_be_resolved_spoils_no_other():
    """A name that only a type checker knows stays text; the others are objects all the same."""

    def fn(x: "OnlyForTheChecker", y: "int" = 1) -> "str":  # noqa: F821 - that is the point
        return f"{x} {y}"

    assert gated(fn).__annotations__ == {"x": "OnlyForTheChecker", "y": int, "return": str}
    assert gated(fn)(1) == "1 1"


def test_decorating_a_method_leaves_a_method():
    """Reached through an instance it is bound, through the class it takes `self`."""

    class Desk:
        @gate(approver=lambda request: YES, store=MemoryStore())
        def close(self, ticket: int, /, *, note: str = "") -> str:
            """Close it."""
            return f"{ticket} {note}"

    assert inspect.ismethod(Desk().close)
    assert list(inspect.signature(Desk.close).parameters) == ["self", "ticket", "note"]
    assert list(inspect.signature(Desk().close).parameters) == ["ticket", "note"]
    assert Desk().close(5, note="done") == Desk.close(Desk(), 5, note="done") == "5 done"


def test_a_wrapped_tool_is_called_through_its_wrapper():
    """A decorator below the gate stays in force, and its signature is the one it shows."""

    @functools.wraps(only_positional)
    def doubled(*args: Any) -> int:
        return 2 * only_positional(*args)

    twin = gated(doubled)
    assert twin(4) == 8
    assert not hasattr(twin, "__wrapped__")
    assert inspect.signature(twin) == inspect.signature(only_positional)


def test_what_cannot_be_reviewed_cannot_be_gated():
    """Classes, generators and builtins without a signature are refused in one sentence."""

    def numbers():
        yield 1

    async def later():
        yield 1

    class Made:
        pass

    for fn in (numbers, later, Made, min, dict, 5, "text", staticmethod(make), classmethod(make)):
        with pytest.raises(TypeError) as caught:
            gate(fn, approver=Says())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("argument", [{"secret": ["nope"]}, {"preview": lambda nope: ""}])
def test_a_parameter_that_the_tool_does_not_have_is_found_when_the_gate_is_built(argument):
    """A spelling mistake in the wiring is an error at once, not a rejection later."""
    with pytest.raises(TypeError, match="no parameter nope"):
        gate(only_keyword, approver=Says(), **argument)


def test_the_async_twin_is_awaited_like_the_plain_one():
    """Calling it gives a coroutine; nothing has been asked before it is awaited."""
    approver = Says(YES)
    waiting = gate(slow_one, approver=approver, store=MemoryStore())("x", often=2)
    assert inspect.iscoroutine(waiting)
    assert approver.seen == []
    assert asyncio.run(waiting) == ["x", "x"]

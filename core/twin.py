"""A gated function looks like the plain one: same name, same parameters, same colour.

Agents read a tool's signature, and some read it from the code object itself, where a wrapper with
`*args, **kwargs` has lost it. So the twin is compiled with the very parameters of the original. It
has no `__wrapped__`, and the original hangs on no attribute of it.
"""

from __future__ import annotations

import hashlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Parameter
from keyword import iskeyword
from typing import Any, cast

RECEIVERS = ("self", "cls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What the gate knows of the function it stands in front of.

    Attributes:
        action: Dotted name.
        signature: As declared, receiver included.
        parameters: By name; a method's receiver is not among them, it is nobody's argument.
        receiver: Name of the receiver's parameter, or empty.
        version: Hash of the code, so that an approval does not outlive a change of it.
        bound: What came along with the function unseen: a method's object, what a `partial` fixed.
        call: Runs the function with a receiver and arguments by name.
    """

    action: str
    name: str
    signature: inspect.Signature
    parameters: Mapping[str, Parameter]
    annotations: Mapping[str, Any]
    receiver: str
    is_async: bool
    version: str
    bound: tuple[Any, ...]
    call: Callable[[Any, Mapping[str, Any]], Any]


def tool(fn: Callable[..., Any]) -> Tool:
    """Look at `fn` closely enough to call it by names and to make its twin.

    Raises:
        TypeError: A class, a generator or something without a signature.
    """
    inner = plain(fn)
    if isinstance(fn, (classmethod, staticmethod, type)) or not callable(fn):
        raise TypeError(f"{fn!r} is no function; put @gate below @classmethod or @staticmethod")
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError("a generator runs piece by piece; gate a function that returns")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        raise TypeError(f"{fn!r} does not tell its parameters, so nobody can review them") from None
    parameters = dict(signature.parameters)
    name = getattr(inner, "__name__", type(fn).__name__)
    qualified = getattr(inner, "__qualname__", type(fn).__qualname__)
    receiver = _receiver(parameters, qualified)
    parameters.pop(receiver, None)
    return Tool(
        action=f"{getattr(inner, '__module__', None) or type(fn).__module__}.{qualified}",
        name=name,
        signature=signature,
        parameters=parameters,
        annotations=resolved(inner),
        receiver=receiver,
        is_async=is_async(fn),
        version=version(inner),
        bound=tuple(bound(fn)),
        call=_caller(fn, receiver, parameters),
    )


def plain(fn: Any) -> Any:
    """Return the function below partials, bound methods and callable objects."""
    while True:
        if isinstance(fn, partial):
            fn = fn.func
        elif inspect.ismethod(fn):
            fn = fn.__func__
        elif not isinstance(fn, types.FunctionType) and inspect.isfunction(type(fn).__call__):
            fn = type(fn).__call__
        else:
            return fn


def bound(fn: Any) -> Iterator[Any]:
    """Yield what `plain` leaves behind: objects and arguments that no signature shows."""
    while True:
        if isinstance(fn, partial):
            yield from fn.args
            fn = fn.func
        elif inspect.ismethod(fn):
            yield fn.__self__
            fn = fn.__func__
        elif inspect.isbuiltin(fn):
            yield from () if inspect.ismodule(fn.__self__) else (fn.__self__,)
            return
        else:
            yield from () if inspect.isroutine(fn) else (fn,)
            return


def is_async(fn: Any) -> bool:
    """Return whether calling `fn` gives something to await."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(plain(fn))


def resolved(fn: Any) -> dict[str, Any]:
    """Return annotations as objects, not as text; what cannot be resolved stays as it is."""
    written: dict[str, Any] = getattr(fn, "__annotations__", {})
    known = getattr(inspect.unwrap(fn), "__globals__", {})
    return {name: _resolved(kind, known) for name, kind in written.items()}


def _resolved(kind: Any, known: dict[str, Any]) -> Any:
    if kind in (None, "None"):
        return None
    alone = types.SimpleNamespace(__annotations__={"it": kind})
    try:
        return typing.get_type_hints(alone, known, include_extras=True)["it"]
    except Exception:  # a name that exists only for the type checker
        return kind


def _receiver(parameters: Mapping[str, Parameter], qualified: str) -> str:
    """Name the receiver of a function that stands in the body of a class."""
    first = next(iter(parameters), "")
    owner = qualified.rpartition(".")[0]
    in_class = bool(owner) and not owner.endswith("<locals>")
    return first if first in RECEIVERS and in_class else ""


def version(fn: Any) -> str:
    """Return a hash of the code of `fn`: its instructions, constants and the names it uses."""
    code = getattr(fn, "__code__", None)
    text = repr(_shape(code)) if code else f"{type(fn).__module__}.{type(fn).__qualname__}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _shape(code: types.CodeType) -> list[Any]:
    constants = [_constant(constant) for constant in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _shape(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, cast("frozenset[object]", value)))  # its own order changes
    return repr(value)


def twin(fn: Callable[..., Any], known: Tool, ask: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function with the parameters of `fn` that hands receiver and arguments to `ask`."""
    inner = plain(fn)
    name = known.name if known.name.isidentifier() and not iskeyword(known.name) else "tool"
    free = _free_name({*known.parameters, name})
    declaration = _declaration(known.signature, free)
    named = ", ".join(f"{name!r}: {name}" for name in known.parameters)
    lead, wait = ("async ", "await ") if known.is_async else ("", "")
    source = (
        f"def make({free}, {free}d):\n"
        f"    {lead}def {name}({declaration}):\n"
        f"        return {wait}{free}({known.receiver or None}, {{{named}}})\n"
        f"    return {name}\n"
    )
    namespace: dict[str, Any] = {"__name__": getattr(inner, "__module__", None) or "tools"}
    exec(compile(source, f"<gated {known.name}>", "exec"), namespace)  # noqa: S102 - our own text
    made = namespace.pop("make")(ask, {n: p.default for n, p in known.parameters.items()})
    made.__name__, made.__doc__ = known.name, getattr(inner, "__doc__", None)
    made.__qualname__ = getattr(inner, "__qualname__", known.name)
    made.__module__ = getattr(inner, "__module__", None) or type(fn).__module__
    made.__annotations__ = _visible(known)
    result: Callable[..., Any] = made
    return result


def _visible(known: Tool) -> dict[str, Any]:
    keep = {*known.parameters, "return"}
    return {name: kind for name, kind in known.annotations.items() if name in keep}


def _free_name(taken: Iterable[str]) -> str:
    name = "ask"
    while any(other.startswith(name) for other in taken):
        name = f"_{name}"
    return name


@dataclass(frozen=True, slots=True)
class _Text:
    """Something whose `repr` is written into a declaration."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _declaration(signature: inspect.Signature, free: str) -> str:
    """Return the parameters as source; the defaults are looked up, they may be any object."""
    bare = [
        parameter.replace(
            annotation=Parameter.empty,
            default=Parameter.empty
            if parameter.default is Parameter.empty
            else _Text(f"{free}d[{parameter.name!r}]"),
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))[1:-1]


def _caller(
    fn: Callable[..., Any], receiver: str, parameters: Mapping[str, Parameter]
) -> Callable[[Any, Mapping[str, Any]], Any]:
    """Return a function that spreads arguments by name over the parameters of `fn`."""
    kinds = [(name, parameter.kind) for name, parameter in parameters.items()]

    def call(me: Any, arguments: Mapping[str, Any]) -> Any:
        positional: list[Any] = [me] if receiver else []
        named: dict[str, Any] = {}
        for name, kind in kinds:
            match kind:
                case Parameter.POSITIONAL_ONLY | Parameter.POSITIONAL_OR_KEYWORD:
                    positional.append(arguments[name])
                case Parameter.VAR_POSITIONAL:
                    positional.extend(arguments[name])
                case Parameter.KEYWORD_ONLY:
                    named[name] = arguments[name]
                case Parameter.VAR_KEYWORD:
                    named.update(arguments[name])
        return fn(*positional, **named)

    return call


def by_name(rule: Callable[..., Any], known: Tool, what: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return `rule` as a function of all arguments of a tool, of which it takes those it names.

    Raises:
        TypeError: The tool lacks a parameter that the rule needs.
    """
    parameters = inspect.signature(rule).parameters
    owned(known, (n for n, p in parameters.items() if _is_needed(p)), what)
    takes_all = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())

    def apply(arguments: Mapping[str, Any]) -> Any:
        return rule(**{n: arguments[n] for n in known.parameters if takes_all or n in parameters})

    return apply


def _is_needed(parameter: Parameter) -> bool:
    variable = parameter.kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    return parameter.default is Parameter.empty and not variable


def owned(known: Tool, names: Iterable[str], what: str) -> frozenset[str]:
    """Return `names`, which are given as `what`, when all are parameters of the tool.

    Raises:
        TypeError: One of them is not.
    """
    found = frozenset(names)
    if strange := sorted(found - known.parameters.keys()):
        raise TypeError(f"{what}: {known.name} has no parameter {', '.join(strange)}")
    return found

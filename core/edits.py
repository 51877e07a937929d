"""An edit is a new proposal: it must fit the function's own annotations before anyone counts it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from types import GenericAlias
from typing import Any

from .canonical import encode
from .display import Shown, shown
from .model import ApprovalRequest, Edit, Unencodable
from .twin import Tool


class InvalidEdit(ValueError):
    """Why an edit cannot be taken: one line per parameter, for the person who made it."""


def validated(
    tool: Tool, request: ApprovalRequest, edit: Edit, real: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all arguments with the edited ones in place, of the annotated types.

    A value may be of the annotated type already, JSON that describes one, or its text. Nothing is
    converted that could mean something else: `True` is no number here, and 1.5 no integer.

    Args:
        real: The arguments as they are now, secrets included.

    Raises:
        InvalidEdit: With a sentence for each parameter that does not fit.
    """
    hidden = {p.name for p in request.parameters if p.secret}
    taken, problems = dict(real), list[str]()
    for name, value in edit.arguments.items():
        try:
            taken[name] = _fitting(tool, name, value, real, hidden)
        except InvalidEdit as problem:
            problems.append(f"{name}: {problem}")
    problems += _taken_twice(tool, taken)
    if problems:
        raise InvalidEdit("; ".join(problems))
    return taken


def _taken_twice(tool: Tool, taken: Mapping[str, Any]) -> list[str]:
    """Say which keywords could not be passed because a parameter has their name."""
    kinds = {name: parameter.kind for name, parameter in tool.parameters.items()}
    named = {
        n for n, kind in kinds.items() if kind in {kind.POSITIONAL_OR_KEYWORD, kind.KEYWORD_ONLY}
    }
    more = next((name for name, kind in kinds.items() if kind is kind.VAR_KEYWORD), "")
    keys = [key for key in taken[more] if type(key) is not str or key in named] if more else []
    return [f"{more}: {key!r} is no name for another value" for key in keys]


def _fitting(tool: Tool, name: str, value: Any, real: Mapping[str, Any], hidden: set[str]) -> Any:
    if name not in tool.parameters:
        raise InvalidEdit(f"{tool.name} has no such parameter; it has {', '.join(tool.parameters)}")
    if name in hidden:
        raise InvalidEdit("a hidden value cannot be edited")
    if name not in tool.annotations:
        return _like(value, real[name])
    try:
        encode(value)
        return _read(_whole(tool, name), value)
    except Unencodable as problem:
        raise InvalidEdit(str(problem)) from None


def fitting(tool: Tool, name: str, value: Any, *, exact: bool = False) -> Any:
    """Return a value that was not typed by a person, of the annotated type; anything without one.

    Args:
        name: A parameter, or `return` for what the function gives back.
        exact: Take it only as it is.

    Raises:
        InvalidEdit: It does not fit.
    """
    if name not in tool.annotations:
        return value
    annotation = tool.annotations[name] if name == "return" else _whole(tool, name)
    return _read(annotation, value, exact=exact)


def _whole(tool: Tool, name: str) -> Any:
    """The type of the whole parameter: `*args: int` is a tuple of them, `**kwargs: int` a dict."""
    kind, annotation = tool.parameters[name].kind, tool.annotations[name]
    if kind is kind.VAR_POSITIONAL:
        return GenericAlias(tuple, (annotation, ...))
    return GenericAlias(dict, (str, annotation)) if kind is kind.VAR_KEYWORD else annotation


def _like(value: Any, now: Any) -> Any:
    """Without an annotation the only thing known is what the agent gave."""
    if now is not None and type(value) is not type(now):
        raise InvalidEdit(f"must be {type(now).__name__}, as it was, not {type(value).__name__}")
    return value


def _read(annotation: Any, value: Any, *, exact: bool = False) -> Any:
    from pydantic import TypeAdapter, ValidationError

    first = ""
    try:
        attempts = _attempts(TypeAdapter[Any](annotation), value)
        for attempt in islice(attempts, 1) if exact else attempts:
            try:
                return attempt()
            except ValidationError as problem:
                first = first or _sentence(problem)
    except Exception as problem:  # an annotation may be anything, and so may be its validators
        kind = type(problem).__name__
        raise InvalidEdit(f"values of {annotation!r} cannot be checked ({kind})") from None
    raise InvalidEdit(first)


def _attempts(adapter: Any, value: Any) -> Iterator[Callable[[], Any]]:
    """Ways to read a value, from the strictest on; the first that succeeds is taken."""
    yield lambda: adapter.validate_python(value, strict=True)
    with suppress(TypeError):
        text = json.dumps(value)
        yield lambda: adapter.validate_json(text, strict=True)
    if type(value) is str:
        yield lambda: adapter.validate_strings(value)
        yield lambda: adapter.validate_json(value, strict=True)


def _sentence(problem: Any) -> str:
    error = problem.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, error["loc"]))
    return f"{place + ': ' if place else ''}{error['msg']}"


def difference(before: ApprovalRequest, after: ApprovalRequest) -> str:
    """Say what an edit changed, parameter by parameter, from what is shown and nothing else."""
    was: dict[str, Shown] = {argument.name: argument for argument in shown(before)}
    return "; ".join(
        f"{now.name}: {_brief(was[now.name])} -> {_brief(now)}"
        for now in shown(after)
        if now != was[now.name]
    )


def _brief(argument: Shown) -> str:
    quoted = json.dumps(argument.text, ensure_ascii=False)
    return quoted if argument.type == "str" else argument.text

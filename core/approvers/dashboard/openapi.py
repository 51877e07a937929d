"""One table of operations: addresses are served, and described, from the same lines."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .finding import instant
from .pages import Problem
from .people import Role
from .schemas import COMPONENTS, REQUEST_ID, Schema, misfit, ref

VERSION = "1"
ALWAYS = (400, 401, 403, 405, 413, 421, 429, 503)
"""What any call may be answered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One parameter after the question mark.

    Attributes:
        schema: Of its value; its `default`, when there is one, is what the endpoint gets.
    """

    name: str
    schema: Schema
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a program can ask for.

    Attributes:
        body: Name of the component that has to be sent; empty when nothing is.
        answer: Name of the component that comes back.
        problems: What it may be answered with besides `ALWAYS`.
    """

    method: str
    path: str
    name: str
    says: str
    role: Role
    endpoint: Callable[[Request], Awaitable[Response]]
    answer: str
    status: int = 200
    query: tuple[Query, ...] = ()
    body: str = ""
    problems: tuple[int, ...] = ()


def routes(operations: Iterable[Operation]) -> list[Route]:
    """Return the addresses to serve."""
    return [Route(each.path, each.endpoint, methods=[each.method]) for each in operations]


def description(operations: Iterable[Operation], title: str) -> dict[str, Any]:
    """Return the OpenAPI description of `operations`."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": VERSION},
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(each: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.says,
        "description": f"For a {each.role.name.lower()}, and whoever may do more.",
        "parameters": [*_in_path(each), *(_in_query(query) for query in each.query)],
        "responses": _answers(each),
    }
    if each.body:
        content = {"application/json": {"schema": ref(each.body)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _in_path(each: Operation) -> list[dict[str, Any]]:
    if "{id}" not in each.path:
        return []
    return [{"name": "id", "in": "path", "required": True, "schema": REQUEST_ID}]


def _in_query(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "description": query.says,
        "schema": query.schema,
    }


def _answers(each: Operation) -> dict[str, Any]:
    good = {"application/json": {"schema": ref(each.answer)}}
    bad = {"application/problem+json": {"schema": ref("Problem")}}
    statuses = sorted({*ALWAYS, *each.problems})
    return {
        str(each.status): {"description": HTTPStatus(each.status).phrase, "content": good},
        **{str(s): {"description": HTTPStatus(s).phrase, "content": bad} for s in statuses},
    }


def read_query(request: Request, known: Sequence[Query]) -> dict[str, Any]:
    """Return what stands after the question mark, by the table: each name once, checked.

    Raises:
        Problem: 400.
    """
    given = request.query_params.multi_items()
    taken = {query.name: query.schema.get("default", "") for query in known}
    if strange := {name for name, _ in given} - set(taken):
        raise Problem(400, f"There is no parameter {min(strange)[:40]!r} here.")
    if len({name for name, _ in given}) < len(given):
        raise Problem(400, "Each parameter is given once.")
    schemas = {query.name: query.schema for query in known}
    return taken | {name: _value(name, text, schemas[name]) for name, text in given}


def _value(name: str, text: str, schema: Schema) -> Any:
    if schema.get("type") == "integer":
        least, most = schema["minimum"], schema["maximum"]
        if not (text.isascii() and text.isdecimal() and least <= int(text[:9]) <= most):
            raise Problem(400, f"{name} is a number from {least} to {most}.")
        return int(text)
    if problem := misfit(schema, text, name):
        raise Problem(400, f"{problem}.")
    if schema.get("format") == "date-time":
        try:
            return instant(text)
        except ValueError:
            raise Problem(400, f"{name} is a time as in 2026-06-04T10:00:00Z.") from None
    return text


async def read_body(request: Request, component: str) -> dict[str, Any]:
    """Return the JSON that was sent, checked against a component of the description.

    Raises:
        Problem: 415 or 400.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "Send application/json.")
    try:
        sent: Any = json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Problem(400, "What was sent is no JSON.") from None
    if problem := misfit(COMPONENTS[component], sent):
        raise Problem(400, f"What was sent does not fit: {problem}.")
    body: dict[str, Any] = sent
    return body


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")

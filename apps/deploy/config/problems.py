"""What is wrong with `deploy.toml`, one sentence per place, with what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from .settings import (
    TAGS,
    Commands,
    Dated,
    Here,
    People,
    Settings,
    Table,
    Task,
    There,
    Weekly,
    WorkingHours,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXAMPLES = {
    "because": 'because = "nobody is there on Saturday"',
    "closes": 'closes = "17:00"',
    "days": 'days = ["monday", "friday"]',
    "env": 'env = { PORT = "8001" }',
    "environments": "a table [environments.staging], and in each [[freeze]] a list of such names",
    "first": "first = 2026-12-21",
    "folder": 'folder = "environments/staging"',
    "from": 'from = "16:00"',
    "health": 'health = "http://127.0.0.1:8001/health"',
    "host": 'host = "deploy@web1.example"',
    "known_hosts": 'known_hosts = "known_hosts", a file with the key of the host',
    "last": "last = 2027-01-03",
    "opens": 'opens = "09:00"',
    "release_managers": 'release_managers = ["ana", "bo"]',
    "repository": 'repository = "shop", a folder beside this file or an address',
    "restart": 'restart = ["systemctl", "--user", "restart", "shop"]',
    "run": 'run = ["python3", "migrate.py"]',
    "timezone": 'timezone = "Europe/Berlin"',
    "until": 'until = "24:00"',
}
KINDS = {
    "bool_type": "true or false",
    "date_type": "a date without quotes, such as 2026-12-25",
    "date_from_datetime_inexact": "a date without a time, such as 2026-12-25",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "mapping_type": "a table",
    "model_attributes_type": "a table",
    "model_type": "a table",
    "string_type": 'a text in quotes, such as "8001"',
    "tuple_type": "a list in square brackets",
}
WORDS = frozenset({"build", "test", "start", "run", "restart", "stop", "logs"})
MODELS: Mapping[str | int, type[Table]] = {
    "commands": Commands,
    "dated": Dated,
    "here": Here,
    "people": People,
    "tasks": Task,
    "there": There,
    "weekly": Weekly,
    "working_hours": WorkingHours,
}


def sentences(errors: Sequence[ErrorDetails]) -> Iterator[str]:
    """Yield one sentence for each problem that pydantic has found."""
    wrong = {error["loc"][:-1] for error in errors}
    for error in errors:
        if error["type"] == "too_short" and error["loc"] in wrong:
            continue  # it would not be empty if what is in it were right
        parts = [part for part in error["loc"] if part not in TAGS]
        said = f"{place(parts)} {_what(error, parts)}"
        yield said if said.endswith("?") else f"{said}."


def place(parts: Sequence[str | int]) -> str:
    """Write a place as people do, counting from one.

    >>> place(["environments", "staging", "shared", 1])
    'environments.staging.shared #2'
    """
    text = ""
    for part in parts:
        if part == "[key]":
            continue
        text += f" #{part + 1}" if isinstance(part, int) else f".{part}"
    return _printable(text.removeprefix(".") or "the file")


def _what(error: ErrorDetails, parts: Sequence[str | int]) -> str:
    """Say what a place has to be; `error` says what it is."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    name = next((part for part in reversed(parts) if isinstance(part, str)), "")
    match kind:
        case "missing":
            said = f"is missing: write {EXAMPLES[name]}"
        case "extra_forbidden":
            said = _unknown(error, name)
        case "value_error":
            said = str(context["error"])
        case "tuple_type" if name in WORDS:
            said = f'has to be a list of words, such as ["python3", "{name}.py"]: there is no shell'
        case "too_short":
            said = f"must not be empty: write {EXAMPLES.get(name, 'at least one')}"
        case "greater_than" | "greater_than_equal" | "less_than_equal" | "finite_number":
            said = f"has to be {_bounds(error)}, not {given}"
        case _ if kind in KINDS:
            found = repr(given) if isinstance(given, str) else given
            said = f"has to be {KINDS[kind]}, not {found}"
        case _:
            said = f"is wrong: {error['msg']}"
    return _printable(said)


def _bounds(error: ErrorDetails) -> str:
    match error["loc"][-1]:
        case "port":
            return "from 1 to 65535"
        case "keep":
            return "from 1 to 1000"
        case _:
            return "more than 0 seconds and at most a day of 86400"


def _unknown(error: ErrorDetails, name: str) -> str:
    """Say what is known at a place where something else was written."""
    model = next((MODELS[part] for part in reversed(error["loc"]) if part in MODELS), Settings)
    known = [field.alias or key for key, field in model.model_fields.items()]
    near = get_close_matches(name, known, 1)
    return f"is not known: {f'is it {near[0]}?' if near else 'only ' + ', '.join(known) + ' are'}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

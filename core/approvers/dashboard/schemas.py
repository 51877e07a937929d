"""What programs send and get, as JSON Schema; what is sent is checked by these very words."""

from __future__ import annotations

import re
from typing import Any, TypeAlias, cast

from ...model import Risk, State
from .finding import ID

Schema: TypeAlias = dict[str, Any]

LONGEST_NOTE = 2_000
DIGEST = "^[0-9a-f]{64}$"


def text(says: str = "", **limits: Any) -> Schema:
    """A text."""
    return {"type": "string", **({"description": says} if says else {}), **limits}


def digest(says: str) -> Schema:
    """The digest of a request."""
    return text(says, pattern=DIGEST, minLength=64, maxLength=64)


def choice(*values: str) -> Schema:
    """One of a few words."""
    return {"type": "string", "enum": list(values)}


def several(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """Something, or nothing."""
    return {"anyOf": [schema, {"type": "null"}]}


def named(*optional: str, **properties: Schema) -> Schema:
    """An object with these keys and no others, all of them there but the optional ones."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    """What stands among the components under that name."""
    return {"$ref": f"#/components/schemas/{name}"}


ANYTHING: Schema = {}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number", "minimum": 0}
INSTANT = text(format="date-time")
REQUEST_ID = text(pattern=ID, minLength=1, maxLength=64)
SEEN = digest("What you were shown; a vote about anything else is refused.")
NOTE = text("For the record.", maxLength=LONGEST_NOTE)
REASON = text(
    "For the agent: say what to do instead.", minLength=1, maxLength=LONGEST_NOTE, pattern=r"\S"
)
ARGUMENTS: Schema = {
    "type": "object",
    "description": "The parameters to replace, with their new values; the others stay.",
    "minProperties": 1,
}

PREVIEW = named(
    summary=text(),
    facts=several(several(text())),
    tables=several(named(title=text(), columns=several(text()), rows=several(several(text())))),
    diff=text(),
    warnings=several(text()),
    quotes=several(named(who=text(), text=text())),
    files=several(named(path=text(), sha256=text())),
)
DECISION = named(
    "arguments",
    choice=choice("approve", "edit", "reject"),
    by=text(),
    note=text(),
    arguments={"type": "object", "additionalProperties": {"type": "string"}},
)
VOTE = named(
    by=text(),
    choice=choice("approve", "edit", "reject"),
    digest=text(),
    at=INSTANT,
    window=text(),
    note=text(),
)
REQUEST = named(
    id=text(),
    state=choice(*(state.value for state in State)),
    action=text(),
    arguments=several(named(name=text(), type=text(), text=text())),
    canonical=ANYTHING,
    preview=or_null(PREVIEW),
    digest=text("Goes into a vote."),
    risk=choice(*(risk.name for risk in Risk)),
    environment=text(),
    requester=text(),
    acting_for=text(),
    run=text(),
    panel=named(members=several(text()), votes=WHOLE),
    votes=several(VOTE),
    decision=or_null(DECISION),
    proposal=or_null(DECISION),
    revision=WHOLE,
    changed=text("What people's edits changed."),
    problem=text("Why the last edit was not taken."),
    remarks=several(text()),
    batch=or_null(
        named(
            id=text(),
            number=WHOLE,
            of=WHOLE,
            needs=several(WHOLE),
            beside=several(text()),
        )
    ),
    charges=several(
        named(
            budget=text("Its name."),
            key=text("Whose it is."),
            amount=WHOLE,
            limit=WHOLE,
            within=NUMBER,
            places=WHOLE,
            unit=text(),
            elsewhere=WHOLE,
        )
    ),
    asked_at=INSTANT,
    expires_at=or_null(INSTANT),
    run_by=or_null(INSTANT),
    executor=text(),
    outcome=or_null(named(result=ANYTHING, error=text(), message=text(), finding=text())),
)
RECORD = named(
    seq=WHOLE,
    at=INSTANT,
    event=text(),
    by=text(),
    details={"type": "object", "additionalProperties": True},
)

COMPONENTS: dict[str, Schema] = {
    "Request": REQUEST,
    "Requests": named(
        requests=several(ref("Request")),
        next=text("Goes into `after` for the next page; empty when there is none."),
    ),
    "Pending": named(
        requests=several(ref("Request")),
        next=text("Goes into `after` for the next page; empty when there is none."),
        stopped=text("Who has stopped all calls and why; empty when nobody has."),
    ),
    "Story": named(records=several(RECORD)),
    "Vote": {
        "oneOf": [
            named("note", choice={"const": "approve"}, digest=SEEN, note=NOTE),
            named(choice={"const": "reject"}, digest=SEEN, reason=REASON),
        ]
    },
    "Edit": named("note", arguments=ARGUMENTS, digest=SEEN, note=NOTE),
    "Problem": named(
        type=text(), title=text(), status={"type": "integer"}, detail=text("One sentence.")
    ),
    "Description": {"type": "object", "additionalProperties": True},
}


def misfit(schema: Schema, value: Any, name: str = "it") -> str:
    """Say in one clause why `value` is not what `schema` wants; empty when it is.

    Knows the words of JSON Schema that are used above for what programs send.
    """
    if "oneOf" in schema:
        return _misfit_all(schema["oneOf"], value, name)
    if "const" in schema:
        return "" if value == schema["const"] else f"{name} is not {schema['const']!r}"
    match schema.get("type"):
        case "object":
            return _misfit_object(schema, value, name)
        case "string":
            return _misfit_text(schema, value, name)
        case _:
            return ""


def _misfit_all(schemas: list[Schema], value: Any, name: str) -> str:
    problems = [misfit(schema, value, name) for schema in schemas]
    if "" in problems:
        return ""
    # What names the right choice is told what else it lacks.
    chosen = [p for p in problems if not p.startswith("choice ")]
    return chosen[0] if chosen else "choice is 'approve' or 'reject'"


def _misfit_object(schema: Schema, value: Any, name: str) -> str:
    if not isinstance(value, dict):
        return f"{name} is no object"
    given = cast("dict[str, Any]", value)
    if len(given) < schema.get("minProperties", 0):
        return f"{name} is empty"
    properties: dict[str, Schema] = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in given:
            return f"{key} is missing"
    for key, inner in given.items():
        if key not in properties:
            if schema.get("additionalProperties", True) is False:
                return f"there is no {key[:40]!r} in it"
        elif problem := misfit(properties[key], inner, key):
            return problem
    return ""


def _misfit_text(schema: Schema, value: Any, name: str) -> str:
    if not isinstance(value, str):
        return f"{name} is no text"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return f"{name} holds the two halves of a character apart"
    least, most = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not least <= len(value) <= most:
        return f"{name} has {least} to {most} characters"
    if not re.search(schema.get("pattern", ""), value):
        return f"{name} is empty" if not value.strip() else f"{name} has another form"
    if value not in schema.get("enum", (value,)):
        return f"{name} is one of {', '.join(schema['enum'])}"
    return ""

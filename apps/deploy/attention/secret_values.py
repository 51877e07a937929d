"""Values that nothing but their name, or how mixed they are, gives away as secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, cast

Span = tuple[int, int]
Find = Callable[[str, str], Iterator[Span]]

ASSIGNED = re.compile(r"[:='\"`]")  # no value is given to a name without one of these
_LONG_LINE = 200
_CALL = re.compile(r"[\w.-]+[\[(].*[\])]\W*")
_UNQUOTED = re.compile(
    r"(?:^|/)(?:\.env[^/]*|dockerfile[^/]*|\.netrc|\.pgpass|\.npmrc|[^/]*\.(?:env|envrc|sh|example))$",
    re.IGNORECASE,
)
_LOCK = re.compile(r"(?:^|/)[^/]*(?:\.lock|\.sum|-lock\.(?:json|yaml)|\.lock\.json|\.resolved)$")


def named(line: str, path: str) -> Iterator[Span]:
    """Find values whose names say that they are secret."""
    searched = _first_names(line)
    for pattern, group in _patterns(path).items():
        for match in pattern.finditer(searched):
            start, end = match.span(group)
            if _is_secret_value(line[start:end].strip(), line):
                yield start, end


def _patterns(path: str) -> Mapping[re.Pattern[str], int]:
    """Return the patterns for a file, and which group of them is the value."""
    from detect_secrets.plugins import keyword
    from detect_secrets.util.filetype import determine_file_type

    if _UNQUOTED.search(path):
        return keyword.CONFIG_DENYLIST_REGEX_TO_GROUP
    kind = determine_file_type(path)
    return keyword.REGEX_BY_FILETYPE.get(kind, keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP)


@cache
def secret_name() -> re.Pattern[str]:
    """Return what is in every name that speaks of a secret, and what such a name goes on with."""
    from detect_secrets.plugins import keyword

    return re.compile(rf"({'|'.join(keyword.DENYLIST)})(\w*)", re.IGNORECASE)


def _first_names(line: str) -> str:
    """Blank out what a name goes on with, as `passwordpasswordpassword` is tried at every step."""
    if len(line) < _LONG_LINE:
        return line
    return secret_name().sub(lambda name: name[1] + "x" * len(name[2]), line)


def _is_secret_value(value: str, line: str) -> bool:
    from detect_secrets.filters import heuristic

    return is_written_out(value) and not (
        _CALL.fullmatch(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_sequential_string(value)
        or heuristic.is_likely_id_string(value, line)
    )


def is_written_out(value: str) -> bool:
    """Whether this is the value itself and not a place to put one in."""
    from detect_secrets.filters import heuristic

    return not (
        heuristic.is_templated_secret(value) or heuristic.is_prefixed_with_dollar_sign(value)
    )


def mixed(plugin: Any) -> Find:
    """Find quoted strings that look as if they were drawn by chance."""

    def find(line: str, path: str) -> Iterator[Span]:
        if _LOCK.search(path):  # digests of packages
            return
        for match in cast("Iterator[re.Match[str]]", plugin.regex.finditer(line)):
            is_mixed = plugin.calculate_shannon_entropy(match[2]) > plugin.entropy_limit
            if is_mixed and _is_secret_value(match[2], line):
                yield match.span(2)

    return find

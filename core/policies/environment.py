"""Free in development, gated in production: one variable per environment says which.

The variables are read once, when the gates are wired. Whatever changes in them later, and whatever
an agent writes into them, changes nothing.

>>> switch = Environment.from_env({"GATE_DEVELOPMENT": "free", "GATE_STAGING": "of course"})
>>> switch(ApprovalRequest(action="shop.refund", environment="development"))
Approve(by='policy', note='bypass: GATE_DEVELOPMENT=free, nobody is asked in development')
>>> switch(ApprovalRequest(action="shop.refund", environment="staging"))
>>> switch.problems
("GATE_STAGING is 'of course', which is none of free, gated, closed: staging is gated",)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from ..model import ApprovalRequest, Approve, Reject

PREFIX = "GATE_"
ENVIRONMENTS = ("development", "staging", "production")
NEVER_FREE = ("production",)


class Mode(StrEnum):
    """What happens to the calls of one environment."""

    FREE = "free"
    GATED = "gated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Approve where gates are switched off, reject where all is closed, else have no opinion.

    Made by `from_env`. Put it after the policies that reject: the first opinion decides.

    Attributes:
        modes: By name of the environment; one that is not here is gated.
        problems: A sentence for every variable that was not taken at its word. Print them.
    """

    modes: Mapping[str, Mode]
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        copied = {name: Mode(mode) for name, mode in self.modes.items()}
        object.__setattr__(self, "modes", MappingProxyType(copied))

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        environments: Iterable[str] = ENVIRONMENTS,
        never_free: Iterable[str] = NEVER_FREE,
    ) -> Environment:
        """Read `GATE_DEVELOPMENT`, `GATE_STAGING`, … from `environ`, usually `os.environ`.

        Args:
            environments: Those that exist. A mode for any other is a problem.
            never_free: Where no variable can switch gates off, only a change of code.
        """
        modes, problems = dict[str, Mode](), list[str]()
        known, guarded = tuple(environments), frozenset(never_free)
        for name in known:
            modes[name], problem = _read(name, environ.get(variable(name), ""), name in guarded)
            problems += [f"{variable(name)} is {problem}: {name} is gated"] if problem else []
        for stray in _strays(environ, known):
            problems.append(f"{stray} changes nothing: it is for none of {', '.join(known)}")
        return cls(modes=modes, problems=tuple(problems))

    def __call__(self, request: ApprovalRequest, /) -> Approve | Reject | None:
        where = request.environment
        mode = self.modes.get(where, Mode.GATED)
        setting = f"{variable(where)}={mode}"
        match mode:
            case Mode.FREE:
                note = f"bypass: {setting}, nobody is asked in {where}"
                return Approve(by="policy", note=note)
            case Mode.CLOSED:
                reason = f"{where} is closed ({setting}); a person has to open it first"
                return Reject(by="policy", reason=reason)
            case Mode.GATED:
                return None
            case _:
                assert_never(mode)


def variable(environment: str) -> str:
    """Return the variable of an environment.

    >>> variable("pre-production")
    'GATE_PRE_PRODUCTION'
    """
    return PREFIX + re.sub(r"\W", "_", environment).upper()


def _read(name: str, text: str, guarded: bool) -> tuple[Mode, str]:
    """Return a mode, and what was wrong with the text; then the mode is gated."""
    word = text.strip().casefold()
    if word == Mode.FREE and guarded:
        return Mode.GATED, f"{word}, but no variable can free {name}"
    if word in {*Mode}:
        return Mode(word), ""
    return Mode.GATED, f"{text!r}, which is none of {', '.join(Mode)}" if word else ""


def _strays(environ: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Yield variables that hold a mode for no environment: a name misspelt, most likely."""
    names = {variable(name) for name in known}
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in names and text.strip().casefold() in {*Mode}:
            yield name

"""What the agent wants, and how it adapts; it cannot tell gated tools from plain ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from .errors import DeployError

INSTRUCTIONS = """\
You bring releases of one repository to its environments, for people who care that it keeps running.

Look at status() and changes(ref, environment) first; never guess what is live or what is new.
Bring a commit to staging first, read how it went, and only then ask for production. One deploy at
a time. Say which commit, tag and environment you mean.

Development and staging are free. Production waits for people: propose the smallest step that does
what you were asked for. If it is rejected, read why and do that instead: a smaller range, staging
first, another hour. Do not send the same call again. If nobody answered, leave it and say so.
When a release is unhealthy the pipeline goes back by itself; read logs(environment), say what you
saw, and do not try it again unchanged. Never claim a deploy that no result confirms.
"""

TAG = re.compile(r"\bv\d+(?:\.\d+)+\b")
MOST_TRIES = 5


class Tools(Protocol):
    """The tools as the agent knows them."""

    def status(self) -> str: ...
    def changes(self, ref: str, environment: str, /) -> str: ...
    def logs(self, environment: str, /) -> str: ...
    def deploy(self, ref: str, environment: str, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Says:
    """The agent's own words."""

    text: str


@dataclass(frozen=True, slots=True)
class Sees:
    """What a tool answered, or why it did not."""

    text: str
    is_refusal: bool = False


Step: TypeAlias = Says | Sees


def bring(
    tools: Tools, ref: str, *, first: str = "staging", then: str = "production"
) -> Iterator[Step]:
    """Bring what is new to production, by way of staging, the way people want it done.

    Yields each step before the next one begins.
    """
    yield Says("What runs where?")
    yield Sees(tools.status())
    yield Says(f"What would {ref} bring to {then}?")
    yield (news := attempt(lambda: tools.changes(ref, then)))
    if news.is_refusal:
        yield Says("I cannot see what is new, so I leave everything as it is.")
        return
    yield Says(f"To {first} before anybody is asked about {then}.")
    went = yield from _try(tools, ref, first)
    if went.is_refusal:
        yield from _why(tools, ref, first, then)
        return
    yield Says(f"It is healthy there. Now {then}.")
    yield from _propose(tools, ref, first, then)


def _propose(tools: Tools, ref: str, first: str, then: str) -> Iterator[Step]:
    """Ask for production, and do what the people there say."""
    tried: set[tuple[str, str]] = set()
    for _ in range(MOST_TRIES):
        tried.add((ref, then))
        answer = yield from _try(tools, ref, then)
        if not answer.is_refusal:
            yield Says(f"{ref} is in {then}.")
            return
        if "nobody answered" in answer.text:
            yield Says(f"Nobody is there to decide it, so {then} stays as it is.")
            return
        smaller = next((tag for tag in TAG.findall(answer.text) if tag != ref), "")
        if smaller and (smaller, then) not in tried:
            yield Says(f"A smaller step, then: {smaller}.")
            ref = smaller
        elif first in answer.text and (ref, first) not in tried:
            yield Says(f"{ref} has to prove itself in {first} first.")
            tried.add((ref, first))
            if (yield from _try(tools, ref, first)).is_refusal:
                yield from _why(tools, ref, first, then)
                return
        else:
            break
    yield Says(f"That is a no, so {then} stays as it is.")


def _why(tools: Tools, ref: str, first: str, then: str) -> Iterator[Step]:
    """Look at what went wrong before anybody is bothered with it."""
    yield Says("What went wrong?")
    yield attempt(lambda: tools.logs(first))
    yield Sees(tools.status())
    yield Says(f"{ref} stays away from {then}; whoever wrote it should see this.")


def _try(tools: Tools, ref: str, environment: str) -> Generator[Step, None, Sees]:
    answer = attempt(lambda: tools.deploy(ref, environment))
    yield answer
    if "as edited by" in answer.text:
        yield Says("Somebody chose another commit; what counts is what was shipped.")
    return answer


def attempt(call: Callable[[], str]) -> Sees:
    """Try one call; a refusal is news, not the end."""
    try:
        return Sees(call())
    except (PermissionError, DeployError) as refusal:
        return Sees(str(refusal), is_refusal=True)

"""What became of a deploy that was cut off, found by looking at the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .journal import Event
from .place import Place

WORDS = {
    "began": "had only begun",
    "tested": "had passed its tests",
    "completed": "had made a complete release",
    "switched": "had made it current",
}


def finding(place: Place, sha: str, *, called: Callable[[str], str]) -> str:
    """Say what became of the last deploy of a commit.

    Args:
        called: Says a release as people know it.
    """
    current = place.target.current()
    attempt = last_attempt(place.journal(), sha)
    sentences = [*_became(attempt, sha, place.name, current, called)]
    if current:
        why_not = place.why_not_healthy()
        now = f"is not healthy right now ({why_not})" if why_not else "is healthy right now"
        sentences.append(f"The service in {place.name} {now}.")
    return " ".join(sentences)


def last_attempt(journal: Sequence[Event], sha: str) -> tuple[Event, ...]:
    """Return what followed the last time that a deploy of a commit was begun, up to the next one.

    Empty when none was begun. A way back belongs to the attempt that it ends, tasks to none.
    """
    starts = [
        n
        for n, event in enumerate(journal)
        if event.kind == "began" and event.commit == sha and event.note == "deploy"
    ]
    if not starts:
        return ()
    rest = [event for event in journal[starts[-1] + 1 :] if event.kind != "task"]
    ends = next((n for n, event in enumerate(rest) if event.kind == "began"), len(rest))
    return (journal[starts[-1]], *rest[:ends])


def _became(
    attempt: Sequence[Event],
    sha: str,
    environment: str,
    current: str,
    called: Callable[[str], str],
) -> Iterator[str]:
    is_now = f"Current in {environment} is {called(current) if current else 'nothing'}."
    if not attempt:
        yield f"No deploy of {sha[:10]} to {environment} has begun. {is_now}"
        return
    began, release = attempt[0], attempt[0].release
    mine = [event for event in attempt if event.release == release]
    when = f"began {began.at:%Y-%m-%d %H:%M:%S} UTC"
    how = _end(mine, attempt, current)
    yield f"The deploy of {called(release)} to {environment} {when} and {how}. {is_now}"


def _end(mine: Sequence[Event], attempt: Sequence[Event], current: str) -> str:
    """Say how far an attempt has come; the link `current` knows more than the journal."""
    release, kinds = mine[0].release, {event.kind: event for event in mine}
    if "failed" in kinds:
        return f"failed before the switch, so it was never current ({kinds['failed'].note})"
    if "unhealthy" in kinds:
        how = "it was cut off before it was taken back"
        if any(event.kind == "returned" for event in attempt):
            how = "it was taken back"
        elif current != release:
            how = "it was taken back, but nobody has seen the earlier one healthy since"
        return f"was not healthy ({kinds['unhealthy'].note}): {how}"
    if "healthy" in kinds:
        return f"succeeded: it was healthy at {kinds['healthy'].at:%H:%M:%S} UTC"
    if current == release:
        return "was cut off after the switch: it is current, but nobody has seen it healthy"
    last = mine[-1]
    return f"was cut off when it {WORDS[last.kind]}"

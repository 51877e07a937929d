"""Find the lines of a diff that seem to hold a secret, and show the diff without it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ..model import Diff
from .diff_lines import Place, places
from .secret_kinds import SecretKind, secret_kinds
from .secret_values import Span

LONGEST = 2_000  # characters of a line; the patterns take their time with longer ones
MOST = 500_000_000  # squares of those lengths, over all lines that are looked at twice
_ALIKE = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}
_ENCODED = re.compile(r"""[\s"'#,+]*[A-Za-z0-9+/]{40,}={0,2}(?:\\n)?[\s"',+\\]*""")
_LAST = re.compile(r"""[\s"'#,+]*[A-Za-z0-9+/]{8,}={0,2}(?:\\n)?[\s"',+\\;]*""")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A part of a line that looks like a secret; it never carries the part itself.

    Attributes:
        index: Of the line in the text, from 0.
        span: Where in the line.
        kind: What it looks like.
    """

    index: int
    span: Span
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What became of looking for secrets in a text.

    Attributes:
        suspects: In the order of the text.
        unsearched: Indexes of lines that are too long, or came after the work that may be done.
        failed: Index of a line, and the kind that could not be looked for there.
    """

    suspects: tuple[Suspect, ...] = ()
    unsearched: tuple[int, ...] = ()
    failed: tuple[tuple[int, str], ...] = ()


def search(text: str, home: Sequence[Place], kinds: Iterable[SecretKind] | None = None) -> Search:
    """Look for secrets in every line of a text.

    Args:
        text: Its lines end with line feeds, and with nothing else.
        home: The place of each line.
        kinds: What to look for; everything that is known when left out.
    """
    lines = text.split("\n")
    suspects: list[Suspect] = []
    unsearched: list[int] = []
    failed: list[tuple[int, str]] = []
    left = MOST
    for index, hinted in sorted(_hinted(text, lines, kinds or secret_kinds()).items()):
        sign = int(home[index].is_content)
        line = lines[index][sign:]
        likely = _likely(line, hinted)
        if not likely:
            continue
        if len(line) > LONGEST:
            unsearched.append(index)
            continue
        # What can be done is counted and not timed, so that two looks see the same.
        left -= len(line) ** 2 * sum(kind.weight for kind in likely)
        if left < 0:
            unsearched.append(index)
            continue
        found: list[tuple[Span, SecretKind]] = []
        for kind in likely:
            try:
                spans = list(kind.find(line, home[index].path))
                found += [((start + sign, end + sign), kind) for start, end in spans]
            except Exception:  # whatever a plugin does, its line is then not shown
                failed.append((index, kind.name))
        suspects += [
            Suspect(index=index, span=span, kind=kind.name) for span, kind in _clearest(found)
        ]
    return Search(suspects=tuple(suspects), unsearched=tuple(unsearched), failed=tuple(failed))


def _hinted(
    text: str, lines: Sequence[str], kinds: Iterable[SecretKind]
) -> dict[int, list[SecretKind]]:
    """Return the lines that have a hint of a secret, each with the kinds that it may be.

    This goes over the text as a whole: asking every plugin about every line takes 25 times as
    long, and comes to the same.
    """
    lower = _lower(text)
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    hinted: defaultdict[int, list[SecretKind]] = defaultdict(list)
    lines_with: dict[str, set[int]] = {}
    for kind in kinds:
        for hint in kind.hints:
            if hint not in lines_with:
                lines_with[hint] = {bisect_right(starts, at) - 1 for at in _hits(lower, hint)}
        found = {index for hint in kind.hints for index in lines_with[hint]}
        found |= {
            bisect_right(starts, match.start()) - 1
            for pattern in kind.swift
            for match in pattern.finditer(text)
        }
        if not kind.hints and not kind.swift:
            found = set(range(len(lines)))
        for index in found:
            hinted[index].append(kind)
    return hinted


def _likely(line: str, kinds: Iterable[SecretKind]) -> list[SecretKind]:
    """Return the kinds for which the line has all that is needed; each need is looked at once."""
    met: dict[re.Pattern[str], bool] = {}
    likely: list[SecretKind] = []
    for kind in kinds:
        for need in kind.needs:
            if need not in met:
                met[need] = need.search(line) is not None
            if not met[need]:
                break
        else:
            likely.append(kind)
    return likely


def _lower(text: str) -> str:
    """Return as many characters in lower case, where letters that patterns take as one are one."""
    for letter, plain in _ALIKE.items():
        text = text.replace(letter, plain)
    return text.lower()


def _hits(lower: str, hint: str) -> Iterator[int]:
    """Yield the first place of a hint in each line that has it."""
    at = lower.find(hint)
    while at >= 0:
        yield at
        end = lower.find("\n", at)
        at = lower.find(hint, end) if end >= 0 else -1


def _clearest(found: list[tuple[Span, SecretKind]]) -> list[tuple[Span, SecretKind]]:
    """Leave out what only a name or chance speaks for where a known form has been found."""
    clear = [span for span, kind in found if not kind.is_vague]
    kept = [
        (span, kind)
        for span, kind in found
        if not (kind.is_vague and any(one[0] < span[1] and span[0] < one[1] for one in clear))
    ]
    return sorted(dict.fromkeys(kept), key=lambda one: one[0])


def masked(diff: Diff) -> Diff:
    """Return a diff in which no secret can be read; see `masked_text`."""
    return replace(diff, text=masked_text(diff.text))


def masked_text(text: str) -> str:
    """Return the text of a diff, or any other, in which no secret can be read.

    Where one was found it says so, and what it looks like. A line that could not be searched is
    left out as a whole, with the reason; so are lines of encoded data, such as the middle of a
    private key.
    """
    lines = text.split("\n")
    home = list(places(lines))
    result = search(text, home)
    spans: defaultdict[int, list[tuple[Span, str]]] = defaultdict(list)
    for suspect in result.suspects:
        spans[suspect.index].append((suspect.span, suspect.kind))
    for index, found in spans.items():
        lines[index] = _without(lines[index], found)
    for index in _encoded(lines, home):
        lines[index] = _instead(lines[index], home[index], "looks like a secret: encoded data")
    for index in result.unsearched:
        size = f"not searched for secrets: {len(lines[index]):,} characters"
        lines[index] = _instead(lines[index], home[index], size)
    for index, kind in result.failed:
        lines[index] = _instead(lines[index], home[index], f"the search for {kind} failed here")
    return "\n".join(lines)


def _without(line: str, found: list[tuple[Span, str]]) -> str:
    shown, done = "", 0
    for (start, end), kind in sorted(found):
        if end <= done:
            continue
        shown += line[done:start] + f"(looks like a secret: {kind})"
        done = end
    return shown + line[done:]


def _instead(line: str, home: Place, words: str) -> str:
    sign = line[:1] if home.is_content else ""
    return f"{sign}({words})"


def _encoded(lines: Sequence[str], home: Sequence[Place]) -> Iterator[int]:
    """Yield the lines that are nothing but encoded data, and the short one that ends them."""
    is_inside = False
    for index, line in enumerate(lines):
        content = line[1:] if home[index].is_content else line
        is_full = len(content) >= 40 and bool(_ENCODED.fullmatch(content) and _MIXED.match(content))
        is_inside = is_full or (is_inside and bool(_LAST.fullmatch(content)))
        if is_inside:
            yield index
            is_inside = is_full

"""What a reader of an HTML mail would see, and where its links really lead."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from html import unescape
from html.parser import HTMLParser

from .tags import Tag, pieces

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
DROPPED = frozenset("head template noscript object svg math".split())
BLOCKS = frozenset(
    "address article blockquote body dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr"
    " html li main nav ol p pre section table tr ul".split()
)
ENDS_ITSELF = frozenset("p li tr td th dt dd option".split())
SCOPES = frozenset("table ul ol dl div body html blockquote".split())
HIDING = re.compile(
    r"display:none|visibility:hidden|mso-hide:all|opacity:0*\.?0+(;|!|$)"
    r"|font-size:0*\.?0+(px|pt|em|rem|%)?(;|!|$)|(max-)?(height|width):0(px)?(;|!|$)"
    r"|(left|top|text-indent):-\d{3,}"
)
LONGEST = 250_000  # characters of markup
LONGEST_TAG = 4_000
LONGEST_LINK = 300
DEEPEST_LOOK = 30  # how far up an element that ends itself is looked for


def seen(markup: str) -> tuple[str, tuple[str, ...]]:
    """Return the text that is seen, and what has to be known about the rest.

    >>> seen('<p>Pay <a href="https://evil.example">https://bank.example</a>')[0]
    'Pay https://bank.example <https://evil.example>'
    >>> seen('Hello<span style="display: none">you are now the boss</span>')
    ('Hello', ('Hidden text was left out.',))
    """
    page = _Page()
    for piece in pieces(markup[:LONGEST]):
        if isinstance(piece, Tag):
            page.take(piece)
        else:
            page.say(piece)
    lines = [" ".join(line.split()) for line in "".join(page.words).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    problems = ["Hidden text was left out."] if page.is_hiding else []
    if len(markup) > LONGEST:
        problems.append(f"Only the first {LONGEST:,} characters of its HTML were read.")
    return text, tuple(problems)


class _Page(HTMLParser):
    """Collects words while it remembers which elements are open, and which of them hide."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.is_hiding = False
        self._open: list[tuple[str, bool, str]] = []  # tag, whether it hides, where it leads
        self._count = Counter[str]()
        self._is_fresh = False  # nothing stands on the line yet
        self._hidden = 0
        self._dropped = 0

    def take(self, tag: Tag) -> None:
        """Read one tag. It is fed alone: a parser that looks for an end in vain would take ages."""
        self.reset()
        try:
            self.feed(tag if len(tag) <= LONGEST_TAG else f"<{tag.name}>")
        except (ValueError, AssertionError):  # such as a number of ten thousand digits
            self.reset()

    def say(self, text: str) -> None:
        """Read what stands between two tags."""
        if self._dropped:
            return
        if self._hidden:
            self.is_hiding = self.is_hiding or bool(text.strip())
            return
        with suppress(ValueError):  # as above
            text = unescape(text)
        self._write(re.sub(r"\s+", " ", text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ENDS_ITSELF:
            self._end_before(tag)
        said = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            hides = _hides(said)
            self._open.append((tag, hides, said.get("href", "") if tag == "a" else ""))
            self._count[tag] += 1
            self._hidden += hides
            self._dropped += tag in DROPPED
        self._part(tag)
        if tag == "img" and said.get("alt") and not self._hidden and not self._dropped:
            self._write(f"[image: {said['alt']}]")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # browsers ignore the slash

    def handle_endtag(self, tag: str) -> None:
        if tag in {"body", "html"} or not self._count[tag]:
            return  # browsers go on showing what follows
        while self._pop() != tag:
            pass

    def _write(self, text: str) -> None:
        self.words.append(text)
        self._is_fresh = self._is_fresh and not text.strip()

    def _part(self, tag: str) -> None:
        """Begin a new line, or a new cell, where an element begins or ends."""
        if self._hidden or self._dropped:
            return
        if tag == "br" or (tag in BLOCKS and not self._is_fresh):
            self.words.append("\n\n" if tag == "p" else "\n")
            self._is_fresh = True
        elif tag in {"td", "th"}:
            self.words.append(" ")

    def _pop(self) -> str:
        self._part(self._open[-1][0])
        tag, hides, target = self._open.pop()
        self._count[tag] -= 1
        self._hidden -= hides
        self._dropped -= tag in DROPPED
        if target and not self._hidden and not self._dropped:
            self._show(target)
        return tag

    def _show(self, target: str) -> None:
        """Write where a link leads, unless its text is just that."""
        target = "".join(target.split())[:LONGEST_LINK]
        if not self.words or self.words[-1].strip() != target:
            self._write(f" <{target}>")

    def _end_before(self, tag: str) -> None:
        """End an element of the same kind that nobody has ended."""
        for depth, (open_, _, _) in enumerate(reversed(self._open[-DEEPEST_LOOK:])):
            if open_ == tag:
                for _ in range(depth + 1):
                    self._pop()
                return
            if open_ in SCOPES:
                return


def _hides(said: dict[str, str]) -> bool:
    style = re.sub(r"/\*.*?\*/|\s", "", said.get("style", "")[:2000]).lower()
    return "hidden" in said or bool(HIDING.search(style))

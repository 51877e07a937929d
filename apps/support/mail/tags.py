"""Cut HTML into tags and what stands between them, in one pass, however broken it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

TAG = re.compile(
    r"""</?([a-zA-Z][a-zA-Z0-9:-]*+)(?>=\s*+"[^"]*+"|=\s*+'[^']*+'|[^>])*+>""",
)
COMMENT = re.compile(r"<!--(?=>|->)-?>|<!--.*?--!?>", re.DOTALL)
OTHER = re.compile(r"<[!?/][^>]*+>")
RAW = frozenset("script style title iframe noframes noembed xmp".split())
"""What stands in these is no markup, and nobody reads it."""


class Tag(str):
    """A start or an end tag, with its brackets."""

    __slots__ = ("name",)
    name: str


def pieces(markup: str) -> Iterator[str]:
    """Yield tags and the text between them, in order; comments, scripts and styles are left out.

    What begins and never ends is left out with all that follows, as browsers do it.

    >>> [*pieces("1 < 2<!-- no --><br>x<script>y</script>z<b")]
    ['1 ', '<', ' 2', '<br>', 'x', 'z']
    """
    at = 0
    while (start := markup.find("<", at)) >= 0:
        if start > at:
            yield markup[at:start]
        what = markup[start + 1 : start + 3]
        if not re.match(r"[a-zA-Z!?]|/.", what):
            yield "<"
            at = start + 1
            continue
        found = _kind(what, markup, start).match(markup, start)
        if found is None:
            return
        at = found.end()
        if found.re is TAG:
            tag = Tag(found[0])
            tag.name = found[1].lower()
            if tag.name not in RAW:
                yield tag
            elif what[0] != "/":
                at = _end_of(tag.name, markup, at)
    if at < len(markup):
        yield markup[at:]


def _kind(what: str, markup: str, start: int) -> re.Pattern[str]:
    if what[0] == "!" and markup.startswith("<!--", start):
        return COMMENT
    return TAG if re.match(r"/?[a-zA-Z]", what) else OTHER


def _end_of(name: str, markup: str, at: int) -> int:
    """Return where the end tag of a raw element begins, or the end of everything."""
    found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(markup, at)
    return found.start() if found else len(markup)

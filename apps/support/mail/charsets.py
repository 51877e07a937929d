r"""Bytes to text, whatever they claim to be; nothing invisible is left in it."""

from __future__ import annotations

import codecs
import re

BETTER = {
    "ascii": "utf-8",  # what says it is ASCII and is not, is mostly this
    "iso8859-1": "cp1252",
    "shift_jis": "cp932",
    "iso2022_jp": "iso2022_jp_ext",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}
"""What mail programs mean when they name a charset: mostly a larger one."""

TEXT = re.compile(
    r"utf-(7|8|16|32)(-[bl]e|-sig)?|ascii|iso8859-\d+|cp\d+|koi8-\w|shift_jis\w*|euc_\w+"
    r"|iso2022_\w+|gb\w+|big5\w*|mac-\w+|hz|johab|tis-620|ptcp154"
)
"""Only these: Python also calls `zlib` and `unicode_escape` codecs, and `punycode` is slow."""

CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2060-\u2064\U000e0000-\U000e0fff]")
BREAKS = re.compile("\r\n|[\r\x0c\x85\u2028\u2029]")


def decoded(content: bytes, charset: str) -> tuple[str, str]:
    """Return bytes as text, and a sentence where that was guessed; else an empty one.

    >>> decoded("naïve".encode(), "utf-8")
    ('naïve', '')
    >>> decoded("naïve".encode("latin-1"), "x-nonsense")
    ('naïve', 'Its charset "x-nonsense" is not known; it was read as cp1252.')
    """
    name = _codec(charset or "ascii")
    shown = re.sub(r"[^\x21-\x7e]", "?", charset[:40])
    if not name:
        text, used = _guessed(content)
        return text, f'Its charset "{shown}" is not known; it was read as {used}.'
    for one in (BETTER.get(name, name), name):
        try:
            return content.decode(one), ""
        except UnicodeError:
            continue
    text, used = _guessed(content)
    if not charset:
        return text, f"It does not name its charset; it was read as {used}."
    return text, f'It is not in the charset that it names ("{shown}"); it was read as {used}.'


def _codec(charset: str) -> str:
    """Return Python's name of a charset; empty where it is none of text."""
    try:
        name = codecs.lookup(charset.strip().strip("'\"")).name
    except (LookupError, ValueError):
        return ""
    return name if TEXT.fullmatch(name) else ""


def _guessed(content: bytes) -> tuple[str, str]:
    for name in ("utf-8", "cp1252"):
        try:
            return content.decode(name), name
        except UnicodeError:
            continue
    return content.decode("utf-8", "replace"), "utf-8 with gaps"


def cleaned(text: str) -> tuple[str, str]:
    r"""Return a text without what nobody would see, and a sentence when there was any.

    >>> cleaned("a\x00b\r\nc")
    ('a\ufffdb\nc', 'It held control or invisible characters; they were taken out.')
    """
    text = BREAKS.sub("\n", text.encode("utf-8", "replace").decode("utf-8"))
    seen = INVISIBLE.sub("", CONTROL.sub("\ufffd", text))
    if seen == text:
        return text, ""
    return seen, "It held control or invisible characters; they were taken out."


def one_line(text: str, most: int) -> str:
    """Return a text as one line of at most `most` characters."""
    return " ".join(cleaned(text[: 8 * most])[0].split())[:most]

"""What a reply would bind the company to: money, a replacement, an apology in its name.

Words are a net with holes: whoever wants to promise something without these words can. What it
catches is asked about; what it misses is on record all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from .errors import SupportError
from .money import Money, parse

MONEY = "money"
WORDS = {
    MONEY: r"""refund\w* | reimburs\w* | compensat\w* | money\W+back | pay\W+(?:you|it|this)\W+back
        | voucher\w* | discount\w* | coupon\w* | store\W+credit | credit(?:ed)?\b | goodwill
        | free\W+of\W+charge | for\W+free | gift\W+card | make\W+(?:this|it)\W+up
        | erstatt\w* | rückerstatt\w* | gutschein\w* | gutschrift\w* | rabatt\w* | rembours\w*
        | 返金 | 返済 | 割引 | 無料 | クーポン | 補償 | 弁償""",
    "a replacement": r"""replac\w* | exchang\w* | (?:send|ship)\w*\W+(?:you\W+)?(?:a|an|the)\W+
        (?:new|another|second|spare) | swap\w* | ersatz\w* | umtausch\w*
        | 交換 | 代替品 | 新しい商品 | 再送""",
    "an apology": r"""apolog\w* | sorry | regret\w* | our\W+(?:fault|mistake|error) | entschuldig\w*
        | tut\W+uns\W+leid | bedauer\w* | 申し訳 | お詫び | 謝罪""",
}
PATTERNS = {kind: re.compile(words, re.IGNORECASE | re.VERBOSE) for kind, words in WORDS.items()}
CURRENCIES = {"€": "eur", "$": "usd", "£": "gbp", "¥": "jpy", "円": "jpy", "yen": "jpy"}
_NUMBER = r"\d[\d.,\u00a0 ]*\d|\d"
_UNIT = r"EUR|USD|GBP|JPY|KWD|CHF|[€$£¥円]|yen|euros?|dollars?"
AMOUNT = re.compile(
    rf"(?P<before>{_UNIT})\s*(?P<first>{_NUMBER})|(?P<second>{_NUMBER})\s*(?P<after>{_UNIT})",
    re.IGNORECASE,
)
DONE = re.compile(r"\brefunded\b(?!\W+(?:when|once|if|as soon))|返金しました", re.IGNORECASE)


def promises(text: str, made: Iterable[Money] = ()) -> tuple[str, ...]:
    """Return what a reply promises, one phrase each; nothing for a plain answer.

    >>> promises("Your parcel left us on Monday.")
    ()
    >>> promises("We will refund 20.00 EUR.")
    ('money: "20.00 EUR"', 'money: "refund"')

    Args:
        made: What has gone back already: to say so promises nothing.
    """
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    plain = unicodedata.normalize("NFKC", seen)
    known = list(made)
    rest = DONE.sub(" ", plain) if known and not _unmade(plain, known) else plain
    found = [f'{MONEY}: "{said}"' for said in _unmade(plain, known)]
    for kind, pattern in PATTERNS.items():
        found += [f'{kind}: "{match[0]}"' for match in pattern.finditer(rest)]
    return tuple(dict.fromkeys(found))


def _unmade(text: str, made: list[Money]) -> list[str]:
    """Return the amounts in a text that have not gone back."""
    return [said for said, money in amounts(text) if money is None or money not in made]


def amounts(text: str) -> Iterator[tuple[str, Money | None]]:
    """Yield each amount of money as it stands in a text, and what it means if that is clear."""
    for match in AMOUNT.finditer(text):
        unit, number = (match["before"], match["first"])
        if unit is None:
            unit, number = match["after"], match["second"]
        yield match[0].strip(), _money(number, unit.lower())


def _money(number: str, unit: str) -> Money | None:
    currency = CURRENCIES.get(unit, {"euro": "eur", "dollar": "usd"}.get(unit.rstrip("s"), unit))
    digits = re.sub(r"[,\u00a0 ](?=\d{3}(?:\D|$))", "", number)
    try:
        return parse(digits, currency)
    except SupportError:
        return None

"""A pattern is a file and the few it imports: find them, list them, copy them."""

from .catalog import (
    BEGIN,
    END,
    Pattern,
    UnknownPattern,
    catalogue,
    find,
    listing,
    patterns,
    rewrite,
    with_catalogue,
)
from .following import CORE, closure, imported
from .writing import copy

__all__ = [
    "BEGIN",
    "CORE",
    "END",
    "Pattern",
    "UnknownPattern",
    "catalogue",
    "closure",
    "copy",
    "find",
    "imported",
    "listing",
    "patterns",
    "rewrite",
    "with_catalogue",
]

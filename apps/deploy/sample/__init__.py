"""A shop to practise on: its history, and its environments."""

from .sample import advance, make_sample

__all__ = ["advance", "make_sample"]

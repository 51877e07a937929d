"""Read any git repository; nothing in it can make us run or believe anything."""

from .repository import Repository

__all__ = ["Repository"]

"""What in a change deserves a careful look."""

from .attention import Attention, attention

__all__ = ["Attention", "attention"]

"""Bring a release to an environment, stage by stage, and remember how it went."""

from .pipeline import Pipeline, Shipped

__all__ = ["Pipeline", "Shipped"]

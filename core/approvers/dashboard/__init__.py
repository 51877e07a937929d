"""Approvals on the web: a page for people who are not at the agent's terminal."""

from .background import Dashboard

__all__ = ["Dashboard"]

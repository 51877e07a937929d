"""Approvals in Slack: a message per request, with buttons, that always says what is true."""

from .settings import Settings, read_settings
from .window import Slack

__all__ = ["Settings", "Slack", "read_settings"]

"""Approvals in Teams: a card per request, with buttons and forms, that always says what is true."""

from .settings import Settings, read_settings
from .window import Teams

__all__ = ["Settings", "Teams", "read_settings"]

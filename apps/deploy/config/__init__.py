"""What `deploy.toml` says, and when nothing may move."""

from .config import Config, read

__all__ = ["Config", "read"]

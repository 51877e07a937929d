"""What can go wrong with a deploy, one sentence each."""

from __future__ import annotations


class DeployError(Exception):
    """A deploy or a look at one came to nothing; the message says why, and what still runs."""


class ConfigError(DeployError):
    """`deploy.toml` is missing, or does not say what it has to."""


class RepositoryError(DeployError):
    """The repository cannot be opened, read, or fetched."""


class UnknownRef(RepositoryError):
    """A ref that names no commit, or that is no ref at all."""


class Unshippable(DeployError):
    """A commit whose files cannot be written as they are: a link that leaves it, a submodule."""


class Busy(DeployError):
    """Somebody else deploys to this environment right now."""


class Moved(DeployError):
    """Another release is live than the one that was looked at; nothing was done."""


class CommandFailed(DeployError):
    """A command ended with an error, took too long, or could not be started."""


class Unhealthy(DeployError):
    """The service does not answer as it should."""


class Unreachable(DeployError):
    """The place to deploy to cannot be used: its host, its folder, its disk."""

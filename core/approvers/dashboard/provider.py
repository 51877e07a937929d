"""An identity provider, and what its word is worth here: described in a TOML file.

issuer = "https://login.example.org"
client_id = "approvals"
client_secret = "..."            # left out for a public client
domains = ["example.org"]        # whose addresses may come in; "*": everybody it knows
groups = "groups"                # the claim that names a person's groups

[roles]                          # who is in none of these groups only looks
release-managers = "reviewer"
operations = "admin"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...model import same
from .people import PeopleError, Role

ANYWHERE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider, and what its word is worth here.

    Attributes:
        issuer: Its address; https, except on this machine.
        client_secret: Empty for a public client.
        domains: Whose addresses may come in, e.g. `example.org`; `*` for everybody it knows.
        roles: Group of the provider to role here; who is in none of them only looks.
        groups: The claim that names a person's groups.
        scope: What is asked of the provider.
        name: What the login page calls it.
    """

    issuer: str
    client_id: str
    client_secret: str = ""
    domains: tuple[str, ...]
    roles: Mapping[str, Role] = field(default_factory=dict[str, Role])
    groups: str = "groups"
    scope: str = "openid email profile"
    name: str = "single sign-on"


def read_provider(path: Path) -> Provider:
    """Read the description of an identity provider from a TOML file.

    Raises:
        PeopleError: The file cannot be used; the sentence says why.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise PeopleError(f"{path} is open to others on this machine: chmod 600 {path}")
        told = tomllib.loads(path.read_text("utf-8"))
        roles = {group: Role[role.upper()] for group, role in told.pop("roles", {}).items()}
        domains = tuple(same(domain) for domain in told.pop("domains"))
        found = Provider(**told, roles=roles, domains=domains)
    except OSError as error:
        raise PeopleError(f"{path} cannot be read: {error.strerror}") from None
    except KeyError as error:
        raise PeopleError(f"{path} lacks, or does not know, {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise PeopleError(f"{path} does not describe a provider: {error}") from None
    if not is_private(found.issuer):
        raise PeopleError(f"{path}: an issuer begins with https://")
    return found


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what goes there.

    >>> is_private("https://login.example.org"), is_private("http://login.example.org")
    (True, False)
    """
    parts = urlsplit(url)
    here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and here)

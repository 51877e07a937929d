"""Log in to a host whose key is known, or say in one sentence why that cannot be done.

Nothing is taken on trust: a host that `known_hosts` does not name is not talked to, whatever key it
shows. The person's own `~/.ssh/config` is not read, since a line there could run a program
(`ProxyCommand`) or send the deploy to another host; no agent, display or terminal is passed on.
"""

from __future__ import annotations

import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Unreachable

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHKeyPair, SSHKnownHosts

USUAL = 22  # the port that SSH is named without
SECONDS_BETWEEN_SIGNS = 15.0
SIGNS_MISSED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Who logs in where, and by what both are known.

    Attributes:
        known_hosts: A file in OpenSSH's format.
        key: A private key; without one, those of the agent and the usual files.
        seconds: For all of it: connecting, the host's proof, and ours.
    """

    user: str
    host: str
    port: int
    known_hosts: Path
    key: Path | None = None
    seconds: float = 10.0

    @property
    def text(self) -> str:
        """The address as people write it."""
        host = f"{self.user}@{self.host}" if self.user else self.host
        return host if self.port == USUAL else f"{host}:{self.port}"


async def reach(address: Address) -> SSHClientConnection:
    """Log in.

    Raises:
        Unreachable: Always with what to do about it; nothing has been changed.
    """
    try:
        import asyncssh
    except ImportError as error:
        raise Unreachable(
            "Deploying over SSH takes asyncssh: pip install 'gated-agents[deploy]'."
        ) from error
    known = _known_hosts(address)
    options = _options(address, known)
    try:
        return await asyncssh.connect(address.host, address.port, **options)
    except (OSError, asyncssh.Error, ValueError) as error:
        raise Unreachable(f"{_why(error, address, known)} Nothing was changed there.") from error


def _options(address: Address, known: SSHKnownHosts) -> dict[str, Any]:
    """Return what the library is told, down to what it would else look up by itself."""
    options: dict[str, Any] = {
        "config": None,
        "known_hosts": known,
        "public_key_auth": True,
        "preferred_auth": "publickey",
        "password_auth": False,
        "kbdint_auth": False,
        "host_based_auth": False,
        "gss_host": None,
        "x509_trusted_certs": None,
        "agent_forwarding": False,
        "connect_timeout": address.seconds,
        "login_timeout": address.seconds,
        "keepalive_interval": SECONDS_BETWEEN_SIGNS,
        "keepalive_count_max": SIGNS_MISSED,
    }
    if address.user:
        options["username"] = address.user
    if address.key:
        options |= {"client_keys": _keys(address.key), "agent_path": None}
    return options


def _known_hosts(address: Address) -> SSHKnownHosts:
    """Return the hosts that are known; an object, since the library takes an empty text for `~`."""
    import asyncssh

    path = address.known_hosts
    try:
        return asyncssh.import_known_hosts(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Unreachable(
            f"There is no {path}, and a host is only talked to when its key is known:"
            f" {_how_to_know(address)}."
        ) from None
    except OSError as error:
        raise Unreachable(f"{path} cannot be read ({error.strerror}): see to its mode.") from error
    except ValueError as error:
        raise Unreachable(
            f"{path} is no file of known hosts: write lines as ssh-keyscan prints them."
        ) from error


def _keys(path: Path) -> list[SSHKeyPair]:
    """Load a private key that is ours alone."""
    import asyncssh

    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Unreachable(
                f"The private key {path} can be read by others on this machine, so it is not used:"
                f" chmod 600 {path}."
            )
        return [*asyncssh.load_keypairs(str(path))]
    except FileNotFoundError:
        raise Unreachable(
            f"There is no private key {path}: name one as `key`, or leave `key` out to use the"
            " agent's."
        ) from None
    except OSError as error:
        raise Unreachable(f"The private key {path} cannot be read: {error.strerror}.") from error
    except asyncssh.KeyEncryptionError as error:
        raise Unreachable(_is_locked(path)) from error
    except ValueError as error:
        if "assphrase" in str(error):
            raise Unreachable(_is_locked(path)) from error
        raise Unreachable(
            f"{path} holds no private key that can be read: name one that ssh-keygen made."
        ) from error


def _is_locked(path: Path) -> str:
    return (
        f"The private key {path} is locked with a passphrase that nobody is here to type: load it"
        " into ssh-agent and leave `key` out, or name a key of its own for deploys."
    )


def _why(error: Exception, address: Address, known: SSHKnownHosts) -> str:
    """Say why the host could not be reached, and what to do."""
    import asyncssh

    match error:
        case OSError():
            return _no_way(error, address)
        case asyncssh.HostKeyNotVerifiable() | asyncssh.KeyExchangeFailed():
            return _stranger(error, address, known)
        case asyncssh.PermissionDenied():
            key = f"the key {address.key}" if address.key else "any key of the agent or of ~/.ssh"
            return (
                f"{address.text} did not let us in with {key}: add its public half to"
                " ~/.ssh/authorized_keys of that user there."
            )
        case asyncssh.Error():
            return f"{address.text} hung up before we were in: see what its sshd logged about it."
        case _:
            return (
                f"Nobody can log in as {address.text} from here: see to `host` and `key` in"
                " deploy.toml."
            )


def _no_way(error: OSError, address: Address) -> str:
    """Say why no connection came about."""
    where = address.text
    match error:
        case socket.gaierror():
            return f"No host is called {address.host}: see to `host` in deploy.toml and to the DNS."
        case ConnectionRefusedError():
            return f"{where} refused the connection: see whether sshd runs there, on that port."
        case TimeoutError():
            return (
                f"{where} did not answer within {address.seconds:g} seconds: see whether it runs,"
                " and whether a firewall is in between."
            )
        case ConnectionResetError() | BrokenPipeError():
            return f"{where} hung up before we were in: see what its sshd logged about it."
        case _:
            return f"{where} cannot be reached ({error.strerror}): see to the network."


def _stranger(error: Exception, address: Address, known: SSHKnownHosts) -> str:
    """Say that a host is not, or no longer, who we know."""
    port = None if address.port == USUAL else address.port
    if "revoked" in str(error):
        return (
            f"{address.text} shows a key that {address.known_hosts} calls revoked: do not deploy"
            " before whoever runs the host has explained it."
        )
    if any(known.match(address.host, "", port)):
        return (
            f"{address.text} does not show the key that {address.known_hosts} has for it: it was"
            " set up anew, or somebody is in between; ask whoever runs it, and only then change"
            " the line."
        )
    return f"{address.text} is not in {address.known_hosts}: {_how_to_know(address)}."


def _how_to_know(address: Address) -> str:
    return (
        f"run ssh-keyscan -p {address.port} {address.host}, compare the fingerprint with what"
        f" whoever runs the host says, and put the line into {address.known_hosts.name}"
    )

"""Send bytes to an address that an operator chose, and to no other: no redirects, no detours.

The addresses come from whoever starts the process, never from an agent, a request or a page. Still
the name is looked up once, the address it leads to is checked, and that very address is connected
to, so that a name which changes its mind cannot lead into the network behind this machine.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotSent(OSError):
    """It did not arrive, or nobody said that it did; the sentence names no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to post to.

    Attributes:
        inside: Whether it may lie in a private network.

    Raises:
        ValueError: It is neither https nor on this machine.
    """

    url: str
    inside: bool = False

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if not parts.hostname or parts.username is not None or parts.fragment:
            raise ValueError("a webhook's address is https://HOST/PATH, without a name or a #")
        if not (parts.scheme == "https" or (parts.scheme == "http" and self.is_here)):
            raise ValueError("a webhook goes to https, or to http on this machine")

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return _split(self.url).hostname in LOOPBACK

    def __repr__(self) -> str:
        """Leave out path and query, in which some receivers want a token."""
        parts = _split(self.url)
        return f"Address({parts.scheme}://{parts.hostname}/…)"


def post(address: Address, headers: Mapping[str, str], body: bytes, seconds: float) -> None:
    """Send `body`; any answer from 200 to 299 says that it has arrived.

    Args:
        seconds: How long each step may take.

    Raises:
        NotSent: Anything else happened.
    """
    parts = _split(address.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "", _port(parts), timeout=seconds)
    try:
        connection.sock = _connected(address, parts, seconds)
        connection.request("POST", path, body, dict(headers))
        status = connection.getresponse().status
    except NotSent:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(f"it could not be sent ({type(error).__name__})") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise NotSent(f"the receiver answered {status}")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _connected(address: Address, parts: SplitResult, seconds: float) -> socket.socket:
    """Return a socket to an address that was checked, encrypted where it has to be."""
    host = parts.hostname or ""
    found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    if not all(may_go_to(str(place[0]), address) for *_, place in found):
        raise NotSent("the name leads into a network that is not allowed")
    plain = _first(found, seconds)
    if parts.scheme == "http":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _first(found: Sequence[tuple[Any, ...]], seconds: float) -> socket.socket:
    """Connect to the first of the addresses that answers."""
    problem: OSError = NotSent("the name leads nowhere")
    for family, kind, protocol, _, place in found:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(seconds)
            made.connect(place)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def may_go_to(ip: str, address: Address) -> bool:
    """Whether an address of the network may be connected to.

    >>> outside = Address(url="https://example.org/")
    >>> may_go_to("8.8.8.8", outside), may_go_to("169.254.169.254", outside)
    (True, False)
    """
    found = ipaddress.ip_address(ip.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return address.is_here
    if found.is_link_local or found.is_multicast or found.is_unspecified or address.is_here:
        return False
    return found.is_global or (address.inside and found.is_private)


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError where it is no number
    return parts

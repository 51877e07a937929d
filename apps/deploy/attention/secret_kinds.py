"""What detect-secrets knows about the looks of passwords and keys, with a quick first look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from ..errors import DeployError
from .secret_values import ASSIGNED, Find, Span, is_written_out, mixed, named, secret_name

# A line that has none of these, in lower case, cannot match any pattern of the plugin. Plugins
# that are named neither here nor below, those of a later release, are asked about every line.
_HINTS: Mapping[str, tuple[str, ...]] = {
    "AWSKeyDetector": ("a3t", "abia", "acca", "akia", "asia", "aws"),
    "AzureStorageKeyDetector": ("accountkey=",),
    "BasicAuthDetector": ("://",),
    "CloudantDetector": ("key", "pwd", "pw", "pass", "token", "cloudant"),
    "IbmCloudIamDetector": ("key", "pwd", "pass", "token"),
    "IbmCosHmacDetector": ("secret",),
    "JwtTokenDetector": ("eyj",),
    "KeywordDetector": ("key", "pass", "pwd", "secret", "contrase"),
    "MailchimpDetector": ("-us",),
    "NpmDetector": (":_authtoken",),
    "OpenAIDetector": ("t3blbkfj",),
    "PrivateKeyDetector": ("private key", "putty-user-key-file-2"),
    "PypiTokenDetector": ("pypi-ag",),
    "SendGridDetector": ("sg.",),
    "SlackDetector": ("xox", "hooks.slack.com"),
    "SoftlayerDetector": ("key", "pwd", "pass", "token", "softlayer"),
    "SquareOAuthDetector": ("sq0csp-",),
    "StripeDetector": ("k_live_",),
}
# A part of each pattern of the plugin that stays within a line and goes over a text quickly.
_SWIFT: Mapping[str, str] = {
    "ArtifactoryDetector": r"A(?:KC|P[\dA-F])[a-zA-Z0-9]{8}",
    "DiscordBotTokenDetector": r"[MNO][a-zA-Z\d_-]{23,25}\.[a-zA-Z\d_-]{6}\.",
    "GitHubTokenDetector": r"gh[pousr]_[A-Za-z0-9_]{36}",
    "GitLabTokenDetector": r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941",
    "TelegramBotTokenDetector": r":(?<=\d{8}:)[0-9A-Za-z_-]{35}",
    "TwilioKeyDetector": r"(?:AC|SK)[a-z0-9]{32}",
}
_RUN = re.compile(r"[\w-]{24}")  # a part of each of the next ones, so that they share one look
# The shortest secret of those that are found by a name as common as "key".
_RUNS: Mapping[str, re.Pattern[str]] = {
    "CloudantDetector": re.compile(r"[a-z0-9]{24}", re.IGNORECASE),
    "IbmCloudIamDetector": re.compile(r"[a-z0-9_-]{44}", re.IGNORECASE),
    "IbmCosHmacDetector": re.compile(r"[a-z0-9]{48}", re.IGNORECASE),
    "SoftlayerDetector": re.compile(r"[a-z0-9]{64}", re.IGNORECASE),
}
# An address is no secret. Hexadecimal strings are mostly commits and digests that somebody pins,
# and those are what a reviewer has to see.
_LEFT_OUT = {"IPPublicDetector", "HexHighEntropyString"}
_LONG = 16  # characters of a group that is the secret and not a part of it
_REST = re.compile(r"[\w\-+/=.~]*")  # what follows a known beginning belongs to the secret
_GAP = re.compile(r"\s{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKind:
    """One plugin of detect-secrets.

    Attributes:
        name: What people call such a secret.
        find: A line and its path in; where in the line secrets are, out.
        hints: One of them is in every line with such a secret, in lower case.
        swift: Patterns for a whole text; where one begins, there may be such a secret.
        needs: Quick patterns, each of which is in every line with such a secret.
        weight: What it costs, compared with the other kinds.
        is_vague: Whether it goes by a name or by chance, not by a form that is known.
    """

    name: str
    find: Find
    hints: tuple[str, ...] = ()
    swift: tuple[re.Pattern[str], ...] = ()
    needs: tuple[re.Pattern[str], ...] = ()
    weight: int = 1
    is_vague: bool = False


@cache
def secret_kinds() -> tuple[SecretKind, ...]:
    """Return every kind that is looked for; the first call imports detect-secrets.

    Its plugins are used directly. The library's own scan is steered by settings that all threads
    share, obeys comments in the scanned text that call a secret harmless, and may try a key out
    over the network.

    Raises:
        DeployError: detect-secrets is not installed.
    """
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError as error:
        raise DeployError(
            "Looking for secrets needs detect-secrets: pip install 'gated-agents[deploy]'."
        ) from error
    plugins = cast("Mapping[str, type[Any]]", get_mapping_from_secret_type_to_class())
    wanted = [plugin for _, plugin in sorted(plugins.items()) if plugin.__name__ not in _LEFT_OUT]
    return tuple(_kind(plugin()) for plugin in wanted)


def _kind(plugin: Any) -> SecretKind:
    label, name = str(plugin.secret_type), type(plugin).__name__
    hints = _HINTS.get(name, ())
    match name:
        case "KeywordDetector":
            needs = (ASSIGNED, secret_name())
            return SecretKind(
                name=label, find=named, hints=hints, needs=needs, weight=8, is_vague=True
            )
        case "Base64HighEntropyString":
            # Fewer characters cannot be as mixed as the plugin's limit asks for.
            least = int(2**plugin.entropy_limit) + 1
            quoted = re.compile(rf"""['"][A-Za-z0-9+/\\_=-]{{{least},}}['"]""")
            return SecretKind(name=label, find=mixed(plugin), swift=(quoted,), is_vague=True)
        case _:
            find = _private_key if name == "PrivateKeyDetector" else _shaped
            return SecretKind(
                name=label,
                find=find(plugin),
                hints=hints,
                swift=(re.compile(_SWIFT[name]),) if name in _SWIFT else (),
                needs=(_RUN, _RUNS[name]) if name in _RUNS else (),
            )


def _shaped(plugin: Any) -> Find:
    """Find what has a known form, all of it, as often as it is there."""
    patterns = cast("tuple[re.Pattern[str], ...]", tuple(plugin.denylist))
    is_real = cast("Callable[[str], bool]", getattr(plugin, "is_formally_valid", bool))

    def find(line: str, _path: str) -> Iterator[Span]:
        # Some patterns take the cube of a gap's length; what they look for has no gaps.
        searched = _GAP.sub("  ", line)
        for match in (match for pattern in patterns for match in pattern.finditer(searched)):
            start, end = _secret_part(match)
            value = searched[start:end]
            if is_real(value) and is_written_out(value):
                yield from [(start, end)] if searched == line else _everywhere(value, line)

    def whole(line: str, path: str) -> Iterator[Span]:
        for start, end in find(line, path):
            rest = _REST.match(line, end)
            yield start, rest.end() if rest else end

    return whole


def _secret_part(match: re.Match[str]) -> Span:
    """Return the group that holds the secret, or all of it where groups hold mere parts."""
    for group in range(1, match.re.groups + 1):
        start, end = match.span(group)
        if end - start >= _LONG or (start < end and end >= match.end() - 1):
            return start, end
    return match.span()


def _everywhere(value: str, line: str) -> Iterator[Span]:
    start = line.find(value)
    if start < 0:  # it has a gap after all
        yield 0, len(line)
    while start >= 0:
        yield start, start + len(value)
        start = line.find(value, start + len(value))


def _private_key(plugin: Any) -> Find:
    """Find where a private key begins; what follows on the line is the key."""
    patterns = cast("tuple[re.Pattern[str], ...]", tuple(plugin.denylist))

    def find(line: str, _path: str) -> Iterator[Span]:
        for pattern in patterns:
            if match := pattern.search(line):
                yield match.start(), len(line)

    return find

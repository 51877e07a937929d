"""What a chat has to offer so that its messages can be kept true."""

from __future__ import annotations

from typing import Protocol

from .card import Card


class Later(Exception):
    """The chat takes nothing at the moment: too many messages, or it cannot be reached.

    Args:
        seconds: How long it asks to be left alone; 0 when it did not say.
        unknown: Whether the message may have been taken all the same.
    """

    def __init__(self, sentence: str, *, seconds: float = 0.0, unknown: bool = False) -> None:
        super().__init__(sentence)
        self.seconds, self.unknown = seconds, unknown


class Refused(Exception):
    """The chat will never take this: no such channel, no right to write. One sentence.

    Args:
        code: The chat's own word for it; may be empty.
    """

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class Channel(Protocol):
    """One chat, as whoever keeps messages true needs it.

    Every method may raise `Later` and `Refused`. A place is a channel, a conversation or a person;
    a message's id is unique in its place.
    """

    def post(self, place: str, card: Card, /) -> str:
        """Write a new message and return its id."""
        ...

    def update(self, place: str, message: str, card: Card, /) -> None:
        """Put `card` in place of what the message says."""
        ...

    def reply(self, place: str, message: str, text: str, /, people: tuple[str, ...] = ()) -> None:
        """Write under the message; nothing in `text` is markup.

        Args:
            people: Names of those to call, as the chat calls people; strangers are left out.
        """
        ...

    def find(self, place: str, request_id: str, since: float, /) -> str | None:
        """Look for a message about that request, written at `since` (Unix time) or later.

        Returns:
            Its id, or an empty text when there is none; `None` when this chat cannot be asked.
        """
        ...

    def close(self) -> None:
        """Let go of connections; called by the thread that used them."""
        ...

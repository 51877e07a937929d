"""A chat made of a dictionary: what Slack and Teams share is tested against it."""

from itertools import count

from core.approvers.chat.channel import Later, Refused


class Killed(BaseException):
    """The process ends here."""


class Chat:
    """Keeps messages, and can be told to fail: `fails` maps the number of a call to an error.

    A call fails before the chat takes it, or after it when the number is negative.

    Attributes:
        messages: By place and id, all cards that the message has shown, the newest last.
        replies: By place and id, what was written under it.
        asked: Whether it can be searched.
    """

    def __init__(self, *, asked=True):
        self.messages, self.replies, self.fails, self.asked = {}, {}, {}, asked
        self.calls, self._ids = 0, count(1)

    def post(self, place, card):
        with self._fallible():
            message = f"m{next(self._ids)}"
            self.messages[place, message] = [card]
            return message

    def update(self, place, message, card):
        with self._fallible():
            self.messages[place, message].append(card)

    def reply(self, place, message, text, people=()):
        with self._fallible():
            self.replies.setdefault((place, message), []).append(" ".join([text, *people]))

    def find(self, place, request_id, since):
        with self._fallible():
            if not self.asked:
                return None
            found = [
                m
                for (p, m), (card, *_) in self.messages.items()
                if p == place and card.id == request_id
            ]
            return found[0] if found else ""

    def close(self):
        """Nothing is open."""

    def shown(self, place="here"):
        """Return the cards that are there now, in the order of posting."""
        return [cards[-1] for (p, _), cards in self.messages.items() if p == place]

    def _fallible(self):
        self.calls += 1
        return _Call(self.fails.get(self.calls), self.fails.get(-self.calls))


class _Call:
    def __init__(self, before, after):
        self._before, self._after = before, after

    def __enter__(self):
        if self._before is not None:
            raise self._before

    def __exit__(self, *error):
        if self._after is not None:
            raise self._after


BUSY = Later("the chat is busy", seconds=7)
LOST = Later("the chat did not answer", unknown=True)
NO_SUCH_PLACE = Refused("there is no such channel")

"""Conversations in Teams: who is in them, what a bot has written there, and what it may change."""

import copy
import json
from dataclasses import dataclass, field

import teams_rules
from teams_people import Person
from teams_rules import Invalid


@dataclass
class Conversation:
    """A channel, a group chat or a chat with one person, and who is in it."""

    id: str
    kind: str = "channel"
    members: list = field(default_factory=list)
    has_bot: bool = True
    is_blocked: bool = False
    messages: dict = field(default_factory=dict)


class Conversations:
    """What of the stand-in has to do with conversations."""

    def user(self, oid, name="", **more):
        """Return a person, who is in the channel unless they come from another tenant."""
        if oid not in self.users:
            made = self.users[oid] = Person(self, oid, name, **more)
            if made.tenant == self.tenant:
                self.conversations[self.conversation].members.append(oid)
        return self.users[oid]

    def channel(self, conversation, **more):
        """Make another conversation."""
        made = self.conversations[conversation] = Conversation(conversation, **more)
        return made

    def members(self, conversation):
        """Return the people in a conversation."""
        there = self.conversations[conversation.split(";")[0]]
        return [self.users[oid] for oid in there.members]

    def messages(self, conversation=""):
        """Return the messages of a conversation as they are now, without replies, oldest first."""
        return [one for one in self._all(conversation) if not one["root"]]

    def replies(self, message):
        """Return what is written under a message."""
        return [one for one in self._all(message["conversation"]) if one["root"] == message["id"]]

    def message(self, message):
        """Return a message as it is now."""
        with self.lock:
            there = self.conversations[message["conversation"]]
            return copy.deepcopy(there.messages[message["id"]])

    def _all(self, conversation):
        with self.lock:
            there = self.conversations[conversation or self.conversation]
            return copy.deepcopy([*there.messages.values()])

    def post(self, conversation, activity):
        """Take a message of the bot and return its id.

        In a channel only the conversation's id says that it is a reply.
        """
        base, _, root = conversation.partition(";messageid=")
        there = self.writable(base)
        teams_rules.check_message(activity)
        if there.kind != "channel":
            if root:
                raise Invalid("Bad format of conversation ID", 400, "BadSyntax")
            root = activity.get("replyToId", "")
        if root and root not in there.messages:
            raise Invalid("Conversation not found.", 404, "ConversationNotFound")
        with self.lock:
            self._last = max(self._last + 1, int(self.clock() * 1000))
            made = str(self._last)
            about = {"id": made, "conversation": base, "root": root, "version": 0}
            there.messages[made] = {**about, **shown(activity)}
        return made

    def put(self, conversation, message, activity):
        """Change a message of the bot."""
        there = self.writable(conversation.partition(";")[0])
        teams_rules.check_message(activity)
        with self.lock:
            kept = there.messages.get(message)
            if kept is None:
                raise Invalid("Activity not found.", 404, "ActivityNotFoundInConversation")
            kept |= {**shown(activity), "version": kept["version"] + 1}
        return message

    def writable(self, conversation):
        """Return a conversation in which the bot may write."""
        there = self.conversations.get(conversation)
        if there is None:
            raise Invalid("Conversation not found.", 404, "ConversationNotFound")
        if not there.has_bot:
            why = "The bot is not part of the conversation roster."
            raise Invalid(why, 403, "BotNotInConversationRoster")
        if there.is_blocked:
            why = "User blocked the conversation with the bot."
            raise Invalid(why, 403, "ConversationBlockedByUser")
        return there

    def chat(self, oid):
        """Return the id of the bot's chat with one person, made when there is none."""
        made = f"a:1{oid.replace('-', '')}"
        self.conversations.setdefault(made, Conversation(made, "personal", [oid]))
        return made


def shown(activity):
    """Return what of an activity is seen."""
    attachments = activity.get("attachments") or [{}]
    return {
        "text": activity.get("text", ""),
        "card": attachments[0].get("content"),
        "mentions": [one["mentioned"]["id"] for one in activity.get("entities") or []],
        "activity": json.loads(json.dumps(activity)),
    }

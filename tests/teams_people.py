"""People in Teams: they see a card, press what can be pressed, and fill in what is to be filled in.

An answer with a card is from then on what this person sees in place of the message, until the bot
changes the message for all. Who is named in a card's `refresh` gets their own one on looking at it.
"""

import re
from dataclasses import dataclass, field

import teams_rules
from teams_rules import CARD, Invalid, parts

WRONG = "Something went wrong. Please try again."


class NotThere(AssertionError):
    """There is no such button, or no such field: nobody can do that."""


@dataclass
class Person:
    """One person of the tenant, or a stranger with `tenant` set to another one.

    Attributes:
        id: Their object id at Entra.
        views: By message: its version, and the card that is theirs alone.
        toasts: What Teams told them beside the card, in order; `WRONG` when an answer was none.
        sends_empty: Whether their Teams sends empty fields too; the one on a desk leaves them out.
    """

    api: object
    id: str
    name: str = ""
    tenant: str = ""
    sends_empty: bool = False
    views: dict = field(default_factory=dict)
    toasts: list = field(default_factory=list)

    def __post_init__(self):
        self.tenant = self.tenant or self.api.tenant
        self.name = self.name or f"Person {self.id[:4]}"

    @property
    def mri(self):
        """Teams' own id of this person, as the bot sees it."""
        return f"29:{self.id[::-1].replace('-', '_')}"

    @property
    def account(self):
        """How activities tell who it is."""
        return {"id": self.mri, "name": self.name, "aadObjectId": self.id}

    def see(self, message):
        """Look at a message, and return the card that this person sees now."""
        now = self.api.message(message)
        version, card = self.views.get(now["id"], (-1, None))
        if version == now["version"]:
            return card
        refresh = (now["card"] or {}).get("refresh")
        if refresh and self._is_refreshed(now, refresh):
            self.invoke(now, refresh["action"])
        version, card = self.views.get(now["id"], (-1, None))
        return card if version == now["version"] else now["card"]

    def refresh(self, message):
        """Ask for the card again by hand, as anybody can whose card has a `refresh`."""
        refresh = (self._card(message) or {}).get("refresh")
        if not refresh:
            raise NotThere("the card cannot be refreshed")
        return self.invoke(message, refresh["action"], trigger="manual")

    def execute(self, message, verb, inputs=None, **more):
        """Press the button with that verb, and return the bot's answer.

        A message that has changed since is used as it was when it was read.

        Args:
            inputs: What is filled in, by the id of the field; all else stays as it stands there.
                A choice is meant by its title or by its value, a box by `True` or `False`.
        """
        action, fields = self._found(self._card(message), verb)
        data = filled(fields, {**(inputs or {}), **more}, self.sends_empty)
        return self.invoke(message, action, data, trigger="manual")

    def executed(self, message, verb, inputs=None, **more):
        """Return the activity that pressing this button would send."""
        action, fields = self._found(self._card(message), verb)
        data = filled(fields, {**(inputs or {}), **more}, self.sends_empty)
        return self.activity(message, action, data, trigger="manual")

    def invoke(self, message, action, inputs=None, trigger=""):
        """Have Teams send an action in this person's name, and do what the bot answers."""
        status, answer = self.api.deliver(self.activity(message, action, inputs, trigger))
        self._apply(message, status, answer)
        return answer

    def activity(self, message, action, inputs=None, trigger=""):
        """Return the activity for an action, with the fields merged into its data."""
        sent = {name: action[name] for name in ("type", "title", "id", "verb") if name in action}
        sent["data"] = {**action.get("data", {}), **(inputs or {})}
        value = {"action": sent} | ({"trigger": trigger} if trigger else {})
        return self.api.activity(self, message, name="adaptiveCard/action", value=value)

    def _card(self, message):
        now = self.api.message(message)
        return self.see(message) if now["version"] == message["version"] else message["card"]

    def _is_refreshed(self, message, refresh):
        users = refresh.get("userIds")
        if users is None:
            return len(self.api.members(message["conversation"])) <= teams_rules.MOST_TO_REFRESH
        return self.mri in users or f"8:orgid:{self.id}" in users

    def _found(self, card, verb):
        for action, fields in actions(card or {}):
            if action.get("verb") == verb:
                if action.get("isEnabled", True) is False:
                    raise NotThere(f"the button {verb} cannot be pressed")
                return action, fields
        raise NotThere(f"the card has no button {verb}")

    def _apply(self, message, status, answer):
        known = isinstance(answer, dict) and status == 200 and answer.get("statusCode") == 200
        match answer if known else None:
            case {"type": "application/vnd.microsoft.activity.message", "value": str(text)}:
                self.toasts.append(text)
            case {"type": kind, "value": dict(card)} if kind == CARD:
                try:
                    teams_rules.check_card(card)
                except Invalid as invalid:
                    self.toasts.append(WRONG)
                    raise AssertionError(f"the bot answers with a bad card: {invalid}") from None
                self.views[message["id"]] = (self.api.message(message)["version"], card)
            case _:
                self.toasts.append(WRONG)


def verbs(card):
    """Return the verbs that somebody can choose from, in order."""
    return [action["verb"] for action, _ in actions(card or {}) if "verb" in action]


def actions(card, above=()):
    """Yield each action of a card with the fields that it sends: its own card's, and those above.

    Fields of a card that opens beside it are not among them.
    """
    here = [*above]
    found = [*card.get("actions", [])]
    for part in _visible(card.get("body", [])):
        if part["type"].startswith("Input."):
            here.append(part)
            found += [part["inlineAction"]] if "inlineAction" in part else []
        if part["type"] == "ActionSet":
            found += part.get("actions", [])
        if "selectAction" in part:
            found.append(part["selectAction"])
    for action in found:
        if action["type"] == "Action.ShowCard":
            yield from actions(action["card"], here)
        elif action["type"] == "Action.Execute":
            yield action, [] if action.get("associatedInputs", "auto").lower() == "none" else here


def _visible(body):
    """All parts of a body, but nothing inside of an action."""
    for part in body:
        for one in parts(part):
            if not one["type"].startswith("Action."):
                yield one


def filled(fields, given, sends_empty=False):
    """Return what a form sends: texts by id.

    Raises:
        NotThere: There is no such field, or Teams does not send a form that is filled in like this.
    """
    if strange := set(given) - {one["id"] for one in fields}:
        raise NotThere(f"the form has no {', '.join(sorted(strange))}")
    sent = {}
    for one in fields:
        text = _filled(one, given.get(one["id"]))
        if not text and one.get("isRequired"):
            raise NotThere(f"Teams does not send the form while {one['id']} is empty")
        if text:
            _check(one, text)
        if text or sends_empty:
            sent[one["id"]] = text
    return sent


def _filled(one, value):
    match one["type"]:
        case "Input.Toggle":
            on, off = one.get("valueOn", "true"), one.get("valueOff", "false")
            if value is None:
                return one.get("value", off)
            return on if value else off
        case "Input.ChoiceSet" if value is not None:
            chosen = [_choice(one, each) for each in ([value] if isinstance(value, str) else value)]
            return ",".join(chosen)
        case _:
            return str(one.get("value", "") if value is None else value)


def _choice(one, value):
    for choice in one["choices"]:
        if value in (choice["title"], choice["value"]):
            return choice["value"]
    raise NotThere(f"{one['id']} offers no {value}")


def _check(one, text):
    """Fail when Teams itself would not take a text in that field."""
    name = one["id"]
    if len(text) > one.get("maxLength", 10**9):
        raise NotThere(f"{name} takes no more characters")
    if "regex" in one and not re.search(one["regex"], text):
        raise NotThere(f"{name} takes no {text!r}")
    patterns = {
        "Input.Date": r"\d{4}-\d\d-\d\d",
        "Input.Time": r"\d\d:\d\d",
        "Input.Number": r"-?\d+(\.\d+)?",
    }
    if not re.fullmatch(patterns.get(one["type"], r"[\s\S]*"), text):
        raise NotThere(f"{name} takes no {text!r}")
    if one["type"] == "Input.Number":
        least, most = one.get("min", float("-inf")), one.get("max", float("inf"))
        if not least <= float(text) <= most:
            raise NotThere(f"{name} takes {least} to {most}")

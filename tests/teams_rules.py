"""What Teams would say of a message: its fields, its card, and whether all of that fits."""

import copy
import json
import re
from typing import get_args

from microsoft_teams.cards import core as cards
from pydantic import ValidationError

CARD = "application/vnd.microsoft.card.adaptive"
MOST_OF_A_MESSAGE = 100 * 1024
"""Bytes of what a bot says, as UTF-16; the documentation asks to keep to 80 KB."""
MOST_OF_A_WEBHOOK = 28 * 1024
"""Bytes of what a Workflow is given, as UTF-8."""
MOST_TO_REFRESH = 60
MOST_ACTIONS = 6
VERSIONS = {"1.4", "1.5"}
FORMATS = {"plain", "markdown", "xml", "extendedmarkdown"}
MRI = re.compile(r"29:.+|8:orgid:[0-9a-f-]{36}")
ABSTRACT = (cards.CardElement, cards.Action, cards.ContainerLayout)
FREE = {"data", "requires"}
"""Properties in which anything may stand."""


def _known():
    found = {}
    for one in vars(cards).values():
        if isinstance(one, type) and issubclass(one, ABSTRACT) and one not in ABSTRACT:
            for kind in get_args(one.model_fields["type"].annotation):
                found[kind] = one
    return found


KNOWN = _known()
"""Every kind of element, action and layout that Teams knows, by its `type`."""


class Invalid(Exception):
    """Teams would not take this."""

    def __init__(self, message, status=400, code="BadArgument"):
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message}}


def check_message(activity):
    """Fail unless a bot may send this.

    Raises:
        Invalid: It may not; with the answer that it gets.
    """
    if not isinstance(activity, dict) or activity.get("type") != "message":
        raise Invalid("The activity is no message")
    _check_size(activity, MOST_OF_A_MESSAGE, "utf-16-le")
    _check_text(activity)
    for attachment in activity.get("attachments") or []:
        if attachment.get("contentType") != CARD:
            raise Invalid(f"Unknown attachment type {attachment.get('contentType')!r}")
        check_card(attachment.get("content"))
    for entity in activity.get("entities") or []:
        if entity.get("type") == "mention":
            _check_mention(entity, activity.get("text", ""))
            if not MRI.fullmatch(entity["mentioned"]["id"]):
                raise Invalid("In a text people are called by Teams' own id of them")


def _check_text(activity):
    if not activity.get("text") and not activity.get("attachments"):
        raise Invalid("Activity must contain text or attachments")
    if not isinstance(activity.get("text", ""), str):
        raise Invalid("The text is no text")
    if activity.get("textFormat", "markdown") not in FORMATS:
        raise Invalid(f"Unknown text format {activity['textFormat']!r}")


def check_card(card, *, opens_only=False):
    """Fail unless Teams shows this card as it stands there.

    Args:
        opens_only: Whether its buttons can only open links, as in a card without a bot.
    """
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard":
        raise Invalid("The content is no Adaptive Card")
    _check_size(card, MOST_OF_A_MESSAGE, "utf-16-le")
    if card.get("version") not in VERSIONS:
        raise Invalid(f"Teams does not show version {card.get('version')!r}")
    if not card.get("body"):
        raise Invalid("The card is empty")
    check_part(card)
    _check_ids(card)
    for one in parts(card):
        _check_action(one, opens_only)
    _check_refresh(card.get("refresh"))
    for entity in card.get("msteams", {}).get("entities", []):
        said = " ".join(one.get("text", "") for one in parts(card) if one["type"] == "TextBlock")
        _check_mention(entity, said)


def check_webhook(body):
    """Fail unless a Workflow posts this; without a bot behind it, buttons only open links."""
    if not isinstance(body, dict) or body.get("type") != "message":
        raise Invalid("The body is no message")
    _check_size(body, MOST_OF_A_WEBHOOK, "utf-8")
    attachments = body.get("attachments") or []
    if not attachments or any(one.get("contentType") != CARD for one in attachments):
        raise Invalid("The message has no Adaptive Card")
    for one in attachments:
        check_card(one.get("content"), opens_only=True)


def _check_size(value, most, encoding):
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(written.encode(encoding, "surrogatepass")) > most:
        raise Invalid("Message size too large.", 413, "MessageSizeTooBig")


def check_part(part, where="card"):
    """Fail unless kind, properties and values of a part, and of all in it, are known."""
    kind = KNOWN.get(part.get("type"))
    if kind is None:
        raise Invalid(f"{where}: unknown type {part.get('type')!r}")
    try:
        parsed = kind.model_validate(_spelled(kind, part), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Invalid(f"{where} {part['type']} {place}: {first['msg']}") from None
    _check_names(part, parsed, f"{where} {part['type']}")
    for name, value in part.items():
        if name not in FREE:
            for inner in _typed(value):
                check_part(inner, f"{where} {part['type']}.{name}")


def _spelled(kind, part):
    """Return a part with words as the library spells them: Teams takes `Full` for `full`."""
    try:
        kind.model_validate(part, strict=True)
    except ValidationError as error:
        made = copy.deepcopy(part)
        for one in error.errors():
            words = re.findall(r"'([^']*)'", one.get("ctx", {}).get("expected", ""))
            same = [word for word in words if word.lower() == str(one["input"]).lower()]
            if one["type"] == "literal_error" and same:
                *way, last = one["loc"]
                inner = made
                for step in way:
                    inner = inner[step]
                inner[last] = same[0]
        return made
    return part


def _check_names(raw, parsed, where):
    """No property is unknown, and none is spelled as Python would."""
    strange = set(parsed.model_extra or ()) - {"$schema"}
    strange |= {name for name in raw if "_" in name}
    if strange:
        raise Invalid(f"{where}: unknown property {sorted(strange)[0]!r}")
    for name in type(parsed).model_fields:
        alias = type(parsed).model_fields[name].serialization_alias
        if alias in FREE or alias not in raw:
            continue
        pairs = zip(_listed(getattr(parsed, name)), _listed(raw[alias]), strict=True)
        for inner, its_raw in pairs:
            if isinstance(inner, cards.SerializableObject) and type(inner) not in ABSTRACT:
                _check_names(its_raw, inner, f"{where}.{alias}")


def _listed(value):
    return value if isinstance(value, list) else [value]


def _typed(value):
    """All parts with a type of their own that stand directly in a value."""
    if isinstance(value, list):
        return [inner for one in value for inner in _typed(one)]
    if isinstance(value, dict):
        if "type" in value and "mentioned" not in value:
            return [value]
        return [inner for name, one in value.items() if name not in FREE for inner in _typed(one)]
    return []


def parts(part):
    """Yield a part and everything in it, in the order in which it stands there."""
    yield part
    for name, value in part.items():
        if name not in FREE:
            for inner in _typed(value):
                yield from parts(inner)


def texts(card):
    """Return all that a card says, a line for each text."""
    names = ("text", "title", "label", "value", "placeholder", "codeSnippet")
    found = []
    for one in parts(card):
        found += [str(one[name]) for name in names if one.get(name)]
        for fact in one.get("facts", []):
            found += [fact["title"], fact["value"]]
        for choice in one.get("choices", []):
            found.append(choice["title"])
    return "\n".join(found)


def _check_ids(card):
    ids = [one.get("id") for one in parts(card)]
    given = [one for one in ids if one]
    if len(set(given)) < len(given):
        twice = next(one for one in given if given.count(one) > 1)
        raise Invalid(f"Two parts of the card have the id {twice!r}")
    for one in parts(card):
        if one["type"].startswith("Input.") and not one.get("id"):
            raise Invalid(f"An {one['type']} without an id sends nothing")


def _check_action(part, opens_only):
    if len(part.get("actions", [])) > MOST_ACTIONS:
        raise Invalid(f"More than {MOST_ACTIONS} actions beside one another")
    match part["type"]:
        case "Action.Execute" if opens_only:
            raise Invalid("Without a bot, buttons can only open links")
        case "Action.Execute":
            if not part.get("verb") or not isinstance(part.get("data", {}), dict):
                raise Invalid("An Action.Execute has a verb, and an object as data")
        case "Action.Submit":
            raise Invalid("An Action.Submit gets no card back")
        case "Action.OpenUrl":
            if not part.get("url", "").startswith(("https://", "http://")):
                raise Invalid(f"A link to {part.get('url')!r} opens nothing")


def _check_refresh(refresh):
    if refresh is None:
        return
    if (refresh.get("action") or {}).get("type") != "Action.Execute":
        raise Invalid("A card is refreshed by an Action.Execute")
    users = refresh.get("userIds", [])
    if len(users) > MOST_TO_REFRESH:
        raise Invalid(f"A card is refreshed for {MOST_TO_REFRESH} users at most")
    if strange := [user for user in users if not MRI.fullmatch(user)]:
        raise Invalid(f"userIds are Teams' own ids of users, and {strange[0]!r} is none")


def _check_mention(entity, text):
    if entity.get("text", "<at>") not in text:
        raise Invalid(f"The mention {entity.get('text')!r} stands nowhere in the text")
    if not entity.get("mentioned", {}).get("id") or not entity["mentioned"].get("name"):
        raise Invalid("A mention has the id and the name of somebody")

"""What Slack takes for blocks and modals: types, fields and limits, with its own error names."""

PLAIN = {"type", "text", "emoji"}
STYLES = {"bold", "italic", "strike", "code", "unlink", "underline"}
ELEMENTS = {
    "button": {"action_id", "text", "value", "url", "style", "confirm", "accessibility_label"},
    "plain_text_input": {
        *("action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder"),
        "focus_on_load",
    },
    "static_select": {"action_id", "options", "initial_option", "placeholder"},
    "checkboxes": {"action_id", "options", "initial_options"},
    "datepicker": {"action_id", "initial_date", "placeholder"},
    "timepicker": {"action_id", "initial_time", "placeholder"},
}
BLOCKS = {
    "header": {"text"},
    "section": {"text", "fields", "accessory", "expand"},
    "context": {"elements"},
    "divider": set(),
    "actions": {"elements"},
    "input": {"label", "element", "hint", "optional", "dispatch_action"},
    "rich_text": {"elements"},
}
RICH = {"rich_text_section", "rich_text_preformatted", "rich_text_quote", "rich_text_list"}
WORDS = {"text", "emoji", "link", "user", "usergroup", "channel", "broadcast", "date", "color"}
MOST_JSON = 13_200


class Invalid(Exception):
    """Slack refuses this; the name of the error, and what is wrong."""

    def __init__(self, what, error="invalid_blocks"):
        super().__init__(what)
        self.error = error


def need(condition, what, error="invalid_blocks"):
    """Raise unless it holds."""
    if not condition:
        raise Invalid(what, error)


def blocks(found, *, most=50, inputs=False):
    """Check the blocks of a message, or with `inputs` those of a modal."""
    need(isinstance(found, list), "blocks is no list", "invalid_blocks_format")
    need(len(found) <= most, f"more than {most} blocks")
    ids = [one["block_id"] for one in found if "block_id" in one]
    need(len(set(ids)) == len(ids), "block_id is not unique")
    for one in found:
        block(one, inputs=inputs)


def block(one, *, inputs):
    """Check one block."""
    kind = one.get("type")
    need(kind in BLOCKS, f"unsupported block {kind!r}")
    need(inputs or kind != "input", "a message has no inputs here")
    known(one, BLOCKS[kind] | {"type", "block_id"})
    need(len(one.get("block_id", "")) <= 255, "block_id is too long")
    match kind:
        case "header":
            plain(one["text"], 150)
        case "section":
            text(one["text"], 3_000)
        case "actions":
            need(0 < len(one["elements"]) <= 25, "actions has 1 to 25 elements")
            names = [each.get("action_id") for each in one["elements"]]
            need(len(set(names)) == len(names), "action_id is not unique")
            for each in one["elements"]:
                element(each)
        case "input":
            plain(one["label"], 2_000)
            if "hint" in one:
                plain(one["hint"], 2_000)
            element(one["element"])
        case "rich_text":
            need(len(one["elements"]) > 0, "rich_text is empty")
            for part in one["elements"]:
                rich(part)


def rich(part):
    """Check a part of rich text."""
    need(part.get("type") in RICH, f"unsupported element {part.get('type')!r}")
    need(len(part["elements"]) > 0, "a part is empty")
    for one in part["elements"]:
        need(one.get("type") in WORDS, f"unsupported element {one.get('type')!r}")
        need(set(one.get("style", {})) <= STYLES, "unknown style")
        if one["type"] == "text":
            need(0 < units(one["text"]) <= 3_000, "text has 1 to 3000 characters")


def element(one):
    """Check one interactive element."""
    kind = one.get("type")
    need(kind in ELEMENTS, f"unsupported element {kind!r}")
    known(one, ELEMENTS[kind] | {"type"})
    need(0 < len(one.get("action_id", "")) <= 255, "action_id is missing or too long")
    match kind:
        case "button":
            plain(one["text"], 75)
            need(len(one.get("value", "")) <= 2_000, "value is too long")
            need(one.get("style", "primary") in {"primary", "danger"}, "unknown style")
            need(len(one.get("url", "")) <= 3_000, "url is too long")
        case "plain_text_input":
            most = one.get("max_length", 3_000)
            need(1 <= most <= 3_000, "max_length is 1 to 3000")
            need(units(one.get("initial_value", "")) <= most, "initial_value is too long")
        case "static_select" | "checkboxes":
            limit = 100 if kind == "static_select" else 10
            need(0 < len(one["options"]) <= limit, f"1 to {limit} options")
            for option in one["options"]:
                plain(option["text"], 75)
                need(0 < len(option["value"]) <= 150, "an option's value is 1 to 150")
            chosen = [one["initial_option"]] if "initial_option" in one else []
            chosen += one.get("initial_options", [])
            need(all(each in one["options"] for each in chosen), "initial option is none of them")


def plain(found, most):
    """Check a text in which there is no markup."""
    need(found.get("type") == "plain_text", "this takes plain_text")
    known(found, PLAIN)
    need(0 < units(found["text"]) <= most, f"text has 1 to {most} characters")


def text(found, most):
    """Check a text of either kind."""
    need(found.get("type") in {"plain_text", "mrkdwn"}, "this is no text")
    need(0 < units(found["text"]) <= most, f"text has 1 to {most} characters")


def view(found):
    """Check a modal."""
    known(
        found,
        {
            *("type", "callback_id", "private_metadata", "title", "submit", "close", "blocks"),
            *("clear_on_close", "notify_on_close", "external_id", "submit_disabled"),
        },
        "invalid_arguments",
    )
    need(found.get("type") == "modal", "this is no modal", "invalid_arguments")
    for name in ("title", "submit", "close"):
        plain(found[name], 24)
    need(len(found.get("private_metadata", "")) <= 3_000, "too long", "invalid_arguments")
    need(0 < len(found["callback_id"]) <= 255, "callback_id", "invalid_arguments")
    blocks(found["blocks"], most=100, inputs=True)


def known(found, names, error="invalid_blocks"):
    """Refuse fields that nobody knows."""
    strange = set(found) - names
    need(not strange, f"additional property {sorted(strange)}", error)


def units(found):
    """How long Slack takes a text to be, at worst."""
    return len(found.encode("utf-16-le", "surrogatepass")) // 2

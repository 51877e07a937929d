"""What Slack would say of blocks: its own validators, and the limits that they leave out."""

import logging
from contextlib import contextmanager

from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

TEXTS = {"text", "emoji", "link"}
PARTS = {"rich_text_section", "rich_text_preformatted", "rich_text_quote"}
STYLES = {"bold", "italic", "code"}
LONGEST = 3_000


@contextmanager
def without_complaints():
    """Fail when the library logs that it does not know something."""
    heard = []
    logger = logging.getLogger("slack_sdk")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert heard == []


def check_blocks(blocks, most=50):
    """Fail unless Slack takes these blocks."""
    assert 0 < len(blocks) <= most
    with without_complaints():
        assert [Block.parse(block).to_dict() for block in blocks] == blocks
    for block in blocks:
        check_block(block)
    named = [block["block_id"] for block in blocks if "block_id" in block]
    assert len(set(named)) == len(named)


def check_view(view):
    """Fail unless Slack opens this modal."""
    with without_complaints():
        assert View(**view).to_dict() == view
    assert len(view["private_metadata"]) <= 3_000
    check_blocks(view["blocks"], most=100)


def check_block(block):
    """Fail unless everything that can be markup is ours."""
    match block["type"]:
        case "rich_text":
            assert block["elements"]
            for part in block["elements"]:
                check_part(part)
        case "header":
            check_plain(block["text"], 150)
            assert block["text"]["text"].isidentifier()
        case "actions":
            for element in block["elements"]:
                check_plain(element["text"], 75)
        case "input":
            check_plain(block["label"], 2_000)
            check_input(block["element"])
        case other:
            raise AssertionError(f"a {other} may hold markup")


def check_part(part):
    """Fail unless a part of rich text has only texts, with emoji and links of ours between."""
    assert part["type"] in PARTS and part["elements"]
    for element in part["elements"]:
        assert element["type"] in TEXTS
        assert set(element.get("style", {})) <= STYLES
        if element["type"] == "text":
            assert 0 < units(element["text"]) <= LONGEST


def check_input(element):
    """Fail unless a field shows what is in it."""
    assert element["action_id"] == "typed"
    match element["type"]:
        case "plain_text_input":
            assert units(element.get("initial_value", "x")) <= element["max_length"] <= LONGEST
            assert element.get("initial_value", "x")
        case "static_select":
            assert element.get("initial_option", element["options"][0]) in element["options"]
            assert 0 < len(element["options"]) <= 100
            for option in element["options"]:
                check_plain(option["text"], 75)
        case kind:
            assert kind in {"datepicker", "timepicker", "checkboxes"}


def check_plain(text, most):
    """Fail unless it is a text in which no emoji is looked for."""
    assert text["type"] == "plain_text" and text["emoji"] is False
    assert 0 < units(text["text"]) <= most


def units(text):
    """How long Slack may take a text to be."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def text_of(part):
    """All that a part of rich text says, and a name for each emoji."""
    told = {
        "text": lambda one: one["text"],
        "link": lambda one: one["text"],
        "emoji": lambda one: "",
    }
    return "".join(told[one["type"]](one) for one in part["elements"])


def parts_of(blocks):
    """All parts of all rich text, in order."""
    return [part for block in blocks if block["type"] == "rich_text" for part in block["elements"]]


def said_by(blocks):
    """All that the blocks say, a line for each part."""
    headers = [block["text"]["text"] for block in blocks if block["type"] == "header"]
    return "\n".join([*headers, *map(text_of, parts_of(blocks))])


def buttons_of(blocks):
    """The buttons, by the name of what they do."""
    found = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
    return {one["action_id"]: one for one in found}

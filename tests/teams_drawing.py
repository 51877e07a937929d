"""Draw Adaptive Cards as Teams shows them, as SVG that needs nothing else."""

from html import escape

from .slack_drawing import Sheet
from .slack_ink import INK, LINE, Run, written

ACCENT, GREY, WHITE = "#5b5fc7", "#616161", "#ffffff"
COLOURS = {"attention": "#c4314b", "good": "#237b4b", "warning": "#835c00", "accent": "#444791"}
SIZES = {"Large": 18}
LEFT, ROW, FIELD = 28, 21, 30


def card(sheet, shown, *, opened=""):
    """Draw a card, with one of its forms open."""
    for part in shown["body"]:
        drawn(sheet, part)
    buttons(sheet, shown.get("actions", []), opened)
    for action in shown.get("actions", []):
        if action["type"] == "Action.ShowCard" and action["title"] == opened:
            frame(sheet, lambda inner=action["card"]: card(sheet, inner))


def drawn(sheet, part):
    """Draw one part of a card."""
    if part.get("spacing") == "Medium":
        sheet.y += 8
    match part["type"]:
        case "RichTextBlock":
            sheet.lines([run(one) for one in part["inlines"]], row=ROW)
        case "TextBlock":
            sheet.lines(
                [Run(part["text"].replace("<at>", "@").replace("</at>", ""), colour=ACCENT)]
            )
        case "Input.Toggle":
            box(sheet, part["title"], part["value"] == "true")
        case kind if kind.startswith("Input."):
            if "label" in part:
                sheet.lines([Run(part["label"], 14, bold=True)], row=ROW)
            field(sheet, value_of(part), high=2 if part.get("isMultiline") else 1)


def run(one):
    """Return a run of text in its style."""
    return Run(
        one["text"],
        SIZES.get(one.get("size"), 14),
        bold=one.get("weight") == "Bolder",
        italic=one.get("italic", False),
        mono=one.get("fontType") == "Monospace",
        colour=COLOURS.get(one.get("color"), INK),
    )


def value_of(part):
    """What stands in a field."""
    if part["type"] == "Input.ChoiceSet":
        chosen = [one["title"] for one in part["choices"] if one["value"] == part.get("value")]
        return "".join(chosen)
    return part.get("value", "")


def field(sheet, text, *, high):
    """Draw a field with what stands in it."""
    tall = FIELD * high
    place = f'x="{sheet.left}" y="{sheet.y + 2:.1f}" width="{sheet.room}" height="{tall}" rx="4"'
    sheet.add(f'<rect {place} fill="{WHITE}" stroke="{LINE}"/>')
    top = sheet.y
    sheet.left, sheet.y = sheet.left + 8, sheet.y + 6
    for line in text.split("\n")[: 2 * high]:
        sheet.lines([Run(line or " ", 14)], row=18)
    sheet.left -= 8
    sheet.y = max(top + tall, sheet.y) + 8


def box(sheet, title, is_ticked):
    """Draw a box to tick."""
    place = f'x="{sheet.left}" y="{sheet.y + 4:.1f}" width="14" height="14" rx="2"'
    sheet.add(f'<rect {place} fill="{ACCENT if is_ticked else WHITE}" stroke="{GREY}"/>')
    sheet.left += 20
    sheet.lines([Run(title, 14)], row=ROW + 4)
    sheet.left -= 20


def buttons(sheet, actions, opened):
    """Draw buttons beside one another."""
    if not actions:
        return
    at, sheet.y = sheet.left, sheet.y + 10
    for action in actions:
        text = Run(action["title"], 14, bold=True)
        wide = text.width + 28
        is_first = action.get("style") == "positive" or action["title"] == opened
        look = f'fill="{ACCENT}"' if is_first else f'fill="{WHITE}" stroke="{LINE}"'
        place = f'x="{at:.1f}" y="{sheet.y:.1f}" width="{wide:.1f}" height="30" rx="4"'
        sheet.add(f"<rect {place} {look}/>")
        colour = WHITE if is_first else INK
        sheet.add(written(Run(text.text, 14, bold=True, colour=colour), at + 14, sheet.y + 20))
        at += wide + 8
    sheet.y += 42


def frame(sheet, draw):
    """Draw something in a grey frame."""
    top, before = sheet.y, len(sheet.ink)
    sheet.left, sheet.room, sheet.y = sheet.left + 12, sheet.room - 24, sheet.y + 10
    draw()
    sheet.left, sheet.room = sheet.left - 12, sheet.room + 24
    place = (
        f'x="{sheet.left}" y="{top:.1f}" width="{sheet.room}" height="{sheet.y - top:.1f}" rx="6"'
    )
    sheet.ink.insert(before, f'<rect {place} fill="#f5f5f5"/>')
    sheet.y += 8


def reply(sheet, shown):
    """Draw what is written under a message."""
    sheet.y += 6
    line = f'x1="{sheet.left}" y1="{sheet.y:.1f}" x2="{sheet.left + sheet.room}" y2="{sheet.y:.1f}"'
    sheet.add(f'<line {line} stroke="{LINE}"/>')
    sheet.y += 8
    sheet.left, sheet.room = sheet.left + 28, sheet.room - 28
    sheet.lines([Run("Approvals", 13, bold=True), Run("  replied", 13, colour=GREY)], row=20)
    card(sheet, shown)
    sheet.left, sheet.room = sheet.left - 28, sheet.room + 28


def message(sheet, shown, **options):
    """Draw a message of the bot with a card."""
    sheet.add(f'<circle cx="{sheet.left + 10}" cy="{sheet.y + 11:.1f}" r="10" fill="{ACCENT}"/>')
    sheet.left += 28
    sheet.lines([Run("Approvals", 14, bold=True), Run("  12:00", 12, colour=GREY)], row=30)
    sheet.left -= 28
    card(sheet, shown, **options)


def picture(title, shown, replies=(), **options):
    """Return a drawing of a message, and of what is written under it."""
    sheet = Sheet(left=LEFT)
    message(sheet, shown, **options)
    for one in replies:
        reply(sheet, one)
    return sheet.svg(escape(title))

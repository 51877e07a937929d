"""Draw messages and modals of Slack from their blocks, as SVG that needs nothing else."""

from html import escape

from .slack_ink import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    MONO_WIDTH,
    PALE,
    RED,
    SANS,
    Run,
    broken,
    mono,
    written,
)

WIDTH, MARGIN, LEFT = 680, 20, 76
ROW, MONO_ROW = 22, 18
APP = "Gated Agents"


class Sheet:
    """A drawing that grows downwards.

    Attributes:
        y: Where the next thing begins.
        left: Where lines begin.
        room: How wide they may be.
    """

    def __init__(self, left=LEFT):
        self.y, self.left, self.ink = float(MARGIN), left, []
        self.room = WIDTH - left - MARGIN - 12

    def add(self, *shapes):
        """Draw shapes, which says nothing about where the next ones go."""
        self.ink += [shape for shape in shapes if shape]

    def lines(self, runs, inset=0, row=ROW):
        """Draw runs in as many lines as it takes."""
        for line in broken(runs, self.room - inset):
            at = self.left + inset
            for run in line:
                self.add(written(run, at, self.y + 16))
                at += run.width
            self.y += row

    def svg(self, title):
        """Return the whole drawing, on a card of its own that is light everywhere."""
        height = self.y + MARGIN
        size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
        look = f'role="img" font-family="{SANS}"'
        card = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>',
                f"<title>{escape(title)}</title>",
                f'{card} fill="#fff" stroke="{LINE}"/>',
                *self.ink,
                "</svg>\n",
            ]
        )


def message(sheet, blocks, at="12:00"):
    """Draw a message of the app."""
    top = sheet.y
    head = [Run(f"{APP} ", bold=True)]
    name = head[0].width
    badge = f'<rect x="{LEFT + name:.1f}" y="{top + 3:.1f}" width="28" height="15" rx="2"'
    sheet.add(face(26, top), f'{badge} fill="#e8e8e8"/>')
    sheet.add(written(Run("APP", 10, bold=True, colour=GREY), LEFT + name + 4, top + 14.5))
    sheet.add(written(Run(at, 12, colour=GREY), LEFT + name + 36, top + 15.5))
    sheet.lines(head)
    sheet.y += 2
    for block in blocks:
        DRAWN[block["type"]](sheet, block)
    sheet.y += 6


def face(x, y, size=36):
    """The app's picture: a gate, with a check mark in it."""
    k = size / 36
    return (
        f'<g transform="translate({x} {y:.1f}) scale({k:.3f})">'
        '<rect width="36" height="36" rx="7" fill="#4a154b"/>'
        '<path d="M8 29V15a10 10 0 0 1 20 0v14" stroke="#ecb22e" stroke-width="3" fill="none"/>'
        '<path d="M12.5 20.5l4 4 7.500-9" stroke="#fff" stroke-width="3" fill="none"/></g>'
    )


def header(sheet, block):
    """Draw a title in large letters."""
    sheet.y += 4
    sheet.lines([Run(block["text"]["text"], 18, bold=True)], row=26)
    sheet.y += 2


def rich_text(sheet, block):
    """Draw paragraphs, boxes and quotes."""
    for part in block["elements"]:
        PARTS[part["type"]](sheet, part)
    sheet.y += 8


def paragraph(sheet, part, inset=0):
    """Draw a paragraph."""
    sheet.lines([run_of(element) for element in part["elements"]], inset)


def run_of(element):
    """The letters of an element of rich text."""
    match element["type"]:
        case "emoji":
            return Run("", sign=element["name"])
        case "link":
            return Run(element["text"], colour=BLUE)
        case _:
            style = dict.fromkeys(element.get("style", {}), True)
            return Run(element["text"], **style)


def preformatted(sheet, part):
    """Draw a box; lines of a difference have their colours."""
    text = "".join(element["text"] for element in part["elements"])
    most = int((sheet.room - 18) / 12 / MONO_WIDTH)
    lines = [
        line[i : i + most] for line in text.split("\n") for i in range(0, len(line) or 1, most)
    ]
    high = len(lines) * MONO_ROW + 14
    box = f'x="{sheet.left}" y="{sheet.y + 2:.1f}" width="{sheet.room}" height="{high}" rx="4"'
    sheet.add(f'<rect {box} fill="{PALE}" stroke="{LINE}"/>')
    for n, line in enumerate(lines):
        sheet.add(mono(line, sheet.left + 9, sheet.y + 22 + n * MONO_ROW))
    sheet.y += high + 8


def quoted(sheet, part):
    """Draw words with a bar beside them."""
    top = sheet.y
    paragraph(sheet, part, 16)
    bar = f'x="{sheet.left}" y="{top + 2:.1f}" width="4" height="{sheet.y - top - 2:.1f}" rx="2"'
    sheet.add(f'<rect {bar} fill="{LINE}"/>')


def actions(sheet, block):
    """Draw buttons in a row."""
    sheet.y += 2
    x = sheet.left
    for button in block["elements"]:
        x += pressed(sheet, x, button["text"]["text"], button.get("style", "")) + 8
    sheet.y += 42


def pressed(sheet, x, text, style=""):
    """Draw a button and return how wide it is."""
    fill = {"primary": GREEN, "danger": RED}.get(style, "#fff")
    run = Run(text, 14, bold=True, colour="#fff" if style else INK)
    edge = "none" if style else "#bbb"
    box = f'x="{x:.1f}" y="{sheet.y:.1f}" width="{run.width + 24:.1f}" height="34" rx="4"'
    sheet.add(f'<rect {box} fill="{fill}" stroke="{edge}"/>', written(run, x + 12, sheet.y + 22))
    return run.width + 24


def thread(sheet, replies, at="12:04"):
    """Draw what is written under a message."""
    count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
    sheet.add(face(sheet.left, sheet.y, 20))
    sheet.add(written(Run(count, 13, bold=True, colour=BLUE), sheet.left + 28, sheet.y + 15))
    sheet.y += 32
    top = sheet.y
    for blocks in replies:
        message(sheet, blocks, at)
    sheet.add(f'<path d="M14 {top:.1f}V{sheet.y - 8:.1f}" stroke="{LINE}" stroke-width="3"/>')


def modal(sheet, view, wrong=None):
    """Draw a modal, with what is wrong beside its fields."""
    sheet.add(face(26, sheet.y, 28))
    sheet.add(written(Run(view["title"]["text"], 19, bold=True), 66, sheet.y + 21))
    cross = f'<path d="M{WIDTH - 42} {sheet.y + 7:.1f}l14 14m0-14l-14 14"'
    sheet.add(f'{cross} stroke="{GREY}" stroke-width="2"/>')
    sheet.y += 42
    rule(sheet)
    for block in view["blocks"]:
        if block["type"] == "input":
            field(sheet, block, (wrong or {}).get(block["block_id"], ""))
        else:
            DRAWN[block["type"]](sheet, block)
    rule(sheet)
    x = WIDTH - MARGIN - 12 - Run(view["submit"]["text"], 14, bold=True).width - 24
    close = Run(view["close"]["text"], 14, bold=True).width + 24
    pressed(sheet, x, view["submit"]["text"], "primary")
    pressed(sheet, x - close - 12, view["close"]["text"])
    sheet.y += 36


def rule(sheet):
    """Draw a line from edge to edge."""
    sheet.add(f'<path d="M1 {sheet.y:.1f}H{WIDTH - 1}" stroke="{LINE}"/>')
    sheet.y += 14


def field(sheet, block, wrong):
    """Draw a field with its label, its hint and what is wrong with it."""
    more = " (optional)" if block["optional"] else ""
    sheet.lines([Run(block["label"]["text"], bold=True), Run(more, colour=GREY)])
    sheet.y += 2
    element = block["element"]
    if element["type"] == "checkboxes":
        tickbox(sheet, element)
    else:
        typed(sheet, element, wrong)
    if wrong:
        sheet.lines([Run("", sign="warning"), Run(f" {wrong}", 13, colour=RED)], row=20)
    if "hint" in block:
        sheet.lines([Run(block["hint"]["text"], 13, colour=GREY)], row=20)
    sheet.y += 8


def tickbox(sheet, element):
    """Draw a box to tick."""
    ticked = "initial_options" in element
    box = f'x="{sheet.left}" y="{sheet.y + 3:.1f}" width="15" height="15" rx="3"'
    sheet.add(f'<rect {box} fill="{BLUE if ticked else "#fff"}" stroke="#868686"/>')
    if ticked:
        check = f"M{sheet.left + 3} {sheet.y + 10:.1f}l3.500 4 6-8"
        sheet.add(f'<path d="{check}" stroke="#fff" stroke-width="2" fill="none"/>')
    text = element["options"][0]["text"]["text"]
    sheet.lines([Run(text)], 24)


def typed(sheet, element, wrong):
    """Draw what a person types into or chooses from."""
    start = {"plain_text_input": "value", "datepicker": "date", "timepicker": "time"}
    kind = element["type"]
    if kind == "static_select":
        text = element.get("initial_option", {"text": {"text": ""}})["text"]["text"]
    else:
        text = element.get(f"initial_{start[kind]}", "")
    lines = broken([Run(text)], sheet.room - 24)
    rows = max(len(lines), 3 if element.get("multiline") else 1)
    high = rows * ROW + 14
    box = f'x="{sheet.left}" y="{sheet.y:.1f}" width="{sheet.room}" height="{high}" rx="4"'
    sheet.add(f'<rect {box} fill="#fff" stroke="{RED if wrong else "#868686"}"/>')
    top = sheet.y
    sheet.y += 6
    sheet.lines([Run(text)], 12)
    if kind == "static_select":
        arrow = f"M{sheet.left + sheet.room - 24} {top + 15:.1f}l5 5 5-5"
        sheet.add(f'<path d="{arrow}" stroke="{GREY}" stroke-width="2" fill="none"/>')
    sheet.y = top + high + 4


PARTS = {
    "rich_text_section": paragraph,
    "rich_text_preformatted": preformatted,
    "rich_text_quote": quoted,
}
DRAWN = {"header": header, "rich_text": rich_text, "actions": actions}

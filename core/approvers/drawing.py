"""A request as lines of text: all of it, and nothing that could pass for something else.

Every value stands behind a margin, so that text with line feeds cannot forge a line of ours:
`│` begins a line of the value, `┊` goes on with one that was too long for the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest

from rich.text import Text

from ..display import SQL_NAMES, Shown, place_text, safe, shown
from ..model import END_OF_TIME, ApprovalRequest, Panel, Preview, Quote, Risk, Table, utc_now

NARROWEST = 20
COLOURS = {Risk.LOW: "green", Risk.MEDIUM: "yellow", Risk.HIGH: "red", Risk.CRITICAL: "bold red"}
DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
NO_MARGIN = {ord(mark): f"⟨U+{ord(mark):04X}⟩" for mark in "│┊"}
"""A name or a cell that imitates a margin gets none."""


def draw(request: ApprovalRequest, *, width: int, now: datetime | None = None) -> list[Text]:
    """Return the whole request as lines of at most `width` cells, for any window made of text.

    Args:
        width: In cells; below 20 counts as 20.
        now: For the time that is left; the present by default.
    """
    width = max(width, NARROWEST)
    lines = [*header(request, width=width, now=now)]
    lines += [*title("arguments"), *_arguments(shown(request), width)]
    for remark in request.remarks:
        lines += margin(Text(safe(remark, newlines=True), "yellow"), width)
    if request.preview is not None:
        lines += _preview(request.preview, width)
    if request.problem:
        lines += [*title("the last edit was not taken", "bold red")]
        lines += margin(Text(safe(request.problem, newlines=True)), width)
    return lines


def header(request: ApprovalRequest, *, width: int, now: datetime | None = None) -> list[Text]:
    """Return who asks for what and how bad it could be, without the arguments."""
    width = max(width, NARROWEST)
    return [*heading("approval needed", width), *_about(request, now or utc_now(), width)]


def heading(text: str, width: int) -> list[Text]:
    """Return a line across the window."""
    return [Text(f"── {text} ".ljust(width - 1, "─")[: width - 1], "bold")]


def title(text: str, style: str = "bold") -> list[Text]:
    """Return the title of a part; only our own words, never a value."""
    return [Text(""), Text(text, style)]


def margin(value: Text, width: int, label: str = "") -> list[Text]:
    """Return `value` behind its margin, with `label` before the first line."""
    indent = len(label) + 2
    lines: list[Text] = []
    for line in value.split("\n", allow_blank=True):
        for number, piece in enumerate(fold(_ended(line), width - indent - 2)):
            before = label if not lines else ""
            mark = "┊ " if number else "│ "
            lines.append(Text.assemble(("  " + before).ljust(indent), (mark, "dim"), piece))
    return lines


def fold(line: Text, width: int) -> list[Text]:
    """Cut a line into pieces that fit, losing nothing.

    A letter beyond ASCII counts as two cells: a terminal that draws it wider than we believed
    would push the rest of the line out of its margin.
    """
    cuts, room = list[int](), width
    for at, character in enumerate(line.plain):
        cells = 1 if character.isascii() else 2
        if cells > room:
            cuts.append(at)
            room = width
        room -= cells
    return list(line.divide(cuts))


def _ended(line: Text) -> Text:
    """Write out the spaces at the end of a line, which nobody would see."""
    kept = line.plain.rstrip(" ")
    spaces = len(line) - len(kept)
    return line[: len(kept)] + Text("⟨U+0020⟩" * spaces, "dim") if spaces else line


def labelled(rows: Sequence[tuple[str, Text]], width: int) -> list[Text]:
    """Return names and values in two columns, or below each other where the window is narrow."""
    rows = [(name.translate(NO_MARGIN), value) for name, value in rows]
    wanted = max((_cells(name) for name, _ in rows), default=0) + 1
    lines: list[Text] = []
    for name, value in rows:
        if wanted <= width // 3 and name.isascii():
            lines += margin(value, width, name.ljust(wanted))
        else:
            lines += [Text("  ") + piece for piece in fold(Text(name), width - 2)]
            lines += margin(value, width)
    return lines


def _cells(text: str) -> int:
    return sum(1 if character.isascii() else 2 for character in text)


def _about(request: ApprovalRequest, now: datetime, width: int) -> list[Text]:
    who = safe(request.requester)
    if request.acting_for:
        who += f", for {safe(request.acting_for)}"
    rows = [
        ("action", Text(safe(request.action), "bold")),
        ("risk", Text(request.risk.name, COLOURS[request.risk])),
        ("environment", Text(safe(request.environment))),
        ("asked by", Text(who)),
    ]
    if request.run:
        rows.append(("run", Text(safe(request.run))))
    if request.batch is not None:
        rows.append(("batch", Text(place_text(request.batch))))
    if request.panel != Panel():
        rows.append(("votes", Text(_votes(request.panel))))
    if request.revision:
        rows.append(("edited", Text("once" if request.revision == 1 else f"{request.revision}x")))
    if request.expires_at != END_OF_TIME:
        rows.append(("time left", Text(_time_left(request, now))))
    rows.append(("digest", Text(f"{safe(request.digest[:12])}…" if request.digest else "none")))
    return labelled(rows, width)


def _votes(panel: Panel) -> str:
    members = ", ".join(safe(member) for member in sorted(panel.members))
    return f"{panel.votes} of {members}" if members else f"{panel.votes}"


def _time_left(request: ApprovalRequest, now: datetime) -> str:
    seconds = int((request.expires_at - now).total_seconds())
    if seconds < 1:
        return "none, it has expired"
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [(hours, "h"), (minutes, "min"), (seconds % 60, "s" if not hours else "")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count and unit)


def _arguments(arguments: Iterable[Shown], width: int) -> list[Text]:
    rows = [(f"{one.name} ({one.type})", _value(one)) for one in arguments]
    return labelled(rows, width) or [Text("  none", "dim")]


def _value(argument: Shown) -> Text:
    """Return the value, SQL in colour; colouring never changes a character."""
    if argument.type == "str" and argument.name.lower() in SQL_NAMES:
        from rich.syntax import Syntax

        coloured = Syntax("", "sql", theme="ansi_dark").highlight(argument.text)
        if coloured.plain.removesuffix("\n") == argument.text.removesuffix("\n"):
            return coloured[: len(argument.text)]
    return Text(argument.text)


def _preview(preview: Preview, width: int) -> list[Text]:
    lines = title("what it would do")
    if preview.summary:
        lines += margin(Text(safe(preview.summary, newlines=True), "bold"), width)
    facts = [(safe(name), Text(safe(value, newlines=True))) for name, value in preview.facts]
    facts += [("file " + safe(file.path), Text(safe(file.sha256))) for file in preview.files]
    lines += labelled(facts, width)
    for table in preview.tables:
        lines += _table(table, width)
    if preview.diff:
        lines += [*title("difference"), *margin(_coloured(preview.diff), width)]
    if preview.warnings:
        lines += title("warnings", "bold yellow")
    for warning in preview.warnings:
        lines += margin(Text(safe(warning, newlines=True), "yellow"), width, "! ")
    for quote in preview.quotes:
        lines += [Text(""), *quoted(quote, width)]
    return lines


def quoted(quote: Quote, width: int, indent: str = "") -> list[Text]:
    """Return somebody's words and whose they are, both behind the margin: others chose them."""
    return [
        *fold(Text(f"{indent}unchecked words", "bold magenta"), width),
        *margin(Text(safe(quote.who)), width, f"{indent}of "),
        *margin(Text(safe(quote.text, newlines=True), "italic"), width, f'{indent}"  '),
    ]


def _coloured(diff: str) -> Text:
    return Text("\n").join(
        Text(line, DIFF_COLOURS.get(line[:1], "")) for line in safe(diff, newlines=True).split("\n")
    )


def _table(table: Table, width: int) -> list[Text]:
    """Draw columns where they fit, otherwise one row below the other."""
    count = max([len(table.columns), *(len(row) for row in table.rows)])
    columns = [safe(name).translate(NO_MARGIN) for name in table.columns] + ["?"] * (
        count - len(table.columns)
    )
    rows = [
        [safe(cell).translate(NO_MARGIN) for cell in row] + [""] * (count - len(row))
        for row in table.rows
    ]
    widths = [max(map(_cells, column)) for column in zip_longest(columns, *rows, fillvalue="")]
    lines = [Text(""), *(Text("  ") + line for line in _titled(table.title, width))]
    if sum(widths) + 3 * count + 4 <= width:
        return lines + [
            Text.assemble("  ", ("│ ", "dim"), (_row(cells, widths), style))
            for cells, style in [(columns, "underline"), *((row, "") for row in rows)]
        ]
    for number, row in enumerate(rows, 1):
        lines += [Text(f"  row {number}", "dim")]
        lines += labelled(
            [(name, Text(cell)) for name, cell in zip(columns, row, strict=True)], width
        )
    return lines


def _titled(text: str, width: int) -> list[Text]:
    return fold(Text(safe(text).translate(NO_MARGIN), "bold"), width - 2)


def _row(cells: Iterable[str], widths: Iterable[int]) -> str:
    padded = [cell + " " * (wide - _cells(cell)) for cell, wide in zip(cells, widths, strict=True)]
    return " │ ".join(padded)

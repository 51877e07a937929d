"""Letters and small signs for drawings of Slack: how wide a text is, and where its lines break."""

from dataclasses import dataclass, replace
from html import escape

SANS = "Lato, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "Monaco, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
INK, GREY, RED, GREEN, BLUE = "#1d1c1d", "#616061", "#e01e5a", "#007a5a", "#1264a3"
LINE, PALE, CODE = "#dddddd", "#f8f8f8", "#c01343"
WIDTHS = {
    **dict.fromkeys("ijl'|", 0.24),
    **dict.fromkeys("I.,:;! ", 0.27),
    **dict.fromkeys('frt()[]-/\\"', 0.36),
    **dict.fromkeys("mwMW@%…", 0.84),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&<>=+", 0.66),
}
MONO_WIDTH = 0.602


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one style; a sign when `sign` is set."""

    text: str
    size: float = 15
    bold: bool = False
    italic: bool = False
    code: bool = False
    mono: bool = False
    colour: str = INK
    sign: str = ""

    @property
    def width(self):
        """How many units wide it is drawn."""
        if self.sign:
            return 19
        if self.code:
            return len(self.text) * self.height * MONO_WIDTH + 8
        if self.mono:
            return len(self.text) * self.height * MONO_WIDTH
        wide = sum(WIDTHS.get(letter, 0.53) for letter in self.text) * self.size
        return wide * (1.07 if self.bold else 1)

    @property
    def height(self):
        """The size of its letters."""
        return 12 if self.code or self.mono else self.size


def broken(runs, width):
    """Return lines of runs, none wider than `width`; words stay whole where they can."""
    lines, left = [[]], width
    for word in (word for run in runs for word in words(run)):
        if word.text == "\n":
            lines.append([])
            left = width
            continue
        for part in pieces(word, width):
            if part.width > left and lines[-1] and part.text.strip(" "):
                lines.append([])
                left = width
            lines[-1].append(part)
            left -= part.width
    return [joined(line) for line in lines]


def words(run):
    """Cut a run after each space and at each line feed; code stays together."""
    if run.sign or run.code:
        return [run]
    cut = run.text.replace("\n", " \n ").split(" ")
    texts = [f"{text} " for text in cut[:-1]] + [cut[-1]]
    texts = ["\n" if text.strip(" ") == "\n" else text for text in texts]
    return [changed(run, text) for text in texts if text]


def pieces(run, width):
    """Cut what is wider than a whole line."""
    if run.width <= width:
        return [run]
    count = max(int(len(run.text) * width / run.width) - 1, 1)
    starts = range(0, len(run.text), count)
    return [changed(run, run.text[start : start + count]) for start in starts]


def joined(line):
    """Put runs of one style together again."""
    found = []
    for run in line:
        if found and not run.sign and not run.code and changed(found[-1], run.text) == run:
            found[-1] = changed(run, found[-1].text + run.text)
        else:
            found.append(run)
    return found


def changed(run, text):
    """The same style with other letters."""
    return replace(run, text=text)


def written(run, x, y):
    """Draw a run whose letters stand on y."""
    if run.sign:
        return f'<g transform="translate({x:.1f} {y - 13:.1f})">{SIGNS[run.sign]}</g>'
    width, at, back = run.width, x, ""
    if run.code:
        box = f'x="{x:.1f}" y="{y - 12:.1f}" width="{width:.1f}" height="16" rx="3"'
        back = f'<rect {box} fill="{PALE}" stroke="{LINE}"/>'
        width, at = width - 8, x + 4
    if not run.text.strip(" "):
        return back
    style = f'font-size="{run.height:g}" fill="{CODE if run.code else run.colour}"'
    style += ' font-weight="700"' if run.bold else ""
    style += ' font-style="italic"' if run.italic else ""
    style += f' font-family="{MONO}"' if run.code or run.mono else ""
    place = f'x="{at:.1f}" y="{y:.1f}" textLength="{width:.1f}"'
    return f'{back}<text {place} lengthAdjust="spacingAndGlyphs" {style}>{letters(run.text)}</text>'


def mono(text, x, y, colour=INK):
    """Draw a line in letters of one width."""
    if not text.strip(" "):
        return ""
    length = len(text) * 12 * MONO_WIDTH
    style = f'font-size="12" fill="{colour}" font-family="{MONO}"'
    place = f'x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}"'
    return f'<text {place} lengthAdjust="spacingAndGlyphs" {style}>{letters(text)}</text>'


def letters(text):
    """Text for a drawing, in which every space is kept."""
    return escape(text).replace(" ", "&#160;")


def disc(colour, edge):
    """A round light."""
    return f'<circle cx="8" cy="8" r="7" fill="{colour}" stroke="{edge}"/>'


def tile(colour, inside):
    """A square with a white sign in it."""
    square = f'<rect x="1" y="1" width="14" height="14" rx="3" fill="{colour}"/>'
    return f'{square}<path d="{inside}" stroke="#fff" stroke-width="2" fill="none"/>'


GLASS = (
    '<path d="M4 2h8v2l-3 4 3 4v2H4v-2l3-4-3-4z" fill="#f2d8b0" stroke="#8a5a2b"/>'
    '<path d="M3 1.5h10M3 14.5h10" stroke="#8a5a2b" stroke-width="2"/>'
)
SIGNS = {
    "white_circle": disc("#f2f2f2", "#a9a9a9"),
    "large_yellow_circle": disc("#f9c846", "#d9a520"),
    "large_orange_circle": disc("#f28c28", "#c96a12"),
    "red_circle": disc("#dd2e44", "#b01f33"),
    "hourglass_flowing_sand": GLASS,
    "hourglass": GLASS,
    "white_check_mark": tile("#5fa44a", "M4 8.5l3 3 5-7"),
    "arrow_forward": tile("#3b88c3", "M6 4.5l5 3.5-5 3.5z"),
    "leftwards_arrow_with_hook": tile("#3b88c3", "M12 4v4H5M7.500 5L4.500 8l3 3"),
    "no_entry": disc("#dd2e44", "#b01f33") + '<path d="M4 8h8" stroke="#fff" stroke-width="3"/>',
    "x": '<path d="M3 3l10 10M13 3L3 13" stroke="#dd2e44" stroke-width="3"/>',
    "grey_question": '<text x="4" y="14" font-size="15" font-weight="700" fill="#99a">?</text>',
    "warning": (
        '<path d="M8 1.5L15 14.500H1z" fill="#ffcc4d" stroke="#d9a520"/>'
        '<path d="M8 6v4M8 11.500v1.500" stroke="#1d1c1d" stroke-width="1.600"/>'
    ),
    "bust_in_silhouette": (
        '<circle cx="8" cy="5" r="3.500" fill="#269"/>'
        '<path d="M1.500 15c0-7 13-7 13 0z" fill="#269"/>'
    ),
}

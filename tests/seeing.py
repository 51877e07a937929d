"""What a page owes those who read it: named controls, headings in order, enough contrast.

And what nobody may slip past them: text that would be markup, hide, or pass for a line of ours.
"""

from core import Preview
from core.model import Quote, Table

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u200b&amp;\nrisk LOW"
HOSTILE_PREVIEW = Preview(
    summary=HOSTILE,
    facts=((HOSTILE, HOSTILE),),
    tables=(Table(title=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),)),),
    diff=f"+{HOSTILE}",
    warnings=(HOSTILE,),
    quotes=(Quote(who=HOSTILE, text=HOSTILE),),
)

LEAST_CONTRAST = 4.5

FOUND = """() => {
  const seen = (one) => one.checkVisibility({visibilityProperty: true, opacityProperty: true}) &&
    one.getClientRects().length > 0;
  const all = (what) => [...document.querySelectorAll(what)].filter(seen);
  const brief = (one) => one.outerHTML.replace(/\\s+/g, " ").slice(0, 90);

  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const colour = (text) => {                       // whatever the notation: red, green, blue, alpha
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [
    ...[r, g, b].map((light, at) => light * a + below[at] * (1 - a)), 1,
  ];
  const behind = (one) => {
    if (!one) return colour("Canvas");
    const mine = colour(getComputedStyle(one).backgroundColor);
    return mine[3] === 1 ? mine : over(mine, behind(one.parentElement));
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (one) => {
    const style = getComputedStyle(one), below = behind(one);
    const ink = colour(one instanceof SVGElement ? style.fill : style.color);
    const [low, high] = [light(over(ink, below)), light(below)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const words = (one) => [...one.childNodes]
    .filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()).length > 0;
  const named = (one) => {
    const by = (one.getAttribute("aria-labelledby") ?? "").split(" ");
    const texts = [...(one.labels ?? []), ...by.map((id) => document.getElementById(id)), one];
    return one.ariaLabel || one.title ||
      texts.some((text) => text?.textContent.trim() && text.tagName !== "SELECT");
  };
  const levels = all("h1, h2, h3, h4, h5, h6").map((one) => Number(one.tagName[1]));
  const page = document.scrollingElement;
  return {
    unnamed: all("input:not([type=hidden]), select, textarea, button, a[href], summary, dialog")
      .filter((one) => !named(one)).map(brief),
    jumps: levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).map((one) => `h${one}`),
    titles: levels.filter((level) => level === 1).length,
    faint: all("body *")
      .filter((one) => words(one) && !one.closest(":disabled, script, style, noscript"))
      .map((one) => [contrast(one), brief(one)])
      .filter(([ratio]) => ratio < LEAST)
      .map(([ratio, what]) => `${ratio.toFixed(2)} ${what}`),
    wider: page.scrollWidth - page.clientWidth,
    language: document.documentElement.lang,
    twice: [...document.querySelectorAll("[id]")].map(({id}) => id)
      .filter((id, at, ids) => ids.indexOf(id) !== at),
  };
}"""


def flaws(page, *, within="page"):
    """Return what is wrong with the page as it is now drawn; nothing when it is fine.

    Args:
        within: What to call it, for whoever reads the list.
    """
    found = page.evaluate(FOUND.replace("LEAST", str(LEAST_CONTRAST)))
    wrong = {
        "a control without a name": found["unnamed"],
        "a heading skips a level": found["jumps"],
        "text too faint": found["faint"],
        "an id comes twice": found["twice"],
        "wider than the window, pixels": [found["wider"]] if found["wider"] > 0 else [],
        "one h1": [] if found["titles"] == 1 else [found["titles"]],
        "a language": [] if found["language"] else ["none"],
    }
    return [f"{within}: {what}: {one}" for what, ones in wrong.items() for one in ones]

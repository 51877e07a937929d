"""Draw rows as a picture that people would rather look at than at the rows."""

# matplotlib is typed in part only
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

from .errors import AnalysisError
from .sealed import Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["bar", "line", "scatter", "pie"]

_INK = "#1f2933"
_RULE = "#d5dae0"
_COLORS = ("#2f6f9f", "#e07a3f", "#3f9b6d", "#b0486b", "#7a63b8", "#c9a227", "#5d6b78", "#1b998b")
_LABELS = 16  # names along the bottom before they run into each other
_SLICES = 8
_BARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """What goes along the bottom, and one or more columns of numbers; `nan` where there is none."""

    bottom: str
    places: Sequence[object]
    numbers: dict[str, list[float]]


def draw(found: Rows, kind: Kind, target: Path, *, title: str) -> None:
    """Write a PNG of the rows: the first column along the bottom, a series per further column.

    Raises:
        AnalysisError: The rows have no numbers to draw, or matplotlib is not installed.
    """
    series = _series(found)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise AnalysisError(
            "Charts need matplotlib: pip install 'gated-agents[analysis]'."
        ) from error
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(_words(title), loc="left", fontsize=15, fontweight="bold", color=_INK, pad=14)
    match kind:
        case "bar":
            _bars(axes, series)
        case "line":
            _lines(axes, series)
        case "scatter":
            _dots(axes, series)
        case "pie":
            _slices(axes, series)
        case _:
            assert_never(kind)
    if kind != "pie":
        _dress(axes, series)
    figure.savefig(target, format="png")


def _series(found: Rows) -> _Series:
    if not found.rows:
        raise AnalysisError("There are no rows to draw.")
    if len(found.columns) < 2:
        raise AnalysisError("A chart needs two columns: what goes along the bottom, and a number.")
    columns = list(zip(*found.rows, strict=True))
    numbers: dict[str, list[float]] = {}
    for name, values in zip(found.columns[1:], columns[1:], strict=True):
        if not all(value is None or _is_number(value) for value in values):
            raise AnalysisError(f"The column {name} cannot be drawn: it does not hold numbers.")
        numbers[name] = [math.nan if value is None else float(str(value)) for value in values]
    return _Series(bottom=found.columns[0], places=columns[0], numbers=numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _bars(axes: Axes, series: _Series) -> None:
    if len(series.places) > _BARS:
        raise AnalysisError(f"More than {_BARS} bars cannot be told apart; draw a line instead.")
    width = 0.8 / len(series.numbers)
    for place, (name, values) in enumerate(series.numbers.items()):
        left = [spot - 0.4 + width * (place + 0.5) for spot in range(len(values))]
        axes.bar(left, values, width * 0.94, label=_words(name), color=_color(place), zorder=2)
    _name_the_places(axes, series.places)


def _lines(axes: Axes, series: _Series) -> None:
    for place, (name, values) in enumerate(series.numbers.items()):
        axes.plot(
            _along(series),
            values,
            label=_words(name),
            color=_color(place),
            linewidth=2.2,
            marker="o" if len(values) <= 60 else "",
            markersize=4,
        )
    _scale_the_bottom(axes, series)


def _dots(axes: Axes, series: _Series) -> None:
    for place, (name, values) in enumerate(series.numbers.items()):
        axes.scatter(
            _along(series), values, s=22, alpha=0.65, label=_words(name), color=_color(place)
        )
    _scale_the_bottom(axes, series)


def _slices(axes: Axes, series: _Series) -> None:
    if len(series.numbers) > 1:
        raise AnalysisError("A pie shows one column of numbers; draw bars instead.")
    values = next(iter(series.numbers.values()))
    if any(not value >= 0 for value in values) or not sum(values):
        raise AnalysisError("A pie needs numbers that are not negative and not all zero.")
    slices = sorted(zip(values, map(_label, series.places), strict=True), reverse=True)
    shown = slices[:_SLICES]
    if len(slices) > _SLICES:
        rest = slices[_SLICES - 1 :]
        shown = [*slices[: _SLICES - 1], (sum(value for value, _ in rest), f"{len(rest)} others")]
    axes.pie(
        [value for value, _ in shown],
        labels=[f"{label}\n{_thousands(value)}" for value, label in shown],
        colors=_COLORS,
        autopct="%1.0f%%",
        pctdistance=0.8,
        startangle=90,
        counterclock=False,
        wedgeprops={"width": 0.42, "edgecolor": "white", "linewidth": 2},
        textprops={"color": _INK, "fontsize": 9},
    )


def _along(series: _Series) -> list[float]:
    """Return where each row stands along the bottom: by date, by number, else by rank."""
    if _all_dates(series.places):
        from matplotlib.dates import date2num

        return [float(date2num(place)) for place in series.places]
    if all(_is_number(place) for place in series.places):
        return [float(str(place)) for place in series.places]
    return [float(rank) for rank in range(len(series.places))]


def _scale_the_bottom(axes: Axes, series: _Series) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    if _all_dates(series.places):
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    elif all(_is_number(place) for place in series.places):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    else:
        _name_the_places(axes, series.places)


def _name_the_places(axes: Axes, places: Sequence[object]) -> None:
    labels = _dated(places) if _all_dates(places) else [_label(place) for place in places]
    step = math.ceil(len(labels) / _LABELS)
    long = max(len(label) for label in labels) * min(len(labels), _LABELS) > 90
    axes.set_xticks(range(0, len(labels), step))
    axes.set_xticklabels(
        labels[::step], rotation=35 if long else 0, ha="right" if long else "center"
    )


def _dress(axes: Axes, series: _Series) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _thousands(value)))
    axes.set_xlabel(_words(series.bottom), color=_INK)
    axes.set_ylabel(", ".join(map(_words, series.numbers)), color=_INK)
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)
    if len(series.numbers) > 1:
        axes.set_ylabel("")
        axes.legend(frameon=False, loc="best", labelcolor=_INK)


def _all_dates(places: Sequence[object]) -> bool:
    return all(isinstance(place, date) for place in places)


def _dated(places: Sequence[object]) -> list[str]:
    """Write dates as months where each is the first of one, and without a time that is midnight."""
    days = [place for place in places if isinstance(place, date)]
    clock = any(isinstance(day, datetime) and (day.hour or day.minute) for day in days)
    monthly = not clock and all(day.day == 1 for day in days)
    pattern = "%b %Y" if monthly else "%d %b %Y %H:%M" if clock else "%d %b %Y"
    return [day.strftime(pattern) for day in days]


def _label(place: object) -> str:
    text = (
        "none"
        if place is None
        else _thousands(float(str(place)))
        if _is_number(place)
        else str(place)
    )
    return _plain(text if len(text) <= 24 else f"{text[:23]}…")


def _words(name: str) -> str:
    text = " ".join(name.replace("_", " ").replace("-", " ").split())
    return _plain(text[:1].upper() + text[1:])


def _plain(text: str) -> str:
    """Keep matplotlib from taking dollar signs for formulas."""
    return text.replace("$", r"\$")


def _thousands(value: float) -> str:
    return (
        f"{value:,.0f}"
        if float(value).is_integer()
        else f"{value:,.6g}"
        if abs(value) < 1000
        else f"{value:,.1f}"
    )


def _color(place: int) -> str:
    return _COLORS[place % len(_COLORS)]

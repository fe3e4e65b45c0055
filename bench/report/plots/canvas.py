"""From matplotlib to an SVG that belongs to its page: its colours, its font, ids of its own.

Colours are drawn as sentinels and then become CSS variables, so that the page's style sheet, and
not the plot, knows of light and dark.
"""

from __future__ import annotations

import html
import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

WIDTH = 360
"""Width of a panel in CSS pixels: a phone's, so that text has its size there."""
FONT_SIZE = 11
_POINTS_PER_INCH = 72
_LONGEST = 24
_ROOM = 1.5
"""Factor between the outermost points and the ends of a logarithmic axis, for their labels."""
_STEPS = (
    (4, (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)),
    (12, (1.0, 2.0, 3.0, 5.0, 7.0)),
    (60, (1.0, 2.0, 5.0)),
    (600, (1.0, 3.0)),
    (math.inf, (1.0,)),
)
"""The largest ratio of a logarithmic axis's ends -> where in a decade it has numbers: at least two,
and not so many that they run into each other."""

COLOURS = {
    name: f"#0b{index:02x}e{index % 10}"
    for index, name in enumerate(
        ("ink", "muted", "grid", "paper", "ground", *(f"series-{number}" for number in range(1, 9)))
    )
}
"""Name of a CSS variable -> the colour that stands for it while it is drawn."""


def draw(id: str, title: str, height: int, paint: Callable[[Axes], None]) -> str:
    """What `paint` draws, as an SVG element with ids that begin with `id`.

    Nothing global is left changed, and a user's matplotlibrc has no say: equal input gives equal
    bytes.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser's fonts have the glyphs that matplotlib's own lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_style(id))
        size = (WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
        figure = Figure(figsize=size, layout="constrained")
        paint(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    return _themed(buffer.getvalue(), id, title, height)


def log_axis(axes: Axes, which: Literal["x", "y"], values: Sequence[float]) -> None:
    """A logarithmic axis around `values`, with plain numbers at round places."""
    low, high = min(values) / _ROOM, max(values) * _ROOM
    if which == "x":
        axes.set_xscale("log")
        axes.set_xlim(low, high)
    else:
        axes.set_yscale("log")
        axes.set_ylim(low, high)
    axis = axes.xaxis if which == "x" else axes.yaxis
    steps = next(steps for maximum, steps in _STEPS if high / low < maximum)
    axis.set_major_locator(LogLocator(subs=steps, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def few_ticks(axes: Axes, maximum: int = 6) -> None:
    """So few numbers on the x axis that they do not run into each other."""
    axes.xaxis.set_major_locator(MaxNLocator(maximum))


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows at 0, 1, 2 ... of the y axis, the first on top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")


def interval(axes: Axes, row: float, low: float | None, high: float | None) -> None:
    """A horizontal whisker from `low` to `high`; none where they are unknown."""
    if low is not None and high is not None:
        axes.plot([low, high], [row] * 2, color=COLOURS["ink"], marker="|", markersize=8)


def figure_at(axes: Axes, end: float, row: float, figure: str) -> None:
    """`figure` to the right of what ends at `end`."""
    axes.annotate(
        figure,
        (end, row),
        (5, 0),
        textcoords="offset points",
        verticalalignment="center_baseline",
    )


def short(name: str, longest: int = _LONGEST) -> str:
    """`name` in one printable line that leaves room for the plot."""
    line = _printable(name)
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[1 - half :]}"


def _printable(text: str) -> str:
    """`text` in one line, and without what XML has no way to write."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _style(salt: str) -> dict[RcKeyType, Any]:
    ink, muted, grid = (COLOURS[name] for name in ("ink", "muted", "grid"))
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "text.parse_math": False,  # a file's name may hold dollars
        "font.size": FONT_SIZE,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.labelsize": FONT_SIZE,
        "axes.edgecolor": muted,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": grid,
        "grid.linewidth": 0.8,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "xtick.labelsize": FONT_SIZE,
        "ytick.labelsize": FONT_SIZE,
        "lines.linewidth": 1.5,
        "lines.markersize": 7,
    }


_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_TAG = re.compile(r"<[^<>]+>")
_FONT = re.compile(r"font-family: [^;\"]*;? ?")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_NO_ROTATION = re.compile(r' transform="rotate\(-?0 [^"]*"')
_ID = re.compile(r'( id="|url\(#|href="#)')
_GROUP_ID = re.compile(r'<g id="[^"]*"')


def _themed(svg: str, id: str, title: str, height: int) -> str:
    """matplotlib's SVG document as an element of the page."""
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    # Its style sheet would hold for the whole page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    # Text holds no tag, since it is escaped: no name of a file is taken for a colour.
    body = _TAG.sub(lambda match: _tag(match[0], id), body)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{id}-title">'
        f'<title id="{id}-title">{html.escape(_printable(title))}</title>{body.strip()}'
    )


def _tag(tag: str, id: str) -> str:
    tag = _GROUP_ID.sub("<g", tag)
    tag = _ID.sub(lambda match: f"{match[0]}{id}-", tag)
    tag = _NO_ROTATION.sub("", _FONT.sub("", tag))
    tag = _LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}", tag).replace(
        "xlink:href", "href"
    )
    for name, colour in COLOURS.items():
        tag = tag.replace(colour, f"var(--{name})")
    return tag

"""Figures as inline SVG whose text and lines take the page's colours, so that dark pages work."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# placeholders that no other drawing uses; `svg` turns them into the page's own colours
INK, FAINT = "#010203", "#040506"
BLUE, ORANGE, GREEN, GREY = "#3b7dc4", "#e07b39", "#3a9d6e", "#8a94a3"
SEQUENCE = (BLUE, ORANGE, GREEN, "#a66bbf", "#c9a227", "#d1566e", "#4fb3bf", GREY)
SHADES = LinearSegmentedColormap.from_list("shades", ["#eef4fb", "#7fb2e5", "#1f5fa8", "#0b2f5c"])
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bocl",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": FAINT,
    "legend.frameon": False,
}


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns a figure of a size in inches with one pair of axes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def svg(figure: Figure, name: str, description: str) -> str:
    """Returns a figure as SVG for a page, as wide as its container.

    Args:
        figure: drawn by this module's functions.
        name: unique on the page; keeps the ids of two figures apart.
        description: for those who cannot see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = text.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    width = re.search(r'width="([\d.]+)pt"', text)
    size = f"max-width:{float(width[1]) * 1.5:.0f}px" if width else ""
    head = f'<svg role="img" aria-label="{description}" style="{size}"'
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[\d.]+pt"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) (?:width|height)="[\d.]+pt"', r"\1", text, count=1)
    return text.replace("<svg", head, 1)


def heat(
    axes: Axes,
    values: NDArray[np.float64],
    *,
    low: float,
    high: float,
    label: str = "{:.0f}",
    small: int = 7,
) -> None:
    """Fills axes with a labelled cell per value (rows, columns); NaN stays empty."""
    rows, columns = values.shape
    span = (high - low) or 1.0
    for row in range(rows):
        for column in range(columns):
            value = values[row, column]
            if value != value:  # noqa: PLR0124  NaN
                continue
            colour = SHADES(min(1.0, max(0.0, (value - low) / span)))
            axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=colour))
            dark = sum(to_rgb(colour)) < 1.5
            axes.text(
                column,
                row,
                label.format(value),
                ha="center",
                va="center",
                fontsize=small,
                color="#ffffff" if dark else "#111111",
            )
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)

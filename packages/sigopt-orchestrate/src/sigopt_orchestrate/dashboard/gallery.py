"""The sections of the page that hold plots."""

from collections.abc import Sequence
from dataclasses import dataclass

from sigopt_orchestrate.dashboard.analysis import comparable
from sigopt_orchestrate.dashboard.figures import MOST_LINES, front, parallel, progress, slice_of
from sigopt_orchestrate.dashboard.marks import Figure
from sigopt_orchestrate.dashboard.markup import Markup, element
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store.records import TrialRecord


@dataclass(frozen=True)
class Section:
    """Plots under one heading.

    Attributes:
        title: The heading.
        plots: Each with what it shows, in words for those who cannot see it.
        layout: `wide`, `parallel` (scrolls sideways where the page is narrow) or `slices` (a grid).
        note: How to read them, where that needs saying.
        least_width_px: Below this the plots scroll sideways.
    """

    title: str
    plots: tuple[tuple[str, Figure], ...]
    layout: str = "wide"
    note: str | None = None
    least_width_px: int = 0


def gallery(spec: Experiment, trials: Sequence[TrialRecord]) -> list[Section]:
    """Returns the plots of an experiment; none as long as no trial is completed."""
    if not comparable(spec, trials):
        return []
    sections = []
    if len(spec.objectives) == 2:
        names = " and ".join(metric.name for metric in spec.objectives)
        plot = (f"{names} of every trial, with the Pareto front", front(spec, trials))
        sections.append(Section(f"Trade-off between {names}", (plot,)))
    for metric in spec.objectives:
        says = f"{metric.name} of every trial, and the best so far"
        plot = (says, progress(spec, metric, trials))
        sections.append(Section(f"Best {metric.name} so far", (plot,)))
    sections.append(_parallel(spec, trials))
    for metric in spec.objectives:
        slices = tuple(
            (f"{metric.name} against {p.name}", slice_of(spec, metric, p, trials))
            for p in spec.parameters
        )
        sections.append(Section(f"{metric.name} by parameter", slices, "slices"))
    return sections


def hang(sections: Sequence[Section], prefix: str) -> tuple[Markup, dict[str, Figure]]:
    """Returns the sections as HTML with an empty place for every plot, and what to draw there.

    Args:
        sections: In the order of the page.
        prefix: What the names of the places begin with, so that they differ on a page.
    """
    figures: dict[str, Figure] = {}
    parts = []
    for section in sections:
        places = []
        for says, figure in section.plots:
            name = f"{prefix}-plot-{len(figures)}"
            figures[name] = figure
            look = f"min-width: {section.least_width_px}px"
            places.append(
                element("div", id=name, class_="plot", role="img", aria_label=says, style=look)
            )
        scrolls = {"tabindex": "0", "role": "region", "aria_label": section.title}
        parts.append(
            element(
                "section",
                element("h2", section.title),
                element("p", section.note, class_="note") if section.note else None,
                element(
                    "div",
                    *places,
                    class_=section.layout,
                    **(scrolls if section.least_width_px else {}),
                ),
                class_="card",
            )
        )
    return Markup("".join(parts)), figures


def _parallel(spec: Experiment, trials: Sequence[TrialRecord]) -> Section:
    note = f"Stronger blue is better {spec.objectives[0].name}, orange the best."
    if len(comparable(spec, trials)) > MOST_LINES:
        note += f" An even sample of at most {MOST_LINES} trials and the best."
    note += " Drag along an axis to select a range, click on it to let go."
    plot = (
        "One line a completed trial through every parameter and objective",
        parallel(spec, trials),
    )
    width = 90 * (len(spec.parameters) + len(spec.objectives))
    return Section("Parallel coordinates", (plot,), "parallel", note, width)

"""The report: one HTML file that needs no server, no network and no other file."""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from sigopt_orchestrate.dashboard.analysis import comparable
from sigopt_orchestrate.dashboard.figures import MOST_LINES, front, parallel, progress, slice_of
from sigopt_orchestrate.dashboard.marks import Figure, hover
from sigopt_orchestrate.dashboard.markup import Markup, element, join
from sigopt_orchestrate.dashboard.summary import facts, heading, headlines
from sigopt_orchestrate.dashboard.tables import trial_table, verdict
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def write_report(experiment: ExperimentRecord, trials: Sequence[TrialRecord], path: Path) -> None:
    """Writes the page of `experiment` to `path`, all of it or nothing.

    Args:
        experiment: In any state.
        trials: All of its trials by number, in any state; there may be none.
        path: Where to write; a file that is there is replaced.
    """
    page = report(experiment, trials).encode("utf-8", errors="replace")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(page)
        draft.chmod(0o644)  # mkstemp leaves it to its owner alone
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def report(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> str:
    """Returns the page of `experiment` as HTML."""
    spec, figures = experiment.spec, dict[str, Figure]()
    content = join(
        heading(experiment),
        headlines(experiment, trials),
        element("div", verdict(spec, trials), facts(experiment, trials), class_="columns"),
        _plots(spec, trials, figures),
        element(
            "section", element("h2", "All trials"), trial_table(spec, trials), class_="card all"
        )
        if trials
        else None,
    )
    data = {"hover": {t.number: hover(spec, t) for t in trials}, "figures": figures}
    plotly, script = _plotly() if figures else "", _file("page.js")
    return Template(_file("page.html")).substitute(
        policy=_policy(plotly, script),
        title=escape(f"{spec.name} · orchestrate"),
        style=_file("page.css"),
        content=content,
        data=_embeddable(data),
        plotly=plotly,
        script=script,
    )


def _plots(
    spec: Experiment, trials: Sequence[TrialRecord], figures: dict[str, Figure]
) -> Markup | None:
    """The sections of the plots, which are left in `figures` by the id of their place."""
    if not comparable(spec, trials):
        return None

    def place(figure: Figure, says: str, **attributes: object) -> Markup:
        name = f"plot-{len(figures)}"
        figures[name] = figure
        look = {"class_": "plot"} | attributes
        return element("div", id=name, role="img", aria_label=says, **look)

    sections: list[Markup] = []
    if len(spec.objectives) == 2:
        names = " and ".join(metric.name for metric in spec.objectives)
        sections.append(
            element(
                "section",
                element("h2", f"Trade-off between {names}"),
                place(front(spec, trials), f"{names} of every trial with the Pareto front"),
                class_="card",
            )
        )
    sections += [
        element(
            "section",
            element("h2", f"Best {metric.name} so far"),
            place(
                progress(spec, metric, trials), f"{metric.name} of every trial and the best so far"
            ),
            class_="card",
        )
        for metric in spec.objectives
    ]
    width = f"--width: {90 * (len(spec.parameters) + len(spec.objectives))}px"
    says = "One line a completed trial through every parameter and objective"
    lines = place(parallel(spec, trials), says, class_="plot parallel", style=width)
    note = f"Stronger blue is better {spec.objectives[0].name}, orange the best."
    if len(comparable(spec, trials)) > MOST_LINES:
        note += f" An even sample of at most {MOST_LINES} trials and the best."
    note += " Drag along an axis to select."
    sections.append(
        element(
            "section",
            element("h2", "Parallel coordinates"),
            element("p", note, class_="note"),
            element("div", lines, class_="scroll", tabindex="0", role="region", aria_label=says),
            class_="card",
        )
    )
    for metric in spec.objectives:
        slices = (
            place(slice_of(spec, metric, p, trials), f"{metric.name} against {p.name}")
            for p in spec.parameters
        )
        sections.append(
            element(
                "section",
                element("h2", f"{metric.name} by parameter"),
                element("div", *slices, class_="slices"),
                class_="card",
            )
        )
    return join(*sections)


def _embeddable(data: object) -> str:
    """JSON that may stand inside a script element: no character there can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(*scripts: str) -> str:
    """A content security policy under which the browser runs these scripts and loads nothing.

    plotly.js compiles the shaders' bindings of its parallel coordinates at run time: unsafe-eval.
    """
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  # only a page with plots pays for it

    return str(get_plotlyjs())


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

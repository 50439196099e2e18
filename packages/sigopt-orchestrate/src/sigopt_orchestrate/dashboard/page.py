"""The report: one HTML file that needs no server, no network and no other file."""

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from sigopt_orchestrate.dashboard.gallery import gallery, hang
from sigopt_orchestrate.dashboard.marks import Figure, hover
from sigopt_orchestrate.dashboard.markup import Markup, element, join
from sigopt_orchestrate.dashboard.summary import facts, heading, headlines
from sigopt_orchestrate.dashboard.tables import trial_table, verdict
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord

Shown = tuple[ExperimentRecord, Sequence[TrialRecord]]
"""An experiment in any state with all its trials by number; there may be none."""


def write_report(experiments: Sequence[Shown], path: Path, notes: str | None = None) -> None:
    """Writes the page of `experiments` to `path`, all of it or nothing.

    Args:
        experiments: In the order of the page.
        path: Where to write; a file that is there is replaced.
        notes: Text to show above them, line by line as it stands.
    """
    page = report(experiments, notes).encode("utf-8", errors="replace")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(page)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def report(experiments: Sequence[Shown], notes: str | None = None) -> str:
    """Returns the page of `experiments` as HTML."""
    figures: dict[str, Figure] = {}
    content = [_contents([record for record, _ in experiments])] if len(experiments) > 1 else []
    if notes:
        content.append(element("pre", notes, class_="card notes", tabindex="0"))
    for experiment, trials in experiments:
        content.append(_part(experiment, trials, figures))
    hovers = {
        record.id: {t.number: hover(record.spec, t) for t in trials}
        for record, trials in experiments
    }
    names = ", ".join(record.spec.name for record, _ in experiments)
    data = {"hover": hovers, "figures": figures}
    plotly, script = plotly_js() if figures else "", _file("page.js")
    drawing = _file("parallel.js") + _file("plots.js").removeprefix('"use strict";')
    return Template(_file("page.html")).substitute(
        policy=_policy(plotly, drawing, script),
        title=escape(f"{names} · orchestrate"),
        style=_file("page.css"),
        content=join(*content),
        data=_embeddable(data),
        plotly=plotly,
        plots=drawing,
        script=script,
    )


def _contents(experiments: Sequence[ExperimentRecord]) -> Markup:
    links = (
        element("li", element("a", record.spec.name, href=f"#experiment-{record.id}"))
        for record in experiments
    )
    return element("nav", element("ul", *links, class_="contents"), aria_label="Experiments")


def _part(
    experiment: ExperimentRecord, trials: Sequence[TrialRecord], figures: dict[str, Figure]
) -> Markup:
    """One experiment; what is to be drawn in it is added to `figures`."""
    name = f"experiment-{experiment.id}"
    plots, drawn = hang(gallery(experiment.spec, trials), name)
    figures |= drawn
    content = [
        heading(experiment),
        headlines(experiment, trials),
        element("div", verdict(experiment, trials), facts(experiment, trials), class_="columns"),
        plots,
    ]
    if trials:
        table = trial_table(experiment, trials)
        content.append(element("section", element("h2", "All trials"), table, class_="card all"))
    return element("article", *content, id=name, class_="experiment", data_experiment=experiment.id)


def _embeddable(data: object) -> str:
    """JSON that may stand inside a script element: no character there can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(*scripts: str) -> str:
    """A content security policy under which the browser runs these scripts and loads nothing."""
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    )


def plotly_js() -> str:
    """Returns plotly.js out of its Python package, which takes longer to import than to read."""
    spec = find_spec("plotly")
    assert spec is not None  # noqa: S101 - a dependency
    assert spec.origin is not None  # noqa: S101
    script = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return script.read_text(encoding="utf-8")


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

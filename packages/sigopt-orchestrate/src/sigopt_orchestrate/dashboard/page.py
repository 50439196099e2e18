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
from sigopt_orchestrate.dashboard.marks import hover
from sigopt_orchestrate.dashboard.markup import element, join
from sigopt_orchestrate.dashboard.summary import facts, heading, headlines
from sigopt_orchestrate.dashboard.tables import trial_table, verdict
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord


def write_report(experiment: ExperimentRecord, trials: Sequence[TrialRecord], path: Path) -> None:
    """Writes the page of `experiment` to `path`, all of it or nothing.

    Args:
        experiment: In any state.
        trials: All of its trials by number, in any state; there may be none.
        path: Where to write; a file that is there is replaced.
    """
    page = report(experiment, trials).encode("utf-8", errors="replace")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(page)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def report(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> str:
    """Returns the page of `experiment` as HTML."""
    spec = experiment.spec
    plots, figures = hang(gallery(spec, trials))
    content = [
        heading(experiment),
        headlines(experiment, trials),
        element("div", verdict(spec, trials), facts(experiment, trials), class_="columns"),
        plots,
    ]
    if trials:
        table = trial_table(spec, trials)
        content.append(element("section", element("h2", "All trials"), table, class_="card all"))
    data = {"hover": {t.number: hover(spec, t) for t in trials}, "figures": figures}
    plotly, script = plotly_js() if figures else "", _file("page.js")
    drawing = _file("parallel.js") + _file("plots.js").removeprefix('"use strict";')
    return Template(_file("page.html")).substitute(
        policy=_policy(plotly, drawing, script),
        title=escape(f"{spec.name} · orchestrate"),
        style=_file("page.css"),
        content=join(*content),
        data=_embeddable(data),
        plotly=plotly,
        plots=drawing,
        script=script,
    )


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

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from sigopt_orchestrate.dashboard import write_report
from sigopt_orchestrate.dashboard.gallery import gallery
from sigopt_orchestrate.lifecycle import ExperimentState, TrialState

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "\"' onmouseover=alert(3) x='",
    "<!-- <img src=https://example.org/x onerror=alert(4)>",
    "$title ${data} %{x} &lt;b&gt; 学習率",
]


class Page(HTMLParser):
    """A page's text, elements and embedded data; refuses unbalanced elements."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts, self.scripts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open[-1:] == ["script"] else self.texts).append(data)

    @property
    def text(self):
        return " ".join(self.texts)

    @property
    def data(self):
        return json.loads(self.scripts[0])

    def ids(self):
        return [attrs["id"] for _, attrs in self.elements if "id" in attrs]


@pytest.fixture
def render(tmp_path):
    def render(experiment, trials):
        path = tmp_path / "report.html"
        write_report([(experiment, trials)], path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
        return Page(path.read_text(encoding="utf-8"))

    return render


@pytest.fixture
def trials(make_trial):
    def trials(spec, count):
        values = [
            [(i * 7 % 5) / 5 + i / 100 + k for k in range(len(spec.metrics))] for i in range(count)
        ]
        made = [
            make_trial(spec, i, *([] if i % 4 == 0 else value)) for i, value in enumerate(values, 1)
        ]
        if made:
            made[0] = replace(made[0], source="default")
        return made

    return trials


@pytest.mark.parametrize("count", [0, 1, 2, 13, 2000])
def test_every_trial_parameter_and_metric_is_on_the_page(
    make_spec, make_experiment, trials, render, count
):
    spec = make_spec("minimize", "maximize")
    page = render(make_experiment(spec), trials(spec, count))
    assert {f"experiment-7-trial-{n}" for n in range(1, count + 1)} <= set(page.ids())
    assert len(page.ids()) == len(set(page.ids()))
    if count:
        for name in [p.name for p in spec.parameters] + [m.name for m in spec.metrics]:
            assert name in page.texts
        assert set(page.data["hover"]["7"]) == {str(n) for n in range(1, count + 1)}
        assert set(page.data["figures"]) <= set(page.ids())


def test_the_best_stands_beside_the_defaults_with_the_gain(
    make_spec, make_trial, make_experiment, render
):
    spec = make_spec("minimize")
    trials = [make_trial(spec, 1, 2.0, source="default"), make_trial(spec, 2, 1.5)]
    page = render(make_experiment(spec), trials)
    assert "25 % better than the defaults" in page.text
    assert "Best configuration" in page.text
    assert "defaults (" in page.text


def test_several_experiments_stand_on_one_page_under_notes(
    make_spec, make_experiment, trials, tmp_path
):
    specs = [make_spec("minimize", name="first"), make_spec("maximize", "minimize", name="second")]
    shown = [
        (replace(make_experiment(spec), id=number), trials(spec, 9))
        for number, spec in enumerate(specs, 1)
    ]
    path = tmp_path / "report.html"
    write_report(shown, path, notes="a < b\n  as it stands")
    page = Page(path.read_text(encoding="utf-8"))
    assert "a < b\n  as it stands" in page.texts
    links = [attrs["href"][1:] for tag, attrs in page.elements if tag == "a"]
    assert links[:2] == ["experiment-1", "experiment-2"]
    assert len(page.ids()) == len(set(page.ids())), "no trial or plot is taken for another's"
    assert set(links) | set(page.data["figures"]) <= set(page.ids())
    assert {key: len(texts) for key, texts in page.data["hover"].items()} == {"1": 9, "2": 9}


def test_without_a_completed_trial_the_page_says_why_and_draws_nothing(
    make_spec, make_trial, make_experiment, render
):
    spec = make_spec("maximize")
    failed = [make_trial(spec, n) for n in (1, 2)]
    page = render(make_experiment(spec, state=ExperimentState.FAILED, reason="gave up"), failed)
    assert "gave up" in page.text
    assert "the command exited with status 1 (2 of 2)" in page.text
    assert page.data["figures"] == {}
    running = replace(make_trial(spec, 1), state=TrialState.RUNNING, ended_at=None)
    assert "No trial has ended so far." in render(make_experiment(spec), [running]).text


def test_the_page_loads_nothing(make_spec, make_experiment, trials, render):
    spec = make_spec("maximize", "minimize")
    page = render(make_experiment(spec), trials(spec, 9))
    for tag, attrs in page.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert "src" not in attrs
        assert attrs.get("href", "#").startswith("#")
    policy = next(attrs["content"] for _, attrs in page.elements if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_only_ever_text(make_spec, make_trial, make_experiment, render, hostile):
    parameters = [
        {"name": "lr", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "kind", "type": "categorical", "categorical_values": ["plain", hostile]},
    ]
    spec = make_spec(
        name=hostile, command="train", parameters=parameters, metrics=[{"name": hostile}]
    )
    values = {"values": {hostile: 1.0}, "source": hostile, "reason": hostile}
    made = [make_trial(spec, n, 1.0, **values) for n in (1, 2)] + [
        make_trial(spec, 3, reason=hostile)
    ]
    page = render(make_experiment(spec, reason=hostile), made)
    assert page.text.count(hostile) > 6
    assert [tag for tag, _ in page.elements].count("script") == 4
    assert len(page.scripts) == 4
    for _, attrs in page.elements:
        assert not any(name.startswith("on") for name in attrs)
    figures = page.data["figures"]
    for dimension in figures["experiment-7-plot-1"]["data"][0]["dimensions"]:
        for plain in ("key", "label", "ticktext", "categories"):  # set as text, never as HTML
            dimension.pop(plain, None)
    drawn = json.dumps([page.data["hover"], figures]).replace("<br>", "").replace("<b>", "")
    assert "<" not in drawn.replace("</b>", "")  # plotly reads a little HTML in its texts


def test_a_reason_that_is_no_unicode_can_be_written(make_spec, make_trial, make_experiment, render):
    spec = make_spec("maximize")
    page = render(make_experiment(spec), [make_trial(spec, 1, reason="log: \ud800\0")])
    assert "log: ?" in page.text


@pytest.mark.parametrize("objectives", [("maximize",), ("minimize", "minimize")])
def test_plotly_accepts_every_figure(make_spec, trials, objectives):
    spec = make_spec(*objectives)
    for count in (1, 12):
        for section in gallery(spec, trials(spec, count)):
            for _, figure in section.plots:
                if figure["data"][0]["type"] != "parallel":  # that is parallel.js's
                    go.Figure(figure)


def test_parallel_coordinates_draw_a_sample_and_the_best(make_spec, trials):
    spec = make_spec("maximize")
    section = next(s for s in gallery(spec, trials(spec, 2000)) if s.layout == "parallel")
    ranks = section.plots[0][1]["data"][0]["ranks"]
    assert len(ranks) <= 301
    assert ranks.count(1.0) == 1
    assert "sample" in section.note


def test_the_colours_of_the_plots_are_the_page_s(make_spec, make_experiment, trials, render):
    spec = make_spec("maximize", "minimize")
    page = render(make_experiment(spec), trials(spec, 9))
    style = next(text for text in page.texts if ":root" in text)
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", json.dumps(page.data)))
    assert used <= set(re.findall(r"(--[a-z0-9-]+):", style))


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    make_spec, make_experiment, tmp_path, monkeypatch
):
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        write_report([(make_experiment(make_spec("maximize")), [])], path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [
        ("report.html", "old")
    ]


def test_importing_the_dashboard_imports_no_plotly():
    code = "import sys, sigopt_orchestrate.dashboard; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Pages stand alone, are well formed, and show what was measured."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from bocl.comparison import Outcome
from bocl.growth import Growth
from bocl.metrics import measure
from bocl.records import TaskRecord
from bocl.report import RunFacts, comparison_page, run_page
from bocl.search.trials import Trial

VOID = {"meta", "br", "path", "use"}


class Balanced(HTMLParser):
    """Follows opening and closing tags, and gathers ids."""

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, _, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def facts(levels=2, tasks=3):
    """Returns made facts: a first task, one with a search, one without growth."""
    growths = [Growth((8,) * levels, reuse=False), Growth((2,) * levels), Growth((0,) * levels)]
    landscape = {
        Growth((a,) * (levels - 1) + (b,)): 0.8 + 0.02 * a + 0.01 * b
        for a in (0, 2, 4)
        for b in (2, 4)
    }
    records = [
        TaskRecord(
            name=f"<task {number}>",
            classes=3,
            fingerprint="",
            view="identity",
            growth=growths[number % 3],
            validation_accuracy=0.9,
            parameters=1000,
            macs=5000,
            trials=[Trial(growths[1], 0.85, 0.1)] if number == 1 else [],
            landscape=landscape if number == 1 else {},
            deviations=dict.fromkeys(landscape, 0.01) if number == 1 else {},
            costs={g: 0.1 * sum(g.widths) for g in landscape} if number == 1 else {},
            attention=((0.5,) * number,) * levels,
        )
        for number in range(tasks)
    ]
    matrix = np.tril(np.full((tasks, tasks), 0.9))
    matrix[np.triu_indices(tasks, 1)] = np.nan
    names = [f"level {level}" for level in range(1, levels + 1)]
    return RunFacts("a <run>", records, matrix, measure(matrix, [3] * tasks), 900, 0.3, names)


@pytest.mark.parametrize(("levels", "tasks"), [(2, 3), (3, 2), (2, 1)])
def test_a_run_page_stands_alone(levels, tasks):
    page = run_page(facts(levels, tasks))
    reader = Balanced()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="(?!#)([^"]*)"', page)) == set()
    assert "a &lt;run&gt;" in page
    assert "90.00" in page
    assert ("Search" in page) == (tasks > 1)
    assert "currentColor" in page
    assert "#010203" not in page


def test_the_same_facts_give_the_same_page():
    assert run_page(facts()) == run_page(facts())


def test_a_comparison_page_shows_every_method():
    rows = [
        [Outcome("made", name, seed, [[0.9, None], [0.9, 0.8]], 2000, 1000, 3.0) for seed in (0, 1)]
        for name in ("bocl", "a & b")
    ]
    page = comparison_page("two", rows)
    reader = Balanced()
    reader.feed(page)
    assert reader.open == []
    assert "a &amp; b" in page
    assert "85.00 ± 0.00" in page
    assert "2.00x" in page

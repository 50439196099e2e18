"""The examples run, and the estimator's docstring example too."""

import doctest
import runpy
from pathlib import Path

import pytest

from cmn import recommender

EXAMPLES = [Path(__file__).parents[1] / "examples" / "quickstart.py"]  # serve.py: test_serve.py


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_ends_with_a_verdict(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert "NDCG@10" in capsys.readouterr().out.splitlines()[-1]


def test_the_estimators_docstring_example_is_true():
    assert doctest.testmod(recommender).failed == 0
    assert doctest.testmod(recommender).attempted > 0

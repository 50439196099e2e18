import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.dashboard.analysis import (
    best_so_far,
    best_trials,
    comparable,
    default_trial,
    failure_reasons,
    gain,
    wall_time_s,
)
from sigopt_orchestrate.lifecycle import TrialState

# Few different values, so that ties are common; None is a failed trial.
VALUE = st.integers(-4, 4).map(float)
OBJECTIVE = st.sampled_from(["maximize", "minimize"])


def dominates(spec, a, b):
    """Whether `a` is nowhere worse than `b` and somewhere better, or equal and earlier."""
    gains = [gain(metric, a, b) for metric in spec.objectives]
    return min(gains) >= 0 and (max(gains) > 0 or a.number < b.number)


@given(OBJECTIVE, OBJECTIVE, st.lists(st.none() | st.tuples(VALUE, VALUE), max_size=25))
def test_the_front_is_what_brute_force_finds(make_spec, make_trial, first, second, pairs):
    spec = make_spec(first, second)
    trials = [make_trial(spec, i, *(pair or ())) for i, pair in enumerate(pairs, 1)]
    front = best_trials(spec, trials)
    done = comparable(spec, trials)
    expected = [t for t in done if not any(dominates(spec, o, t) for o in done if o is not t)]
    assert {t.number for t in front} == {t.number for t in expected}
    firsts = [spec.objectives[0].sign * t.values["metric-0"] for t in front]
    assert firsts == sorted(firsts, reverse=True)


@given(OBJECTIVE, st.lists(st.none() | VALUE))
def test_the_best_trial_is_the_first_of_the_best(make_spec, make_trial, objective, values):
    spec = make_spec(objective)
    trials = [make_trial(spec, i, *([] if v is None else [v])) for i, v in enumerate(values, 1)]
    present = [value for value in values if value is not None]
    if not present:
        assert best_trials(spec, trials) == []
    else:
        wanted = max(present) if objective == "maximize" else min(present)
        assert best_trials(spec, trials) == [trials[values.index(wanted)]]


@given(OBJECTIVE, st.lists(st.none() | VALUE))
def test_best_so_far_never_gets_worse_and_ends_at_the_best(
    make_spec, make_trial, objective, values
):
    spec = make_spec(objective)
    trials = [make_trial(spec, i, *([] if v is None else [v])) for i, v in enumerate(values, 1)]
    series = best_so_far(spec, spec.objectives[0], trials)
    known = [spec.objectives[0].sign * value for value in series if value is not None]
    assert len(series) == len(trials)
    assert known == sorted(known)
    assert None not in series[len(series) - len(known) :]
    if known:
        assert series[-1] == best_trials(spec, trials)[0].values["metric-0"]


def test_only_completed_trials_with_finite_objectives_compare(make_spec, make_trial):
    spec = make_spec("maximize")
    running = replace(make_trial(spec, 1, 9.0), state=TrialState.RUNNING)
    broken = [make_trial(spec, 2, math.nan), make_trial(spec, 3, math.inf), make_trial(spec, 4)]
    partial = replace(make_trial(spec, 5, 1.0), values={"other": 1.0})
    assert best_trials(spec, [running, *broken, partial]) == []


def test_gain_is_positive_where_the_trial_is_better(make_spec, make_trial):
    spec = make_spec("maximize", "minimize")
    trial, reference = make_trial(spec, 2, 0.75, 3.0), make_trial(spec, 1, 0.5, 2.0)
    assert [gain(metric, trial, reference) for metric in spec.objectives] == [0.25, -1.0]
    assert gain(spec.objectives[0], trial, make_trial(spec, 3)) is None


def test_the_default_trial_is_found_by_its_source(make_spec, make_trial):
    spec = make_spec("maximize")
    first, second = make_trial(spec, 1, 0.5, source="default"), make_trial(spec, 2, 0.6)
    assert default_trial([second, first]) is first
    assert default_trial([second]) is None


def test_failure_reasons_come_most_frequent_first(make_spec, make_trial):
    spec = make_spec("maximize")
    reasons = ["lost", None, "lost"]
    trials = [make_trial(spec, i, reason=reason) for i, reason in enumerate(reasons)]
    assert failure_reasons(trials) == [("lost", 2), ("no reason given", 1)]


@pytest.mark.parametrize(("ended_at", "expected"), [(1e9 + 90, 90.0), (None, 8.0)])
def test_wall_time_goes_to_the_end_or_the_last_sign_of_life(
    make_spec, make_trial, make_experiment, ended_at, expected
):
    spec = make_spec("maximize")
    experiment = make_experiment(spec, ended_at=ended_at)
    assert wall_time_s(experiment, [make_trial(spec, 3, 1.0)]) == expected
    assert wall_time_s(replace(experiment, ended_at=None), []) == 0.0

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.optimizer.early_stopping import may_stop, trial_may_stop
from sigopt_orchestrate.spec import EarlyStopping

VALUES = st.lists(st.integers(-50, 50).map(float), max_size=12)


def _curve(values: list[float]) -> list[tuple[float, float]]:
    return list(enumerate(values, start=1))


def _rule(kind: str, **more: float) -> EarlyStopping:
    return EarlyStopping.model_validate({"type": kind, "metric": "f", **more})


@pytest.mark.parametrize(("value", "stops"), [(0.9, False), (0.6, False), (0.4, True), (0.1, True)])
def test_asha_keeps_the_best_third_at_a_rung(value: float, stops: bool) -> None:
    others = [_curve([v]) for v in (0.8, 0.5, 0.3, 0.2, 0.05)]
    assert may_stop(_rule("asha"), 1.0, _curve([value]), others) is stops


def test_asha_judges_once_at_each_rung_and_by_the_values_there() -> None:
    others = [_curve([0.1, 0.9, v]) for v in (0.5, 0.6, 0.7)]
    rule = _rule("asha")
    assert may_stop(rule, 1.0, _curve([0.05]), others)
    assert not may_stop(rule, 1.0, _curve([0.05, 0.05]), others)  # step 2 is no rung
    assert may_stop(rule, 1.0, _curve([0.05, 0.05, 0.4]), others)
    assert not may_stop(rule, 1.0, _curve([0.05, 0.05, 0.8]), others)
    assert not may_stop(rule, 1.0, [(2.0, 0.05), (4.0, 0.8)], others)  # rung 3, passed at 4


def test_asha_stops_about_two_thirds_of_equal_trials() -> None:
    order = [(7 * i) % 31 for i in range(31)]
    stopped = [
        may_stop(_rule("asha"), 1.0, _curve([float(v)]), [_curve([float(w)]) for w in order[:i]])
        for i, v in enumerate(order)
    ]
    assert 0.5 < sum(stopped) / len(stopped) < 0.75


def test_the_median_rule_compares_the_best_with_running_means() -> None:
    others = [_curve([0.0, 1.0]), _curve([0.2, 0.4]), _curve([0.1, 0.3]), _curve([0.9])]
    rule = _rule("median")
    assert may_stop(rule, 1.0, _curve([0.1, 0.25]), others)  # means .5, .3, .2 at step 2
    assert not may_stop(rule, 1.0, _curve([0.35, 0.2]), others)
    assert not may_stop(rule, 1.0, _curve([0.0, 0.0]), others[:2])  # too few to compare with


def test_lookback_stops_what_has_not_become_better() -> None:
    rule = _rule("lookback", lookback=2, min=4)
    assert not may_stop(rule, 1.0, _curve([3, 1, 1]), [])
    assert may_stop(rule, 1.0, _curve([1, 3, 2, 3]), [])
    assert not may_stop(rule, 1.0, _curve([1, 3, 2, 4]), [])


@given(curve=VALUES, others=st.lists(VALUES, max_size=6))
def test_minimising_mirrors_maximising_and_the_best_is_never_stopped(curve, others) -> None:
    for kind in ("asha", "median", "lookback"):
        rule = _rule(kind)
        plain = may_stop(rule, 1.0, _curve(curve), [_curve(o) for o in others])
        mirrored = may_stop(
            rule, -1.0, _curve([-v for v in curve]), [_curve([-v for v in o]) for o in others]
        )
        assert plain == mirrored
        if curve and kind != "lookback" and all(curve[-1] > v for o in others for v in o):
            assert not plain


def test_a_trial_of_an_experiment_is_judged_by_its_rule(build) -> None:
    rule = {"type": "median", "metric": "f0", "min": 2}
    curve = [(1.0, {"f0": 5.0}), (2.0, {"f0": 5.0, "g": 1.0})]
    others = [[(1.0, {"f0": v}), (3.0, {"f0": v})] for v in (1.0, 2.0, 3.0)]
    minimised = build(objectives=["minimize"], early_stopping=rule)
    assert trial_may_stop(minimised, curve, others)
    assert not trial_may_stop(minimised, curve[:1], others)
    assert not trial_may_stop(build(early_stopping=rule), curve, others)
    assert not trial_may_stop(build(), curve, others)

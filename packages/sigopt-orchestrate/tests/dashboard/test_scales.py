import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigopt_orchestrate.dashboard.scales import log_ticks, scale


@given(st.floats(1e-12, 1e12), st.floats(1.01, 1e12))
def test_log_ticks_are_few_ascending_and_inside_the_bounds(low, factor):
    ticks = log_ticks(low, low * factor)
    assert 2 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks))
    assert low <= ticks[0]
    assert ticks[-1] <= low * factor


def test_a_log_parameter_is_placed_by_its_decimal_logarithm(make_spec):
    axis = scale(make_spec("maximize").parameters[0])
    assert (axis.low, axis.high) == pytest.approx((-5, -1))
    assert axis.position(0.001) == pytest.approx(-3)
    assert [text for _, text in axis.ticks] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]


def test_few_integers_and_all_categories_have_a_tick_each(make_spec):
    parameters = make_spec("maximize").parameters
    assert [text for _, text in scale(parameters[1]).ticks] == ["1", "2", "3", "4"]
    assert scale(parameters[3]).ticks == ((0.0, "adam"), (1.0, "sgd"))
    assert scale(parameters[3]).position("sgd") == 1.0

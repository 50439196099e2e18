from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from sigopt_orchestrate.spec import Experiment

Build = Callable[..., Experiment]


def _double(name: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "double", "bounds": {"min": low, "max": high}, **more}


@pytest.fixture(scope="session")
def build() -> Build:
    """An experiment over the given parameters; two doubles in the unit square by default."""

    def build(
        parameters: Sequence[dict[str, Any]] | None = None,
        *,
        objectives: Sequence[str] = ("maximize",),
        budget: int = 40,
        seed: int = 0,
        algorithm: str = "bayesian",
        constraints: Sequence[float] = (),
        **more: Any,
    ) -> Experiment:
        return Experiment.model_validate(
            {
                "name": "test",
                "command": "true",
                "parameters": parameters or [_double("x", 0, 1), _double("y", 0, 1)],
                "metrics": [
                    *({"name": f"f{j}", "objective": o} for j, o in enumerate(objectives)),
                    *(
                        {"name": f"c{j}", "strategy": "constraint", "threshold": threshold}
                        for j, threshold in enumerate(constraints)
                    ),
                ],
                "budget": budget,
                "optimizer": {"seed": seed, "algorithm": algorithm},
                **more,
            }
        )

    return build


@pytest.fixture(scope="session")
def parameter_lists() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of one to four parameters of any kind, with sober, huge and tiny bounds."""
    magnitudes = st.floats(1e-300, 1e300)
    doubles = st.tuples(st.one_of(st.floats(-1e308, 1e308), magnitudes), magnitudes).filter(
        lambda t: t[0] < t[0] + t[1] < 1e308
    )
    double = st.builds(lambda t: _double("", t[0], t[0] + t[1]), doubles)
    log_double = st.builds(
        lambda low, factor: _double("", low, low * factor, transformation="log"),
        st.floats(1e-150, 1e150),
        st.floats(1.1, 1e9),
    )
    integer = st.builds(
        lambda low, span: {"type": "int", "bounds": {"min": low, "max": low + span}},
        st.integers(-(10**6), 10**6),
        st.integers(1, 10**9),
    )
    log_integer = st.builds(
        lambda low, span: {
            "type": "int",
            "bounds": {"min": low, "max": low + span},
            "transformation": "log",
        },
        st.integers(1, 1000),
        st.integers(1, 10**9),
    )
    value = st.one_of(st.text(max_size=5), st.integers(-9, 9), st.floats(-9.5, 9.5).map(float))
    categorical = st.builds(
        lambda values: {"type": "categorical", "categorical_values": values},
        st.lists(value, min_size=2, max_size=4, unique=True),
    )
    one = st.one_of(double, log_double, integer, log_integer, categorical)
    return st.lists(one, min_size=1, max_size=4).map(
        lambda found: [{**p, "name": f"p{i}"} for i, p in enumerate(found)]
    )

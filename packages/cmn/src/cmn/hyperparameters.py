"""Hyperparameters: what can be set about a fit, with defaults, ranges and meanings in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from cmn.errors import ParameterError


def _setting(
    default: float, low: float, meaning: str, *, above: bool = False, high: float = math.inf
) -> Any:
    """Returns a field that must lie in [low, high], or in (low, high] if `above`."""
    metadata = {"low": low, "high": high, "above": above, "meaning": meaning}
    return field(default=default, metadata=metadata)


@dataclass
class Hyperparameters:
    """Settings of a fit; see each field's meaning, which the command line shows too.

    Raises:
        ParameterError: a value of the wrong type or out of its range.
    """

    embedding_dim: int = _setting(50, 1, "size d of the user, item and external memories")
    hops: int = _setting(2, 1, "how many times the neighbourhood is read")
    negatives: int = _setting(4, 1, "negatives drawn for each positive in each epoch")
    learning_rate: float = _setting(
        1e-3, 0, "Adam's step for output module, hops, external memory", above=True
    )
    memory_rate: float = _setting(
        0.2, 0, "step of user and item memories, as a share of learning_rate"
    )
    l2: float = _setting(1e-3, 0, "penalty on the layers' weights (not on memories or biases)")
    epochs: int = _setting(5, 1, "most epochs of the memory network")
    warmup_epochs: int = _setting(1, 0, "first epochs in which user and item memories stand still")
    patience: int = _setting(2, 1, "epochs without a better validation NDCG@10 before stopping")
    batch_size: int = _setting(512, 1, "positives in a step")
    pretrain_epochs: int = _setting(
        15, 0, "most epochs of the matrix factorisation that starts M and E"
    )
    pretrain_rate: float = _setting(2e-3, 0, "Adam's step of the factorisation", above=True)
    exclude_self: bool = field(
        default=False, metadata={"meaning": "strike a user out of the neighbourhoods it attends to"}
    )
    seed: int = _setting(0, 0, "seed of initial values, negatives and order", high=2**32 - 1)

    def __post_init__(self) -> None:
        for setting in fields(Hyperparameters):
            value = getattr(self, setting.name)
            default = setting.default
            if isinstance(default, bool):
                if not isinstance(value, bool):
                    raise ParameterError(f"{setting.name} is {value!r}; True or False is allowed")
                continue
            whole = isinstance(default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number" if whole else "a number"
                raise ParameterError(f"{setting.name} is {value!r}; {kind} is needed")
            low, high = setting.metadata["low"], setting.metadata["high"]
            above = setting.metadata["above"]
            if not math.isfinite(value) or value < low or value > high or (above and value == low):
                at_most = "" if high == math.inf else f" and at most {high}"
                bound = f"above {low}" if above else f"at least {low}"
                raise ParameterError(f"{setting.name} is {value}; {bound}{at_most} is allowed")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  scikit-learn asks it
        """Returns the settings by name."""
        return {setting.name: getattr(self, setting.name) for setting in fields(Hyperparameters)}

"""Hyperparameters: what can be set about a fit: ranges, meanings, each protocol's values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from cmn.errors import ParameterError

if TYPE_CHECKING:
    from dataclasses import Field

PROTOCOLS = ("default", "paper", "best")


def _number(
    default: float,
    low: float,
    meaning: str,
    *,
    above: bool = False,
    high: float = math.inf,
    **protocols: float,
) -> Any:
    """Returns a field that must lie in [low, high], or in (low, high] if `above`."""
    bounds = {"low": low, "high": high, "above": above}
    return _setting(default, meaning, protocols, **bounds)


def _switch(default: bool, meaning: str, **protocols: bool) -> Any:
    """Returns a field that is True or False."""
    return _setting(default, meaning, protocols)


def _choice(default: str, choices: tuple[str, ...], meaning: str, **protocols: str) -> Any:
    """Returns a field that is one of a few words."""
    return _setting(default, meaning, protocols, choices=choices)


def _setting(default: Any, meaning: str, protocols: dict[str, Any], **limits: Any) -> Any:
    values = {name: protocols.get(name, default) for name in PROTOCOLS}
    return field(default=None, metadata={"meaning": meaning, "values": values, **limits})


@dataclass
class Hyperparameters:
    """Settings of a fit; see each field's meaning, which the command line shows too.

    A setting that is not given has the value of the `protocol`: `default`, a fast memory network;
    `paper`, the recipe of the paper and its authors' code; or `best`, the evidence network.

    Raises:
        ParameterError: a value of the wrong type or out of its range.
    """

    protocol: str = field(
        default="default",
        metadata={"meaning": "what the settings not given are", "choices": PROTOCOLS},
    )
    evidence: bool = _switch(
        False, "the evidence network instead of the paper's memory network", best=True
    )
    embedding_dim: int = _number(50, 1, "size d of the user, item and external memories", best=200)
    hops: int = _number(2, 1, "how many times the neighbourhood is read")
    attention: str = _choice(
        "softmax", ("softmax", "uniform"), "how a neighbourhood's members are weighted"
    )
    activation: str = _choice(
        "relu", ("relu", "linear"), "what follows each hop's layer and the output layer"
    )
    negatives: int = _number(4, 1, "negatives drawn for each positive in each epoch")
    batches: str = _choice(
        "positives",
        ("positives", "triples"),
        "what a step counts: positives, each scored once for all its negatives, or single triples",
        paper="triples",
    )
    batch_size: int = _number(512, 1, "positives or triples in a step", paper=128, best=1024)
    optimizer: str = _choice(
        "adam", ("adam", "rmsprop"), "rmsprop is TensorFlow 1's", paper="rmsprop"
    )
    engine: str = _choice(
        "torch",
        ("torch", "numba"),
        "what computes the network's gradients: numba is several times faster at small batches",
    )
    learning_rate: float = _number(
        1e-3,
        0,
        "step of output module, hops, external memory; of the memories of the evidence network",
        above=True,
        best=4e-3,
    )
    memory_rate: float = _number(
        0.2, 0, "step of user and item memories, as a share of learning_rate", paper=1.0
    )
    clip_norm: float = _number(0.0, 0, "longest gradient of one weight; 0 is no limit", paper=5.0)
    l2: float = _number(
        1e-3, 0, "penalty on the layers' weights (not on memories or biases)", paper=0.1
    )
    epochs: int = _number(5, 1, "most epochs of the network", paper=30, best=24)
    warmup_epochs: int = _number(
        1, 0, "first epochs in which user and item memories stand still", paper=0
    )
    keep: str = _choice(
        "best",
        ("best", "last"),
        "which epoch's weights stay: the one with the best validation NDCG@10, or the last",
        paper="last",
    )
    patience: int = _number(
        2, 1, "with keep=best: epochs without a better validation NDCG@10 before stopping", best=6
    )
    validation_users: int = _number(
        0,
        0,
        "held-out interactions that each epoch of the memory network is measured on, drawn at"
        " random; 0 is all",
        paper=500,
    )
    pretrain_epochs: int = _number(
        15, 0, "most epochs of the matrix factorisation that starts M and E"
    )
    pretrain_rate: float = _number(
        2e-3, 0, "Adam's step of the factorisation", above=True, paper=1e-3
    )
    pretrain_l2: float = _number(0.0, 0, "penalty on the factorisation's output weight", paper=1e-3)
    pretrain_relu: bool = _switch(
        False, "cut the factorisation's scores off below zero, as the authors' code", paper=True
    )
    exclude_self: bool = _switch(
        False, "strike a user out of the neighbourhoods it attends to while training"
    )
    alpha: float = _number(
        0.5, 0, "evidence: where the exponent of the walk's probabilities starts"
    )
    beta: float = _number(0.2297, 0, "evidence: where the exponent of popularity starts")
    evidence_from: str = _choice(
        "validation",
        ("validation", "training"),
        "edges that alpha, gamma, delta and beta are searched by; of training, one of each user,"
        " which its own scores never see",
    )
    temperature: float = _number(0.12, 0, "evidence: softness of the contrastive loss", above=True)
    shared_negatives: int = _number(512, 1, "evidence: negatives drawn for each step")
    linear_l2: float = _number(
        300.0, 0, "evidence: penalty of the linear read over a user's items; 0 leaves it out"
    )
    max_neighbours: int = _number(
        0, 0, "evidence: members of an item that walks lead through, drawn at random; 0 is all"
    )
    seed: int = _number(0, 0, "seed of initial values, negatives and order", high=2**32 - 1)

    def __post_init__(self) -> None:
        for setting in fields(Hyperparameters):
            if getattr(self, setting.name) is None:
                setattr(self, setting.name, setting.metadata["values"][self.protocol])
            _check(setting, getattr(self, setting.name))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  scikit-learn asks it
        """Returns the settings by name."""
        return {setting.name: getattr(self, setting.name) for setting in fields(Hyperparameters)}


def protocol_value(setting: Field[Any], protocol: str = "default") -> Any:
    """Returns what a field of `Hyperparameters` is when it is not given."""
    values: dict[str, Any] = setting.metadata.get("values", {})
    return values.get(protocol, setting.default)


def _check(setting: Field[Any], value: Any) -> None:
    name, limits = setting.name, setting.metadata
    if "choices" in limits:
        if value not in limits["choices"]:
            raise ParameterError(
                f"{name} is {value!r}; {' or '.join(limits['choices'])} is allowed"
            )
        return
    default = protocol_value(setting)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ParameterError(f"{name} is {value!r}; True or False is allowed")
        return
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "a whole number" if whole else "a number"
        raise ParameterError(f"{name} is {value!r}; {kind} is needed")
    low, high, above = limits["low"], limits["high"], limits["above"]
    if not math.isfinite(value) or value < low or value > high or (above and value == low):
        at_most = "" if high == math.inf else f" and at most {high}"
        bound = f"above {low}" if above else f"at least {low}"
        raise ParameterError(f"{name} is {value}; {bound}{at_most} is allowed")

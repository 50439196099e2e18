"""Every setting of a learner, checked before any work starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bocl.errors import SettingsError

TRUNKS = ("mlp", "mlp-small", "lenet", "resnet")
GATES = ("both", "unit", "task", "input", "none")
PROTOCOLS = ("best", "paper")
SEARCHES = ("bayesian", "random", "grid", "reinforce")
COSTS = ("parameters", "macs", "bytes", "units")
VIEWS = ("auto", "permutation", "rotation", "none")
FIDELITIES = ("shared", "short", "full")
MOST_SEED = 2**50


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Settings of a learner; the meaning of each is its metadata, as the CLI shows it."""

    trunk: str = _setting("mlp", f"One of {', '.join(TRUNKS)}.")
    base: tuple[int, ...] | None = _setting(None, "Units per level of the first task.")
    largest: tuple[int, ...] | None = _setting(
        None, "Most new units per level; the base's (LeNet: a ninth of its dense level)."
    )
    gates: str = _setting("both", f"Attention over earlier features: {', '.join(GATES)}.")
    views: str = _setting("auto", f"Looks for earlier tasks in disguise: {', '.join(VIEWS)}.")
    search: str = _setting("bayesian", f"One of {', '.join(SEARCHES)}.")
    trials: int = _setting(10, "Most trials per task.")
    parallel: int = _setting(3, "Trials proposed at a time.")
    alpha: float = _setting(0.3, "Accuracy that growth by a whole first network must bring.")
    limit: float = _setting(
        0.0, "Most that one task's growth may cost, in first networks; 0 for no bound."
    )
    cost: str = _setting("parameters", f"What growth costs: {', '.join(COSTS)}.")
    fidelity: str = _setting("shared", f"How a trial is measured: {', '.join(FIDELITIES)}.")
    inherit: bool = _setting(
        True, "Whether new units start as copies of the first network's, and borrow LeNet's top."
    )
    bounded: bool = _setting(
        True, "Whether a task reads at most as many earlier units as the first network has."
    )
    refit: bool = _setting(
        True, "Whether the chosen growth trains on split-off validation samples too."
    )
    epochs: int = _setting(5, "Epochs of the final training.")
    batch: int = _setting(128, "Samples in a step.")
    rate: float = _setting(4e-3, "Adam's peak step size.")
    annealed: bool = _setting(True, "Whether the step size rises and falls, or stays.")
    shuffled: bool = _setting(True, "Whether every epoch has its own order.")
    decay: float = _setting(0.0, "L2 penalty on all weights.")
    flips: bool = _setting(False, "Whether training mirrors images at even odds.")
    validation: float = _setting(0.1, "Share of a task held out where no validation is given.")
    input_share: float = _setting(0.99, "Share of inputs' variance that new units must see.")
    prune: float = _setting(0.02, "Earlier units that count less than this share are not read.")
    sparsity: float = _setting(1e-3, "Penalty on the mean unit gate.")
    routing: int = _setting(120, "Projections of inputs that tell tasks apart; 0 for none.")
    seed: int = _setting(0, "Of everything drawn.")

    def __post_init__(self) -> None:
        """Raises SettingsError for the first setting out of range."""
        named = {
            "trunk": TRUNKS,
            "gates": GATES,
            "views": VIEWS,
            "search": SEARCHES,
            "cost": COSTS,
            "fidelity": FIDELITIES,
        }
        for name, allowed in named.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}; allowed are: {', '.join(allowed)}"
                )
        for name in ("trials", "parallel", "epochs", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SettingsError(f"{name} is {value!r}; it must be a whole number from 1")
        for name in ("alpha", "limit", "decay", "sparsity", "routing"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"{name} is {getattr(self, name)!r}; it must be 0 or more")
        if not isinstance(self.seed, int) or not 0 <= self.seed < MOST_SEED:
            raise SettingsError(
                f"seed is {self.seed!r}; it must be a whole number from 0, below 2 ** 50"
            )
        self._check_shares()
        if not self.rate > 0:
            raise SettingsError(f"rate is {self.rate!r}; it must be above 0")
        for name in ("base", "largest"):
            widths = getattr(self, name)
            if widths is not None:
                object.__setattr__(self, name, tuple(int(width) for width in widths))
                if min(widths, default=0) < 1:
                    raise SettingsError(f"{name} is {widths}; it needs whole numbers from 1")

    def _check_shares(self) -> None:
        if not 0 <= self.prune <= 1:
            raise SettingsError(f"prune is {self.prune!r}; it must lie in [0, 1]")
        if not 0 < self.validation < 1:
            raise SettingsError(f"validation is {self.validation!r}; it must lie between 0 and 1")
        if not 0 < self.input_share <= 1:
            raise SettingsError(f"input_share is {self.input_share!r}; it must lie in (0, 1]")

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return asdict(self)


# RCL's frame, from its code: 15 epochs of Adam 1e-3 in batches of 32 without shuffling, L2 1e-4, a
# trial is the whole training, and every new unit costs 1e-4 of accuracy. 50 trials are RCL's own.
PAPER: dict[str, Any] = {
    "gates": "both",
    "views": "none",
    "alpha": 1e-4,
    "cost": "units",
    "fidelity": "full",
    "inherit": False,
    "bounded": False,
    "refit": False,
    "epochs": 15,
    "batch": 32,
    "rate": 1e-3,
    "annealed": False,
    "shuffled": False,
    "decay": 1e-4,
    "validation": 1 / 12,
    "input_share": 1.0,
    "prune": 0.0,
    "sparsity": 0.0,
    "parallel": 1,
}


def settings_of(protocol: str, **changes: Any) -> Settings:
    """Returns a protocol's settings with some changed.

    Raises:
        SettingsError: unknown protocol or setting, or a value out of range.
    """
    if protocol not in PROTOCOLS:
        raise SettingsError(f"protocol is {protocol!r}; allowed are: {', '.join(PROTOCOLS)}")
    names = {setting.name for setting in fields(Settings)}
    for name in changes:
        if name not in names:
            raise SettingsError(f"{name!r} is no setting; there are: {', '.join(sorted(names))}")
    return Settings(**((PAPER if protocol == "paper" else {}) | changes))

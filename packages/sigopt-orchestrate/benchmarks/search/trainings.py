"""Real trainings as problems: gradient boosting and a small network on digits and breast cancer.

The metric is the validation error, of a split that every optimiser and seed shares; the network's
own seed is fixed, so that a configuration always has one value. Needs scikit-learn and torch.
"""

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from problems import Assignments, Problem, Values, categorical, double, integer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

_BUDGET = 40
_EPOCHS = 12
_LOADERS = {"digits": load_digits, "cancer": load_breast_cancer}
NAMES = [f"{model}-{data}" for model in ("boosting", "network") for data in _LOADERS]


@functools.lru_cache(maxsize=2)
def _split(data: str) -> tuple[Any, Any, Any, Any]:
    X, y = _LOADERS[data](return_X_y=True)
    train_X, valid_X, train_y, valid_y = train_test_split(
        X, y, test_size=0.4, random_state=0, stratify=y
    )
    scaler = StandardScaler().fit(train_X)
    return scaler.transform(train_X), scaler.transform(valid_X), train_y, valid_y


def _boosting(data: str, a: Assignments) -> float:
    train_X, valid_X, train_y, valid_y = _split(data)
    model = HistGradientBoostingClassifier(
        learning_rate=10 ** a["log_rate"],
        max_leaf_nodes=a["leaves"],
        min_samples_leaf=a["in_leaf"],
        l2_regularization=10 ** a["log_l2"],
        max_features=a["features"],
        max_iter=15,
        early_stopping=False,
        random_state=0,
    ).fit(train_X, train_y)
    return float(log_loss(valid_y, model.predict_proba(valid_X)))


def _network(data: str, a: Assignments) -> float:
    train_X, valid_X, train_y, valid_y = _split(data)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "silu": torch.nn.SiLU}
    net = torch.nn.Sequential(
        torch.nn.Linear(train_X.shape[1], a["width"]),
        activation[a["activation"]](),
        torch.nn.Dropout(a["dropout"]),
        torch.nn.Linear(a["width"], int(train_y.max()) + 1),
    )
    X, y = torch.tensor(train_X, dtype=torch.float32), torch.tensor(train_y)
    # By hand: the first torch.optim optimiser imports torch's compiler, which takes seconds.
    velocity = [torch.zeros_like(p) for p in net.parameters()]
    rate, momentum, decay = 10 ** a["log_rate"], a["momentum"], 10 ** a["log_decay"]
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(X)).split(64):
            loss = torch.nn.functional.cross_entropy(net(X[rows]), y[rows])
            gradients = torch.autograd.grad(loss, list(net.parameters()))
            with torch.no_grad():
                for p, v, g in zip(net.parameters(), velocity, gradients, strict=True):
                    v.mul_(momentum).add_(g + decay * p)
                    p.sub_(rate * v)
    net.eval()
    with torch.no_grad():
        logits = net(torch.tensor(valid_X, dtype=torch.float32))
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(valid_y))
    return float(loss.nan_to_num(100.0, 100.0).clamp(max=100.0))


_SPACES: dict[str, tuple[Callable[[str, Assignments], float], list[dict[str, Any]]]] = {
    "boosting": (
        _boosting,
        [
            double("log_rate", -3, 0),
            integer("leaves", 2, 64),
            integer("in_leaf", 1, 60),
            double("log_l2", -4, 2),
            double("features", 0.1, 1),
        ],
    ),
    "network": (
        _network,
        [
            double("log_rate", -4, 0),
            double("momentum", 0, 0.99),
            double("log_decay", -6, -1),
            double("dropout", 0, 0.7),
            integer("width", 4, 128),
            categorical("activation", ["relu", "tanh", "silu"]),
        ],
    ),
}


def training(name: str) -> Problem:
    """Returns one of the `NAMES`; its regret is the least validation loss itself."""
    model, _, data = name.partition("-")
    train, parameters = _SPACES[model]

    def report(assignments: Assignments, rng: random.Random) -> Values:  # noqa: ARG001
        return {"f": train(data, assignments)}

    def regret(trials: Sequence[tuple[Assignments, Values]]) -> float:
        return min(values["f"] for _, values in trials)

    return Problem(name, parameters, report, regret, _BUDGET)

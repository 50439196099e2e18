"""What gossip is compared with: each wraps a model as `GossipDataParallel` does.

| name | what ranks send | when |
| --- | --- | --- |
| `ddp` | gradients, in buckets by gloo (DistributedDataParallel) | beside backward |
| `ddp-bf16` | the same, compressed to bfloat16 | beside backward |
| `all-reduce` | all gradients in one MPI all-reduce | after backward |
| `all-reduce-per-layer` | each gradient as it is ready: the paper's AGD | beside backward |
| `local-sgd` | weights, averaged over all ranks every few steps | after the optimiser |
| `gradient-gossip` | gradients, averaged with one partner: torchdistx's rule | after backward |
| `none` | nothing; the ceiling of step time | - |
"""

from typing import Any

from torch import nn

from gossipgrad.baselines.all_reduce import AllReduce, PerLayerAllReduce
from gossipgrad.baselines.ddp import Ddp
from gossipgrad.baselines.gradient_gossip import GradientGossip
from gossipgrad.baselines.local_sgd import LocalSgd
from gossipgrad.baselines.replica import NoCommunication, Replica
from gossipgrad.errors import ConfigurationError

BASELINES: dict[str, type[Replica]] = {
    "ddp": Ddp,
    "ddp-bf16": Ddp,
    "all-reduce": AllReduce,
    "all-reduce-per-layer": PerLayerAllReduce,
    "local-sgd": LocalSgd,
    "gradient-gossip": GradientGossip,
    "none": NoCommunication,
}
__all__ = ["BASELINES", "Replica", "wrap"]


def wrap(name: str, model: nn.Module, **options: Any) -> Replica:
    """Returns `model` wrapped for training by a baseline; ranks start from rank 0's weights.

    Args:
        name: One of `BASELINES`.
        model: The same on every rank.
        options: Of the baseline: `every` for local-sgd, `seed` for gradient-gossip.

    Raises:
        ConfigurationError: Unknown name.
        MissingDependencyError: The baseline runs on MPI and there is none.
    """
    if name not in BASELINES:
        raise ConfigurationError(f"baseline is {name!r}; allowed: {', '.join(BASELINES)}")
    if name == "ddp-bf16":
        options["compress"] = True
    return BASELINES[name](model, **options)

"""An optimizer's per-parameter state: what of it gossip can average, and taking over another's."""

from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer


def exchanged_state(optimizer: Optimizer, module: nn.Module) -> list[tuple[str, Tensor]]:
    """Returns the floating state tensors that have the shape of their parameter, with names."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [
        (f"{names.get(id(parameter), '?')}/{key}", value)
        for parameter, state in optimizer.state.items()
        for key, value in sorted(state.items())
        if isinstance(value, Tensor)
        and value.shape == parameter.shape
        and value.is_floating_point()
    ]


def adopt(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Loads an optimizer's state in place: tensors that lie in buckets stay there."""
    homes = {
        (parameter, key): value
        for parameter, own in optimizer.state.items()
        for key, value in own.items()
        if isinstance(value, Tensor)
    }
    optimizer.load_state_dict(state)
    for (parameter, key), home in homes.items():
        value = optimizer.state[parameter].get(key)
        if isinstance(value, Tensor) and value.shape == home.shape:
            optimizer.state[parameter][key] = home.copy_(value)

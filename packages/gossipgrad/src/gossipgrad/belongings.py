"""What a returning rank takes over, as bytes: model, optimizer, and the books of its sponsor."""

import io
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from gossipgrad.optimizer_state import adopt


def pack(
    module: nn.Module, optimizer: Optimizer, says: dict[str, Any], books: dict[str, Any]
) -> bytes:
    """Returns the bytes that `unpack` reads.

    Args:
        module: its state travels exactly, not in the wire's precision.
        optimizer: of the module's parameters.
        says: how this rank was started, for `check`.
        books: numbers, strings, and containers of them.
    """
    stream = io.BytesIO()
    model, steps = module.state_dict(), optimizer.state_dict()
    torch.save({"says": says, "model": model, "optimizer": steps, "books": books}, stream)
    return stream.getvalue()


def unpack(
    content: bytes,
    module: nn.Module,
    optimizer: Optimizer,
    check: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Puts a sponsor's state into module and optimizer, in place, and returns the books.

    Args:
        content: what `pack` returned.
        module: of the same structure as the sponsor's.
        optimizer: of the module's parameters.
        check: called with what the sponsor says, before anything is changed; raises to refuse.
    """
    state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    check(state["says"])
    module.load_state_dict(state["model"])
    adopt(optimizer, state["optimizer"])
    books: dict[str, Any] = state["books"]
    return books

"""What a returning rank takes over, as bytes: model, optimizer, and the books of its sponsor."""

import io
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from gossipgrad.optimizer_state import adopt


def pack(module: nn.Module, optimizer: Optimizer, books: dict[str, Any]) -> bytes:
    """Returns the bytes that `unpack` reads.

    Args:
        module: its state travels exactly, not in the wire's precision.
        optimizer: of the module's parameters.
        books: numbers, strings, and containers of them.
    """
    stream = io.BytesIO()
    content = {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "books": books}
    torch.save(content, stream)
    return stream.getvalue()


def unpack(content: bytes, module: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """Puts a sponsor's state into module and optimizer, in place, and returns the books."""
    state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    module.load_state_dict(state["model"])
    adopt(optimizer, state["optimizer"])
    books: dict[str, Any] = state["books"]
    return books

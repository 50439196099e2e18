"""Export: a fitted model as ONNX graphs that hold all they need.

Rows and columns go in and come out as numbers; `ids.json` beside the graphs says whose they are.

Letters: B pairs or users, P users, Q items, K the longest neighbourhood, S members of all of them.
"""

from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from cmn.atomic_files import write_atomically
from cmn.errors import MissingDependencyError, ParameterError
from cmn.identifiers import plain
from cmn.model import CMNNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy import sparse
    from torch import Tensor

    from cmn.interactions import Interactions

OPSET = 18  # the first whose ScatterElements knows max


def export_onnx(
    network: nn.Module, interactions: Interactions, folder: Path, n: int = 10
) -> dict[str, Path]:
    """Writes a fitted model as ONNX.

    - `scorer.onnx`: users (B,) and items (B,), int64, to scores (B,). Neighbourhoods are padded to
      the longest, so a pair costs as much as one of the most popular item.
    - `top_n.onnx`: users (B,), int64, to the n best unseen items (B, n), int64, and their scores
      (B, n), exact, over the whole catalogue; memory grows with B x interactions x d, so ask for
      few users at a time. Who has fewer than n unseen items gets scores of minus infinity.
    - `ids.json`: the users' and items' ids in the order of their numbers.

    Args:
        network: fitted.
        interactions: what it was fitted to.
        folder: made if need be.
        n: items of top-n, from 1 to Q.

    Returns:
        The three paths, by `scorer`, `top_n` and `ids`.

    Raises:
        ParameterError: n is out of range, or it is an evidence network.
        MissingDependencyError: onnx or onnxscript is not installed.
    """
    if not isinstance(network, CMNNetwork):
        raise ParameterError("evidence is True; an ONNX graph needs a model without evidence")
    n_items = interactions.matrix.shape[1]
    if not 1 <= n <= n_items:
        raise ParameterError(f"n is {n}; 1 to {n_items} is allowed")
    pair = (torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64))
    files = {name: folder / f"{name}.onnx" for name in ("scorer", "top_n")}
    _write(_Scorer(network, interactions.matrix), pair, ["scores"], files["scorer"])
    _write(_TopN(network, interactions.matrix, n), pair[:1], ["items", "scores"], files["top_n"])
    ids = {
        "users": [plain(label) for label in interactions.user_ids.tolist()],
        "items": [plain(label) for label in interactions.item_ids.tolist()],
    }
    files["ids"] = folder / "ids.json"
    write_atomically(files["ids"], json.dumps(ids).encode())
    return files


def _write(module: nn.Module, inputs: tuple[Tensor, ...], outputs: list[str], path: Path) -> None:
    try:
        import_module("onnxscript")
    except ImportError as error:
        raise MissingDependencyError(
            "the export needs onnx and onnxscript, which the extra cmn[onnx] brings;"
            " install them with: pip install onnx onnxscript"
        ) from error
    names = ["users", "items"][: len(inputs)]
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
            logger.setLevel(logging.ERROR)  # nor is that torchvision is missing
            program = torch.onnx.export(
                module.eval(),
                inputs,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in inputs),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    write_atomically(path, program.model_proto.SerializeToString())


def _padded(lists: sparse.csr_array, filler: int) -> NDArray[np.int64]:
    """Returns the columns of each row, filled up to the longest, at least 1, (n, K)."""
    lengths = np.diff(lists.indptr)
    table = np.full((lengths.size, max(1, lengths.max())), filler, dtype=np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = lists.indices
    return table


class _Frozen(nn.Module):
    """A network's weights as constants, and its hops over any way to read.

    Args:
        network: fitted.
    """

    user_memory: Tensor
    item_memory: Tensor
    external_memory: Tensor
    output_weight: Tensor

    def __init__(self, network: CMNNetwork) -> None:
        super().__init__()
        self.uniform = network.attention == "uniform"
        self.relu = network.activation == "relu"
        for name in ("user_memory", "item_memory", "external_memory", "output_weight"):
            self.register_buffer(name, getattr(network, name).detach())
        self.layers = [(layer.weight.detach(), layer.bias.detach()) for layer in network.layers()]

    def activate(self, values: Tensor) -> Tensor:
        return torch.relu(values) if self.relu else values

    def respond(self, user: Tensor, item: Tensor, read: Any) -> Tensor:
        """Returns scores (...) of m_u and e_i, both (..., d); `read` maps a query to its o."""
        query = user + item
        output = read(query)
        for weight, bias in self.layers[:-1]:
            query = self.activate(query @ weight.T + bias + output)
            output = read(query)
        weight, bias = self.layers[-1]
        joined = torch.cat([user * item, output], dim=-1)
        return self.activate(joined @ weight.T + bias) @ self.output_weight


class _Scorer(_Frozen):
    """Scores pairs over padded neighbourhoods."""

    members: Tensor
    lengths: Tensor
    places: Tensor

    def __init__(self, network: CMNNetwork, matrix: sparse.csr_array) -> None:
        super().__init__(network)
        by_item = matrix.T.tocsr()
        by_item.sort_indices()
        self.register_buffer("members", torch.from_numpy(_padded(by_item, 0)))
        self.register_buffer("lengths", torch.from_numpy(np.diff(by_item.indptr).astype(np.int64)))
        self.register_buffer("places", torch.arange(self.members.shape[1]))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        members = self.members[items]  # (B, K)
        present = self.places < self.lengths[items][:, None]
        keys, values = self.user_memory[members], self.external_memory[members]  # (B, K, d)

        def read(query: Tensor) -> Tensor:
            logits = (keys @ query[:, :, None]).squeeze(2)
            logits = torch.zeros_like(logits) if self.uniform else logits
            weights = torch.softmax(logits.masked_fill(~present, -1e30), dim=1) * present
            return (weights[:, None] @ values).squeeze(1)

        return self.respond(self.user_memory[users], self.item_memory[items], read)


class _TopN(_Frozen):
    """Scores the whole catalogue over flat neighbourhoods and keeps the best unseen items."""

    members: Tensor
    owners: Tensor
    seen: Tensor

    def __init__(self, network: CMNNetwork, matrix: sparse.csr_array, n: int) -> None:
        super().__init__(network)
        self.n = n
        by_item = matrix.T.tocsr()
        owners = np.repeat(np.arange(by_item.shape[0]), np.diff(by_item.indptr))
        self.register_buffer("members", torch.from_numpy(by_item.indices.astype(np.int64)))
        self.register_buffer("owners", torch.from_numpy(owners.astype(np.int64)))
        self.register_buffer("seen", torch.from_numpy(_padded(matrix, matrix.shape[1])))

    def forward(self, users: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self.user_memory[self.members], self.external_memory[self.members]  # (S, d)
        item = self.item_memory[None].expand(users.shape[0], -1, -1)  # (B, Q, d)
        owners = self.owners[None].expand(users.shape[0], -1)  # (B, S)

        def read(query: Tensor) -> Tensor:
            logits = (query[:, self.owners] * keys).sum(dim=2)
            logits = torch.zeros_like(logits) if self.uniform else logits
            start = logits.new_full(item.shape[:2], -1e30)
            highest = start.scatter_reduce(1, owners, logits, "amax")
            weights = torch.exp(logits - highest.gather(1, owners))
            totals = torch.zeros_like(start).scatter_add(1, owners, weights)
            weights = weights / totals.gather(1, owners)
            places = owners[:, :, None].expand(-1, -1, values.shape[1])
            return torch.zeros_like(item).scatter_add(1, places, weights[:, :, None] * values)

        scores = self.respond(self.user_memory[users][:, None].expand_as(item), item, read)
        scores = torch.cat([scores, scores[:, :1]], dim=1)  # one more column takes the filler
        seen = self.seen[users]
        scores = scores.scatter(1, seen, torch.full_like(seen, -torch.inf, dtype=scores.dtype))
        best, items = torch.topk(scores[:, :-1], self.n, dim=1)
        return items, best

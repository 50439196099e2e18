"""Export: a fitted model as ONNX graphs that hold all they need.

Rows and columns go in and come out as numbers; `ids.json` beside the graphs says whose they are.

Letters: B pairs or users, P users, Q items, d the embedding size.
"""

from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from cmn.atomic_files import write_atomically
from cmn.errors import MissingDependencyError, ParameterError
from cmn.evidence_graphs import evidence_graphs
from cmn.evidence_scoring import EvidenceScorer
from cmn.identifiers import plain
from cmn.memory_graphs import memory_graphs

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from cmn.interactions import Interactions
    from cmn.scoring import CatalogueScorer

OPSET = 18  # the first whose ScatterElements knows max
LARGEST = 1.5e9  # bytes of one constant; a graph's file cannot hold 2 GiB


def export_onnx(
    network: Any,
    scorer: CatalogueScorer | EvidenceScorer,
    interactions: Interactions,
    folder: Path,
    n: int = 10,
) -> dict[str, Path]:
    """Writes a fitted model as ONNX.

    - `scorer.onnx`: users (B,) and items (B,), int64, to scores (B,). Neighbourhoods are padded to
      the longest, so a pair costs as much as one of the most popular item; with an evidence
      network, as much as all walks of its user.
    - `top_n.onnx`: users (B,), int64, to the n best unseen items (B, n), int64, and their scores
      (B, n), exact, over the whole catalogue; memory grows with B x interactions (x d where it is
      no evidence network), so ask for few users at a time. Who has fewer than n
      unseen items gets scores of minus infinity.
    - `ids.json`: the users' and items' ids in the order of their numbers.

    Args:
        network: fitted.
        scorer: its own.
        interactions: what it was fitted to.
        folder: made if need be.
        n: items of top-n, from 1 to Q.

    Returns:
        The three paths, by `scorer`, `top_n` and `ids`.

    Raises:
        ParameterError: n is out of range, or a graph would be too large for a file.
        MissingDependencyError: onnx or onnxscript is not installed.
    """
    n_items = interactions.matrix.shape[1]
    if not 1 <= n <= n_items:
        raise ParameterError(f"n is {n}; 1 to {n_items} is allowed")
    pair = (torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64))
    files = {name: folder / f"{name}.onnx" for name in ("scorer", "top_n")}
    if isinstance(scorer, EvidenceScorer):
        _check_size(scorer)
        pairs, best = evidence_graphs(scorer, n)
    else:
        pairs, best = memory_graphs(network, interactions.matrix, n)
    _write(pairs, pair, ["scores"], files["scorer"])
    _write(best, pair[:1], ["items", "scores"], files["top_n"])
    ids = {
        "users": [plain(label) for label in interactions.user_ids.tolist()],
        "items": [plain(label) for label in interactions.item_ids.tolist()],
    }
    files["ids"] = folder / "ids.json"
    write_atomically(files["ids"], json.dumps(ids).encode())
    return files


def _check_size(scorer: EvidenceScorer) -> None:
    linear = scorer.linear
    size = 0 if linear is None else len(linear.inverse)
    if linear is not None and 4 * size**2 > LARGEST:
        raise ParameterError(
            f"linear_l2 is {linear.l2}; the {size:,} x {size:,} weights are too large for an ONNX"
            " file, 0 leaves them out"
        )


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

"""A learner's parts on their way to its folder and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bocl import certificate, checkpoint, files
from bocl.errors import CheckpointError
from bocl.routing import Router

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from bocl.blocks import Block
    from bocl.network import Network
    from bocl.records import TaskRecord

STATISTICS = "statistics."


def save_learner(
    folder: Path,
    *,
    network: Network,
    records: Sequence[TaskRecord],
    router: Router | None,
    statistics: Mapping[int, Tensor],
    settings: Mapping[str, Any],
    first_task: int,
) -> None:
    """Writes blocks with their certificates from a task on, then all else, the index last.

    Args:
        folder: of the learner; may hold an earlier state of it.
        network: all blocks.
        records: one per task.
        router: of unknown tasks, None without.
        statistics: of inputs by task, for views.
        settings: plain values.
        first_task: blocks before it are in the folder already.

    Raises:
        CheckpointError: the folder holds a learner of which these are not the first blocks or more.
    """
    if first_task == 0:
        _refuse_another(folder, network)
    for task, block in enumerate(network.blocks):
        if task >= first_task:
            issued = certificate.certify(network, task, settings["seed"])
            checkpoint.save_task(folder, task, block, issued)
    moments = {} if router is None else router.tensors()
    moments |= {f"{STATISTICS}{task}": part for task, part in statistics.items()}
    checkpoint.save_index(
        folder,
        trunk=network.trunk,
        settings=settings,
        records=records,
        blocks=network.blocks,
        moments=moments,
    )


def _refuse_another(folder: Path, network: Network) -> None:
    """Task files are replaced one by one: over another learner's that would leave a mixture."""
    if not (folder / checkpoint.INDEX).is_file():
        return
    there = checkpoint.load_index(folder)[3]
    for task, block in enumerate(there):
        if task == len(network) or _digest(block) != _digest(network.blocks[task]):
            raise CheckpointError(
                f"folder {str(folder)!r} holds another learner, which differs in task {task}; "
                "choose an empty folder"
            )


def _digest(block: Block) -> str:
    return files.combined_digest(block.tensors())


def split_moments(
    moments: Mapping[str, Tensor], input_shape: tuple[int, ...], routing: int, seed: int
) -> tuple[Router | None, dict[int, Tensor]]:
    """Returns the router, None where none was saved, and the statistics of saved moments."""
    statistics = {
        int(name.removeprefix(STATISTICS)): part
        for name, part in moments.items()
        if name.startswith(STATISTICS)
    }
    routed = {name: part for name, part in moments.items() if not name.startswith(STATISTICS)}
    if not routed:
        return None, statistics
    router = Router(input_shape, routing, seed)
    router.restore(routed)
    return router, statistics

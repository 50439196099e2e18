"""A learner on disk: one file of weights and one certificate per task, learner.json written last.

learner.json                    settings, trunk, records; names what belongs to it
tasks/003.safetensors           block of task 3
tasks/003.certificate.json      what `bocl verify` checks
moments-<digest>.safetensors    statistics for routing and views
work/                           unfinished work of the next task
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bocl import files
from bocl.blocks import Block
from bocl.errors import CheckpointError
from bocl.records import TaskRecord
from bocl.trunks.architectures import Trunk, make_trunk
from bocl.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

FORMAT = 1
INDEX = "learner.json"


def save_task(folder: Path, task: int, block: Block, certificate: Mapping[str, Any]) -> None:
    """Writes a task's block and certificate; they count once learner.json names them."""
    files.write_tensors(folder / "tasks" / f"{task:03}.safetensors", block.tensors())
    files.write_json(folder / "tasks" / f"{task:03}.certificate.json", certificate)


def save_index(
    folder: Path,
    *,
    trunk: Trunk,
    settings: Mapping[str, Any],
    records: Sequence[TaskRecord],
    blocks: Sequence[Block],
    moments: Mapping[str, Tensor],
) -> None:
    """Writes all else; the learner on disk is the old one until the last of it is there."""
    digest = files.combined_digest(moments)
    name = f"moments-{digest[:16]}.safetensors"
    files.write_tensors(folder / name, moments)
    index = {
        "format": FORMAT,
        "moments": name,
        "settings": dict(settings),
        "trunk": {
            "name": trunk.name,
            "input_shape": list(trunk.input_shape),
            "base": list(trunk.base),
        },
        "tasks": [
            record.as_dict() | {"degrees": block.view.degrees}
            for record, block in zip(records, blocks, strict=True)
        ],
    }
    files.write_json(folder / INDEX, index)
    for stale in folder.glob("moments-*.safetensors"):
        if stale.name != name:
            stale.unlink()


def load_index(
    folder: Path,
) -> tuple[Trunk, dict[str, Any], list[TaskRecord], list[Block], dict[str, Tensor]]:
    """Returns trunk, settings, records, blocks and moments of a saved learner.

    Raises:
        CheckpointError: missing, corrupt, or not written by this package.
    """
    index = files.read_json(folder / INDEX)
    if not isinstance(index, dict) or index.get("format") != FORMAT or "tasks" not in index:
        raise CheckpointError(
            f"folder {str(folder)!r} holds no learner of format {FORMAT}, the only one that "
            "this version reads"
        )
    try:
        plain = index["trunk"]
        trunk = make_trunk(plain["name"], tuple(plain["input_shape"]), tuple(plain["base"]))
        records, blocks = [], []
        for task, row in enumerate(index["tasks"]):
            degrees = row.pop("degrees")
            record = TaskRecord.of(row)
            tensors = files.read_tensors(folder / "tasks" / f"{task:03}.safetensors")
            records.append(record)
            blocks.append(_block(trunk, task, record, degrees, tensors))
        moments = files.read_tensors(folder / index["moments"])
        return trunk, index["settings"], records, blocks, moments
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"folder {str(folder)!r} is corrupt: {error}") from error


def load_certificate(folder: Path, task: int) -> dict[str, Any]:
    """Returns the certificate of a task."""
    content: dict[str, Any] = files.read_json(folder / "tasks" / f"{task:03}.certificate.json")
    return content


def _block(
    trunk: Trunk, task: int, record: TaskRecord, degrees: float, tensors: dict[str, Tensor]
) -> Block:
    inputs = tensors.pop("inputs", None)
    order = tensors.pop("view.order", None)
    copied = tensors.pop("copied", None)
    reads = tuple(
        tuple(tensors.pop(f"reads.{level}.{source}") for source in range(task))
        for level in range(1, len(trunk.levels) + 1)
    )
    view = View(order, degrees)
    return Block(
        record.growth, record.classes, view, inputs, reads, tensors, record.attention, copied
    )

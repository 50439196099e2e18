"""One task as a plain module without this package's learner: what its answers need, nothing more.

    learner, task -> TaskModule -> torch.export (.pt2) or ONNX (.onnx)

A module holds the task's block and, of earlier blocks, the levels that it reads. Its logits are
those of the learner, bit by bit; a runtime of another maker rounds in its own way.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from bocl.blocks import Block, run_block
from bocl.errors import MissingDependencyError, SettingsError, UnknownTaskError
from bocl.network import Network
from bocl.streams.rotation import turning_grid

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from bocl.trunks.architectures import Trunk


class TaskModule(nn.Module):
    """A task's function: inputs (batch, *input_shape) to logits (batch, classes).

    Args:
        network: a learner's.
        task: its number from 0.

    Raises:
        UnknownTaskError: the network has no such task.

    Example:
        >>> module = TaskModule(learner.network, task=3)
        >>> torch.save(module.state_dict(), "task3.pt")
    """

    def __init__(self, network: Network, task: int) -> None:
        super().__init__()
        if not 0 <= task < len(network):
            raise UnknownTaskError(
                f"task {task} is unknown; tasks 0 to {len(network) - 1} have been learned"
            )
        self.trunk: Trunk = network.trunk
        self._depths = network.depths(task)
        levels = len(self.trunk.levels)
        self._blocks: list[Block] = []
        for source, block in enumerate(network.blocks[: task + 1]):
            own = source == task
            depth = levels + 1 if own else self._depths[source]
            lent = network.lends(source, task)
            self._blocks.append(self._slimmed(source, block, depth, own=own, lent=lent))
        view = network.blocks[task].view
        self._turned = view.degrees % 360 != 0
        if view.order is not None:
            self.register_buffer("order", view.order)
        if self._turned:
            grid = turning_grid(view.degrees, self.trunk.input_shape)
            self.register_buffer("grid", grid)
        self._ordered = view.order is not None

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (batch, classes)."""
        if self._ordered:
            order = self.get_buffer("order")
            inputs = inputs.flatten(1)[:, order].view_as(inputs)
        if self._turned:
            grid = self.get_buffer("grid").expand(inputs.shape[0], -1, -1, -1)
            inputs = functional.grid_sample(
                inputs, grid, padding_mode="border", align_corners=False
            )
        entry = self.trunk.enter(inputs)
        blocks = [self._filled(source, block) for source, block in enumerate(self._blocks)]
        network, own = Network(self.trunk, blocks), blocks[-1]
        outs = network.features_to(entry, self._depths)
        return run_block(
            self.trunk,
            own.growth,
            own.weights,
            own.enter(entry),
            old=lambda level: network.read(own, level, outs),
            units_read=own.units_read,
            lent=network.lent(own.copied),
        )

    @property
    def parameters_stored(self) -> int:
        """Numbers that the module holds."""
        return sum(buffer.numel() for buffer in self.buffers())

    def _slimmed(
        self, source: int, block: Block, depth: int, *, own: bool, lent: int | None
    ) -> Block:
        """Registers what a depth needs of a block, and returns the block without its tensors.

        Of a level that the block lends the weights are needed at any depth.
        """
        weights = {
            name: weight
            for name, weight in block.weights.items()
            if _needed(name, depth, own=own) or name.startswith(f"{lent}.")
        }
        for name, weight in weights.items():
            self.register_buffer(_key(source, name), weight.clone())
        if block.inputs is not None and depth:
            self.register_buffer(_key(source, "inputs"), block.inputs.clone())
        copied = block.copied if own else None
        if copied is not None:
            self.register_buffer(_key(source, "copied"), copied.clone())
        reads = tuple(
            units if level < depth else tuple(part[:0] for part in units)
            for level, units in enumerate(block.reads, start=1)
        )
        for level, units in enumerate(reads, start=1):
            for earlier, part in enumerate(units):
                if len(part):
                    self.register_buffer(_key(source, f"reads.{level}.{earlier}"), part.clone())
        empty = {name: weight.new_zeros(0) for name, weight in weights.items()}
        return replace(block, weights=empty, reads=reads, copied=copied)

    def _filled(self, source: int, block: Block) -> Block:
        """Returns a block with the module's tensors, wherever the module has been moved."""
        weights = {name: self.get_buffer(_key(source, name)) for name in block.weights}
        held = dict(self.named_buffers())
        reads = tuple(
            tuple(
                held.get(_key(source, f"reads.{level}.{earlier}"), part)
                for earlier, part in enumerate(units)
            )
            for level, units in enumerate(block.reads, start=1)
        )
        inputs, copied = (held.get(_key(source, name)) for name in ("inputs", "copied"))
        return replace(block, weights=weights, reads=reads, inputs=inputs, copied=copied)


def _needed(name: str, depth: int, *, own: bool) -> bool:
    """Tells whether levels 1 to `depth` need a weight; a gate serves the level above its own."""
    parts = name.split(".")
    if parts[0] == "head":
        return own
    return int(parts[1]) < depth if parts[0] == "gate" else int(parts[0]) <= depth


def _key(source: int, name: str) -> str:
    return f"task{source}_{name}".replace(".", "_")


def export_program(network: Network, task: int, path: Path) -> None:
    """Writes a task as a `torch.export` program for any batch size; reading it needs torch alone.

    Args:
        network: a learner's.
        task: its number from 0.
        path: of the .pt2 file.

    Raises:
        SettingsError: the path is a folder.
    """
    _check_file(path)
    torch.export.save(_program(network, task), path)


def export_onnx(network: Network, task: int, path: Path) -> None:
    """Writes a task as ONNX with any batch size: input `inputs`, output `logits`.

    Args:
        network: a learner's.
        task: its number from 0.
        path: of the .onnx file.

    Raises:
        MissingDependencyError: onnx or onnxscript is not installed.
        SettingsError: the path is a folder.
    """
    _check_file(path)
    try:
        import onnx  # noqa: F401, PLC0415  optional
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            "ONNX export needs the packages onnx and onnxscript: pip install 'bocl[onnx]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(
            _program(network, task),
            (),
            str(path),
            input_names=["inputs"],
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise SettingsError(f"out is {str(path)!r}, which is a folder; it must be a file")


def _program(network: Network, task: int) -> torch.export.ExportedProgram:
    module = TaskModule(network, task).eval()
    example = torch.zeros(2, *network.trunk.input_shape)
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(module, (example,), dynamic_shapes=({0: batch},))

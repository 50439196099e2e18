"""A model's numbers re-homed into flat buckets.

Each parameter becomes a view of a contiguous piece of memory, so that a message is one copy and the
update one pass, whatever the model's shapes. Strides are kept: a channels_last weight stays
channels_last. Parameter objects stay the same, so any optimizer made before or after works on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gossipgrad.errors import ConfigurationError, NonFiniteError


@dataclass(frozen=True, slots=True)
class Resident:
    """A tensor that lives in a bucket.

    Attributes:
        name: its name in the model.
        tensor: the tensor, now a view.
        offset: where its values start in the bucket, in elements.
    """

    name: str
    tensor: Tensor
    offset: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """Flat memory of one dtype on one device.

    Attributes:
        flat: the values, ``(count,)``.
        residents: what lives in it, in order.
    """

    flat: Tensor
    residents: tuple[Resident, ...]

    def check_finite(self, where: str) -> None:
        """Raises NonFiniteError, naming the tensor, if any value is NaN or infinite."""
        # One fused pass; only a suspicious total is looked at tensor by tensor.
        if bool(torch.isfinite(self.flat.sum())):
            return
        for resident in self.residents:
            if not bool(torch.isfinite(resident.tensor).all()):
                raise NonFiniteError(
                    f"{resident.name} holds NaN or infinite values {where}; nothing was sent. "
                    "Lower the learning rate, clip gradients, or restart from a checkpoint"
                )


def exchanged_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Returns what gossip averages: parameters, last layer first, then floating buffers.

    Gradients become ready from the last layer to the first; buckets follow that order. A shared
    parameter appears once. Integer buffers (BatchNorm's counters) are equal anyway and stay out.
    """
    parameters = [(name, value) for name, value in model.named_parameters()]
    persistent = model.state_dict(keep_vars=True).keys()
    buffers = [
        (name, value)
        for name, value in model.named_buffers()
        if value.is_floating_point() and name in persistent
    ]
    return [*reversed(parameters), *buffers]


def re_home(tensors: Iterable[tuple[str, Tensor]], bucket_bytes: int) -> list[Bucket]:
    """Moves tensors into flat buckets and makes each a view of its place.

    Args:
        tensors: names and tensors, in the order in which they are to lie.
        bucket_bytes: a bucket is closed once it holds at least this much.

    Raises:
        ConfigurationError: a tensor is complex, sparse, or overlaps itself.
    """
    return [_fill(group) for group in _groups(tensors, bucket_bytes)]


def shapes(buckets: Sequence[Bucket]) -> list[str]:
    """Returns name, dtype and shape of all residents, in order."""
    return [
        f"{resident.name}: {resident.tensor.dtype} {list(resident.tensor.shape)}"
        for bucket in buckets
        for resident in bucket.residents
    ]


def check_home(buckets: Sequence[Bucket]) -> None:
    """Raises ConfigurationError, naming the tensor, if one is no longer a view of its bucket."""
    for bucket in buckets:
        start, size = bucket.flat.data_ptr(), bucket.flat.element_size()
        for resident in bucket.residents:
            if resident.tensor.data_ptr() != start + resident.offset * size:
                raise ConfigurationError(
                    f"{resident.name} was moved after wrapping (.to(), .half(), a new .data); "
                    "move the model first, then wrap it"
                )


def check_model(buckets: Sequence[Bucket], model: nn.Module) -> None:
    """Raises ConfigurationError, naming it, if a tensor of `model` lives in no bucket."""
    check_home(buckets)
    at_home = {id(resident.tensor) for bucket in buckets for resident in bucket.residents}
    for name, tensor in exchanged_tensors(model):
        if tensor.numel() and id(tensor) not in at_home:
            raise ConfigurationError(
                f"{name} is another tensor than when the model was wrapped, so that it is not "
                "averaged; change tensors in place (copy_, mul_, add_), and wrap a model once it "
                "is whole"
            )


def counters(model: nn.Module) -> list[Tensor]:
    """Returns the buffers that are not averaged since they are integers, those on the CPU."""
    return [
        buffer
        for buffer in model.buffers()
        if not buffer.is_floating_point() and not buffer.is_complex() and buffer.numel()
        and buffer.is_contiguous() and buffer.device.type == "cpu"
    ]  # fmt: skip


def _groups(
    tensors: Iterable[tuple[str, Tensor]], bucket_bytes: int
) -> Iterator[list[tuple[str, Tensor]]]:
    open_groups: dict[tuple[torch.dtype, torch.device], list[tuple[str, Tensor]]] = {}
    sizes: dict[tuple[torch.dtype, torch.device], int] = {}
    for name, tensor in tensors:
        if tensor.layout != torch.strided or tensor.is_complex():
            kind = "complex" if tensor.is_complex() else "sparse"
            raise ConfigurationError(f"{name} is {kind}; gossip averages dense real tensors")
        if tensor.numel() == 0:
            continue
        key = (tensor.dtype, tensor.device)
        open_groups.setdefault(key, []).append((name, tensor))
        sizes[key] = sizes.get(key, 0) + tensor.numel() * tensor.element_size()
        if sizes[key] >= bucket_bytes:
            yield open_groups.pop(key)
            sizes.pop(key)
    yield from open_groups.values()


@torch.no_grad()
def _fill(group: list[tuple[str, Tensor]]) -> Bucket:
    first = group[0][1]
    flat = torch.empty(
        sum(tensor.numel() for _, tensor in group), dtype=first.dtype, device=first.device
    )
    residents, offset = [], 0
    for name, tensor in group:
        piece = flat[offset : offset + tensor.numel()]
        if _is_dense(tensor):
            view = piece.as_strided(tensor.size(), tensor.stride())
        else:
            view = piece.view(tensor.size())
        view.copy_(tensor)
        tensor.data = view
        residents.append(Resident(name, tensor, offset))
        offset += tensor.numel()
    return Bucket(flat, tuple(residents))


def _is_dense(tensor: Tensor) -> bool:
    # True for any permutation of a contiguous layout, such as channels_last.
    expected = 1
    for stride, size in sorted(
        (stride, size)
        for stride, size in zip(tensor.stride(), tensor.size(), strict=True)
        if size > 1
    ):
        if stride != expected:
            return False
        expected *= size
    return True

"""How numbers travel: fp32, bf16, or int8 with error feedback.

Every codec writes into and reads from a slice of a byte buffer that lives as long as the training,
so that a step allocates nothing. What matters for the rule is not how close the wire value ŝ is to
the weight, but that sender and receiver use the very same ŝ: then the mean is exact at any
precision.
"""

from typing import Protocol

import torch
from torch import Tensor

from gossipgrad.errors import ConfigurationError

WIRES = ("fp32", "bf16", "int8")
CHUNK = 1 << 18  # elements handled at a time, so that scratch stays in the processor's cache
_BLOCK = 256  # elements that share one int8 scale


class Codec(Protocol):
    """Writes values as bytes and reads them back."""

    @property
    def name(self) -> str:
        """One of `WIRES`."""
        ...

    def nbytes(self, count: int) -> int:
        """Returns the size of `count` values on the wire, in bytes."""
        ...

    def encode(self, values: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Writes `values` ``(count,)`` into `payload` ``(nbytes(count),)``, dtype uint8.

        `residual` ``(count,)`` is what earlier roundings left over; it is added first and updated.
        """
        ...

    def decode(self, payload: Tensor, start: int, out: Tensor) -> Tensor:
        """Reads values ``[start, start + len(out))`` of `payload` into `out`; returns `out`."""
        ...


class Cast:
    """Rounds each value to a floating dtype of the same or a smaller size."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self.name = name
        self._dtype = dtype
        self._itemsize = dtype.itemsize

    def nbytes(self, count: int) -> int:
        """Returns the size of `count` values on the wire, in bytes."""
        return count * self._itemsize

    def encode(self, values: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Rounds `values` into `payload`; the rounding is unbiased enough to need no residual."""
        del residual
        payload.view(self._dtype).copy_(values, non_blocking=True)

    def decode(self, payload: Tensor, start: int, out: Tensor) -> Tensor:
        """Reads values from `start` on into `out`."""
        return out.copy_(payload.view(self._dtype)[start : start + out.numel()], non_blocking=True)


class Int8:
    """One signed byte a value and one float32 scale per 256 values: 1.016 bytes each.

    The scale is max|v| / 127 of its block. What rounding cuts off is kept and added to the next
    message (error feedback), so that over steps the wire carries every value without bias.
    """

    name = "int8"

    def nbytes(self, count: int) -> int:
        """Returns the size of `count` values on the wire, in bytes."""
        blocks = -(-count // _BLOCK)
        return blocks * 4 + count

    def encode(self, values: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Quantises `values` plus `residual` into `payload` and updates `residual`."""
        count = values.numel()
        scales, codes = self._parts(payload, count)
        for start in range(0, count, CHUNK):
            piece = values[start : start + CHUNK].to(torch.float32, copy=True)
            if residual is not None:
                piece += residual[start : start + CHUNK]
            padded = torch.nn.functional.pad(piece, (0, -piece.numel() % _BLOCK)).view(-1, _BLOCK)
            scale = padded.abs().amax(1).div_(127)
            inverse = torch.where(scale > 0, 1 / scale, scale)
            rounded = (padded * inverse[:, None]).round_().flatten()[: piece.numel()]
            first = start // _BLOCK
            scales[first : first + scale.numel()] = scale
            codes[start : start + piece.numel()] = rounded.to(torch.int8)
            if residual is not None:
                sent = self.decode(payload, start, torch.empty_like(piece))
                residual[start : start + CHUNK] = piece - sent

    def decode(self, payload: Tensor, start: int, out: Tensor) -> Tensor:
        """Reads values from `start`, a multiple of 256, on into `out`."""
        # count + 4 * ceil(count / 256) bytes: solve for count.
        total = payload.numel()
        blocks = -(-total // (_BLOCK + 4))
        scales, codes = self._parts(payload, total - 4 * blocks)
        count, first = out.numel(), start // _BLOCK
        scale = scales[first : first + -(-count // _BLOCK)].repeat_interleave(_BLOCK)[:count]
        out.copy_(codes[start : start + count])
        return out.mul_(scale)

    def _parts(self, payload: Tensor, count: int) -> tuple[Tensor, Tensor]:
        cut = 4 * -(-count // _BLOCK)
        return payload[:cut].view(torch.float32), payload[cut : cut + count].view(torch.int8)


def make_codec(wire: str) -> Codec:
    """Returns the codec of a wire format.

    Raises:
        ConfigurationError: `wire` is not one of `WIRES`.
    """
    if wire == "fp32":
        return Cast("fp32", torch.float32)
    if wire == "bf16":
        return Cast("bf16", torch.bfloat16)
    if wire == "int8":
        return Int8()
    raise ConfigurationError(f"wire is {wire!r}; allowed: {', '.join(WIRES)}")

"""Messages as bytes: one frame a bucket, all frames of a model side by side in one buffer.

A frame is a 64-byte header and a payload. The header says which step, bucket and sender it is from
and how much mass it carries; a frame that is late or of another model is told by it.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gossipgrad.buckets import Bucket
from gossipgrad.errors import MismatchError
from gossipgrad.wire import Codec

HEADER_BYTES = 64
_FORMAT = struct.Struct(
    "<4sHHqdII"
)  # magic, version, bucket, step, mass, sender, model fingerprint
_MAGIC = b"GGRD"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame says about itself.

    Attributes:
        step: the exchange it belongs to.
        mass: the push-sum mass it carries.
        sender: the rank that sent it.
    """

    step: int
    mass: float
    sender: int


class FrameSet:
    """The frames of one snapshot of all buckets, in memory that is allocated once.

    Args:
        buckets: what is sent; their sizes fix the frames' sizes.
        codec: how values are written.
        fingerprint: 32 bits that are equal on all ranks of one model.
        device: where the bytes live; None is main memory, pinned where CUDA is in use.
    """

    def __init__(
        self,
        buckets: Sequence[Bucket],
        codec: Codec,
        fingerprint: int,
        device: torch.device | None = None,
    ) -> None:
        self._codec = codec
        self._fingerprint = fingerprint
        sizes = [codec.nbytes(bucket.flat.numel()) for bucket in buckets]
        # Frames start at multiples of 64 bytes, so that every payload is aligned for any dtype.
        padded = [HEADER_BYTES + -(-size // HEADER_BYTES) * HEADER_BYTES for size in sizes]
        pinned = device is None and any(bucket.flat.is_cuda for bucket in buckets)
        self.memory = torch.zeros(
            sum(padded), dtype=torch.uint8, device=device or "cpu", pin_memory=pinned
        )
        self.frames: list[Tensor] = []
        self.payloads: list[Tensor] = []
        start = 0
        for size, room in zip(sizes, padded, strict=True):
            self.frames.append(self.memory[start : start + HEADER_BYTES + size])
            self.payloads.append(self.memory[start + HEADER_BYTES : start + HEADER_BYTES + size])
            start += room
        self.nbytes = sum(frame.numel() for frame in self.frames)

    def write_headers(self, header: Header) -> None:
        """Stamps every frame."""
        for number, frame in enumerate(self.frames):
            content = _FORMAT.pack(
                _MAGIC, _VERSION, number, header.step, header.mass, header.sender, self._fingerprint
            )
            stamped = content + struct.pack("<I", zlib.crc32(content))
            frame[: len(stamped)].copy_(torch.frombuffer(bytearray(stamped), dtype=torch.uint8))

    def read_header(self, number: int) -> Header:
        """Returns the header of frame `number`.

        Raises:
            MismatchError: the bytes are no frame, or one of another model, version or bucket.
        """
        raw = bytes(self.frames[number][: _FORMAT.size + 4].cpu().numpy())
        content, (checksum,) = raw[: _FORMAT.size], struct.unpack("<I", raw[_FORMAT.size :])
        magic, version, bucket, step, mass, sender, fingerprint = _FORMAT.unpack(content)
        if magic != _MAGIC or zlib.crc32(content) != checksum:
            raise MismatchError(
                "a message that is no gossipgrad frame arrived on gossipgrad's tags"
            )
        if (version, fingerprint, bucket) != (_VERSION, self._fingerprint, number):
            raise MismatchError(
                f"rank {sender} sent frame {bucket} of another model or wire version "
                f"(fingerprint {fingerprint:08x}, here {self._fingerprint:08x})"
            )
        return Header(step, mass, sender)

    def pack(self, buckets: Sequence[Bucket], residuals: Sequence[Tensor] | None) -> None:
        """Writes a snapshot of all buckets; on CUDA the copies are queued on the current stream."""
        for number, (bucket, payload) in enumerate(zip(buckets, self.payloads, strict=True)):
            residual = residuals[number] if residuals else None
            self._codec.encode(bucket.flat, payload, residual)

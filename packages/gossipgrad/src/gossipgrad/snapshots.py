"""Writing a model into frames, and being sure that nothing ill is sent."""

import zlib
from collections.abc import Callable, Sequence

import torch

from gossipgrad.buckets import Bucket
from gossipgrad.frames import FrameSet
from gossipgrad.transports import Transport
from gossipgrad.wire import Codec


class Snapshots:
    """Packs models into frame sets of one codec.

    Args:
        buckets: the model.
        codec: the wire format.
        transport: decides whether frames lie in GPU memory.
    """

    def __init__(self, buckets: Sequence[Bucket], codec: Codec, transport: Transport) -> None:
        self.buckets = buckets
        self.codec = codec
        names = ",".join(
            f"{r.name}{tuple(r.tensor.shape)}" for bucket in buckets for r in bucket.residents
        )
        self._fingerprint = zlib.crc32(f"{codec.name}:{names}".encode())
        on_gpu = transport.sends_device_memory and buckets[0].flat.is_cuda
        self._device = buckets[0].flat.device if on_gpu else None
        self.residuals = (
            [torch.zeros_like(bucket.flat, dtype=torch.float32) for bucket in buckets]
            if codec.name == "int8"
            else None
        )

    def make_frames(self) -> FrameSet:
        """Returns an empty frame set of this model."""
        return FrameSet(self.buckets, self.codec, self._fingerprint, self._device)

    @torch.no_grad()
    def pack(self, frames: FrameSet, where: str) -> Callable[[], bool] | None:
        """Writes the model into `frames`.

        Args:
            frames: what to write into.
            where: ends the sentence of a NonFiniteError.

        Returns:
            What says whether the copy has been made; None where it has already.

        Raises:
            NonFiniteError: a weight is NaN or infinite.
        """
        for bucket in self.buckets:
            bucket.check_finite(where)
        frames.pack(self.buckets, self.residuals)
        if not self.buckets[0].flat.is_cuda:
            return None
        # Snapshot, settlement and optimizer follow one another on one stream; the host goes on and
        # asks the event. Once it has passed, the last settlement has read its frames, too.
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return event.query

"""The five topologies of gossip: dissemination, hypercube, ring, random, and exact for any size.

Each is a pure function of (rank, step, seed) with O(1) memory, so that a million ranks need no
table and no communicator. With rotation the ranks are relabelled after each sweep by a fresh
`Permutation`, which lets every pair meet directly sooner or later ("partner rotation", section 1b
of the reference: the authors' code holds p communicators for the same purpose).
"""

from gossipgrad.schedules.permutation import Permutation
from gossipgrad.schedules.turn import Turn


class _Relabelled:
    """Runs a topology under labels that change with every sweep."""

    def __init__(self, size: int, seed: int, sweep: int, *, rotate: bool) -> None:
        self.size = size
        self.seed = seed
        self.sweep = sweep
        self.rotate = rotate
        self._labels: tuple[int, Permutation] | None = None

    def turn(self, rank: int, step: int) -> Turn:
        """Returns the part of `rank` at `step`."""
        if self.size == 1:
            return Turn(0, 0)
        number, position = divmod(step, self.sweep)
        if not self.rotate:
            return self._place(rank, position)
        # One permutation is kept because a rank asks for the same sweep many times over.
        if self._labels is None or self._labels[0] != number:
            self._labels = (number, Permutation(self.size, self.seed, number))
        labels = self._labels[1]
        placed = self._place(labels(rank), position)
        destination = labels.inverse(placed.destination)
        if placed.source == placed.destination:
            return Turn(destination, destination, placed.share)
        return Turn(destination, labels.inverse(placed.source), placed.share)

    def _place(self, label: int, position: int) -> Turn:
        raise NotImplementedError


class Dissemination(_Relabelled):
    """Label v sends to v + 2^k and receives from v - 2^k, k = step mod ceil(log2 p).

    Any number of ranks. Sending and receiving have different peers, which is full speed even where
    a transport runs a pair half duplex (Open MPI and UCX over TCP).
    """

    def __init__(self, size: int, seed: int = 0, *, rotate: bool = True) -> None:
        super().__init__(size, seed, max(1, (size - 1).bit_length()), rotate=rotate)

    def _place(self, label: int, position: int) -> Turn:
        reach = 1 << position
        return Turn((label + reach) % self.size, (label - reach) % self.size)


class Hypercube(_Relabelled):
    """Label v exchanges with v XOR 2^k, k = step mod log2 p; p must be a power of two."""

    def __init__(self, size: int, seed: int = 0, *, rotate: bool = True) -> None:
        super().__init__(size, seed, max(1, (size - 1).bit_length()), rotate=rotate)

    def _place(self, label: int, position: int) -> Turn:
        partner = label ^ (1 << position)
        return Turn(partner, partner)


class Ring(_Relabelled):
    """Rank r sends to r + 1 and receives from r - 1, always: for networks that are rings."""

    def __init__(self, size: int, seed: int = 0, *, rotate: bool = False) -> None:
        super().__init__(size, seed, max(1, size - 1), rotate=rotate)

    def _place(self, label: int, position: int) -> Turn:
        del position
        return Turn((label + 1) % self.size, (label - 1) % self.size)


class RandomCycle(_Relabelled):
    """At each step one random cycle through all ranks: nobody is idle and nobody meets itself."""

    def __init__(self, size: int, seed: int = 0, *, rotate: bool = True) -> None:
        super().__init__(size, seed, 1, rotate=rotate)

    def _place(self, label: int, position: int) -> Turn:
        del position
        return Turn((label + 1) % self.size, (label - 1) % self.size)


class Exact(_Relabelled):
    """Pairs whose shares make all ranks equal after one sweep, for any p.

    The idea is that of the base-2 graphs of Takezawa et al. (NeurIPS 2023): let the first block
    hold 2^a ranks, the largest power of two in p, and the rest r = p - 2^a. The block averages
    itself on a hypercube (a steps); then each of the rest exchanges the share 2^a / p with a
    partner inside the block, after which block and rest both have the global mean as their mean;
    then the block averages itself again. The rest does the same within itself meanwhile: the
    pairing moves all of it by one affine map, which commutes with its own averaging.
    A sweep takes log2 p steps for a power of two, else 2 floor(log2 p) + 1.
    """

    def __init__(self, size: int, seed: int = 0, *, rotate: bool = True) -> None:
        depth = size.bit_length() - 1
        sweep = depth if size == 1 << depth else 2 * depth + 1
        super().__init__(size, seed, max(1, sweep), rotate=rotate)

    def _place(self, label: int, position: int) -> Turn:
        first, size, clock = 0, self.size, position
        while True:
            depth = size.bit_length() - 1
            block = 1 << depth
            rest = size - block
            inside = label - first
            pairing = rest > 0 and clock == depth
            if inside < block:
                if pairing:
                    partner = inside + block if inside < rest else inside
                    return self._pair(label, first + partner, block / size)
                if rest and clock > depth:
                    clock -= depth + 1
                if clock >= depth:
                    return Turn(label, label)
                return self._pair(label, first + (inside ^ (1 << clock)), 0.5)
            if pairing:
                return self._pair(label, label - block, block / size)
            if clock > depth:
                clock -= 1
            first, size = first + block, rest

    def _pair(self, label: int, partner: int, share: float) -> Turn:
        return Turn(label, label) if partner == label else Turn(partner, partner, share)

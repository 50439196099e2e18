"""A seeded permutation of `range(size)`, computed and never stored.

Rotation relabels all ranks anew after every sweep. A shuffled table would need O(p) memory on each
of p ranks; a Feistel network needs none. The halves live in Z_a and Z_b with a*b just above `size`
and are mixed by modular addition, so nearly every value lands inside `size` at the first try; the
rest walk on along their cycle, which keeps the map a bijection (Black & Rogaway, CT-RSA 2002).
"""

from math import isqrt

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_WORD = (1 << 32) - 1
_ODD = 0x9E3779B97F4A7C15
_ROUNDS = 2


def mix(value: int) -> int:
    """Returns a well-mixed 64-bit hash of a non-negative integer (the finaliser of splitmix64)."""
    value = (value + _ODD) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Permutation:
    """A bijection of `range(size)` and its inverse, in O(1) time and memory.

    Args:
        size: number of elements, at least 1.
        seed: any non-negative integer.
        index: which permutation of that seed's family.
    """

    __slots__ = ("_high", "_keys", "_low", "size")

    def __init__(self, size: int, seed: int, index: int = 0) -> None:
        self.size = size
        self._low = isqrt(size - 1) + 1 if size > 1 else 1
        self._high = -(-size // self._low)
        key = mix(mix(seed & _MASK) ^ (index & _MASK))
        self._keys = tuple((key >> number) & _WORD for number in range(0, 32, 16 // _ROUNDS))

    def __call__(self, element: int) -> int:
        """Returns where `element` goes."""
        high_size, low_size, keys = self._high, self._low, self._keys
        while True:
            high, low = divmod(element, low_size)
            for number in range(0, 2 * _ROUNDS, 2):
                high = (high + (((low ^ keys[number]) * _ODD >> 32) & _WORD)) % high_size
                low = (low + (((high ^ keys[number + 1]) * _ODD >> 32) & _WORD)) % low_size
            element = high * low_size + low
            if element < self.size:
                return element

    def of(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns where each of `elements` goes, all at once."""
        keys = [np.uint64(key) for key in self._keys]
        odd, half = np.uint64(_ODD), np.uint64(32)
        moved = elements.astype(np.uint64)
        astray = np.arange(len(moved))
        while len(astray):
            high, low = np.divmod(moved[astray], np.uint64(self._low))
            for number in range(0, 2 * _ROUNDS, 2):
                high = (high + ((low ^ keys[number]) * odd >> half)) % np.uint64(self._high)
                low = (low + ((high ^ keys[number + 1]) * odd >> half)) % np.uint64(self._low)
            moved[astray] = high * np.uint64(self._low) + low
            astray = astray[moved[astray] >= self.size]
        return moved.astype(np.int64)

    def inverse(self, element: int) -> int:
        """Returns what comes to `element`."""
        high_size, low_size, keys = self._high, self._low, self._keys
        while True:
            high, low = divmod(element, low_size)
            for number in range(2 * _ROUNDS - 2, -1, -2):
                low = (low - (((high ^ keys[number + 1]) * _ODD >> 32) & _WORD)) % low_size
                high = (high - (((low ^ keys[number]) * _ODD >> 32) & _WORD)) % high_size
            element = high * low_size + low
            if element < self.size:
                return element

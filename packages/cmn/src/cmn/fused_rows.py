"""Fused rows: the step of the rows that a batch has touched, and of no others.

The functions are plain Python, which `fused.compiled` makes machine code of.

Letters: N rows of a table, d the embedding size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cmn.optimisers import MOMENTUM, RMS_DECAY, RMS_EPSILON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmn.fused import Floats, Ints


def distinct(rows: Ints, more: Ints, marks: NDArray[np.bool_]) -> Ints:
    """Returns the distinct ones among two lists of rows.

    Args:
        rows: any number.
        more: any number.
        marks: False for every row there is, as it will be again.
    """
    found = np.empty(len(rows) + len(more), np.int64)
    count = 0
    for part in (rows, more):
        for row in part:
            if not marks[row]:
                marks[row] = True
                found[count] = row
                count += 1
    for row in found[:count]:
        marks[row] = False
    return found[:count]


def move_rows(  # noqa: PLR0917  numba takes no keywords
    rows: Ints,
    weight: Floats,
    gradient: Floats,
    square: Floats,
    momentum: Floats,
    rate: float,
    longest: float,
) -> None:
    """Steps some rows by TensorFlow 1's RMSProp and sets their gradients back to zero.

    Args:
        rows: distinct.
        weight: (N, d).
        gradient: (N, d).
        square: s, (N, d).
        momentum: b, (N, d).
        rate: step size.
        longest: Euclidean norm to which these rows' gradient is cut; 0 is no limit.
    """
    real = weight.dtype.type
    keep, new, little = real(RMS_DECAY), real(1 - RMS_DECAY), real(RMS_EPSILON)
    step, part, length = real(rate), real(1), real(0)
    if longest > 0:
        for row in rows:
            g = gradient[row]
            for k in range(weight.shape[1]):
                length += g[k] * g[k]
        part = real(min(1.0, longest / max(np.sqrt(length), real(1e-30))))
    for row in rows:
        w, g, s, b = weight[row], gradient[row], square[row], momentum[row]
        for k in range(weight.shape[1]):
            slope = g[k] * part
            s[k] = keep * s[k] + new * slope * slope
            b[k] = real(MOMENTUM) * b[k] + step * slope / np.sqrt(s[k] + little)
            w[k] -= b[k]
            g[k] = real(0)

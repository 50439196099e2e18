"""What `best` would need at 10^9 interactions, from sizes that fit here; docs/scale.md quotes it.

    python packages/cmn/benchmarks/shards.py bytes N     what training holds of N made interactions
    python packages/cmn/benchmarks/shards.py split N S   scores of users cut into S parts, against
                                                         those of the whole

Users are cut into shards by rows. The evidence Z_ui is a sum over the users v who have i, so that
each shard reads its own users and what they say is added; nothing else has to be sent.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from matrices import shop
from scipy import sparse

from cmn.evidence import WalkEvidence
from cmn.neighbourhoods import Neighbourhoods

ALPHA, GAMMA, DELTA, ASKED, DIM = 0.5, 1.0, 0.5, 64, 64


def shares(matrix: sparse.csr_array, shards: int) -> Iterator[sparse.csr_array]:
    """Yields the matrix of each shard's users, all its other rows empty."""
    cuts = np.linspace(0, matrix.shape[0], shards + 1).astype(int)
    for low, high in pairwise(cuts):
        kept = np.zeros(matrix.shape[0], dtype=np.float32)
        kept[low:high] = 1
        part = sparse.csr_array(sparse.diags_array(kept) @ matrix)
        part.eliminate_zeros()
        yield part


def split(size: int, shards: int) -> str:
    """Compares the sum of the shards' evidence with the whole graph's."""
    matrix = shop(size)
    whole = WalkEvidence(matrix, ALPHA)
    users = np.flatnonzero(whole.user_degrees)[:ASKED]
    expected = whole.catalogue(whole.rows(users), GAMMA, DELTA)
    asked = sparse.csr_array(matrix[users])
    added = np.zeros_like(expected)
    largest = 0
    for part in shares(matrix, shards):
        shard = WalkEvidence(part, ALPHA)
        # Degrees are of the whole graph: Q + P numbers that every shard is told once.
        shard.item_degrees, shard.user_degrees = whole.item_degrees, whole.user_degrees
        reached = shard.rows_of(asked)
        here = np.repeat(users, np.diff(reached.indptr)) == reached.indices
        reached.data[here] = 0
        added += shard.catalogue(reached, GAMMA, DELTA)
        largest = max(largest, part.nnz)
    apart = np.abs(added - expected).max() / expected.max()
    question, answer = asked.nnz / ASKED, 4 * matrix.shape[1] / 1e6
    return (
        f"{matrix.nnz:,} interactions in {shards} shards of at most {largest:,}: the sums are "
        f"{apart:.0e} of the largest score from the whole. For a user {question:.0f} item numbers "
        f"go to each shard; {answer:.1f} MB come back for all {matrix.shape[1]:,} items"
    )


def parts(size: int) -> str:
    """Says what a training holds of so many interactions, in bytes of each."""
    matrix = shop(size)
    evidence = WalkEvidence(matrix, ALPHA)
    users, items = matrix.shape
    rows = {
        "matrix": _bytes(matrix),
        "by item": _bytes(evidence.by_item),
        "members": _members(evidence.members),
        "positives and their order": 16 * matrix.nnz,
        "memories and Adam's moments": 3 * 4 * DIM * (users + items),
    }
    told = ", ".join(f"{name} {taken / matrix.nnz:.1f}" for name, taken in rows.items())
    total = sum(rows.values()) / matrix.nnz
    return f"{matrix.nnz:,} interactions: bytes of each: {told}; together {total:.0f}"


def _bytes(matrix: sparse.csr_array) -> int:
    return sum(part.nbytes for part in (matrix.data, matrix.indices, matrix.indptr))


def _members(neighbourhoods: Neighbourhoods) -> int:
    bounds, lengths = neighbourhoods.bounds, neighbourhoods.lengths
    return int(neighbourhoods.users.nbytes + 2 * bounds.nbytes + lengths.nbytes)


if __name__ == "__main__":
    if sys.argv[1] == "bytes":
        print(parts(int(sys.argv[2])))
    else:
        print(split(int(sys.argv[2]), int(sys.argv[3])))

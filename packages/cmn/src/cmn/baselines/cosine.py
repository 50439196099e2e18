"""Cosine: the nearest rows of a matrix, shared by item-KNN and user-KNN."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from cmn.baselines.nearest import nearest_rows


def nearest_by_cosine(matrix: sparse.csr_array, neighbours: int, idf: bool) -> sparse.csr_array:
    """Returns cos(a, b) of rows a and b, for the k nearest rows b of each row a, N x N.

    cos(a, b) = sum_m w_m^2 x_am x_bm / (|w * x_a| |w * x_b|) with w_m = 1 or, with `idf`,
    w_m = ln(N / rows that have m).

    Args:
        matrix: binary CSR (N, M), float64.
        neighbours: k, at least 1.
        idf: columns count less the more rows have them.
    """
    weighted = matrix
    if idf:
        weights = np.log(matrix.shape[0] / np.maximum(matrix.sum(axis=0), 1))
        weighted = sparse.csr_array(matrix @ sparse.diags_array(weights))
    lengths = np.sqrt(weighted.power(2).sum(axis=1))
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    rows = sparse.csr_array(sparse.diags_array(inverse) @ weighted)
    columns = rows.T.tocsr()
    return nearest_rows(lambda part: rows[part] @ columns, rows.shape[0], neighbours)

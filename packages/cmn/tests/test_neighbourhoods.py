"""Neighbourhoods against the columns of the dense matrix."""

import numpy as np
import torch

from cmn.neighbourhoods import Neighbourhoods


def test_each_segment_holds_the_users_of_its_item(ragged_matrix):
    items = torch.tensor([5, 2, 8, 8, 0, 11])
    gathered = Neighbourhoods(ragged_matrix).gather(items)
    dense = ragged_matrix.toarray()
    for segment, item in enumerate(items.tolist()):
        members = gathered.members[gathered.segments == segment].tolist()
        assert members == np.flatnonzero(dense[:, item]).tolist()


def test_offsets_are_where_segments_start_even_when_empty(ragged_matrix):
    gathered = Neighbourhoods(ragged_matrix).gather(torch.tensor([2, 5, 11, 8]))
    assert gathered.offsets.tolist() == [0, 0, 1, 1]
    assert gathered.members.numel() == 10


def test_lengths_are_the_items_user_counts(ragged_matrix):
    lengths = Neighbourhoods(ragged_matrix).lengths
    assert lengths.tolist() == ragged_matrix.toarray().sum(axis=0).astype(int).tolist()

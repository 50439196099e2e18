"""Ids of any type: there and back, and one sentence with the number of unknown ones."""

import datetime as dt
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmn.errors import InteractionsError
from cmn.identifiers import Identifiers, as_labels, encode

LABELS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.text(), min_size=1),
    st.lists(st.uuids(), min_size=1),
    st.lists(st.dates(dt.date(1970, 1, 1)), min_size=1),
    st.lists(st.one_of(st.integers(0, 9), st.sampled_from("0189")), min_size=1),
)


@given(LABELS)
def test_ids_of_any_type_survive_the_way_through_numbers(labels):
    distinct, places = encode("users", labels)
    assert distinct[places].tolist() == labels
    assert len(distinct) == len(set(labels))
    ids = Identifiers("users", distinct)
    assert ids.numbers(labels).tolist() == places.tolist()
    assert ids.of(ids.numbers(labels)).tolist() == labels


def test_one_and_the_text_one_are_two_ids():
    distinct, places = encode("users", [1, "1", 1])
    assert distinct.tolist() == [1, "1"]
    assert places.tolist() == [0, 1, 0]


def test_unknown_ids_are_counted():
    ids = Identifiers("users", encode("users", ["ann", "bob"])[0])
    with pytest.raises(
        InteractionsError,
        match=r"^users has 2 unknown ids \(the first is 'eve'\); 2 are known, 'ann' to 'bob'$",
    ):
        ids.numbers(["ann", "eve", "mallory"])
    assert Identifiers.numbered("items", 3).find([2, "2", 7]).tolist() == [2, -1, -1]


@pytest.mark.parametrize("gap", [None, np.nan, np.datetime64("NaT")])
def test_missing_ids_are_refused(gap):
    with pytest.raises(
        InteractionsError, match="items has 1 ids that are NaN, infinite or missing"
    ):
        encode("items", ["a", gap] if gap is None else np.array([gap]))


def test_ids_are_a_list():
    with pytest.raises(InteractionsError, match=r"users has shape \(\); a one-dimensional list"):
        Identifiers.numbered("users", 3).numbers("ann")


def test_no_number_has_no_id():
    numbers = np.array([[1, -1]])
    assert Identifiers.numbered("items", 2).of(numbers).tolist() == [[1, -1]]
    assert Identifiers("items", encode("items", ["a", "b"])[0]).of(numbers).tolist() == [
        ["b", None]
    ]


def test_more_ids_follow_the_known_ones():
    ids = Identifiers("users", np.array([5, 9]))
    assert ids.extended([9, 1, 7]).labels.tolist() == [5, 9, 1, 7]
    assert ids.extended([9]) is ids
    mixed = ids.extended([uuid.UUID(int=1), "x"])
    assert mixed.labels.tolist() == [5, 9, uuid.UUID(int=1), "x"]


def test_large_and_small_numbers_keep_their_ids_together():
    ids = Identifiers("users", np.array([2**63, 2**63 + 1], dtype=np.uint64))
    assert ids.extended(np.array([77])).labels.tolist() == [2**63, 2**63 + 1, 77]
    assert Identifiers("users", np.array([1, 2])).extended([0.5]).labels.tolist() == [1, 2, 0.5]
    with pytest.raises(InteractionsError, match="users has new ids of type int64, which no type"):
        ids.extended(np.array([-1]))
    with pytest.raises(InteractionsError, match="whole numbers that no integer type holds"):
        as_labels("users", [2**63 + 1, 2**63 + 2, -1])

"""The public names."""

import pytest

import cmn


def test_every_public_name_can_be_had():
    assert all(getattr(cmn, name).__name__ == name for name in cmn.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        cmn.Nonsense  # noqa: B018

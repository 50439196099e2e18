"""Every hyperparameter refuses what is out of its range, naming itself, the value and the range."""

import pytest

from cmn.errors import ParameterError
from cmn.hyperparameters import Hyperparameters


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("embedding_dim", 0, "at least 1"),
        ("hops", 0, "at least 1"),
        ("hops", 1.5, "a whole number"),
        ("hops", True, "a whole number"),
        ("negatives", -1, "at least 1"),
        ("learning_rate", 0.0, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("learning_rate", float("inf"), "above 0"),
        ("learning_rate", "fast", "a number"),
        ("memory_rate", -0.1, "at least 0"),
        ("l2", -1.0, "at least 0"),
        ("epochs", 0, "at least 1"),
        ("warmup_epochs", -1, "at least 0"),
        ("patience", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("pretrain_epochs", -1, "at least 0"),
        ("pretrain_rate", -1.0, "above 0"),
        ("exclude_self", 1, "True or False"),
        ("protocol", "worst", "default or paper or best is allowed"),
        ("attention", "none", "softmax or uniform is allowed"),
        ("optimizer", 3, "adam or rmsprop is allowed"),
        ("seed", -1, "at least 0 and at most 4294967295"),
    ],
)
def test_a_bad_value_is_refused(name, value, allowed):
    with pytest.raises(ParameterError, match=f"^{name} is {value!r}; {allowed}"):
        Hyperparameters(**{name: value})


def test_a_protocol_brings_its_values_and_a_given_value_wins():
    paper = Hyperparameters(protocol="paper", hops=3)
    assert (paper.hops, paper.batch_size, paper.l2, paper.keep) == (3, 128, 0.1, "last")
    assert (paper.optimizer, paper.batches, paper.pretrain_relu) == ("rmsprop", "triples", True)
    assert Hyperparameters(protocol="paper", batch_size=7).batch_size == 7


def test_params_can_rebuild_an_equal_setting():
    settings = Hyperparameters(hops=3, l2=0.5, exclude_self=True)
    assert Hyperparameters(**settings.get_params()) == settings

"""Scores in a benchmark's labels."""

import pytest
import torch

from bocl import BOCL
from bocl.errors import SettingsError
from bocl.growth import Growth
from bocl.integrations.class_scores import FLOOR, LabelledLearner
from bocl.search.rivals import FixedGrowth


def labelled(**settings):
    """Returns a learner of two tasks whose benchmark labels are (2, 5) and (1, 5)."""
    learner = BOCL(
        trunk="mlp-small",
        base=(8, 6),
        searcher=FixedGrowth(Growth((4, 3))),
        epochs=20,
        batch=16,
        views="none",
        **settings,
    )
    result = LabelledLearner(learner)
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for labels in ((2, 5), (1, 5)):
        centres = 3 * torch.randn(2, 1, 3, 3, generator=generator)
        places = torch.arange(80) % 2
        x = centres[places] + 0.2 * torch.randn(80, 1, 3, 3, generator=generator)
        result.fit(x, torch.tensor(labels)[places], "made")
        inputs.append((x, torch.tensor(labels)[places]))
    return result, inputs


def test_scores_are_log_probabilities_over_what_the_tasks_know():
    learner, inputs = labelled(routing=50)
    for tasks in ([0], [1], [0, 1]):
        scores = learner.scores(inputs[0][0], tasks, 7)
        assert (scores.exp().sum(1) - 1).abs().max() < 1e-5
        unknown = set(range(7)) - {int(c) for t in tasks for c in learner.labels[t]}
        assert (scores[:, sorted(unknown)] == FLOOR).all()
    for task, (x, y) in enumerate(inputs):
        assert (learner.scores(x, [task], 7).argmax(1) == y).all()
        assert (learner.scores(x, [0, 1], 7).argmax(1) == y).float().mean() > 0.9


def test_a_learner_with_a_past_is_refused():
    learner, _ = labelled(routing=0)
    with pytest.raises(SettingsError, match="learned 2 tasks"):
        LabelledLearner(learner.learner)


def test_without_statistics_tasks_are_not_told_apart():
    learner, inputs = labelled(routing=0)
    with pytest.raises(SettingsError, match="routing is 0"):
        learner.scores(inputs[0][0], [0, 1], 7)

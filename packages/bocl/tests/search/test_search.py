"""Searchers on a known landscape, the space, the front, and the transfer from task to task."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bocl.growth import Growth
from bocl.journal import Journal
from bocl.search.bayesian import BayesianSearch
from bocl.search.controller import ReinforceSearch
from bocl.search.pareto import choose_by_alpha, pareto_front
from bocl.search.rivals import GridSearch, RandomSearch
from bocl.search.space import MOST_CHOICES, Space, full_space, log_space
from bocl.search.trials import Problem, Trial
from bocl.trialling import search_growth

SPACE = log_space((256, 64))


def accuracy(growth):
    """Smooth, saturating in log width, as measured on permuted MNIST."""
    first, second = (math.log2(1 + width) for width in growth.widths)
    return 0.97 - 0.3 * math.exp(-0.55 * first) - 0.08 * math.exp(-0.8 * second)


def cost(growth):
    return sum(growth.widths) / 320


def problem(seed=0, landscapes=(), alpha=0.05):
    return Problem(SPACE, cost, alpha, 5000, seed, landscapes)


def run(searcher, task, noise=0.002, seed=0):
    generator = torch.Generator().manual_seed(seed)
    trials = []
    while proposals := searcher.propose(task, trials, 2):
        for growth in proposals:
            drawn = float(noise * torch.randn((), generator=generator))
            trials.append(Trial(growth, min(0.999, accuracy(growth) + drawn), cost(growth)))
    return searcher.recommend(task, trials), trials


def regret(task, growth):
    def value(choice):
        return accuracy(choice) - task.alpha * cost(choice)

    return max(value(choice) for choice in SPACE.choices) - value(growth)


@pytest.mark.parametrize("seed", range(3))
def test_recommendation_on_a_known_noisy_landscape_is_nearly_optimal(seed):
    task = problem(seed)
    found, trials = run(BayesianSearch(most_trials=10), task, seed=seed)
    assert len(trials) <= 10
    assert trials[0].growth.none
    assert regret(task, found.growth) < 0.01


def test_no_growth_wins_where_growth_brings_nothing():
    task = problem(alpha=50.0)
    found, _ = run(BayesianSearch(most_trials=8), task)
    assert found.growth.none


@pytest.mark.parametrize(("lead", "chosen"), [(0.005, False), (0.2, True)])
def test_of_hasty_trials_no_growth_must_be_well_ahead(lead, chosen):
    growths = [Growth((0, 0)), Growth((256, 64)), Growth((128, 64)), Growth((64, 32))]
    draws = [0.6 + lead, 0.6, 0.59, 0.58]
    trials = [Trial(g, drawn, cost(g)) for g, drawn in zip(growths, draws, strict=True)]
    space = Space(SPACE.largest, tuple(growths))
    task = replace(problem(alpha=0.01), space=space, validation=500)
    search = BayesianSearch()
    assert search.recommend(task, trials).growth.none
    assert search.recommend(replace(task, hasty=True), trials).growth.none is chosen


def test_a_prior_from_like_tasks_needs_five_trials_at_most():
    first, _ = run(BayesianSearch(most_trials=10), problem())
    known = {growth: math.log(p / (1 - p)) for growth, p in first.landscape.items()}
    task = problem(1, [known])
    found, trials = run(BayesianSearch(most_trials=10), task)
    assert len(trials) <= 5
    assert regret(task, found.growth) < 0.01


def test_an_unlike_earlier_task_is_no_prior():
    strange = dict.fromkeys(SPACE.choices, -6.0)
    _, trials = run(BayesianSearch(most_trials=9, least_gain=0.0), problem(0, [strange]))
    assert len(trials) == 9


@pytest.mark.parametrize("searcher", [RandomSearch(12), GridSearch(12), ReinforceSearch(12)])
def test_rivals_take_the_best_draw_and_stop(searcher):
    task = problem()
    found, trials = run(searcher, task)
    assert len(trials) == 12
    assert task.objective(next(t for t in trials if t.growth == found.growth)) == max(
        task.objective(trial) for trial in trials
    )


@pytest.mark.parametrize(
    "searcher", [BayesianSearch(8), RandomSearch(8), GridSearch(8), ReinforceSearch(8)]
)
def test_a_search_taken_up_again_proposes_the_same(searcher):
    task = problem()
    _, trials = run(searcher, task)
    for told in (0, 2, 4):
        assert searcher.propose(task, trials[:told], 2) == searcher.propose(task, trials[:told], 2)
        proposed = searcher.propose(task, trials[:told], 2)
        assert [trial.growth for trial in trials[told : told + len(proposed)]] == proposed


class Measuring:
    """Measures growths as a task would: the same growth in the same place, the same accuracy."""

    def __init__(self):
        self.measured = []

    def measure(self, growth, place):
        self.measured.append(growth)
        return accuracy(growth) + 0.002 * math.sin(place)


def test_a_search_cut_anywhere_goes_on_in_the_middle_of_its_batch(tmp_path):
    def searched(journal):
        measuring = Measuring()
        _, trials, _ = search_growth(
            measuring,
            BayesianSearch(8, least_gain=0.0),
            problem(),
            journal,
            parallel=3,
            report=lambda _: None,
        )
        return trials, measuring.measured

    whole, _ = searched(Journal(None, {}))
    for told in (4, 6):  # the sixth to eighth are proposed together
        journal = Journal(tmp_path / str(told), {})
        for trial in whole[:told]:
            journal.tell(trial)
        trials, measured = searched(journal)
        assert trials == whole
        assert measured == [trial.growth for trial in whole[told:]]


def test_the_controller_learns_to_prefer_what_is_rewarded():
    task = problem()
    searcher = ReinforceSearch(10_000)
    small, large = Growth((1, 1)), Growth((256, 64))
    before = searcher.propose(task, [], 200)
    trials = [Trial(small, 0.0, 0.0), Trial(large, 1.0, 0.0)] * 40
    after = searcher.propose(task, trials, 200)
    assert after.count(large) > before.count(large) + 20


def test_log_space_holds_only_feasible_growths_in_a_bounded_number():
    for largest in ((312, 128), (20, 50, 500), (16, 32, 64), (256,) * 5):
        space = log_space(largest)
        assert len(space.choices) <= MOST_CHOICES
        assert space.choices[0].none
        assert all(growth.feasible for growth in space.choices)
        codes = space.encode(space.choices)
        assert float(codes.min()) == 0.0
        assert float(codes.max()) == 1.0
        assert len(torch.unique(codes, dim=0)) == len(space.choices)


def test_growths_that_stand_alone_have_no_bottleneck():
    space = log_space((20, 48, 64))
    assert Growth((20, 48, 64), reuse=False) in space.choices
    assert Growth((1, 48, 64), reuse=False) not in space.choices
    assert Growth((1, 48, 64)) in space.choices


def test_the_papers_space_has_every_width():
    assert len(full_space((312, 128), 29).choices) == 900


def test_the_front_rises_and_holds_each_alphas_choice():
    landscape = {growth: accuracy(growth) for growth in SPACE.choices if growth.reuse}
    front = pareto_front(landscape, cost)
    assert [point[1] for point in front] == sorted(point[1] for point in front)
    assert [point[2] for point in front] == sorted(point[2] for point in front)
    for alpha in (0.01, 0.1, 1.0):
        best = max(landscape, key=lambda growth: landscape[growth] - alpha * cost(growth))
        assert choose_by_alpha(front, alpha) == best

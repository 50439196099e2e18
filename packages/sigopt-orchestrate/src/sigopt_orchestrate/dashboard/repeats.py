"""What trials that ran again say: is the best one better than the defaults, or was it lucky?

The best of many noisy trials flatters. Its repeats, and those of the defaults, were not chosen by
how well they did; only they are counted here.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sigopt_orchestrate.dashboard.analysis import best_trials, default_trial, gain, objective_value
from sigopt_orchestrate.dashboard.wording import improvement, number
from sigopt_orchestrate.lifecycle import repeat_of
from sigopt_orchestrate.spec import Experiment, Metric
from sigopt_orchestrate.store.records import TrialRecord


@dataclass(frozen=True)
class Estimate:
    """A metric's mean over repeats of one trial.

    Attributes:
        mean: Of the repeats' values.
        error: The mean's standard error; None of a single repeat.
        runs: How many repeats.
    """

    mean: float
    error: float | None
    runs: int

    def text(self) -> str:
        """Returns `0.981 ± 0.002`."""
        return number(self.mean) + ("" if self.error is None else f" ± {self.error:.2g}")


@dataclass(frozen=True)
class Gain:
    """By how much repeats of a trial are better than those of the defaults; below 0: worse.

    Attributes:
        size: The difference of the means, so that more is better.
        error: Its standard error; None where one of the means has none.
        reference: The mean of the defaults.
    """

    size: float
    error: float | None
    reference: float

    @property
    def beyond_noise(self) -> bool:
        """Whether it is more than two standard errors from nothing."""
        return self.error is not None and abs(self.size) > 2 * self.error

    def text(self) -> str:
        """Returns the gain in words, and whether it is beyond noise."""
        words = improvement(self.size, self.reference)
        if self.error is None:
            return words
        size = f"{self.size:+.3g} ± {self.error:.2g}"
        return f"{size} ({words}{'' if self.beyond_noise else ', within noise'})"


def challengers(spec: Experiment, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Returns the trials that are worth a confirmation against the defaults.

    That is the best one. Of two objectives, that is the best by the first, and the best by the
    first among those that are no worse than the defaults by the second.
    """
    front, reference = best_trials(spec, trials), default_trial(trials)
    if not front or reference is None:
        return []
    last = spec.objectives[-1]
    gains = ((trial, gain(last, trial, reference)) for trial in front)
    frugal = next(
        (trial for trial, gained in gains if gained is not None and gained >= 0), front[0]
    )
    chosen = [front[0]] if frugal is front[0] else [front[0], frugal]
    return [trial for trial in chosen if trial is not reference]


def repeats(trials: Sequence[TrialRecord], number_: int) -> list[TrialRecord]:
    """Returns the trials that repeat the one with this number."""
    return [trial for trial in trials if trial.source == repeat_of(number_)]


def confirmed(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Returns the trials that have been repeated, the defaults first; nothing if those were not."""
    reference = default_trial(trials)
    if reference is None or not repeats(trials, reference.number):
        return []
    others = (t for t in trials if t is not reference and repeats(trials, t.number))
    return [reference, *others]


def estimate(metric: Metric, trials: Sequence[TrialRecord], trial: TrialRecord) -> Estimate | None:
    """Returns what the repeats of `trial` say of `metric`; None if none of them is completed."""
    again = (objective_value(metric, t) for t in repeats(trials, trial.number))
    values = [value for value in again if value is not None]
    if not values:
        return None
    runs = len(values)
    error = statistics.stdev(values) / math.sqrt(runs) if runs > 1 else None
    return Estimate(statistics.fmean(values), error, runs)


def confirmed_gain(
    metric: Metric, trials: Sequence[TrialRecord], trial: TrialRecord
) -> Gain | None:
    """Returns the gain of `trial` over the defaults by the repeats of both; None without them."""
    reference = default_trial(trials)
    ours = estimate(metric, trials, trial)
    theirs = None if reference is None else estimate(metric, trials, reference)
    if ours is None or theirs is None:
        return None
    both = None
    if ours.error is not None and theirs.error is not None:
        both = math.hypot(ours.error, theirs.error)
    return Gain(metric.sign * (ours.mean - theirs.mean), both, theirs.mean)


def confirmed_texts(
    spec: Experiment, trials: Sequence[TrialRecord], trial: TrialRecord
) -> list[str]:
    """Returns the mean of the repeats and the gain over the defaults, of each objective in words.

    Empty where there is none; the defaults gain nothing over themselves.
    """
    texts = []
    for metric in spec.objectives:
        found = estimate(metric, trials, trial)
        gained = None if trial.source == "default" else confirmed_gain(metric, trials, trial)
        texts.append("" if found is None else found.text())
        texts.append("" if gained is None else gained.text())
    return texts

"""What must not go on for ever, timed on a clock that no one sets."""

import time
from collections.abc import Callable

from sigopt_orchestrate.spec import Timeouts
from sigopt_orchestrate.store import TrialRecord

_LONGEST_PAUSE_S = 60.0
_MARGIN_S = 5.0
"""On top of the grace, before a supervisor that does not answer is killed."""


class Patience:
    """Remembers since when the leader waits for what, by the attempts' tokens.

    A leader that follows another begins to wait anew: nothing here decides what is true, only how
    long to put up with it.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        clock: Callable[[], float] = time.monotonic,
        *,
        saving_s: float = 0.0,
    ) -> None:
        self._timeouts = timeouts
        self._ending_s = timeouts.grace_s + _MARGIN_S + saving_s
        self._clock = clock
        self._pending: dict[str, float] = {}
        self._ending: dict[str, float] = {}
        self._overdue: set[str] = set()
        self._not_before: dict[int, float] = {}

    def pending_too_long(self, token: str) -> bool:
        """Returns whether the attempt, which has not started yet, should have by now."""
        now = self._clock()
        if now - self._pending.setdefault(token, now) > self._timeouts.pending_s:
            self._overdue.add(token)
        return token in self._overdue

    def is_overdue(self, token: str) -> bool:
        """Returns whether the attempt was given up because it never started."""
        return token in self._overdue

    def ending_too_long(self, token: str) -> bool:
        """Returns whether the attempt, which was asked to end, should have by now."""
        now = self._clock()
        return now - self._ending.setdefault(token, now) > self._ending_s

    def forget(self, token: str) -> None:
        """Forgets an attempt that is no more."""
        self._pending.pop(token, None)
        self._ending.pop(token, None)
        self._overdue.discard(token)

    def pause(self, trial: TrialRecord, *, at_least_s: float = 0.0) -> None:
        """Makes the trial wait before its next attempt, twice as long after each loss."""
        pause_s = 0.0 if trial.losses < 2 else min(_LONGEST_PAUSE_S, 2.0 ** (trial.losses - 2))
        pause_s = max(pause_s, at_least_s)
        if pause_s:
            self._not_before[trial.id] = self._clock() + pause_s

    def pause_left_s(self, trial: TrialRecord) -> float:
        """Returns how long the trial must still wait; 0 once it need not."""
        left = self._not_before.get(trial.id, 0.0) - self._clock()
        if left <= 0:
            self._not_before.pop(trial.id, None)
        return max(0.0, left)

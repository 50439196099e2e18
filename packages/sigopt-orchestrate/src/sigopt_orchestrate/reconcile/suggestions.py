"""Where the loop's new trials come from."""

from collections.abc import Sequence
from typing import Protocol

from sigopt_orchestrate.optimizer import Observed, Suggestion
from sigopt_orchestrate.spec import Assignments


class Suggestions(Protocol):
    """A source of new trials; see `optimizer.SuggestionService`."""

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when `poll` has something to say."""

    def request(self, history: Sequence[Observed], pending: Sequence[Assignments]) -> None:
        """Asks for one suggestion."""

    def poll(self) -> Suggestion | None:
        """Returns the suggestion once it is there."""

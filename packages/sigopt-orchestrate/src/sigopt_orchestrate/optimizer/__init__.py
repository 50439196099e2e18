"""What to try next: `suggest` in a process of its own, behind `SuggestionService`."""

from sigopt_orchestrate.optimizer.points import Observed, Suggestion
from sigopt_orchestrate.optimizer.suggestion_service import SuggestionService

__all__ = ["Observed", "Suggestion", "SuggestionService"]

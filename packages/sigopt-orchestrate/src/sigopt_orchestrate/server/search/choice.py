"""Chooses what to suggest next: everything but the model's own choice, which takes a process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sigopt_orchestrate.errors import SuggestionError
from sigopt_orchestrate.optimizer import Suggestion
from sigopt_orchestrate.optimizer.suggest import is_feasible, suggest_plainly, wants_model
from sigopt_orchestrate.server.search.question import MAX_HISTORY, Question
from sigopt_orchestrate.server.search.translation import Translation
from sigopt_orchestrate.server.wire.definition import Definition
from sigopt_orchestrate.spec import Assignments, Experiment

Model = Callable[[Experiment, list[Any], list[Assignments]], Suggestion]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to try next, for which task, and how it was chosen."""

    assignments: dict[str, Any]
    task: str | None
    source: str


def choose(question: Question, model: Model) -> Choice:
    """Returns the answer to `question`, valid whatever the model says.

    Args:
        question: The experiment and what is known.
        model: Asks the optimiser's process; it may raise SuggestionError, and a point without a
            model takes its place.

    Raises:
        SuggestionError: If no point satisfies the linear constraints.
    """
    translation = Translation(question.definition)
    history = [o for trial in question.history if (o := translation.observed(trial)) is not None]
    pending = [a for t in question.pending if (a := translation.assignments(t)) is not None]
    spec = translation.spec(seed=question.experiment_id)
    suggestion = None
    if wants_model(spec, history, pending):
        try:
            suggestion = model(spec, history, pending)
        except SuggestionError:
            suggestion = None  # logged where it happened
    if suggestion is None:
        # A history that is cut off has one length for ever: the seed goes on in its place.
        block = question.suggested // MAX_HISTORY
        spread = translation.spec(seed=question.experiment_id + 7919 * block)
        suggestion = suggest_plainly(spread, history, pending)
    assignments, task = translation.choice(suggestion.assignments)
    return Choice(assignments, question.task or task, suggestion.source)


def feasible(definition: Definition) -> bool:
    """Returns whether a point that satisfies the linear constraints was found."""
    return is_feasible(Translation(definition).spec(seed=0))

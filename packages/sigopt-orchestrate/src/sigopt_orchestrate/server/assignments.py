"""Whether the assignments and the task that a caller sends fit an experiment."""

from typing import Any

from sigopt_orchestrate.optimizer.linear import satisfied
from sigopt_orchestrate.server.errors import InvalidError
from sigopt_orchestrate.server.wire.definition import Definition


def checked(definition: Definition, given: dict[str, Any], *, within: bool) -> dict[str, Any]:
    """Returns `given` with ints for ints.

    Args:
        definition: Has the parameters and the conditionals.
        given: A value for each conditional and each parameter that is active with these.
        within: Whether they must also lie within the bounds and satisfy the linear constraints, as
            what is to be tried must; what has been observed may lie anywhere.

    Raises:
        InvalidError: If they do not fit.
    """
    known = {p.name for p in definition.parameters} | {c.name for c in definition.conditionals}
    for name in given:
        if name not in known:
            raise InvalidError(f"assignments.{name}: is not a parameter of the experiment")
    fitting: dict[str, Any] = {}
    for conditional in definition.conditionals:
        value = given.get(conditional.name)
        if value not in conditional.values:
            said = f"must be one of {conditional.values}, not {value!r}"
            raise InvalidError(f"assignments.{conditional.name}: {said}")
        fitting[conditional.name] = value
    active = definition.active(fitting)
    for parameter in active:
        if parameter.name not in given:
            raise InvalidError(f"assignments.{parameter.name}: is required")
        try:
            fitting[parameter.name] = parameter.refuse_unfit(given[parameter.name], within=within)
        except ValueError as error:
            raise InvalidError(f"assignments.{parameter.name}: {error}") from None
    inactive = set(given) - set(fitting)
    if inactive:
        name = min(inactive)
        raise InvalidError(f"assignments.{name}: is not active where the conditionals are as given")
    if within and not satisfied(definition.linear_constraints, fitting):
        raise InvalidError("assignments: violate the linear constraints of the experiment")
    return fitting


def checked_task(definition: Definition, name: str | None, *, required: bool) -> str | None:
    """Returns the task `name`.

    Raises:
        InvalidError: If the experiment has no such task, or has tasks and one is required.
    """
    if name is None:
        if required and definition.tasks:
            raise InvalidError("task: is required, the experiment has several")
        return None
    if name not in {task.name for task in definition.tasks}:
        names = [task.name for task in definition.tasks]
        raise InvalidError(f"task: must be one of {names}, not {name[:40]!r}")
    return name

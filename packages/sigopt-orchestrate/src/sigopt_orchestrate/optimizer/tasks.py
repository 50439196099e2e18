"""Which task the next trial runs, as far as no model is needed."""

from collections.abc import Mapping

from sigopt_orchestrate.spec import Experiment


def next_task(experiment: Experiment, spent: Mapping[str, int]) -> str:
    """Returns the task that has used the least of the budget: many cheap trials, few full ones.

    Args:
        experiment: Has tasks.
        spent: How many trials each task has had.
    """
    tasks = experiment.tasks
    return min(tasks, key=lambda task: (spent.get(task.name, 0) * task.cost, task.cost)).name

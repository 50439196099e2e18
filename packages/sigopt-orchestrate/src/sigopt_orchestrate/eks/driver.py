"""Makes a cluster, brings it up to date and removes it, step by step.

What is there is found at AWS by names and tags, anew each time; so it makes no difference at which
call an earlier run was interrupted, or whether an answer was lost.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sigopt_orchestrate.aws.session import AwsError
from sigopt_orchestrate.eks.journal import Journal
from sigopt_orchestrate.eks.machines import existing_groups, node_group
from sigopt_orchestrate.eks.plan import steps
from sigopt_orchestrate.eks.steps import GONE, Context, Step

_T = TypeVar("_T")
_TRIES = 5
_PAUSE_S = 3.0

Told = Callable[[str, str], None]
"""Called with a step's name and what becomes of it."""


def create(context: Context, journal: Journal, told: Told) -> None:
    """Makes what is not there, and brings what is there to what the file says.

    Node groups that the file does not have are removed; everything else that has been made stays.

    Raises:
        AwsError: If a step cannot be done; what was made stays, and the next call goes on.
    """
    for step in steps(context.file):
        patiently(context, partial(_ensure, context, journal, step, told))
    wanted = set(context.file.nodes)
    for name in existing_groups(context):
        if name not in wanted:
            step = node_group(name, None)
            patiently(context, partial(_remove, context, journal, step, told))


def destroy(context: Context, journal: Journal, told: Told) -> dict[str, str]:
    """Removes all of a cluster, the last first.

    Returns:
        What could not be removed, and why; empty where nothing is left.
    """
    others = [
        name.removeprefix("nodes ")
        for name in (entry.name for entry in journal.entries)
        if name.startswith("nodes ")
    ]
    groups = dict.fromkeys([*others, *patiently(context, lambda: existing_groups(context))])
    left: dict[str, str] = {}
    extra = [name for name in groups if name not in context.file.nodes]
    for step in reversed(steps(context.file, extra)):
        try:
            patiently(context, partial(_remove, context, journal, step, told))
        except AwsError as error:
            left[step.name] = str(error)
            told(step.name, f"stays: {error}")
    if not left:
        journal.close()
    return left


def patiently(context: Context, work: Callable[[], _T]) -> _T:
    """Does `work` again where AWS is throttling or out of order for a moment."""
    for tried in range(_TRIES):
        try:
            return work()
        except AwsError as error:
            if not error.may_pass or tried == _TRIES - 1:
                raise
            context.say(str(error))
            context.pause(_PAUSE_S * 2**tried)
    raise AssertionError("the last try returns or raises")


def _ensure(context: Context, journal: Journal, step: Step, told: Told) -> None:
    found = step.find(context)
    if found:
        kept, state = found[0], "is there"
    else:
        told(step.name, "is made")
        journal.intend(step.name)
        kept, state = step.make(context), "made"
        found = step.find(context) or [kept]
        kept = kept if kept in found else found[0]
    for surplus in found:
        if surplus != kept:  # a request whose answer was lost, and was repeated
            step.undo(context, surplus)
    context.made[step.name] = kept
    step.settle(context, kept)
    journal.made(step.name, kept)
    told(step.name, f"{state}: {kept}")


def _remove(context: Context, journal: Journal, step: Step, told: Told) -> None:
    for found in step.find(context):
        told(step.name, f"is removed: {found}")
        try:
            step.undo(context, found)
        except AwsError as error:
            if error.code not in GONE:
                raise
    journal.removed(step.name)
    told(step.name, "gone")

"""`orchestrate confirm`: is the best trial better than the defaults, or was it lucky?"""

from pathlib import Path

import click

from sigopt_orchestrate.cli.options import (
    NUMBER,
    chosen,
    experiment_argument,
    home_option,
    json_option,
    store_option,
)
from sigopt_orchestrate.cli.running import check_secrets, lead_to_its_end
from sigopt_orchestrate.cli.tables import open_console, print_best
from sigopt_orchestrate.cli.views import confirmation_view, print_json
from sigopt_orchestrate.dashboard.analysis import default_trial
from sigopt_orchestrate.dashboard.repeats import challengers
from sigopt_orchestrate.errors import StoreError
from sigopt_orchestrate.reconcile import steer
from sigopt_orchestrate.store import Store


@click.command("confirm")
@experiment_argument
@click.option(
    "--trial",
    "numbers",
    multiple=True,
    type=NUMBER,
    help="Which one; may be given again [default: the best; of two objectives, the best by the "
    "first, and the best by it that is no worse than the defaults by the second].",
)
@click.option(
    "--times", default=3, show_default=True, type=click.IntRange(min=1), help="How often each runs."
)
@home_option
@store_option
@json_option
def confirm_command(
    *,
    experiment: int | None,
    numbers: tuple[int, ...],
    times: int,
    home: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Run the best trial and the defaults again, and show by how much it is better.

    Each repeat is a new trial beyond the budget of the experiment, the newest by default. The best
    of many noisy trials flatters; only repeats count here. A search that was stopped before its
    budget was used ends with what it has. Have the command take its seed from $ORCHESTRATE_TRIAL,
    so that every repeat has another one.
    """
    store = Store.existing(home, url)
    record = chosen(store, experiment)
    trials = store.trials(record.id)
    reference = default_trial(trials)
    if reference is None:
        raise StoreError(
            f"experiment {record.id} has not run the defaults; give every parameter a `default`"
        )
    asked = list(dict.fromkeys(numbers)) or [t.number for t in challengers(record.spec, trials)]
    asked = [number for number in asked if number != reference.number]
    if not asked:
        raise StoreError(f"experiment {record.id} has no trial better than the defaults")
    check_secrets(record.spec, f"experiment {record.id}")
    steer.repeat(store, record, [reference.number, *asked], times)
    record = lead_to_its_end(store, record, as_json=as_json)
    trials = store.trials(record.id)
    if as_json:
        print_json(confirmation_view(record, trials))
    else:
        print_best(open_console(), record.spec, trials)

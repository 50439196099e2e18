"""`make demo`: orchestrate tunes CMN on MovieLens small, then the test set is read once.

Both packages are used as any program is: by their command lines.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
HOME = HERE.parents[1] / ".orchestrate"
DATA = "movielens-small"
ENV = os.environ | {
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # where the trials find `cmn`
    "ORCHESTRATE_HOME": str(HOME),
}


def call(*arguments: str) -> Any:
    """Runs a command and returns the JSON on its last line."""
    done = subprocess.run(arguments, env=ENV, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def evaluate(split: str, *what: str) -> dict[str, float]:
    """Returns the full-ranking metrics of a model or a baseline on `validation` or `test`."""
    given = ("--data", DATA, "--threads", "1", "--split", split)
    metrics: dict[str, float] = call("cmn", "evaluate", *given, *what)
    return metrics


def tune() -> dict[str, Any]:
    """Runs the experiment and returns its state with all trials."""
    command = ["orchestrate", "run", str(HERE / "experiment.yml")]
    code = subprocess.run(command, env=ENV, check=False).returncode
    if code != 0:
        print(f"the experiment did not finish; go on with: orchestrate resume --home {HOME}")
        sys.exit(code)
    experiment: dict[str, Any] = call("orchestrate", "status", "--json")
    return experiment


def main() -> None:
    """Tunes, reads the test set once for each row, and prints the table."""
    experiment = tune()
    (best,) = experiment["best"]
    default = next(trial for trial in experiment["trials"] if trial["source"] == "default")
    rows = {
        f"CMN, tuned (trial {best['number']})": ("--model", f"{best['output']}/model"),
        f"CMN, default (trial {default['number']})": ("--model", f"{default['output']}/model"),
        "item-KNN": ("--baseline", "item-knn"),
        "popularity": ("--baseline", "popularity"),
    }
    table = Table(title="MovieLens small, full ranking", title_justify="left")
    table.add_column("")
    for split in ("validation", "test"):
        table.add_column(f"{split}\nHR@10", justify="right")
        table.add_column(f"{split}\nNDCG@10", justify="right")
    for name, what in rows.items():
        cells = []
        for split in ("validation", "test"):
            metrics = evaluate(split, *what)
            cells += [f"{metrics['hr@10']:.4f}", f"{metrics['ndcg@10']:.4f}"]
        table.add_row(name, *cells)
    console = Console()
    console.print(table)
    report = call("orchestrate", "report", "--json")["report"]
    console.print(f"report: {report}", soft_wrap=True)


if __name__ == "__main__":
    main()

"""One learner of permuted digits: trained and measured on validation, or read on the test set.

continual.py train --folder FOLDER --metrics-out FILE ...    appends accuracy and parameters to FILE
continual.py test --folder FOLDER                            prints the accuracy on the test sets
"""

import argparse
import json
from pathlib import Path

import torch

from bocl import BOCL, Stream, make_stream

STREAM = make_stream("permuted-digits", tasks=5)


def train(given: argparse.Namespace) -> dict[str, float]:
    """Learns all tasks; returns the mean accuracy after the last one, and the size."""
    learner = BOCL(
        given.folder, trunk="mlp-small", base=tuple(given.widths), alpha=given.alpha,
        rate=given.rate, epochs=given.epochs,
    )  # fmt: skip
    held_out = STREAM.held_out(0.2, seed=0)
    for task in held_out[learner.tasks :]:
        learner.fit_task(task.train, name=task.name)
    return {
        "accuracy": mean_accuracy(learner, held_out),
        "parameters": sum(record.parameters for record in learner.records),
    }


def mean_accuracy(learner: BOCL, stream: Stream) -> float:
    """Returns the mean over the tasks of the share that is right of what judges each."""
    judges = enumerate(task.test for task in stream)
    shares = [learner.accuracy((judge.inputs, judge.targets), i) for i, judge in judges]
    return sum(shares) / len(shares)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("do", choices=["train", "test"])
    parser.add_argument("--folder", type=Path, required=True, help="where the learner is kept")
    parser.add_argument("--widths", type=int, nargs=2, default=[64, 32], help="units per level")
    parser.add_argument("--alpha", type=float, default=0.3, help="what growth must bring")
    parser.add_argument("--rate", type=float, default=4e-3, help="Adam's peak step size")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--metrics-out", type=Path, help="a file to append a line of JSON to")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.do == "test":
        print(json.dumps({"accuracy": mean_accuracy(BOCL.load(given.folder), STREAM)}))
        return
    with given.metrics_out.open("a") as file:
        file.write(json.dumps(train(given)) + "\n")


if __name__ == "__main__":
    main()

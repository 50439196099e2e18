"""The optimiser's process: `python -m sigopt_orchestrate.optimizer.process`.

It reads `messages` from its standard input and answers on its standard output; everything else
that anyone prints goes to standard error, which is the log. It ends with its parent, whatever it
is doing.
"""

import ctypes
import importlib
import logging
import os
import signal
import sys
import warnings
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from sigopt_orchestrate.optimizer.messages import answer_line, read_request
from sigopt_orchestrate.optimizer.points import Observed
from sigopt_orchestrate.optimizer.suggest import suggest, suggest_plainly, wants_model
from sigopt_orchestrate.spec import Experiment

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answers requests until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C: the parent decides
    _die_with_parent()
    answers = _claim_stdout()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    warnings.simplefilter("default")  # to the log; the environment may want them to be errors
    warnings.simplefilter("ignore", DeprecationWarning)
    lines: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin.buffer, lines), daemon=True).start()
    _serve(lines, answers)


def _serve(lines: SimpleQueue[bytes], answers: BinaryIO) -> None:
    experiment = Experiment.model_validate_json(lines.get())
    warm_up: Thread | None = None
    history: list[Observed] = []
    while True:
        request = read_request(lines.get())
        history[request.known :] = request.history
        if request.plain:
            suggestion = suggest_plainly(experiment, history, request.pending)
        else:
            if warm_up and wants_model(experiment, history, request.pending):
                warm_up.join()  # two threads importing the same packages could meet half-way
            suggestion = suggest(experiment, history, request.pending)
        answers.write(answer_line(suggestion))
        answers.flush()
        if warm_up is None and not request.plain and experiment.optimizer.algorithm == "bayesian":
            warm_up = Thread(target=_warm_up, daemon=True)
            warm_up.start()


def _warm_up() -> None:
    """Imports what the model needs while the first trials run, without keeping them waiting."""
    importlib.import_module("sigopt_orchestrate.optimizer.bayesian")


def _read(requests: BinaryIO, lines: SimpleQueue[bytes]) -> None:
    """Queues lines; the end of them is the end of the process, even in the middle of a fit."""
    for line in requests:
        lines.put(line)
    os._exit(0)


def _claim_stdout() -> BinaryIO:
    """Returns the real standard output; whatever else writes to it lands in the log instead."""
    real = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(real, "wb")


def _die_with_parent() -> None:
    """Asks Linux for SIGKILL when the parent dies; elsewhere the end of the pipe has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    main()

"""The container's first process: runs the trial's command and leaves its last word."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sigopt_orchestrate.executors.kubernetes.pod import gang
from sigopt_orchestrate.executors.kubernetes.pod.annotations import hear_stop
from sigopt_orchestrate.executors.kubernetes.pod.command import Alarm, run
from sigopt_orchestrate.executors.kubernetes.pod.places import (
    METRICS,
    ORDER,
    RANK,
    TERMINATION,
    rank_of,
)
from sigopt_orchestrate.executors.kubernetes.pod.report import Metrics, last_word


def main() -> int:
    """Returns the container's exit status: the command's own, as a shell would say it."""
    order: dict[str, Any] = json.loads(os.environ.pop(ORDER))
    rank = rank_of(os.environ.get(RANK) or os.environ.get("JOB_COMPLETION_INDEX") or "0")
    alarm, metrics = Alarm(), Metrics(METRICS)
    os.makedirs(order["output"], exist_ok=True)  # noqa: PTH103
    escort = None
    if order["artifacts"] is not None:
        # Elsewhere it is not even there, and starting is to be quick.
        from sigopt_orchestrate.executors.kubernetes.pod.escort import Escort  # noqa: PLC0415

        escort = Escort(order, rank, alarm)
        escort.fetch()
    os.makedirs(order["checkpoint"], exist_ok=True)  # noqa: PTH103
    if escort is not None:
        escort.start()
    if order["count"] > 1:
        record = (gang.lead if rank == 0 else gang.follow)(order, alarm, metrics)
    else:
        record = run(order, {}, alarm, metrics, hear_stop)
    if rank == 0 and "SIGOPT_CONTEXT" in os.environ:
        from sigopt_orchestrate.executors.kubernetes.pod.training_run import (  # noqa: PLC0415
            TrainingRun,  # half of a pod's start, which few need
        )

        record = TrainingRun().settle(record, METRICS)
    metrics.say(final=True)
    Path(TERMINATION).write_bytes(last_word(record, metrics.read()))
    if escort is not None:
        escort.finish(record)
    code = record["code"]
    if code is None:
        return 127 if record["error"] else 1
    return int(code) if code >= 0 else 128 - int(code)

"""Where things lie in a trial's container, and what its variables are called."""

ROOT = "/orchestrate"
CODE = ROOT + "/code"
KEY = ROOT + "/key/key"
SSH = ROOT + "/ssh"
POD = ROOT + "/pod"
ANNOTATIONS = POD + "/annotations"
RUN = ROOT + "/run"
METRICS = RUN + "/metrics.jsonl"
STOP = RUN + "/stop"
OUTPUT = RUN + "/output"
CHECKPOINT = RUN + "/checkpoint"
TERMINATION = "/dev/termination-log"

CONTAINER = "trial"
ORDER = "ORCHESTRATE_ORDER"
RANK = "ORCHESTRATE_RANK"
HOSTS_ANNOTATION = "orchestrate/hosts"
STOP_ANNOTATION = "orchestrate/stop"
ANSWER_ANNOTATION = "orchestrate/artifacts"

PORT = 28471
"""Where the nodes of a gang listen to each other."""


def rank_of(told: str) -> int:
    """Returns the rank that `RANK` tells: a number, or the name of an MPIJob's worker.

    Workers count from 0 beside the launcher, whose rank that is.
    """
    name, _, number = told.rpartition("-worker-")
    return int(number) + bool(name)

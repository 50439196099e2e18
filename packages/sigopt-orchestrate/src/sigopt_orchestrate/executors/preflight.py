"""What would stop an experiment where its trials are to run, found before anything starts."""

from collections.abc import Iterator

from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.executors.checks import Check
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.artifacts import Artifacts


def preflight(spec: Experiment) -> Iterator[Check]:
    """Yields what EC2 or the cluster, and the bucket, say of the experiment; nothing stays there.

    Args:
        spec: The experiment. Where its trials run on this machine, and nothing else keeps what
            they leave, there is nothing to ask.
    """
    if spec.artifacts is not None:
        yield from _artifacts(spec.artifacts)
    if spec.backend is None:
        return
    try:
        if spec.backend.ec2 is not None:
            from sigopt_orchestrate.executors.ec2 import preflight as ec2  # noqa: PLC0415

            yield from ec2.preflight(spec)
        else:
            from sigopt_orchestrate.executors.kubernetes import cluster  # noqa: PLC0415
            from sigopt_orchestrate.executors.kubernetes import preflight as pods  # noqa: PLC0415

            yield from pods.preflight(cluster.open_cluster(spec.backend.kubernetes), spec)
    except OrchestrateError as error:
        yield Check("backend", "bad", str(error))


def _artifacts(wanted: Artifacts) -> Iterator[Check]:
    from sigopt_orchestrate.artifacts.preflight import check_bucket  # noqa: PLC0415 - boto3

    try:
        for good, said in check_bucket(wanted):
            yield Check("artifacts", "ok" if good else "bad", said)
    except OrchestrateError as error:
        yield Check("artifacts", "bad", str(error))

"""Puts together what it takes to run an experiment, here, in a cluster or on EC2."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.executors import Executor, LocalExecutor
from sigopt_orchestrate.optimizer import SuggestionService
from sigopt_orchestrate.reconcile.loop import RunLoop, Watch
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import ExperimentFolder, ExperimentRecord, Store, lead

if TYPE_CHECKING:
    from sigopt_orchestrate.artifacts.keeper import Keeper


def create(store: Store, spec: Experiment, directory: Path) -> ExperimentRecord:
    """Stores a new experiment; an image that is to be built is built before, and pushed.

    Args:
        store: Where.
        spec: The experiment.
        directory: What relative paths start from.

    Raises:
        BuildError: If the image cannot be built or pushed: then nothing is stored.
    """
    if spec.build is not None:
        from sigopt_orchestrate.executors.kubernetes.building import build_image  # noqa: PLC0415

        spec = spec.built(build_image(spec.build, directory))
    return store.create_experiment(spec, directory)


def executor_of(experiment: ExperimentRecord, folder: ExperimentFolder) -> Executor:
    """Returns what runs the experiment's attempts: this machine, EC2, or the cluster it names.

    Raises:
        ClusterError: If there is no such cluster.
        CloudError: If EC2, or the bucket for artifacts, cannot be used.
        MissingDependencyError: If the package that reaches clusters is not installed.
    """
    wanted = experiment.spec.artifacts
    if wanted is None:
        return _runner(experiment, folder, None)
    from sigopt_orchestrate.artifacts.keeper import open_keeper  # noqa: PLC0415 - boto3 is slow
    from sigopt_orchestrate.executors.archiving import ArchivingExecutor  # noqa: PLC0415

    keeper = open_keeper(experiment)
    local = experiment.spec.backend is None
    inner = _runner(experiment, folder, keeper)
    return ArchivingExecutor(inner, keeper, folder, wanted, carries=local)


def _runner(
    experiment: ExperimentRecord, folder: ExperimentFolder, keeper: "Keeper | None"
) -> Executor:
    if experiment.spec.backend is None:
        return LocalExecutor(folder)
    if experiment.spec.backend.ec2 is not None:
        from sigopt_orchestrate.executors.ec2.executor import Ec2Executor  # noqa: PLC0415

        return Ec2Executor(experiment, folder, keeper)
    from sigopt_orchestrate.executors.kubernetes.cluster import open_cluster  # noqa: PLC0415
    from sigopt_orchestrate.executors.kubernetes.executor import (  # noqa: PLC0415 - a few ms
        KubernetesExecutor,
    )

    cluster = open_cluster(experiment.spec.backend.kubernetes)
    return KubernetesExecutor(experiment, folder, cluster, keeper)


@contextmanager
def local_loop(store: Store, experiment: ExperimentRecord, watch: Watch) -> Iterator[RunLoop]:
    """Makes this process the experiment's leader, and gives the loop that runs it.

    Args:
        store: To be used by this thread.
        experiment: In any state; its stopped trials are queued again.
        watch: See `Watch`.

    Raises:
        LeadershipError: If another process leads the experiment.
        SpecError: If the experiment has no command.
    """
    if experiment.spec.command is None:
        raise SpecError(
            f"experiment {experiment.id} has no command: a Python program asks for its trials; "
            "run that program again"
        )
    folder = store.home.experiment(experiment.id)
    with (
        lead(store, experiment.id) as ledger,
        closing(SuggestionService(experiment.spec, folder.optimizer_log)) as suggestions,
    ):
        yield RunLoop(ledger, folder, executor_of(experiment, folder), suggestions, watch)

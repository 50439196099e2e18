"""What an experiment may ask of the place where its trials run: here, in a cluster, on EC2."""

from typing import TYPE_CHECKING

from sigopt_orchestrate.spec.backend import SERVER_VARIABLES, Nodes
from sigopt_orchestrate.spec.ec2 import Ec2
from sigopt_orchestrate.spec.section import refusal

if TYPE_CHECKING:
    from sigopt_orchestrate.spec.experiment import Experiment

_IN_A_CLUSTER = "needs `backend: kubernetes`"
_NEEDS = {
    **dict.fromkeys(("image", "build", "cpu", "cpu_limit", "gpu", "disk"), _IN_A_CLUSTER),
    **dict.fromkeys(("nodes", "spot"), _IN_A_CLUSTER + " or `ec2`"),
}


def check_place(experiment: "Experiment") -> None:
    """Raises the refusal of whatever the place where the trials are to run does not have."""
    on_ec2 = experiment.backend is not None and experiment.backend.ec2 is not None
    if experiment.limits.cost_usd is not None and not on_ec2:
        raise refusal("needs `backend: ec2`, whose prices are known", "limits", "cost_usd")
    if experiment.backend is not None and experiment.backend.ec2 is not None:
        _check_ec2(experiment, experiment.backend.ec2)
    elif experiment.backend is None:
        for name, default in (("image", None), ("build", None), ("nodes", Nodes())):
            if getattr(experiment, name) != default:
                raise refusal(_NEEDS[name], name)
        for name in ("cpu", "cpu_limit", "gpu", "disk", "spot"):
            if getattr(experiment.resources, name):
                raise refusal(_NEEDS[name], "resources", name)
    elif experiment.image is not None and experiment.build is not None:
        raise refusal("there is an image already; give one of `image` and `build`", "build")
    elif experiment.command is not None and experiment.image_name is None:
        raise refusal("needs an image for the trials: give `image: NAME@sha256:...`", "backend")
    elif experiment.backend.kubernetes.server is not None:
        own = [name for name in (*experiment.env, *experiment.secrets) if name in SERVER_VARIABLES]
        if own:
            said = f"gives each trial its own {own[0]}; take it out of env and secrets"
            raise refusal(said, "backend", "kubernetes", "server")


def _check_ec2(experiment: "Experiment", ec2: Ec2) -> None:
    """An instance is the trial's own: what divides a machine makes no sense there."""
    for name in ("image", "build"):
        if getattr(experiment, name) is not None:
            said = "is for `backend: kubernetes`; on EC2 give an `ami` or a `setup`"
            raise refusal(said, name)
    for name in ("cpu", "cpu_limit", "gpu", "disk"):
        if getattr(experiment.resources, name):
            said = "is for `backend: kubernetes`; on EC2 choose `types` that have it"
            raise refusal(said, "resources", name)
    if experiment.nodes.mpi is not None:
        said = "is for `backend: kubernetes`; on EC2 the command runs on every node"
        raise refusal(said, "nodes", "mpi")
    if experiment.secrets and ec2.tls is None:
        raise refusal("need `backend: {ec2: {tls: ...}}`: they go over the network", "secrets")

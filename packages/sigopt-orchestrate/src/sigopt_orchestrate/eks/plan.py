"""All steps of a cluster, in the order in which each finds what it needs."""

from sigopt_orchestrate.eks import identity, machines, network
from sigopt_orchestrate.eks.steps import Step
from sigopt_orchestrate.spec.cluster import ClusterFile


def steps(file: ClusterFile, groups_to_remove: list[str] | None = None) -> list[Step]:
    """Returns the steps; removing is the same in reverse.

    Args:
        file: The cluster.
        groups_to_remove: Node groups that are there and that the file does not have.
    """
    found = [
        *network.steps(file.zones),
        identity.service_role("cluster-role", "eks.amazonaws.com", identity.CLUSTER_POLICIES),
        identity.service_role(
            "node-role", "ec2.amazonaws.com", (*identity.NODE_POLICIES, *file.policies)
        ),
    ]
    if file.repository:
        found.append(identity.repository())
    found += [machines.control_plane(file), identity.oidc_provider(), identity.autoscaler_role()]
    found += [identity.access_entry(arn) for arn in file.admins]
    found += [machines.node_group(name, group) for name, group in file.nodes.items()]
    return found + [machines.node_group(name, None) for name in groups_to_remove or []]

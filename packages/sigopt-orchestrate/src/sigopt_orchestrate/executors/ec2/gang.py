"""What the nodes of a gang are told of each other."""

_MASTER_PORT = "29500"


def gang(ips: list[str], rank: int) -> dict[str, str]:
    """Returns torchrun's variables for one node of a gang.

    Args:
        ips: The nodes' private addresses by rank.
        rank: Whose variables.
    """
    nodes = str(len(ips))
    return {
        "MASTER_ADDR": ips[0],
        "MASTER_PORT": _MASTER_PORT,
        "RANK": str(rank),
        "WORLD_SIZE": nodes,
        "NODE_RANK": str(rank),
        "PET_NODE_RANK": str(rank),
        "PET_NNODES": nodes,
        "PET_MASTER_ADDR": ips[0],
        "PET_MASTER_PORT": _MASTER_PORT,
        "ORCHESTRATE_NODES": ",".join(ips),
    }

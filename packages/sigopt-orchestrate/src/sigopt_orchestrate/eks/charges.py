"""What a cluster costs an hour."""

from dataclasses import dataclass

from sigopt_orchestrate.aws.prices import Prices, table
from sigopt_orchestrate.spec.cluster import ClusterFile


@dataclass(frozen=True)
class Charge:
    """One line of the bill.

    Attributes:
        what: For people.
        least: USD per hour that are always paid; None if the price is not known.
        most: USD per hour with every node that may be there, on demand.
    """

    what: str
    least: float | None
    most: float | None


def charges(file: ClusterFile, prices: Prices) -> list[Charge]:
    """Returns what a cluster costs, line by line; disks, addresses and traffic not among them."""
    fee = float(table()["eks_cluster"])
    found = [Charge("control plane, in standard support", fee, fee)]
    for name, group in file.nodes.items():
        price = prices.dearest(group.types)
        what = f"nodes {name}: {group.min} to {group.max} of {', '.join(group.types)}"
        if price is None:
            found.append(Charge(what, 0.0 if not group.min else None, None))
        else:
            found.append(Charge(what, group.min * price, group.max * price))
    return found


def total(lines: list[Charge]) -> Charge:
    """Returns the sum; None where a line's price is not known."""
    sums = []
    for values in ([line.least for line in lines], [line.most for line in lines]):
        known = [value for value in values if value is not None]
        sums.append(sum(known) if len(known) == len(values) else None)
    return Charge("together", *sums)

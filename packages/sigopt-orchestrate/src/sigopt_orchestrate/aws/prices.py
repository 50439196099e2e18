"""What instances cost: the file's own prices, live spot prices, a dated table, AWS's price list."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from sigopt_orchestrate.aws.session import AwsError, client

_log = logging.getLogger(__name__)
_LIST_REGION = "us-east-1"  # where the price list is served, for all regions


@cache
def table() -> dict[str, Any]:
    """Returns the table that is shipped: `date`, `region`, `eks_cluster` and `on_demand`."""
    held = (files("sigopt_orchestrate") / "aws" / "prices.json").read_text(encoding="utf-8")
    return dict(json.loads(held))


@dataclass
class Prices:
    """USD per hour in one region; an answer is asked for once.

    Attributes:
        region: Such as `us-east-1`.
        own: Prices by type that somebody has named; they count before all others, in any market.
    """

    region: str
    own: Mapping[str, float] = field(default_factory=dict)
    _known: dict[tuple[str, str, str], float | None] = field(default_factory=dict)

    def per_hour(self, type_: str, zone: str, market: str) -> float | None:
        """Returns the price of an instance; None where nobody knows it.

        Args:
            type_: The instance type.
            zone: The availability zone, on which spot prices depend.
            market: `spot` or `on-demand`.
        """
        if type_ in self.own:
            return self.own[type_]
        key = (type_, zone if market == "spot" else "", market)
        if key not in self._known:
            spot = self._spot(type_, zone) if market == "spot" else None
            self._known[key] = self._on_demand(type_) if spot is None else spot
        return self._known[key]

    def dearest(self, types: Iterable[str]) -> float | None:
        """Returns the highest on-demand price of some types; None if one is not known."""
        found = [self.per_hour(name, "", "on-demand") for name in types]
        known = [price for price in found if price is not None]
        return max(known) if len(known) == len(found) else None

    def _spot(self, type_: str, zone: str) -> float | None:
        try:
            found = client("ec2", self.region).call(
                "describe_spot_price_history",
                InstanceTypes=[type_],
                AvailabilityZone=zone,
                ProductDescriptions=["Linux/UNIX"],
                StartTime=datetime.now(UTC) - timedelta(hours=1),
                MaxResults=1,
            )["SpotPriceHistory"]
        except AwsError as error:
            _log.info("spot prices: %s", error)
            return None
        return float(found[0]["SpotPrice"]) if found else None

    def _on_demand(self, type_: str) -> float | None:
        held = table()
        if self.region == held["region"] and type_ in held["on_demand"]:
            return float(held["on_demand"][type_])
        wanted = {
            "instanceType": type_,
            "regionCode": self.region,
            "operatingSystem": "Linux",
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        }
        filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in wanted.items()]
        try:
            found = client("pricing", _LIST_REGION).call(
                "get_products", ServiceCode="AmazonEC2", Filters=filters, MaxResults=10
            )["PriceList"]
        except AwsError as error:
            _log.info("price list: %s", error)
            return None
        return next((price for one in found if (price := _hourly(one)) is not None), None)


def _hourly(product: str) -> float | None:
    """Returns the price in a product of the price list, which is JSON in a string."""
    terms = json.loads(product).get("terms", {}).get("OnDemand", {})
    for term in terms.values():
        for dimension in term["priceDimensions"].values():
            price = float(dimension["pricePerUnit"].get("USD", 0))
            if price > 0:
                return price
    return None

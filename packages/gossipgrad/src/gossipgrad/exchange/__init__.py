"""One rank's exchanges with its partners."""

from gossipgrad.exchange.free import FreeExchange, Harvest
from gossipgrad.exchange.outcome import Outcome
from gossipgrad.exchange.paired import PairedExchange

__all__ = ["FreeExchange", "Harvest", "Outcome", "PairedExchange"]

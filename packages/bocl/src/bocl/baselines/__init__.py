"""Rivals in the same frame: the same trunks, training loop, and counts of weights and seconds."""

from bocl.baselines.ewc import EWC
from bocl.baselines.joint import Joint
from bocl.baselines.lwf import LwF
from bocl.baselines.packnet import PackNet
from bocl.baselines.plain import Baseline
from bocl.baselines.progressive import Progressive
from bocl.baselines.rcl import RCL
from bocl.baselines.separate import EqualSizeSeparate, Separate
from bocl.baselines.shared import FineTune

__all__ = [
    "EWC",
    "RCL",
    "Baseline",
    "EqualSizeSeparate",
    "FineTune",
    "Joint",
    "LwF",
    "PackNet",
    "Progressive",
    "Separate",
]

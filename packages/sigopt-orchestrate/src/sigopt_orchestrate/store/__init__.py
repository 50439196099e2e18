"""Experiments, trials and observations, kept through any crash."""

from sigopt_orchestrate.store.checkpoints import STEP, Checkpoint, read_checkpoints
from sigopt_orchestrate.store.home import AttemptFolder, ExperimentFolder, Home
from sigopt_orchestrate.store.leadership import has_leader, lead
from sigopt_orchestrate.store.ledger import Ledger
from sigopt_orchestrate.store.locks import is_locked
from sigopt_orchestrate.store.records import ExperimentRecord, TrialRecord
from sigopt_orchestrate.store.roster import Roster
from sigopt_orchestrate.store.store import Store

__all__ = [
    "STEP",
    "AttemptFolder",
    "Checkpoint",
    "ExperimentFolder",
    "ExperimentRecord",
    "Home",
    "Ledger",
    "Roster",
    "Store",
    "TrialRecord",
    "has_leader",
    "is_locked",
    "lead",
    "read_checkpoints",
]

"""Brings what runs into line with what is wanted, until the experiment has its observations."""

from sigopt_orchestrate.reconcile.launch import create, local_loop
from sigopt_orchestrate.reconcile.loop import RunLoop, Watch
from sigopt_orchestrate.reconcile.suggestions import Suggestions

__all__ = ["RunLoop", "Suggestions", "Watch", "create", "local_loop"]

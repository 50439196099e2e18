"""Experiment files as validated values; the lowest floor, which uses nothing above it."""

from sigopt_orchestrate.spec.backend import Backend, Build, Kubernetes, Mpi, Nodes, Server, Volume
from sigopt_orchestrate.spec.command import argv, fill, placeholders
from sigopt_orchestrate.spec.early_stopping import EarlyStopping
from sigopt_orchestrate.spec.ec2 import Ec2
from sigopt_orchestrate.spec.experiment import (
    Experiment,
    OptimizerOptions,
    Resources,
    Retries,
    Timeouts,
)
from sigopt_orchestrate.spec.limits import Limits
from sigopt_orchestrate.spec.metrics import Metric
from sigopt_orchestrate.spec.parameters import (
    Assignments,
    CategoricalParameter,
    DoubleParameter,
    IntParameter,
    Parameter,
    Value,
)
from sigopt_orchestrate.spec.source import load_experiment, parse_experiment

__all__ = [
    "Assignments",
    "Backend",
    "Build",
    "CategoricalParameter",
    "DoubleParameter",
    "EarlyStopping",
    "Ec2",
    "Experiment",
    "IntParameter",
    "Kubernetes",
    "Limits",
    "Metric",
    "Mpi",
    "Nodes",
    "OptimizerOptions",
    "Parameter",
    "Resources",
    "Retries",
    "Server",
    "Timeouts",
    "Value",
    "Volume",
    "argv",
    "fill",
    "load_experiment",
    "parse_experiment",
    "placeholders",
]

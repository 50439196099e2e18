"""Ray Tune's no-op trials per second; runs in an environment that has `ray[tune]`.

Usage: python ray_peer.py FOLDER
"""

import json
import sys
import time

import ray
from ray import tune

TRIALS = 20


def trial(config: dict[str, float]) -> None:
    """Does nothing, and says so."""
    tune.report({"y": config["x"]})


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
tuner = tune.Tuner(
    trial,
    param_space={"x": tune.uniform(0, 1)},
    tune_config=tune.TuneConfig(num_samples=TRIALS, max_concurrent_trials=2),
    run_config=tune.RunConfig(verbose=0, storage_path=sys.argv[1]),
)
started = time.monotonic()  # Ray itself is up: what counts is trials
tuner.fit()
rate = TRIALS / (time.monotonic() - started)
print(json.dumps({"version": ray.__version__, "trials_per_s": rate}))

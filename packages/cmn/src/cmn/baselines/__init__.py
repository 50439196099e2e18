"""Baselines: simple peers with the estimator's interface."""

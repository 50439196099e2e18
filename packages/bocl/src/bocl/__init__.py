"""Continual learning that grows by Bayesian optimisation and forgets nothing."""

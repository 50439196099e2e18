"""Choosing how much to grow: the space, the Bayesian search, and its rivals."""

"""The package's own exceptions."""


class GossipError(Exception):
    """Base of every error that gossipgrad raises on purpose."""

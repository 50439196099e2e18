"""The package's own exceptions."""


class BOCLError(Exception):
    """Base of every error that bocl raises on purpose."""

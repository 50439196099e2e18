"""Command line: `bocl run|verify|...`; the last line of stdout is one JSON object."""

from bocl.cli.entry import main

__all__ = ["main"]

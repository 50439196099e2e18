"""Runs the command line as `python -m bocl`."""

from bocl.cli import main

main()

"""Runs the command line as `python -m cmn`."""

from cmn.cli import main

main()

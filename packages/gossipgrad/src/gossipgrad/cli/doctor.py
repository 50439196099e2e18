"""`gossipgrad doctor`: what this machine can do, and how that is known."""

import json
import sys
from dataclasses import asdict

import click

from gossipgrad.doctor.examine import examine, usable
from gossipgrad.doctor.findings import as_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Examine MPI, GPU memory, survival of killed ranks, duplex, gloo and NCCL on this machine.

    Exits 1 where neither MPI nor gloo could carry an exchange.
    """
    findings = examine(tell=lambda line: click.echo(f"{line} ...", err=True))
    told = json.dumps([asdict(finding) for finding in findings], indent=1)
    click.echo(told if as_json else as_text(findings))
    sys.exit(0 if usable(findings) else 1)

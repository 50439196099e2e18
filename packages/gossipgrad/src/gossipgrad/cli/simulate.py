"""`gossipgrad simulate`: what a step would cost at any number of ranks."""

import json
import os
from dataclasses import replace
from pathlib import Path

import click

from gossipgrad.simulation.measure import measure_network
from gossipgrad.simulation.network import NETWORKS, Network
from gossipgrad.simulation.picture import check_picture, draw
from gossipgrad.simulation.study import BYTES_PER_WEIGHT, Job, Study, run_study


@click.command()
@click.option("--ranks", default=1 << 20, show_default=True, help="Largest number of ranks.")
@click.option(
    "--network",
    type=click.Choice(list(NETWORKS)),
    default="ethernet-10g",
    show_default=True,
    help="Published alpha and beta.",
)
@click.option("--measure", is_flag=True, help="Measure alpha and beta between two ranks here.")
@click.option("--latency-us", type=float, help="Alpha, in place of the network's.")
@click.option("--gbit-per-s", type=float, help="Bandwidth, in place of the network's.")
@click.option("--weights", default=25.6e6, show_default=True, help="Weights of the model.")
@click.option("--compute-ms", default=300.0, show_default=True, help="Compute per step.")
@click.option(
    "--wire",
    type=click.Choice(list(BYTES_PER_WEIGHT)),
    default="bf16",
    show_default=True,
    help="How gossip sends a weight.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Write the picture: png, svg, pdf.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all numbers.")
def simulate(  # noqa: PLR0917 - click hands each option over
    ranks: int,
    network: str,
    measure: bool,
    latency_us: float | None,
    gbit_per_s: float | None,
    weights: float,
    compute_ms: float,
    wire: str,
    seed: int,
    plot: Path | None,
    json_path: Path | None,
) -> None:
    """Model a step from 2 to --ranks ranks: diffusion, bytes, step time and stragglers.

    All figures are modelled: alpha-beta costs of gossip and of four all-reduce algorithms,
    simulated diffusion of every schedule, simulated waiting for slow ranks.
    """
    if plot:
        check_picture(plot)
    for name, path in (("plot", plot), ("json", json_path)):
        if path and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            raise click.BadParameter(
                f"{path}; allowed: a file in a folder that can be written to", param_hint=name
            )
    link = measure_network() if measure else NETWORKS[network]
    link = _with(link, latency_us, gbit_per_s)
    job = Job(link, weights=weights, compute_s=compute_ms / 1e3, wire=wire)
    study = run_study(job, ranks, seed=seed, tell=lambda line: click.echo(line, err=True))
    if json_path:
        partial = json_path.with_name(f".{json_path.name}.partial")
        partial.write_text(json.dumps(study.as_json(), indent=1) + "\n", encoding="utf-8")
        partial.replace(json_path)
    if plot:
        draw(study, plot)
    click.echo(summary(study))


def _with(link: Network, latency_us: float | None, gbit_per_s: float | None) -> Network:
    if latency_us is not None:
        link = replace(link, name="given", latency_s=latency_us / 1e6)
    if gbit_per_s is not None:
        if gbit_per_s <= 0:
            raise click.BadParameter(f"{gbit_per_s}; allowed: more than 0", param_hint="gbit-per-s")
        link = replace(link, name="given", seconds_per_byte=8e-9 / gbit_per_s)
    return link


def summary(study: Study) -> str:
    """Returns a table of the study at its largest number of ranks."""
    job, ranks = study.job, study.ranks[-1]
    head = (
        f"{ranks:,} ranks, {job.weights / 1e6:g} M weights, {job.compute_s * 1e3:g} ms of compute; "
        f"network {job.network.name}: alpha {job.network.latency_s * 1e6:.3g} µs, "
        f"{8e-9 / job.network.seconds_per_byte:.3g} Gbit/s (modelled)"
    )
    lines = [
        head,
        f"{'':24}{'ms per step':>14}{'efficiency':>12}{'MB sent':>10}",
    ]
    for name, row in study.step_s.items():
        share = job.compute_s / row[-1] if row[-1] else 1.0
        sent = study.bytes_sent[name][-1] / 1e6
        lines.append(f"{name:24}{row[-1] * 1e3:14,.1f}{share:12.1%}{sent:10,.1f}")
    lines.append("steps to consensus:")
    for name, steps in study.diffusion_steps.items():
        lines.append(f"  {name:28}{steps[-1] if steps[-1] is not None else '> 400'}")
    lines.append("step time over mean compute, communication free:")
    for name, rows in study.slowdown.items():
        told = ", ".join(f"{scheme} {row[-1]:.2f}" for scheme, row in rows.items())
        lines.append(f"  {name:28}{told}")
    return "\n".join(lines)

"""A study as one picture: diffusion, bytes, step time and stragglers against p."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gossipgrad.errors import ConfigurationError, MissingDependencyError
from gossipgrad.simulation.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GOSSIP, _OTHERS = "#c2410c", ("#1e3a5f", "#2f6f8f", "#5b8c5a", "#8a7aa8", "#9aa0a6")


def check_picture(path: Path) -> None:
    """Finds out before a long study whether its picture could be written.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: `path` ends in no format that matplotlib writes.
    """
    formats = _figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        allowed = ", ".join(sorted(formats))
        raise ConfigurationError(
            f"picture is {path.name!r}; allowed: a name that ends in {allowed}"
        )


def draw(study: Study, path: Path) -> None:
    """Writes the picture of `study` to `path`, whose ending chooses the format (png, svg, pdf).

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ConfigurationError: `path` ends in no format that matplotlib writes.
    """
    check_picture(path)
    figure = _figure()
    job = study.job
    (steps, sent), (time, slow) = figure.subplots(2, 2)
    _lines(steps, study.diffusion_ranks, study.diffusion_steps, "steps to consensus")
    steps.set_title("Diffusion: variance down by $10^{12}$, simulated")
    in_mb = {name: [size / 1e6 for size in row] for name, row in study.bytes_sent.items()}
    del in_mb[f"ring, {job.tensors} tensors"]  # the same bytes as ring
    _lines(sent, study.ranks, in_mb, "MB sent per step")
    sent.set_title("Bytes of the busiest rank")
    sent.set_yscale("log")
    in_ms = {name: [1e3 * taken for taken in row] for name, row in study.step_s.items()}
    _lines(time, study.ranks, in_ms, "ms per step")
    time.set_title(f"Step time, {job.compute_s * 1e3:g} ms of it compute, modelled")
    time.set_yscale("log")
    shortest = min(min(row) for row in in_ms.values())
    time.set_ylim(shortest * 0.8, shortest * 100)  # a ring of a million ranks needs no scale
    noise = next(iter(study.slowdown))
    _lines(slow, study.straggler_ranks, study.slowdown[noise], "step time ÷ mean compute")
    slow.set_title(f"Stragglers ({noise}), simulated")
    network = job.network
    figure.suptitle(
        f"{job.weights / 1e6:g} M weights on {network.name}: "
        f"alpha {network.latency_s * 1e6:.3g} µs, {8e-9 / network.seconds_per_byte:.3g} Gbit/s"
    )
    partial = path.with_name(f".{path.name}.partial{path.suffix}")
    figure.savefig(partial, dpi=150)
    partial.replace(path)


def _figure() -> "Figure":
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # slow to import, and optional
    except ImportError as error:
        raise MissingDependencyError(
            "drawing needs matplotlib: pip install 'gossipgrad[plot]'"
        ) from error
    return Figure(figsize=(11, 7.5), layout="constrained")


def _lines(
    axes: "Axes", ranks: Sequence[int], rows: Mapping[str, Sequence[float | None]], unit: str
) -> None:
    others, dashes = iter(_OTHERS * 2), iter(("--", ":", "-."))
    for name, row in rows.items():
        ours = name.startswith(("gossip", "dissemination, rotating"))
        first = name in ("dissemination, rotating", next(iter(rows)), "gossip, delay 1")
        axes.plot(
            ranks,
            [float("nan") if value is None else value for value in row],
            label=name,
            color=_GOSSIP if ours else next(others),
            linewidth=2.4 if ours and first else 1.3,
            linestyle="-" if first or not ours else next(dashes),
            zorder=3 if ours else 2,
            marker="." if len(ranks) < 16 else None,
        )
    axes.set_xscale("log", base=2)
    axes.set_xlabel("ranks p")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)

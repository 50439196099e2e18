"""Plots: attention as a heat map, as in the paper; models side by side with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cmn.errors import MissingDependencyError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cmn.explain import Explanation


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """Returns a figure without a window, and its axes."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise MissingDependencyError(
            "plots need matplotlib, which the extra cmn[plot] brings;"
            " install it with: pip install matplotlib"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def plot_attention(explanation: Explanation, path: Path, top: int = 20) -> None:
    """Draws attention, one row a hop, one column a neighbour, most attended first.

    Args:
        explanation: of one user and item.
        path: where to, ending in .png, .svg or .pdf.
        top: neighbours to show.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        ParameterError: the item has no users.
    """
    weights = explanation.weights[:, :top]
    if weights.shape[1] == 0:
        raise ParameterError(f"item {explanation.item} has no users; there is nothing to draw")
    figure, axes = _figure(max(4.0, 1.6 + 0.42 * weights.shape[1]), 1.9 + 0.42 * len(weights))
    image = axes.imshow(weights, aspect="auto", cmap="Blues", vmin=0)
    axes.set_yticks(range(len(weights)), [f"hop {hop + 1}" for hop in range(len(weights))])
    labels = [str(neighbour) for neighbour in explanation.neighbours[:top]]
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
    axes.set_xlabel(f"users who have {explanation.item}, of {explanation.neighbours.size} in all")
    axes.set_title(f"Attention for user {explanation.user} and item {explanation.item}")
    figure.colorbar(image, ax=axes, label="weight")
    figure.savefig(path, dpi=150)


def plot_comparison(
    values: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    metric: str,
    path: Path,
) -> None:
    """Draws one bar a model, best on top, with its interval.

    Args:
        values: means by model.
        intervals: lower and upper ends by model.
        metric: its name.
        path: where to, ending in .png, .svg or .pdf.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    names = sorted(values, key=lambda name: values[name])
    figure, axes = _figure(7, 1 + 0.33 * len(names))
    means = np.array([values[name] for name in names])
    ends = np.array([intervals[name] for name in names])
    spread = np.abs(ends - means[:, None]).T
    axes.barh(names, means, xerr=spread, color="#4878a8", ecolor="#222222", capsize=3)
    axes.set_xlabel(f"{metric}, with 95 % bootstrap interval")
    figure.savefig(path, dpi=150)

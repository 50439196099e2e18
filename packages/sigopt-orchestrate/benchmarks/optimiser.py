"""The optimiser's figures: regrets from the cells that `search/cells.py` has kept, and its cost.

Cells take hours, so that they are run by `search/cells.py`, which goes on where it stopped; here
they are only put together. Every figure says over how many seeds it is.
"""

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring import Row

sys.path.insert(0, str(Path(__file__).parent / "search"))

from cells import at, kept
from problems import SUITES, TUNING, WIDE

_PEERS = {"gp": "Optuna GPSampler", "ax": "Ax", "tpe": "Optuna TPE"}
_O1 = (("branin", 15), ("branin", 30), ("hartmann6", 15), ("hartmann6", 30), ("hartmann6", 60),
       ("ackley5", 60), ("levy5", 60), ("rosenbrock4", 60))  # fmt: skip
_TABLES = 50


def o1() -> list[Row]:
    """Median regrets on functions, sequentially."""
    wanted = "<= best of GPSampler and Ax, <= .5 x TPE"
    rows = []
    for name, count in _O1:
        what = f"{name}{_marked(name)}, {count} evaluations: median regret"
        rows.append(Row("O1", what, _compared(name, count, statistics.median), wanted))
    return rows


def o2() -> list[Row]:
    """Mean regrets on tables of real results, divided by that of the table's median."""
    rows, ahead = [], []
    names = sorted({key[0] for key in kept("ours")} & {key[0] for key in kept("gp")})
    tables = [n for n in names if n.partition("-")[0] in {"hpobench", "hpolib", "nasbench201"}]
    for name in tables:
        what = f"{name}{_marked(name)}, {_TABLES} evaluations: mean normalised regret"
        rows.append(Row("O2", what, _compared(name, _TABLES, statistics.fmean)))
    for peers in (("gp", "tpe"), ("ax",)):
        found = [all(_ahead(n, peer) for peer in peers) for n in tables if _has_all(n, peers)]
        what = f"tables where ours is better than {' and '.join(_PEERS[p] for p in peers)}"
        told = f"{sum(found)} of {len(found)}" if found else "not measured"
        ahead.append(Row("O2", f"{what}, on the seeds that both have", told, ">= 60 %"))
    return [*ahead, *rows]


def _by_seed(name: str, peer: str, count: int, width: int = 1) -> dict[int, float]:
    """Regrets after so many evaluations by seed, `width` trials at a time."""
    cells = kept(peer).items()
    return {seed: at(c, count) for (n, seed, w), c in cells if (n, w) == (name, width)}


def _has_all(name: str, peers: Sequence[str]) -> bool:
    return all(_by_seed(name, peer, _TABLES) for peer in peers)


def _ahead(name: str, peer: str) -> bool:
    ours, theirs = (_by_seed(name, one, _TABLES) for one in ("ours", peer))
    both = ours.keys() & theirs.keys()
    return sum(ours[s] for s in both) < sum(theirs[s] for s in both)


def o3() -> list[Row]:
    """Noise, constraints, conditions, two objectives; and eight trials at a time."""
    rows = []
    for name in SUITES:
        last = _last(name)
        if last:
            what = f"{name}{_marked(name)}, {last} evaluations: mean regret and its standard error"
            wanted = "<= best peer + 1 standard error"
            rows.append(Row("O3", what, _compared(name, last, _mean_and_error), wanted))
    for name in WIDE:
        ways = [list(_by_seed(name, "ours", 64, width).values()) for width in (1, 8)]
        if all(ways):
            one, eight = (f"{statistics.median(w):.3g} ({len(w)} seeds)" for w in ways)
            what = f"{name}, 64 evaluations: median regret, 8 at a time against 1 at a time"
            rows.append(Row("O3", what, f"{eight}, {one}", "<= 1.15 x"))
            what = f"{name}, 64 evaluations, 8 at a time: median regret"
            rows.append(Row("O3", what, _compared(name, 64, statistics.median, width=8), ""))
    return rows


def o4() -> list[Row]:
    """CPU seconds of a suggestion."""
    from suggest_cost import seconds  # noqa: PLC0415, imports numerics

    wanted = {60: "<= .15 s", 500: "<= .4 s", 2000: "<= 1 s"}
    return [
        Row(
            "O4",
            f"a suggestion in 6 dimensions after {size} observations, one thread",
            f"{median:.2f} s of CPU (largest of 3: {largest:.2f} s)",
            wanted.get(size, ""),
        )
        for size, median, largest in seconds()
    ]


def o5() -> list[Row]:
    """Mean validation losses of real trainings."""
    rows = []
    for name in ("boosting-digits", "boosting-cancer", "network-digits", "network-cancer"):
        if _last(name):
            what = f"{name}, 40 trials: mean of the least validation loss, its standard error"
            told = _compared(name, 40, _mean_and_error)
            rows.append(Row("O5", what, told, "<= every peer's mean"))
    return rows


def _marked(name: str) -> str:
    return " (tuned on seeds 0-9)" if name in TUNING else ""


def _last(name: str) -> int:
    return max((c["evaluations"] for key, c in kept("ours").items() if key[0] == name), default=0)


def _regrets(name: str, count: int, width: int) -> dict[str, list[float]]:
    """By optimiser, ours first, the regrets over its seeds; those without a cell left out."""
    found = {peer: list(_by_seed(name, peer, count, width).values()) for peer in ("ours", *_PEERS)}
    return {peer: regrets for peer, regrets in found.items() if regrets}


def _compared(
    name: str, count: int, middle: Callable[[Sequence[float]], Any], width: int = 1
) -> str:
    return ", ".join(_told(name, count, middle, width))


def _told(
    name: str, count: int, middle: Callable[[Sequence[float]], Any], width: int
) -> Iterator[str]:
    for peer, regrets in _regrets(name, count, width).items():
        value = middle(regrets)
        shown = value if isinstance(value, str) else f"{value:.3g}"
        yield f"{_PEERS.get(peer, 'ours')} {shown} ({len(regrets)})"


def _mean_and_error(regrets: Sequence[float]) -> str:
    mean = statistics.fmean(regrets)
    if len(regrets) < 2:
        return f"{mean:.3g}"
    return f"{mean:.3g} +- {statistics.stdev(regrets) / len(regrets) ** 0.5:.2g}"

"""T1 to T4 and T7: bytes, exposed time and step time in the network lab, against peers.

A model of 10 MB on links of 200 Mbit/s, and where p grows half of it on links of 100 Mbit/s, since
all hosts share one machine's processors: 0.42 s on the wire as float32, 0.21 s as bfloat16.
"""

import statistics
from pathlib import Path
from typing import Any

import environments
from cells import Cells
from lab import run_in_lab
from markdown import table, verdict

WHOLE = {"megabytes": 10, "mbit": 200}
HALF = {"megabytes": 5, "mbit": 100}
SIZES = (2, 3, 4, 6, 8)
WIRE_S = {"fp32": 0.42, "bf16": 0.21}
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "step_time.png"


def case(
    method: str, takes_s: float, steps: int, sizes: dict[str, int] = WHOLE, **more: Any
) -> dict[str, Any]:
    """Returns one case of the job `steps`; "gossip MODE WIRE [TRANSPORT]" names a gossip."""
    kind, *settings = method.split()
    more |= dict(zip(("mode", "wire", "transport"), settings, strict=False))
    return {"method": kind, "takes_s": takes_s, "steps": steps, **sizes, **more}


def step_s(told: list[Any], number: int) -> float:
    """Returns the slowest rank's median seconds of a step, the first after the pause left out."""
    return max(statistics.median(rank[number]["steps_s"][1:]) for rank in told)


def told_by(cells: Cells, name: str, p: int, kind: str, tasks: list[Any], **more: Any) -> list[Any]:
    """Returns what each of `p` hosts told of each case, measured or kept."""
    mbit = tasks[0]["mbit"]
    return cells.measured(
        name, tasks, lambda: run_in_lab(p, kind, "steps.py", tasks, mbit=mbit, **more)
    )


def sizes(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T1, T2 and T4: what p changes."""
    steps, takes_s = (5 if quick else 10), 0.315  # 1.5 times bf16's time on the wire
    methods = ["none", "gossip overlap bf16", "gossip overlap fp32", "all-reduce"]
    counted, told, rivals = (SIZES[:2] if quick else SIZES), {}, {}
    for p in counted:
        tasks = [case(method, takes_s, steps, HALF) for method in methods]
        told[p] = told_by(cells, f"T1 T2 T4 p={p}", p, "mpich", tasks)
        ddp = [case("ddp", takes_s, steps, HALF)]
        rivals[p] = told_by(cells, f"T4 ddp p={p}", p, "gloo", ddp)
    t1, ratios = [], []
    for p in counted:
        row: list[object] = [p]
        for number in (1, 2):
            ranks = [rank[number] for rank in told[p]]
            ratio = statistics.fmean(rank["sent"] / steps / rank["wire_bytes"] for rank in ranks)
            ratios.append(ratio)
            row.append(f"{ratio:.3f}")
        reduced = (
            statistics.fmean(rank[3]["sent"] for rank in told[p])
            / steps
            / (HALF["megabytes"] * 1e6)
        )
        t1.append([*row, f"{reduced:.3f}"])
    t2, t4 = [], []
    for p in counted:
        exposed_s = max(statistics.median(rank[1]["exposed_s"][1:]) for rank in told[p])
        t2.append((p, exposed_s / WIRE_S["bf16"]))
        t4.append([p, *(step_s(told[p], number) for number in range(4)), step_s(rivals[p], 0)])
    first, last = t4[0], t4[-1]
    growth = [after / before for before, after in zip(first[1:], last[1:], strict=True)]
    names = ["computing alone", "gossip bf16", "gossip fp32", "MPI all-reduce", "DDP-gloo"]
    if not quick:
        rows = {name: [row[1 + n] for row in t4] for n, name in enumerate(names)}
        draw([row[0] for row in t4], rows)
    worst = max(share for _, share in t2)
    even = all(abs(ratio - 1) <= 0.02 for ratio in ratios)
    return {
        "T1": table(["p", "gossip bf16 ÷ its model", "gossip fp32 ÷ its model", "all-reduce"], t1)
        + f"\n\nTarget 1.00 ± 0.02 for gossip at every p: {verdict(even)}.",
        "T2": table(["p", "exposed share"], [(p, f"{s:.1%}") for p, s in t2])
        + f"\n\nTarget ≤ 3 %: {verdict(worst <= 0.03)} (computing is 1.5 x communication).",
        "T4": table(["p", *names], [[row[0], *(f"{s:.3f} s" for s in row[1:])] for row in t4])
        + f"\n\np = {last[0]} ÷ p = {first[0]}: "
        + ", ".join(f"{name} {ratio:.2f}" for name, ratio in zip(names, growth, strict=True))
        + f". Target for gossip bf16 ≤ 1.05: {verdict(growth[1] <= 1.05)}.",
    }


def rivals(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T3: step time beside every peer, at three ratios of computing to communication."""
    steps = 4 if quick else 8
    compute = (0.25,) if quick else (0.25, 0.5, 1.0)
    on_mpi = ["none", "gossip overlap bf16", "gossip overlap fp32", "gossip async bf16",
              "all-reduce", "all-reduce-per-layer"]  # fmt: skip
    on_gloo = ["ddp", "ddp-bf16", "gossip overlap bf16 tcp"]

    def tasks(methods: list[str]) -> list[dict[str, Any]]:
        return [case(method, takes_s, steps) for takes_s in compute for method in methods]

    peer = environments.decent_dp()
    mpi = told_by(cells, "T3 mpich", 4, "mpich", tasks(on_mpi))
    gloo = told_by(cells, "T3 gloo", 4, "gloo", tasks(on_gloo))
    decent = told_by(cells, "T3 decent-dp", 4, "gloo", tasks(["decent-dp"]), environment=peer)
    seconds: dict[str, list[float]] = {}
    for methods, told in ((on_mpi, mpi), (on_gloo, gloo), (["decent-dp"], decent)):
        for number, method in enumerate(methods * len(compute)):
            seconds.setdefault(method, []).append(step_s(told, number))
    ours = seconds["gossip overlap bf16"]
    alone = seconds["none"]
    rows = [
        [method, *(f"{s:.3f} s ({base / s:.0%})" for s, base in zip(row, alone, strict=True))]
        for method, row in seconds.items()
    ]
    judged = []
    for peer_name, targets in (("ddp", (3.0, 2.0, 1.45)), ("decent-dp", (1.4, 0.99, 0.99))):
        for n, takes_s in enumerate(compute):
            ratio = seconds[peer_name][n] / ours[n]
            word = verdict(ratio >= targets[n])
            judged.append([f"{peer_name} ÷ ours", f"{takes_s} s", f"{ratio:.2f}", targets[n], word])
    return {
        "T3": table(["method", *(f"{takes_s} s of computing" for takes_s in compute)], rows)
        + '\n\nIn brackets: efficiency, computing alone ÷ step. "ours" is gossip overlap bf16.\n\n'
        + table(["ratio", "computing", "measured", "target", ""], judged)
    }


def straggler(quick: bool, cells: Cells) -> dict[str, str]:
    """Returns T7: what the fast ranks pay for one that is three times slower."""
    methods = ["none", "gossip async bf16", "gossip overlap bf16", "all-reduce"]
    steps = 5 if quick else 12
    small = {"megabytes": 1, "mbit": 200}
    tasks = [case(method, 0.25, steps, small, slow=3.0) for method in methods]
    told = told_by(cells, "T7", 4, "mpich", tasks)
    fast = [step_s(told[1:], number) for number in range(len(methods))]
    rows = [
        [method, f"{s:.3f} s", f"{s / fast[0]:.2f}"]
        for method, s in zip(methods, fast, strict=True)
    ]
    reached = verdict(fast[1] / fast[0] <= 1.05)
    return {
        "T7": table(["method", "step of the fast ranks", "÷ their own computing"], rows)
        + f"\n\nTarget for async ≤ 1.05: {reached}."
    }


def draw(ranks: list[int], rows: dict[str, list[float]]) -> None:
    """Writes the picture of measured step time against p."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for (name, row), colour in zip(
        rows.items(), ("#9aa0a6", "#c2410c", "#e8894f", "#2f6f8f", "#1e3a5f"), strict=True
    ):
        axes.plot(ranks, row, marker="o", label=name, color=colour)
    axes.set_ylim(bottom=0)
    axes.set_xticks(ranks)
    axes.set_xlabel("ranks p, one per host")
    axes.set_ylabel("seconds per step")
    axes.set_title(f"{HALF['megabytes']} MB model, {HALF['mbit']} Mbit/s links, measured")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside right center", frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)

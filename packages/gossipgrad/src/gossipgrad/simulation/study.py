"""One study: what gossip and all-reduce cost from 2 ranks up to p, as plain numbers."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from gossipgrad.errors import ConfigurationError
from gossipgrad.simulation import cost, stragglers
from gossipgrad.simulation.diffusion import steps_to_consensus
from gossipgrad.simulation.every_rank import EveryRank
from gossipgrad.simulation.network import Network

BYTES_PER_WEIGHT = {"fp32": 4.0, "bf16": 2.0, "int8": 1.0}
MOST_RANKS = 1 << 24
_DELAYS = (0, 1, 4)
_DRAWS = 20_000_000  # compute times drawn per curve and p: what bounds a study's time
_SCHEDULES: dict[str, tuple[str, bool]] = {
    "dissemination, rotating": ("dissemination", True),
    "dissemination, fixed": ("dissemination", False),
    "random": ("random", True),
    "exact": ("exact", True),
}


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained, on what.

    Attributes:
        network: Alpha and beta of each rank's link.
        weights: Number of the model's weights.
        compute_s: Seconds of a rank's forward, backward and optimiser step.
        wire: How gossip sends a weight: "fp32", "bf16" or "int8"; all-reduce sends fp32.
        tensors: Into how many tensors an all-reduce without buckets falls.
    """

    network: Network
    weights: float = 25.6e6
    compute_s: float = 0.3
    wire: str = "bf16"
    tensors: int = 161

    def __post_init__(self) -> None:
        if self.wire not in BYTES_PER_WEIGHT:
            allowed = ", ".join(BYTES_PER_WEIGHT)
            raise ConfigurationError(f"wire is {self.wire!r}; allowed: {allowed}")
        if not 0 < self.weights < math.inf:
            raise ConfigurationError(f"weights is {self.weights}; allowed: more than 0, finite")
        if not 0 <= self.compute_s < math.inf:
            raise ConfigurationError(f"compute is {self.compute_s} s; allowed: 0 or more, finite")


@dataclass(slots=True)
class Study:
    """A study's numbers; every list runs beside the list of ranks that stands with it.

    Attributes:
        job: What was asked.
        ranks: Numbers of ranks of `step_s`, `communication_s` and `bytes_sent`.
        step_s: Scheme to modelled seconds per step, communication hidden where the scheme can.
        communication_s: Scheme to modelled seconds of communication alone.
        bytes_sent: Scheme to bytes that the busiest rank sends per step.
        diffusion_ranks: Numbers of ranks of `diffusion_steps`.
        diffusion_steps: Schedule to steps until consensus, None where 400 do not suffice.
        straggler_ranks: Numbers of ranks of `slowdown`.
        slowdown: Kind of noise to scheme to step time over mean compute time.
    """

    job: Job
    ranks: list[int]
    step_s: dict[str, list[float]] = field(default_factory=dict)
    communication_s: dict[str, list[float]] = field(default_factory=dict)
    bytes_sent: dict[str, list[float]] = field(default_factory=dict)
    diffusion_ranks: list[int] = field(default_factory=list)
    diffusion_steps: dict[str, list[int | None]] = field(default_factory=dict)
    straggler_ranks: list[int] = field(default_factory=list)
    slowdown: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the study as values that `json.dumps` takes."""
        return {"labelled": "modelled, not measured", **asdict(self)}


def run_study(
    job: Job, most_ranks: int, *, seed: int = 0, tell: Callable[[str], None] = lambda _: None
) -> Study:
    """Returns the study of `job` from 2 to `most_ranks` ranks; the same seed gives the same bits.

    Args:
        job: Network, model and compute time.
        most_ranks: The largest p, from 2 to 2^24; 2^20 takes about a minute and 0.3 GB.
        seed: Of rotations and compute times.
        tell: Called with a line on each part begun.

    Raises:
        ConfigurationError: `most_ranks` out of range.
    """
    if not 2 <= most_ranks <= MOST_RANKS:
        raise ConfigurationError(
            f"ranks is {most_ranks}; a simulation takes from 2 to {MOST_RANKS}"
        )
    powers = [1 << power for power in range(1, most_ranks.bit_length())]
    study = Study(job, sorted({*powers, most_ranks}))
    _add_costs(study)
    study.diffusion_ranks = _diffusion_ranks(most_ranks)
    for name, (topology, rotate) in _SCHEDULES.items():
        tell(f"diffusion, {name}: up to {most_ranks:,} ranks")
        study.diffusion_steps[name] = [
            steps_to_consensus(EveryRank(topology, ranks, seed, rotate=rotate), ranks, seed=seed)
            for ranks in study.diffusion_ranks
        ]
    study.straggler_ranks = [ranks for ranks in study.ranks if ranks.bit_length() % 3 == 2]
    if study.straggler_ranks[-1] != most_ranks:
        study.straggler_ranks.append(most_ranks)
    for name, draw in stragglers.NOISE.items():
        tell(f"stragglers, {name}: up to {most_ranks:,} ranks")
        study.slowdown[name] = _slowdowns(draw, study.straggler_ranks, seed)
    return study


def _add_costs(study: Study) -> None:
    job, ranks = study.job, study.ranks
    full = job.weights * BYTES_PER_WEIGHT["fp32"]
    small = job.weights * BYTES_PER_WEIGHT[job.wire]

    def add(name: str, of: Callable[[int], cost.Cost], size: float, messages: int = 1) -> None:
        costs = [of(p) for p in ranks]
        taken = [each.seconds(job.network, size, messages) for each in costs]
        hides = cost.gossip_step_s if of is cost.gossip else cost.all_reduce_step_s
        study.communication_s[name] = taken
        study.bytes_sent[name] = [each.bytes_sent(size) for each in costs]
        study.step_s[name] = [hides(job.compute_s, seconds) for seconds in taken]

    add(f"gossip {job.wire}", cost.gossip, small)
    if job.wire != "fp32":
        add("gossip fp32", cost.gossip, full)
    for name, of in cost.ALL_REDUCE.items():
        add(name, of, full)
    add(f"ring, {job.tensors} tensors", cost.ring, full, job.tensors)


def _diffusion_ranks(most_ranks: int) -> list[int]:
    """Returns powers of two and, between them, sizes that are none: two per factor of four."""
    powers = [1 << power for power in range(3, most_ranks.bit_length(), 2)]
    odd = [power * 3 // 2 + 1 for power in powers if power * 3 // 2 + 1 < most_ranks]
    return sorted({*powers, *odd, most_ranks})


def _slowdowns(draw: stragglers.Draw, ranks: list[int], seed: int) -> dict[str, list[float]]:
    rows: dict[str, list[float]] = {}
    for p in ranks:
        found = stragglers.slowdowns(
            draw,
            EveryRank("dissemination", p, seed, rotate=False).sources,
            p,
            delays=_DELAYS,
            steps=max(100, min(400, _DRAWS // p)),
            seed=seed,
        )
        rows.setdefault("all-reduce", []).append(found.all_reduce)
        for delay, slowdown in found.gossip.items():
            rows.setdefault(f"gossip, delay {delay}", []).append(slowdown)
    return rows

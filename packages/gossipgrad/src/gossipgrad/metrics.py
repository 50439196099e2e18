"""What each step cost, as JSON lines, Prometheus text and a trace that Perfetto shows.

One file a rank, so that nothing has to be gathered while training runs.
"""

import json
import time
from collections import deque
from pathlib import Path
from typing import IO

from gossipgrad.data_parallel import GossipDataParallel
from gossipgrad.exchange import Outcome

_RECENT = 1000


class StepLog:
    """Listens to a model's exchanges.

    Args:
        model: whose.
        folder: where `steps-R.jsonl`, `metrics-R.prom` and `trace-R.json` go, R the rank; None
            keeps only the figures for `efficiency`.
    """

    def __init__(self, model: GossipDataParallel, folder: str | Path | None = None) -> None:
        self._model = model
        self._steps: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        self._began = self._last = time.monotonic()
        self._totals = {"steps": 0, "sent_bytes": 0, "exposed_seconds": 0.0, "lost_exchanges": 0}
        self._folder = Path(folder) if folder is not None else None
        self._lines: IO[str] | None = None
        self._trace: IO[str] | None = None
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lines = (self._folder / f"steps-{model.rank}.jsonl").open("a", encoding="utf-8")
            self._trace = (self._folder / f"trace-{model.rank}.json").open("w", encoding="utf-8")
            # An unclosed array is valid for trace viewers, so a killed rank's trace can be read.
            self._trace.write("[\n")
        model.on_exchange(self._note)

    def efficiency(self) -> float:
        """Returns the share of the last steps' time that was not spent waiting for exchanges."""
        total = sum(seconds for seconds, _ in self._steps)
        return 1 - sum(exposed for _, exposed in self._steps) / total if total else 1.0

    def close(self) -> None:
        """Writes the totals and closes the files."""
        if self._folder is None or self._lines is None or self._trace is None:
            return
        self._write_prometheus()
        self._lines.close()
        self._trace.write("{}]\n")
        self._trace.close()

    def _note(self, outcome: Outcome) -> None:
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        self._steps.append((seconds, outcome.exposed_s))
        self._totals["steps"] += 1
        self._totals["sent_bytes"] += outcome.sent_bytes
        self._totals["exposed_seconds"] += outcome.exposed_s
        self._totals["lost_exchanges"] += outcome.lost
        if self._lines is None or self._trace is None:
            return
        line = {
            "step": outcome.step,
            "time_s": round(now - self._began, 6),
            "step_ms": round(1e3 * seconds, 3),
            "exposed_ms": round(1e3 * outcome.exposed_s, 3),
            "sent_bytes": outcome.sent_bytes,
            "destination": outcome.destination,
            "source": outcome.source,
            "staleness": outcome.staleness,
            "lost": outcome.lost,
            "mass": self._model.mass,
            "partner_distance": outcome.distance,
        }
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
        self._span("step", now - seconds, seconds, outcome)
        self._span("waiting for exchange", now - outcome.exposed_s, outcome.exposed_s, outcome)
        if self._totals["steps"] % 100 == 0:
            self._write_prometheus()

    def _span(self, name: str, start: float, seconds: float, outcome: Outcome) -> None:
        event = {
            "name": name, "ph": "X", "pid": self._model.rank, "tid": int(name != "step"),
            "ts": round(1e6 * (start - self._began), 1), "dur": round(1e6 * seconds, 1),
            "args": {"exchange": outcome.step, "from": outcome.source, "to": outcome.destination},
        }  # fmt: skip
        if self._trace is not None:
            self._trace.write(json.dumps(event) + ",\n")

    def _write_prometheus(self) -> None:
        if self._folder is None:
            return
        lines = []
        for name, value in self._totals.items():
            metric = f"gossipgrad_{name}_total"
            lines += [f"# TYPE {metric} counter", f'{metric}{{rank="{self._model.rank}"}} {value}']
        lines += [
            "# TYPE gossipgrad_mass gauge",
            f'gossipgrad_mass{{rank="{self._model.rank}"}} {self._model.mass}',
        ]
        target = self._folder / f"metrics-{self._model.rank}.prom"
        fresh = target.with_suffix(".tmp")
        fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fresh.replace(target)  # the node exporter's textfile collector must never see half a file

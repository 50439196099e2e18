"""What an attempt's end means for its trial: reads the exit record, the report and the log."""

import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sigopt_orchestrate.errors import UnknownMetricError
from sigopt_orchestrate.executors import Exit
from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.store import STEP, AttemptFolder


@dataclass(frozen=True)
class Observed:
    """The command succeeded and reported all it had to."""

    values: Mapping[str, float]


@dataclass(frozen=True)
class Failed:
    """The command failed, ran out of time, or reported too little."""

    reason: str


@dataclass(frozen=True)
class Interrupted:
    """The attempt was lost through no fault of the command's."""

    reason: str


@dataclass(frozen=True)
class OutOfMemory:
    """The attempt used more memory than it was given, or than there was."""

    reason: str


@dataclass(frozen=True)
class Stopped:
    """The attempt was ended because somebody asked for it."""


@dataclass(frozen=True)
class Misconfigured:
    """No trial of this experiment can succeed as it is written."""

    reason: str


Outcome = Observed | Failed | Interrupted | OutOfMemory | Stopped | Misconfigured


def read_outcome(spec: Experiment, folder: AttemptFolder, end: Exit) -> Outcome:
    """Returns what the end of an attempt means.

    Args:
        spec: The experiment.
        folder: Where the attempt's report and log lie.
        end: How the attempt ended.
    """
    if end.error is not None:
        return Misconfigured(f"command: {end.error}")
    if end.ended_by == "stop":
        return Stopped()
    if end.ended_by == "lease":
        return Interrupted(f"no orchestrate was alive for {spec.timeouts.heartbeat_s:g} s")
    if end.ended_by == "server":
        return Interrupted("the server that it reports to did not answer")
    if end.ended_by == "memory":
        return OutOfMemory("out of memory")
    try:
        values = _read_report(spec, folder)
    except UnknownMetricError as error:
        return Misconfigured(str(error))
    except ValueError as error:
        values, complaint = {}, str(error)
    else:
        missing = [m.name for m in spec.steering if m.name not in values]
        complaint = f"metric {missing[0]!r} was not reported" if missing else ""
    if end.ended_by == "timeout":
        return Failed(f"timed out after {spec.timeouts.trial_s:g} s")
    if end.ended_by == "disk" and (end.code != 0 or complaint):
        return Interrupted("the disk was full")
    if end.code != 0:
        return Failed(_describe_exit(end.code or 0, folder))
    return Failed(complaint) if complaint else Observed(values)


def _read_report(spec: Experiment, folder: AttemptFolder) -> dict[str, float]:
    """Returns the last value of each metric; ValueError says what is wrong with the report."""
    known = [metric.name for metric in spec.metrics]
    values: dict[str, float] = {}
    try:
        lines = folder.metrics.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return values
    except OSError as error:
        raise ValueError(f"the report cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("the report is not UTF-8 text") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise ValueError(f"line {number} of the report is not a JSON object")
        for name, value in entry.items():
            if name == STEP and name not in known:
                continue
            if name not in known and not spec.is_single_run:
                raise UnknownMetricError(name, known)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"metric {name!r} is {value!r}, which is not a number")
            if not abs(value) <= sys.float_info.max:  # also true of an int too long for a float
                said = f"{value}" if isinstance(value, float) else "beyond 1e308"
                raise ValueError(f"metric {name!r} is {said}, which is not finite")
            values[name] = float(value)
    return values


def _describe_exit(code: int, folder: AttemptFolder) -> str:
    if code < 0:
        names = {known.value: known.name for known in signal.Signals}
        return f"killed by {names.get(-code, f'signal {-code}')}"  # real-time ones have no name
    said = _last_line(folder)
    return f"exit status {code}: {said}" if said else f"exit status {code}"


def _last_line(folder: AttemptFolder) -> str:
    """The last line of the log that says something, cut to what fits a table."""
    try:
        with folder.log.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - 4096))
            lines = log.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")

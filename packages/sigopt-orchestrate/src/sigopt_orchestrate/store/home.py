"""Where an experiment's files lie on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder that holds a database and the files of its experiments."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "orchestrate.db"

    def experiment(self, experiment_id: int) -> "ExperimentFolder":
        """Returns the folder of one experiment, which need not exist yet."""
        return ExperimentFolder(self.root / "experiments" / str(experiment_id))


@dataclass(frozen=True)
class ExperimentFolder:
    """The files of one experiment."""

    root: Path

    @property
    def lock(self) -> Path:
        """Locked by the one orchestrate that leads the experiment."""
        return self.root / "lock"

    @property
    def heartbeat(self) -> Path:
        """Touched by the leader; a trial whose leader's heart has stopped ends itself."""
        return self.root / "heartbeat"

    @property
    def wake(self) -> Path:
        """A FIFO: one byte wakes the leader, which then looks at everything anew."""
        return self.root / "wake"

    @property
    def optimizer_log(self) -> Path:
        """What the optimiser's process has to say."""
        return self.root / "optimizer.log"

    @property
    def report(self) -> Path:
        """The HTML page, where nothing else is asked for."""
        return self.root / "report.html"

    def attempt(self, trial: int, attempt: int) -> "AttemptFolder":
        """Returns the folder of one attempt of the trial with this number."""
        return AttemptFolder(self.root / "trials" / f"{trial:04d}" / str(attempt))


@dataclass(frozen=True)
class AttemptFolder:
    """The files of one attempt of a trial."""

    root: Path

    @property
    def trial(self) -> int:
        """The trial's number."""
        return int(self.root.parent.name)

    @property
    def number(self) -> int:
        """The attempt's number."""
        return int(self.root.name)

    @property
    def place(self) -> Path:
        """Where in a cluster it is and what it waits for, as JSON."""
        return self.root / "place.json"

    @property
    def claim(self) -> Path:
        """Exists once the attempt has started, or can no longer start."""
        return self.root / "claim"

    @property
    def exit(self) -> Path:
        """How the attempt ended, as JSON; written whole or not at all."""
        return self.root / "exit.json"

    @property
    def metrics(self) -> Path:
        """The trial's report as JSON lines: `$ORCHESTRATE_METRICS`."""
        return self.root / "metrics.jsonl"

    @property
    def stop(self) -> Path:
        """Is there once the trial may end early: `$ORCHESTRATE_STOP`."""
        return self.root / "stop"

    @property
    def log(self) -> Path:
        """What the command wrote to its standard output and error."""
        return self.root / "log"

    @property
    def older_log(self) -> Path:
        """What came before the log, where it has grown so long that it was cut."""
        return self.root / "log.older"

    @property
    def output(self) -> Path:
        """A folder for whatever else the command writes: `$ORCHESTRATE_OUTPUT`."""
        return self.root / "output"

    @property
    def checkpoint(self) -> Path:
        """What the trial's next attempt finds again: `$ORCHESTRATE_CHECKPOINT`, one for all."""
        return self.root.parent / "checkpoint"

    @property
    def archived(self) -> Path:
        """Exists once what the attempt has left is in the bucket, or will never be, as JSON."""
        return self.root / "archived.json"

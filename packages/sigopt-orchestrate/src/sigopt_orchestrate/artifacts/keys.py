"""What things are called in the bucket: the same for every leader, unlike any other store's.

Below `PREFIX/7-resnet-1f2e3d4c/trials/0012/`, trial 12 of experiment 7 has

    1/output/model.pt    what its first attempt has left
    1/output.json        the manifest: there once all of it is
    1/records/log        and log.older, metrics.jsonl: what orchestrate has kept of it
    1/records.json
    checkpoint/SET/...   the last whole checkpoint
    checkpoint.json      which SET that is
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Protocol

from sigopt_orchestrate.spec import Experiment
from sigopt_orchestrate.spec.artifacts import split_uri

Kind = Literal["output", "checkpoint", "records"]
KINDS: tuple[Kind, ...] = ("output", "checkpoint", "records")


class Stored(Protocol):
    """An experiment as the store or a page has it."""

    @property
    def id(self) -> int:
        """Counts up from 1 in a store."""

    @property
    def spec(self) -> Experiment:
        """Its file."""

    @property
    def created_at(self) -> float:
        """In Unix seconds."""


@dataclass(frozen=True)
class Keys:
    """The keys of one experiment.

    Attributes:
        bucket: The bucket's name.
        root: What they begin with.
    """

    bucket: str
    root: str

    @classmethod
    def of(cls, experiment: Stored) -> "Keys":
        """Returns the keys of an experiment whose file has `artifacts`."""
        assert experiment.spec.artifacts is not None  # noqa: S101 - whoever calls has looked
        bucket, prefix = split_uri(experiment.spec.artifacts.uri)
        told = f"{experiment.id} {experiment.spec.name} {experiment.created_at!r}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        words = re.sub(r"[^a-z0-9]+", "-", experiment.spec.name.lower()).strip("-")[:40]
        name = "-".join(filter(None, (str(experiment.id), words, digest)))
        return cls(bucket, f"{prefix}/{name}" if prefix else name)

    def trial(self, trial: int) -> str:
        """What the keys of a trial begin with."""
        return f"{self.root}/trials/{trial:04d}"

    def folder(self, kind: Kind, trial: int, attempt: int) -> str:
        """What the keys of a kind of files begin with; all attempts share their checkpoints."""
        if kind == "checkpoint":
            return f"{self.trial(trial)}/checkpoint"
        return f"{self.trial(trial)}/{attempt}/{kind}"

    def manifest(self, kind: Kind, trial: int, attempt: int) -> str:
        """The key of the list of files, which is there once all of them are."""
        return f"{self.folder(kind, trial, attempt)}.json"

    def file(self, kind: Kind, trial: int, attempt: int, of: str, name: str) -> str:
        """The key of a file; a checkpoint's is in a folder of its set's name."""
        folder = self.folder(kind, trial, attempt)
        return f"{folder}/{of}/{name}" if kind == "checkpoint" else f"{folder}/{name}"


def output_uri(experiment: Stored, trial: int, attempt: int) -> str | None:
    """Returns where an attempt's output is kept; None if that is on this machine alone."""
    if experiment.spec.artifacts is None:
        return None
    keys = Keys.of(experiment)
    return f"s3://{keys.bucket}/{keys.folder('output', trial, attempt)}/"

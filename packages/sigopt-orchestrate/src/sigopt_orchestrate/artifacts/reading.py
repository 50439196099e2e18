"""What people find of an experiment in its bucket, and fetch from there, checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigopt_orchestrate.artifacts.courier.files import RefusedError, is_safe
from sigopt_orchestrate.artifacts.courier.transfer import Courier
from sigopt_orchestrate.artifacts.keeper import open_keeper
from sigopt_orchestrate.artifacts.keys import Kind
from sigopt_orchestrate.errors import CloudError, SpecError
from sigopt_orchestrate.store import AttemptFolder, ExperimentRecord

_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Artifact:
    """A file that is there whole.

    Attributes:
        kind: `output`, `checkpoint`, or `records`: what orchestrate has kept of the attempt.
        attempt: Which has left it; 0 for a checkpoint, which is the trial's.
        of: The set that it belongs to.
        name: Relative to the attempt's folder.
        sha256: In hex.
        uri: `s3://...`
    """

    kind: Kind
    trial: int
    attempt: int
    of: str
    name: str
    size: int
    sha256: str
    uri: str

    @property
    def place(self) -> str:
        """Where it goes below the folder that artifacts are fetched to."""
        folder = f"trial-{self.trial:04d}"
        folder += "" if self.kind == "checkpoint" else f"/attempt-{self.attempt}"
        return f"{folder}/{self.kind}/{self.name}"


class Shelf:
    """An experiment's artifacts, for reading.

    Args:
        experiment: Whose file has `artifacts`.

    Raises:
        SpecError: If it has none.
        CloudError: If the bucket cannot be used.
    """

    def __init__(self, experiment: ExperimentRecord) -> None:
        if experiment.spec.artifacts is None:
            raise SpecError(
                f"experiment {experiment.id} has no `artifacts`: what its trials have left is on "
                "the machine that ran them"
            )
        self._keeper = open_keeper(experiment)

    def find(self, trial: int | None = None) -> Iterator[Artifact]:
        """Yields what is there whole, of all trials or one.

        Raises:
            CloudError: If S3 refuses or does not answer.
        """
        for kind, number, attempt in self._keeper.found():
            if trial in {None, number}:
                yield from self._files(kind, number, attempt)

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        """Fetches a file to its place below `folder`, unless it is there; goes on with half a one.

        Raises:
            CloudError: If its bytes are not those that were put there, or do not come.
        """
        path = folder / artifact.place
        self._bring(artifact, path)
        return path

    def restore_logs(self, attempt: AttemptFolder) -> None:
        """Brings an attempt's log back to where it was written.

        Raises:
            CloudError: As `fetch`.
        """
        for one in self._files("records", attempt.trial, attempt.number):
            self._bring(one, attempt.root / one.name)

    def _files(self, kind: Kind, trial: int, attempt: int) -> Iterator[Artifact]:
        found = self._keeper.manifest(kind, trial, attempt)
        for one in found["files"] if found is not None else ():
            if not is_safe(one["name"]):
                raise CloudError(f"{one['name']!r}: is no name of a file below a folder")
            keys = self._keeper.keys
            of, name = str(found["set"]) if found else "", str(one["name"])
            uri = f"s3://{keys.bucket}/{keys.file(kind, trial, attempt, of, name)}"
            yield Artifact(kind, trial, attempt, of, name, one["size"], one["sha256"], uri)

    def _bring(self, artifact: Artifact, path: Path) -> None:
        place = artifact.kind, artifact.trial, artifact.attempt

        def ask(_question: dict[str, Any]) -> dict[str, Any]:
            return {"url": self._keeper.url(*place, artifact.of, artifact.name)}

        told = {"name": artifact.name, "size": artifact.size, "sha256": artifact.sha256}
        try:
            Courier(ask, patience_s=_PATIENCE_S).bring({}, told, str(path))
        except RefusedError as error:
            raise CloudError(f"{artifact.uri}: {error}") from None

"""What was made of a cluster, on disk: the intent before each step and its id after it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.spec.cluster import ClusterFile, parse_cluster


@dataclass
class Entry:
    """A step that was begun.

    Attributes:
        id: What it made; None where the answer is not known.
    """

    name: str
    id: str | None = None


@dataclass
class Journal:
    """Of one cluster.

    Attributes:
        path: The file.
        file: The cluster as it was last asked for.
        entries: The steps that were begun, in order.
    """

    path: Path
    file: ClusterFile
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, name: str) -> "Journal | None":
        """Returns the journal of the cluster with this name, if there is one.

        Raises:
            SpecError: If it is not what orchestrate wrote.
        """
        path = folder / f"{name}.json"
        try:
            held: dict[str, Any] = json.loads(path.read_bytes())
            entries = [Entry(**one) for one in held["entries"]]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise SpecError(f"{path} is not what orchestrate wrote; mend or remove it") from None
        return cls(path, parse_cluster(held["file"], str(path)), entries)

    @classmethod
    def begin(cls, folder: Path, file: ClusterFile) -> "Journal":
        """Returns the cluster's journal, with `file` as what is wanted from now on."""
        known = cls.read(folder, file.name)
        journal = cls(folder / f"{file.name}.json", file, known.entries if known else [])
        journal.write()
        return journal

    def intend(self, name: str) -> None:
        """Notes that a step is about to be made."""
        if name not in {entry.name for entry in self.entries}:
            self.entries.append(Entry(name))
            self.write()

    def made(self, name: str, id_: str) -> None:
        """Notes what a step has made."""
        self.intend(name)
        for entry in self.entries:
            if entry.name == name and entry.id != id_:
                entry.id = id_
                self.write()

    def removed(self, name: str) -> None:
        """Notes that nothing is left of a step."""
        self.entries = [entry for entry in self.entries if entry.name != name]
        self.write()

    def write(self) -> None:
        """Puts it on disk, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        held = {
            "file": self.file.model_dump(mode="json", exclude_none=True),
            "entries": [{"name": entry.name, "id": entry.id} for entry in self.entries],
        }
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_text(json.dumps(held, indent=1), encoding="utf-8")
        part.replace(self.path)

    def close(self) -> None:
        """Removes it: nothing is left of the cluster."""
        self.path.unlink(missing_ok=True)

"""SigOpt Orchestrate's old files as an experiment file of ours, with a word on every change.

Generation 1 had one `orchestrate.yml`; generation 2 a `run.yml` beside an `experiment.yml`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sigopt_orchestrate.errors import SpecError
from sigopt_orchestrate.interchange.old_search import Notes, translate_search
from sigopt_orchestrate.spec.memory import parse_memory

_CLUSTER_ONLY = "is for a cluster; this experiment runs on this machine"


@dataclass
class Migrated:
    """What became of the old files.

    Attributes:
        keys: The new experiment file's.
        notes: What was changed or left out, a sentence for each.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    notes: Notes = field(default_factory=list)


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns the mapping in an old YAML file.

    Raises:
        SpecError: If it cannot be read or holds something else.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(f"{path}: cannot be read: {reason}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise SpecError(f"{path}: not valid YAML") from None
    if not isinstance(data, dict):
        raise SpecError(f"{path}: must be a mapping of keys to values")
    return data


def kind_of(data: Mapping[str, Any]) -> str | None:
    """Returns which of the old files it is: `orchestrate`, `run`, `experiment`, `cluster`."""
    if "optimization" in data:
        return "orchestrate"
    if "cluster_name" in data or "provider" in data:
        return "cluster"
    if "parameters" in data:
        return "experiment"
    return "run" if "run" in data else None


def migrate_files(files: Mapping[Path, Mapping[str, Any]], command: str | None = None) -> Migrated:
    """Returns the experiment file that replaces old ones.

    Args:
        files: An `orchestrate.yml`, or a `run.yml` and an `experiment.yml`, or one of these.
        command: A shell line in place of what the files say to run.

    Raises:
        SpecError: If the files do not make an experiment.
    """
    done = Migrated()
    for path, data in files.items():
        kind = kind_of(data)
        try:
            _READ[str(kind)](done, dict(data))
        except KeyError:
            raise SpecError(
                f"{path}: is none of the old tools' files: it has no optimization, run, "
                "parameters or cluster_name"
            ) from None
        except ValidationError as error:
            raise SpecError(f"{path}: {error.errors()[0]['msg']}") from None
    if command is not None:
        done.keys["command"] = command
    if "parameters" not in done.keys:
        raise SpecError("no experiment among the files: give its experiment.yml, too")
    if "command" not in done.keys:
        done.notes.append("command: the files name none; add it, or give --command")
    done.keys.setdefault("name", "experiment")
    order = ("name", "command", "env", "parameters", "metrics", "budget", "parallel")
    known = [key for key in order if key in done.keys]
    done.keys = {key: done.keys[key] for key in [*known, *(set(done.keys) - set(known))]}
    return done


def written(done: Migrated) -> str:
    """Returns the new file as YAML text, with the notes as comments at its head."""
    head = "".join(f"# {note}\n" for note in ("Migrated by orchestrate migrate.", *done.notes))
    return head + yaml.safe_dump(done.keys, sort_keys=False, default_flow_style=None, width=100)


def _read_orchestrate(done: Migrated, data: dict[str, Any]) -> None:
    _take_name(done, data.pop("name", None))
    _take_command(done, data.pop("run", None))
    translate_search(data.pop("optimization"), done.keys, done.notes)
    _take_resources(done, data.pop("resources_per_model", None), "resources_per_model")
    if pythonpath := data.pop("pythonpath", None):
        done.keys["env"] = {"PYTHONPATH": str(pythonpath)}
        done.notes.append("pythonpath: is env.PYTHONPATH now")
    if install := data.pop("install", None):
        lines = [install] if isinstance(install, str) else list(install)
        done.notes.append(f"install: dropped; run it once yourself: {' && '.join(map(str, lines))}")
    if data.pop("sigopt", None):
        done.notes.append("sigopt: dropped; no token is needed, and none belongs in a file")
    if data.pop("aws", None):
        done.notes.append("aws: dropped; no credentials belong in a file")
    for key in ("framework", "language"):
        if value := data.pop(key, None):
            done.notes.append(f"{key}: dropped; the command runs in your environment, not {value}")
    for key in ("image", "build_image", "repository", "job_spec_patch"):
        if key in data:
            done.notes.append(f"{key}: dropped; {_CLUSTER_ONLY}")
            del data[key]
    _drop_rest(done, data)
    done.notes.append(
        "the program: `orchestrate.io` is `sigopt_orchestrate.io` now, with the same functions"
    )


def _read_run(done: Migrated, data: dict[str, Any]) -> None:
    _take_name(done, data.pop("name", None))
    _take_command(done, data.pop("run", None))
    _take_resources(done, data.pop("resources", None), "resources")
    if data.pop("image", None):
        done.notes.append(f"image: dropped; {_CLUSTER_ONLY}")
    _drop_rest(done, data)


def _read_experiment(done: Migrated, data: dict[str, Any]) -> None:
    if name := data.pop("name", None):
        done.keys["name"] = str(name)[:100]  # the experiment's name wins over the run's
    translate_search(data, done.keys, done.notes)
    done.notes.append(
        "the program: reads sigopt_orchestrate.parameters() or {name} in the command, and calls "
        "sigopt_orchestrate.report(); with sigopt's own calls it runs, unchanged, by `sigopt "
        "optimize` against `orchestrate server`"
    )


def _refuse_cluster(_done: Migrated, _data: dict[str, Any]) -> None:
    raise SpecError("a cluster.yml is migrated by itself")


_READ: dict[str, Callable[[Migrated, dict[str, Any]], None]] = {
    "orchestrate": _read_orchestrate,
    "run": _read_run,
    "experiment": _read_experiment,
    "cluster": _refuse_cluster,
}


def _take_name(done: Migrated, name: Any) -> None:
    if name:
        done.keys.setdefault("name", str(name)[:100])


def _take_command(done: Migrated, run: Any) -> None:
    """A shell line or a list, as it was; braces are literal there."""
    if isinstance(run, list):
        done.keys["command"] = [_literal(str(part)) for part in run]
    elif run:
        done.keys["command"] = _literal(str(run))


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _take_resources(done: Migrated, given: Any, key: str) -> None:
    if not isinstance(given, dict):
        return
    for part in ("limits", "requests"):
        amounts = given.get(part) or {}
        if "memory" in amounts and "resources" not in done.keys:
            try:
                parse_memory(amounts["memory"])
            except ValueError as error:
                raise SpecError(f"{key}.{part}.memory: {error}") from None
            done.keys["resources"] = {"memory": amounts["memory"]}
            done.notes.append(f"{key}.{part}.memory: is resources.memory now, and enforced")
        others = sorted(set(amounts) - {"memory"})
        if others:
            done.notes.append(f"{key}.{part}.{', '.join(others)}: dropped; {_CLUSTER_ONLY}")
    if given.get("gpus"):
        done.notes.append(f"{key}.gpus: dropped; {_CLUSTER_ONLY}")


def _drop_rest(done: Migrated, data: Mapping[str, Any]) -> None:
    done.notes.extend(f"{key}: dropped; orchestrate has nothing like it" for key in data)

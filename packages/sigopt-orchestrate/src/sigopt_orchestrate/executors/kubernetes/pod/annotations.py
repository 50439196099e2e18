"""What orchestrate tells a pod that runs: its annotations, which the kubelet writes to a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sigopt_orchestrate.executors.kubernetes.pod.places import ANNOTATIONS, STOP, STOP_ANNOTATION


def annotation(name: str) -> str | None:
    """Returns the annotation's value, or None where the pod has none of this name."""
    try:
        lines = Path(ANNOTATIONS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, quoted = line.partition("=")
        if key == name:
            return str(json.loads(quoted))
    return None


def hear_stop() -> None:
    """Tells the command that it may end now, if orchestrate has said so."""
    if not os.path.exists(STOP) and annotation(STOP_ANNOTATION):  # noqa: PTH110
        Path(STOP).touch()

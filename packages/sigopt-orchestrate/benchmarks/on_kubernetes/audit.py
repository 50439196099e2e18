"""What the API server's own log says: who asked it for what, and when."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def requests(folder: Path) -> Iterator[Json]:
    """Yields every request once, in the order in which they came in.

    Args:
        folder: The cluster's.
    """
    seen = set()
    for line in (folder / "audit.log").read_text().splitlines():
        if line.endswith("}"):
            event = json.loads(line)
            if event["auditID"] not in seen:
                seen.add(event["auditID"])
                yield event


def ours(event: Json) -> bool:
    """Whether orchestrate made the request."""
    return bool(event.get("userAgent", "").startswith("orchestrate/"))


def received(event: Json) -> float:
    """Returns when the request came in, in Unix seconds."""
    return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()


def retry_delays(folder: Path) -> dict[str, float]:
    """Returns, for every pod that somebody else had deleted, the seconds until its successor.

    They count from the first request that wanted it gone to ours that creates the first pod of the
    trial's next attempt.
    """
    disrupted: dict[str, float] = {}
    created: dict[str, float] = {}
    for event in requests(folder):
        about = event.get("objectRef", {})
        if about.get("resource") != "pods" or "name" not in about:
            continue
        name, at = about["name"], received(event)
        if ours(event) and event["verb"] == "create":
            created[name] = at
        elif _takes_away(event):
            disrupted.setdefault(name, at)
    return {
        name: created[successor] - at
        for name, at in disrupted.items()
        if (successor := _successor(name)) in created
    }


def _takes_away(event: Json) -> bool:
    """Whether somebody other than orchestrate and the pod's own node wants the pod gone."""
    wanted = event["verb"] == "delete" or event["objectRef"].get("subresource") == "eviction"
    others = not ours(event) and event.get("userAgent") != "kubelet-double"
    return wanted and others and event.get("responseStatus", {}).get("code", 500) < 300


def _successor(name: str) -> str:
    """Returns what the first pod of the next attempt is called."""
    trial, attempt, _ = name.rsplit("-", 2)
    return f"{trial}-{int(attempt) + 1}-0"

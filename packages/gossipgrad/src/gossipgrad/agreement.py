"""Whether the ranks were started alike: compared before the first exchange, in log p messages."""

import json
from typing import Any

from gossipgrad.collectives import Collectives
from gossipgrad.errors import MismatchError


def agree(mine: dict[str, Any], together: Collectives) -> None:
    """Compares what all ranks say of themselves.

    Args:
        mine: this "rank", and "about": names and JSON values that must be equal on all ranks.
        together: the ranks.

    Raises:
        MismatchError: on every rank, with one sentence about the first difference found.
    """
    merged = together.fold(json.dumps({**mine, "verdict": ""}).encode(), _merge)
    verdict = json.loads(together.broadcast_bytes(merged))["verdict"]
    if verdict:
        raise MismatchError(verdict)


def compare(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Compares what two ranks say of themselves.

    Raises:
        MismatchError: with one sentence about the first difference.
    """
    verdict = _difference(mine, theirs)
    if verdict:
        raise MismatchError(verdict)


def _merge(first: bytes, second: bytes) -> bytes:
    mine, theirs = json.loads(first), json.loads(second)
    if not mine["verdict"]:
        mine["verdict"] = theirs["verdict"] or _difference(mine, theirs)
    return json.dumps(mine).encode()


def _difference(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    for name, value in mine["about"].items():
        other = theirs["about"].get(name)
        if other == value:
            continue
        lists = isinstance(value, list) and isinstance(other, list)
        here, there = _first_difference(value, other) if lists else (value, other)
        return (
            f"the ranks were started differently: {name} is {here!r} on rank {mine['rank']} "
            f"and {there!r} on rank {theirs['rank']}; it must be the same on all"
        )
    return ""


def _first_difference(mine: list[Any], theirs: list[Any]) -> tuple[Any, Any]:
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            return one, other
    return f"{len(mine)} entries", f"{len(theirs)} entries"

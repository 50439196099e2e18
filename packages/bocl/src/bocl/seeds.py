"""A random generator for each piece of work, so that any piece can be done again alone."""

from __future__ import annotations

import hashlib

import torch


def derive(*key: object) -> int:
    """Returns a seed below 2**63 that depends on every part of a key."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: object) -> torch.Generator:
    """Returns a CPU generator seeded by `derive`."""
    return torch.Generator().manual_seed(derive(*key))

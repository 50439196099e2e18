"""Locked files: what a process holds for as long as it lives, whatever ends it."""

import fcntl
import os
from pathlib import Path


def try_lock(descriptor: int) -> bool:
    """Locks an open file for this process alone; returns False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Returns whether a living process holds the file's lock; False where there is no file.

    To see that, it holds the lock for an instant itself.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)

"""Puts the tests' own folder on the path, for `fleet`; one thread of torch, no deadlines."""

import os
import sys
from pathlib import Path

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
settings.register_profile("no deadline", deadline=None)  # a busy machine fails no property
settings.load_profile("no deadline")

"""Imports BoTorch the way the package does, before the tests do."""

from bocl.searchers import make_searcher
from bocl.settings import Settings

make_searcher(Settings())

"""One HTML page about a run: what was learned, what grew, what was reused, how it was chosen."""

from bocl.report.facts import RunFacts, facts_of
from bocl.report.page import comparison_page, run_page
from bocl.report.stored import write_run_page

__all__ = ["RunFacts", "comparison_page", "facts_of", "run_page", "write_run_page"]

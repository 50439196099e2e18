"""Every error this package raises on purpose, each one sentence a user can act on."""


class OrchestrateError(Exception):
    """Base of all errors of this package; the command line prints it and exits 2."""


class SpecError(OrchestrateError, ValueError):
    """An experiment file that cannot be run as written."""


class ReportError(OrchestrateError, ValueError):
    """A metric report that the experiment cannot accept."""


class StoreError(OrchestrateError):
    """A store that cannot be opened, or an object that it does not hold."""


class LeadershipError(OrchestrateError):
    """Another orchestrate runs this experiment, or has taken it over."""


class SuggestionError(OrchestrateError):
    """The optimiser could not produce a suggestion."""

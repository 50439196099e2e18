"""Every error this package raises on purpose, each one sentence a user can act on."""


class OrchestrateError(Exception):
    """Base of all errors of this package; the command line prints it and exits 2."""


class SpecError(OrchestrateError, ValueError):
    """An experiment file that cannot be run as written."""


class ReportError(OrchestrateError, ValueError):
    """A metric report that the experiment cannot accept."""


class UnknownMetricError(ReportError):
    """A metric report that names a metric the experiment does not have."""

    def __init__(self, name: str, known: list[str]) -> None:
        """Says that `name` is not among the metrics `known`."""
        super().__init__(
            f"unknown metric {name!r} in the report: the experiment's metrics are "
            f"{', '.join(known)}; add it to them with `strategy: store`, or do not report it"
        )


class StoreError(OrchestrateError):
    """A store that cannot be opened, or an object that it does not hold."""


class StoreUnavailableError(StoreError):
    """A store that cannot be reached, is locked or is full at present; it may pass."""

    def __init__(self, store: str, reason: str) -> None:
        """Says what the matter is with `store`.

        Args:
            store: Its address, without a password.
            reason: In the database's own words.
        """
        super().__init__(f"{store}: {reason}")
        self.reason = reason


class LeadershipError(OrchestrateError):
    """Another orchestrate runs this experiment, or has taken it over."""


class SuggestionError(OrchestrateError):
    """The optimiser could not produce a suggestion."""


class ClusterError(OrchestrateError):
    """A Kubernetes cluster that cannot be used as asked."""


class BuildError(OrchestrateError):
    """An image that cannot be built or pushed."""


class MissingDependencyError(OrchestrateError):
    """Something that needs a package which is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        """Says that `what` needs `package`, and which extra brings it."""
        super().__init__(
            f"{what} needs {package}, which is not installed: "
            f"pip install 'sigopt-orchestrate[{extra}]'"
        )


class CloudError(OrchestrateError):
    """Something at a cloud provider that cannot be done as asked."""

"""Errors that users can meet; a message names the field, its value and what is allowed."""


class BOCLError(Exception):
    """Base class of all errors raised on purpose by this package."""


class SettingsError(BOCLError, ValueError):
    """A setting or an argument outside its range."""


class DataError(BOCLError, ValueError):
    """Samples of a wrong shape, with labels out of range, too few, or a missing file."""


class UnknownTaskError(BOCLError, LookupError):
    """A task id that the learner has not learned."""


class NotFittedError(BOCLError, RuntimeError):
    """A learner was asked for predictions before its first task."""


class CheckpointError(BOCLError, ValueError):
    """A saved learner or journal that is missing, corrupt, or belongs to another run."""


class CertificateError(BOCLError, ValueError):
    """A certificate that is missing, unreadable, or no longer true."""


class TrainingDivergedError(BOCLError, ArithmeticError):
    """A loss stopped being finite."""


class MissingDependencyError(BOCLError, ImportError):
    """An optional dependency that the requested feature needs is not installed."""

"""Errors that users can meet; a message names the field, its value and what is allowed."""


class CMNError(Exception):
    """Base class of all errors raised on purpose by this package."""


class InteractionsError(CMNError, ValueError):
    """Interactions of a wrong shape, with NaN, negative or out of range values, or none at all."""


class ParameterError(CMNError, ValueError):
    """A hyperparameter or an argument outside its range."""


class DataError(CMNError, ValueError):
    """A data file or a named set that is missing, unreadable or has unknown columns."""


class MissingDependencyError(CMNError, ImportError):
    """An optional dependency that the requested feature needs is not installed."""


class ModelFileError(CMNError, ValueError):
    """A saved model that is missing, corrupt, or was trained on other data."""


class NotFittedError(CMNError, RuntimeError):
    """A model was asked for scores before `fit` or `load`."""


class TrainingDivergedError(CMNError, ArithmeticError):
    """Loss or scores stopped being finite."""

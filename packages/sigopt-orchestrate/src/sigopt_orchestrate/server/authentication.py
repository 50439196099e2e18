"""Who calls: a token by HTTP Basic (its user name, as the sigopt client sends it) or Bearer.

A token is 256 random bits; the store keeps its SHA-256 only, so a stolen database holds no keys.
"""

import base64
import binascii
import hashlib
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, select

from sigopt_orchestrate.server.errors import ForbiddenError, UnauthorizedError
from sigopt_orchestrate.store.resources import tokens, training_runs

_REMEMBERED_S = 1.0
_AFTERWORD_S = 60
_REMEMBERED = 1000


class Scope(StrEnum):
    """What a token may do, the least first; a trial's may only report on its own run."""

    TRIAL = "trial"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, needed: "Scope") -> bool:
        """Returns whether a token of this scope may do what needs `needed`."""
        if self is Scope.TRIAL:
            return needed is not Scope.ADMIN
        ranks = [Scope.READ, Scope.WRITE, Scope.ADMIN]
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a request.

    Attributes:
        token_id: Of the token it came with.
        client_id: The team whose objects it may see.
        experiment_id: The one experiment that the token is for, if it is for one.
        training_run_id: The one run that the token is for, if it is for one.
        expires: When the token ends, in Unix seconds.
    """

    token_id: int
    client_id: int
    scope: Scope
    experiment_id: int | None
    training_run_id: int | None
    expires: int | None


def new_token() -> str:
    """Returns a fresh token: 256 bits as 64 hexadecimal digits."""
    return secrets.token_hex(32)


def digest(token: str) -> str:
    """Returns what the store keeps of `token`."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def presented_token(authorization: str | None) -> str:
    """Returns the token in an `Authorization` header.

    Raises:
        UnauthorizedError: If there is none.
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            user = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            user = ""
        if user:
            return user
    raise UnauthorizedError("a token is needed: send it as HTTP Basic user name or as Bearer")


def find_caller(tx: Connection, token: str) -> Caller:
    """Returns the owner of `token`.

    Raises:
        ForbiddenError: If the token is unknown, revoked or expired, or a trial's that has ended.
    """
    found = tx.execute(select(tokens).where(tokens.c.digest == digest(token))).one_or_none()
    if found is None or found.revoked is not None:
        raise ForbiddenError("the token is not valid")
    caller = _caller(found)
    _refuse_expired(caller)
    if caller.scope is Scope.TRIAL:
        _refuse_after_the_run(tx, caller)
    return caller


class RememberedCallers:
    """Callers seen within the last second, so that not every request asks the store again."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, Caller]] = {}

    def get(self, token: str) -> Caller | None:
        """Returns the caller if it was found within the last second.

        Raises:
            ForbiddenError: If its token has expired since.
        """
        at, caller = self._seen.get(token, (0.0, None))
        if caller is None or time.monotonic() - at > _REMEMBERED_S:
            return None
        _refuse_expired(caller)
        return caller

    def put(self, token: str, caller: Caller) -> None:
        """Remembers who came with `token`."""
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[token] = (time.monotonic(), caller)

    def forget(self) -> None:
        """Forgets everyone: a token has been revoked or changed."""
        self._seen.clear()


def _refuse_expired(caller: Caller) -> None:
    if caller.expires is not None and caller.expires <= time.time():
        raise ForbiddenError("the token has expired")


def _refuse_after_the_run(tx: Connection, caller: Caller) -> None:
    """Refuses a trial's token once its run has ended, give or take what a program still says."""
    mine = training_runs.c.id == caller.training_run_id
    completed = tx.execute(select(training_runs.c.completed).where(mine)).scalar_one_or_none()
    if completed is not None and completed + _AFTERWORD_S <= time.time():
        raise ForbiddenError("the token has ended with its training run")


def _caller(row: Row[*tuple[object, ...]]) -> Caller:
    return Caller(
        token_id=row.id,
        client_id=row.client_id,
        scope=Scope(row.scope),
        experiment_id=row.experiment_id,
        training_run_id=row.training_run_id,
        expires=row.expires,
    )

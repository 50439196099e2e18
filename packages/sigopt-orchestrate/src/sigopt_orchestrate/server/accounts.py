"""Makes clients and their tokens, and takes tokens back."""

import time
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from sigopt_orchestrate.server.access import now
from sigopt_orchestrate.server.authentication import Scope, digest, new_token
from sigopt_orchestrate.server.errors import UnknownError
from sigopt_orchestrate.store.resources import audit_log, clients, organizations, tokens


def create_client(tx: Connection, name: str) -> int:
    """Stores a new client without data, and returns its id."""
    organization = tx.execute(select(organizations.c.id).limit(1)).scalar_one_or_none()
    if organization is None:
        made = insert(organizations).values(name="orchestrate", created=now())
        organization = tx.execute(made.returning(organizations.c.id)).scalar_one()
    made = insert(clients).values(name=name, organization_id=organization, created=now())
    return int(tx.execute(made.returning(clients.c.id)).scalar_one())


def find_client(tx: Connection, client_id: int | None) -> int:
    """Returns the id of a client that exists: the one asked for, or the first.

    Raises:
        UnknownError: If there is none.
    """
    query = select(clients.c.id).order_by(clients.c.id).limit(1)
    if client_id is not None:
        query = query.where(clients.c.id == client_id)
    found = tx.execute(query).scalar_one_or_none()
    if found is None:
        raise UnknownError(
            "there is no client yet; `orchestrate token create --new-client` makes one"
            if client_id is None
            else f"there is no client {client_id}"
        )
    return int(found)


def create_token(
    tx: Connection,
    client_id: int,
    scope: Scope,
    *,
    name: str | None = None,
    lease_s: int | None = None,
    experiment_id: int | None = None,
    training_run_id: int | None = None,
) -> tuple[Row[Any], str]:
    """Stores a new token; returns its row, and the token itself, which is nowhere else.

    Args:
        tx: The transaction.
        client_id: Whose data it opens.
        scope: What may be done with it.
        name: For people.
        lease_s: After how many seconds it ends; never where absent.
        experiment_id: The one experiment that it is for.
        training_run_id: The one training run that it is for.
    """
    secret = new_token()
    made = insert(tokens).values(
        digest=digest(secret),
        client_id=client_id,
        scope=scope,
        name=name,
        experiment_id=experiment_id,
        training_run_id=training_run_id,
        created=now(),
        expires=None if lease_s is None else min(now() + lease_s, 2**31 - 1),
    )
    return tx.execute(made.returning(*tokens.c)).one(), secret


def revoke_token(tx: Connection, token_id: int) -> None:
    """Ends a token for good."""
    tx.execute(update(tokens).where(tokens.c.id == token_id).values(revoked=now()))


def log_audit(
    tx: Connection, client_id: int | None, token_id: int | None, action: str, subject: str
) -> None:
    """Writes down who did what to what, with the transaction that did it."""
    tx.execute(
        insert(audit_log).values(
            at=time.time(), client_id=client_id, token_id=token_id, action=action, subject=subject
        )
    )

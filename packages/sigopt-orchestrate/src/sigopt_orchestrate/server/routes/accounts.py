"""Tokens, clients, the organization and the session."""

from typing import Any

from sqlalchemy import Row, select, update

from sigopt_orchestrate.server.access import now, own, the_client, the_experiment, the_run
from sigopt_orchestrate.server.accounts import create_token, revoke_token
from sigopt_orchestrate.server.authentication import Scope, digest
from sigopt_orchestrate.server.calls import Call
from sigopt_orchestrate.server.endpoints import Endpoints
from sigopt_orchestrate.server.errors import ForbiddenError, UnknownError
from sigopt_orchestrate.server.json_bodies import Json
from sigopt_orchestrate.server.objects.accounts import (
    client_object,
    organization_object,
    token_object,
)
from sigopt_orchestrate.server.pagination import page
from sigopt_orchestrate.server.wire.accounts import NarrowTokenCreate, TokenCreate, TokenUpdate
from sigopt_orchestrate.server.wire.fields import MAX_ID
from sigopt_orchestrate.store.resources import clients, organizations, tokens

endpoints = Endpoints()
_SELF = "self"


@endpoints.add("GET", "/tokens/{token}", "token")
def fetch_token(call: Call[None]) -> Json:
    """Answers with a token of the client: `self`, its id, or the token itself."""
    row = _the_token(call)
    return token_object(row, _organization(call), _known_secret(call, row))


@endpoints.add("PUT", "/tokens/{token}", "token", body=TokenUpdate, scope=Scope.ADMIN, audited=True)
def update_token(call: Call[TokenUpdate]) -> Json:
    """Renames a token, or changes when it ends."""
    row = _the_token(call)
    values: dict[str, Any] = {}
    if call.body.name is not None:
        values["name"] = call.body.name
    if call.body.lease_length is not None:
        values["expires"] = min(now() + call.body.lease_length, MAX_ID)
    elif "expires" in call.body.model_fields_set:
        values["expires"] = call.body.expires
    if values:
        call.tx.execute(update(tokens).where(tokens.c.id == row.id).values(**values))
    changed = call.tx.execute(select(tokens).where(tokens.c.id == row.id)).one()
    return token_object(changed, _organization(call), _known_secret(call, row))


@endpoints.add("DELETE", "/tokens/{token}", "empty", scope=Scope.ADMIN, audited=True)
def delete_token(call: Call[None]) -> Json:
    """Ends a token at once."""
    revoke_token(call.tx, _the_token(call).id)
    return {}


@endpoints.add("GET", "/clients/{client}/tokens", "token", many=True, scope=Scope.ADMIN)
def list_tokens(call: Call[None]) -> Json:
    """Lists the client's tokens that are not revoked; none of them is shown itself."""
    client = the_client(call)
    rows = select(tokens).where(tokens.c.client_id == client.id, tokens.c.revoked.is_(None))
    return page(
        call.tx,
        call.query,
        rows,
        tokens.c.id,
        lambda found: [token_object(row, client.organization_id, None) for row in found],
    )


@endpoints.add(
    "POST",
    "/clients/{client}/tokens",
    "token",
    body=TokenCreate,
    scope=Scope.ADMIN,
    status=201,
    audited=True,
)
def create_client_token(call: Call[TokenCreate]) -> Json:
    """Makes a token for the client; this answer alone shows it."""
    client = the_client(call)
    row, secret = create_token(
        call.tx,
        client.id,
        Scope(call.body.scope),
        name=call.body.name,
        lease_s=call.body.lease_length,
    )
    return token_object(row, client.organization_id, secret)


@endpoints.add(
    "POST",
    "/experiments/{experiment}/tokens",
    "token",
    body=NarrowTokenCreate,
    status=201,
    audited=True,
)
def create_experiment_token(call: Call[NarrowTokenCreate]) -> Json:
    """Makes a token that is good for this experiment alone."""
    experiment = the_experiment(call)
    row, secret = create_token(
        call.tx,
        experiment.client_id,
        Scope.WRITE,
        lease_s=call.body.lease_length,
        experiment_id=experiment.id,
    )
    return token_object(row, _organization(call), secret)


@endpoints.add(
    "POST",
    "/training_runs/{training_run}/tokens",
    "token",
    body=NarrowTokenCreate,
    status=201,
    audited=True,
)
def create_run_token(call: Call[NarrowTokenCreate]) -> Json:
    """Makes a token that is good for this training run alone."""
    run = the_run(call)
    row, secret = create_token(
        call.tx,
        run.client_id,
        Scope.TRIAL,
        lease_s=call.body.lease_length,
        training_run_id=run.id,
    )
    return token_object(row, _organization(call), secret)


@endpoints.add("GET", "/clients/{client}", "client")
def fetch_client(call: Call[None]) -> Json:
    """Answers with the caller's client."""
    return client_object(the_client(call))


@endpoints.add("GET", "/organizations/{organization}", "organization")
def fetch_organization(call: Call[None]) -> Json:
    """Answers with the organization of the caller's client."""
    organization = call.id("organization")
    row = call.tx.execute(
        select(organizations).where(organizations.c.id == organization)
    ).one_or_none()
    if row is None:
        raise UnknownError(f"there is no organization {organization}")
    if row.id != _organization(call):
        raise ForbiddenError(f"organization {organization} is not the caller's")
    return organization_object(row)


@endpoints.add("GET", "/sessions", "session")
def fetch_session(call: Call[None]) -> Json:
    """Answers with who calls: the token and its client."""
    row = call.tx.execute(select(tokens).where(tokens.c.id == call.caller.token_id)).one()
    client = call.tx.execute(select(clients).where(clients.c.id == row.client_id)).one()
    return {
        "object": "session",
        "api_token": token_object(row, client.organization_id, call.token),
        "client": client_object(client),
        "user": None,
        "code": None,
        "needs_password_reset": False,
    }


def _the_token(call: Call[Any]) -> Row[Any]:
    """The token that the address names, if the caller may see it: its own, or any for an admin."""
    named = call.path["token"]
    by_id = named.isascii() and named.isdigit() and len(named) < 19 and int(named) <= MAX_ID
    if named == _SELF:
        matches = tokens.c.id == call.caller.token_id
    else:
        matches = tokens.c.id == int(named) if by_id else tokens.c.digest == digest(named)
    row = call.tx.execute(select(tokens).where(matches, tokens.c.revoked.is_(None))).one_or_none()
    found = own(call, row, "such token")
    if found.id != call.caller.token_id and not call.caller.scope.covers(Scope.ADMIN):
        raise ForbiddenError("only a token of scope admin may see other tokens")
    return found


def _known_secret(call: Call[Any], row: Row[Any]) -> str | None:
    if row.id == call.caller.token_id:
        return call.token
    return call.path["token"] if row.digest == digest(call.path["token"]) else None


def _organization(call: Call[Any]) -> int:
    mine = clients.c.id == call.caller.client_id
    return int(call.tx.execute(select(clients.c.organization_id).where(mine)).scalar_one())

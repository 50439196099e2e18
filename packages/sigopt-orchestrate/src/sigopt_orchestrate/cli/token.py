"""`orchestrate token`: who may call the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection, select

from sigopt_orchestrate.cli.options import NUMBER, home_option, json_option, store_option
from sigopt_orchestrate.cli.tables import open_console
from sigopt_orchestrate.cli.views import print_json
from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.server.accounts import (
    create_client,
    create_token,
    find_client,
    log_audit,
    revoke_token,
)
from sigopt_orchestrate.server.authentication import Scope
from sigopt_orchestrate.spec.duration import parse_duration
from sigopt_orchestrate.store import Home
from sigopt_orchestrate.store.database import open_database, reading, writing
from sigopt_orchestrate.store.resources import clients, tokens


@click.group("token")
def token_command() -> None:
    """Make, list and revoke the tokens that the server's callers need."""


@token_command.command("create")
@home_option
@store_option
@click.option("--new-client", is_flag=True, help="For a new client, who starts without data.")
@click.option("--client", type=NUMBER, help="For this client; the first by default.")
@click.option("--name", help="For people: whose it is. A new client gets the name, too.")
@click.option(
    "--scope",
    default="admin",
    show_default=True,
    type=click.Choice(["admin", "write", "read"]),
    help="admin may make and revoke tokens as well.",
)
@click.option("--expires", metavar="DURATION", help="After which time it ends: 12h, 30d.")
def create(
    *,
    home: Path,
    url: str | None,
    new_client: bool,
    client: int | None,
    name: str | None,
    scope: str,
    expires: str | None,
) -> None:
    """Make a token and print it, alone on the last line; it is not shown again."""
    if new_client and client is not None:
        raise OrchestrateError("--new-client and --client exclude each other")
    lease_s = None if expires is None else _seconds(expires)
    with _writing(home, url) as tx:
        owner = create_client(tx, name or "client") if new_client else find_client(tx, client)
        row, secret = create_token(tx, owner, Scope(scope), name=name, lease_s=lease_s)
        log_audit(tx, owner, None, "token create", f"token {row.id}, scope {scope}")
    click.echo(f"token {row.id} of client {owner}, scope {scope}", err=True)
    click.echo(secret)


@token_command.command("list")
@home_option
@store_option
@json_option
def list_(home: Path, url: str | None, as_json: bool) -> None:
    """Show the tokens that are not revoked; never a token itself."""
    joined = tokens.join(clients, tokens.c.client_id == clients.c.id)
    query = select(tokens, clients.c.name.label("client")).select_from(joined)
    engine = open_database(url or Home(home.absolute()).database)
    with reading(engine) as tx:
        rows = tx.execute(query.where(tokens.c.revoked.is_(None)).order_by(tokens.c.id)).all()
    engine.dispose()
    columns = ("id", "client_id", "client", "scope", "name", "created", "expires")
    if as_json:
        print_json([{column: getattr(row, column) for column in columns} for row in rows])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        cells = [getattr(row, column) for column in columns[:5]]
        days = [_day(row.created), _day(row.expires)]
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in (*cells, *days)))
    open_console().print(table)


@token_command.command("revoke")
@click.argument("token_id", type=NUMBER, metavar="ID")
@home_option
@store_option
def revoke(token_id: int, home: Path, url: str | None) -> None:
    """End the token with this id, as `list` shows it; a server obeys within a second."""
    with _writing(home, url) as tx:
        mine = select(tokens).where(tokens.c.id == token_id, tokens.c.revoked.is_(None))
        row = tx.execute(mine).one_or_none()
        if row is None:
            raise OrchestrateError(
                f"there is no token {token_id}; `orchestrate token list` shows them"
            )
        revoke_token(tx, token_id)
        log_audit(tx, row.client_id, None, "token revoke", f"token {token_id}")
    click.echo(f"token {token_id} revoked")


@contextmanager
def _writing(home: Path, url: str | None) -> Iterator[Connection]:
    engine = open_database(url or Home(home.absolute()).database)
    try:
        with writing(engine) as tx:
            yield tx
    finally:
        engine.dispose()


def _seconds(text: str) -> int:
    try:
        return max(1, int(parse_duration(text)))
    except ValueError as error:
        raise OrchestrateError(f"--expires: {error}") from None


def _day(seconds: int | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"

"""`orchestrate server`."""

from pathlib import Path

import click

from sigopt_orchestrate.cli.options import home_option, store_option
from sigopt_orchestrate.errors import OrchestrateError
from sigopt_orchestrate.store import Home

_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("server")
@home_option
@store_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8700, show_default=True, type=click.IntRange(0, 65535))
@click.option("--tls-certificate", type=_file, help="A PEM file; needs --tls-key.")
@click.option("--tls-key", type=_file, help="The certificate's private key.")
@click.option("--public-url", help="The server's address as callers see it, behind a proxy.")
@click.option(
    "--rate-limit",
    default=5000.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Requests a second for each token; 0 sets no limit.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
)
def server_command(
    *,
    home: Path,
    url: str | None,
    host: str,
    port: int,
    tls_certificate: Path | None,
    tls_key: Path | None,
    public_url: str | None,
    rate_limit: float,
    log_level: str,
) -> None:
    """Serve the dashboard, and SigOpt's API v1 for the sigopt client and any other.

    Callers need a token: `orchestrate token create --new-client` makes the first.
    """
    from sigopt_orchestrate.server.serve import Listen, serve  # noqa: PLC0415 - half a second
    from sigopt_orchestrate.server.settings import Settings  # noqa: PLC0415

    if (tls_certificate is None) != (tls_key is None):
        raise OrchestrateError("--tls-certificate and --tls-key are given together or not at all")
    listen = Listen(host, port, tls_certificate, tls_key)
    if listen.exposed:
        click.echo(
            f"warning: {host} can be reached by other machines, and without TLS they can read "
            "tokens on their way; give --tls-certificate, or put a proxy in front",
            err=True,
        )
    settings = Settings(
        store=url or Home(home.absolute()).database,
        folder=home.absolute(),
        requests_per_second=rate_limit,
        public_url=public_url,
    )
    serve(settings, listen, log_level)

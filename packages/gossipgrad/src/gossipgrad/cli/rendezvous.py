"""`gossipgrad rendezvous`: where the ranks of a job on plain TCP find each other."""

import threading

import click


@click.command()
@click.option("--host", default="", help="Address to listen on; every one of this machine if none.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=29400, show_default=True,
    help="0 takes a free one.",
)  # fmt: skip
def rendezvous(host: str, port: int) -> None:
    """Serve the rendezvous of one job until interrupted.

    Start each rank with GOSSIPGRAD_RENDEZVOUS=HOST:PORT, RANK and WORLD_SIZE set; one that dies may
    be started anew with the same RANK. A new job needs a new rendezvous.
    """
    from gossipgrad.transports.tcp.rendezvous import serve  # noqa: PLC0415 - torch is slow

    try:
        store = serve(host, port)
    except RuntimeError as error:
        raise click.ClickException(f"cannot listen on {host or '*'}:{port}: {error}") from error
    click.echo(f"rendezvous on port {store.port}; interrupt to end")
    threading.Event().wait()

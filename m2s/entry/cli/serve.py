"""How is the service run? Until it is told to stop, and then without losing what it has accepted."""

import logging
import sys
from typing import Annotated, Literal

import typer

from m2s.entry.cli.options import Config

_log = logging.getLogger(__name__)

EXAMPLE = "Example: m2s serve --config m2s.toml --port 8000"
_ONE_AT_A_TIME = "one server at a time: stop that one first"


def serve(
    config: Config = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on; else `host` of the configuration.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="The port; else `port` of the configuration. 0 takes a free one."
        ),
    ] = None,
    role: Annotated[
        Literal["all", "api", "worker"], typer.Option(help="What this process does; with SQLite only `all`.")
    ] = "all",
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    It owns the database meanwhile: other commands read beside it, and have it make their changes.
    """
    from importlib.metadata import version

    from m2s.bootstrap import build_engine, configure_logs
    from m2s.core.base.errors import Conflict, Invalid
    from m2s.entry.cli.configuration import load_settings
    from m2s.entry.cli.desk import owning, refuse_while_owned
    from m2s.entry.cli.server import Server, bound, url_of

    if role != "all":
        raise Invalid(
            f"the role {role!r} needs a database that several processes share, which an SQLite file is not:"
            " run `m2s serve` without --role"
        )
    configure_logs(sys.stderr)
    settings = load_settings(config, host=host, port=port)
    try:
        listener = bound(settings.host, settings.port)
    except Conflict:
        # The server that owns the database most often has the port, too; another port would not help.
        refuse_while_owned(settings, instead=_ONE_AT_A_TIME)
        raise
    url = url_of(listener)
    try:
        with owning(settings, instead=_ONE_AT_A_TIME):
            engine = build_engine(settings, serves_at=url)
    except BaseException:
        listener.close()
        raise

    def listening() -> None:
        typer.echo(f"m2s listens on {url}")
        _log.info("m2s %s started at %s", version("m2s"), url)

    Server(engine, listener=listener).run(listening)
    _log.info("m2s stopped")
    typer.echo("m2s stopped; everything that was accepted is kept")

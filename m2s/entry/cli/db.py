"""How does the database come to the shape of this version?"""

import typer

from m2s.entry.cli.options import Config

group = typer.Typer(name="db", help="The database.", no_args_is_help=True, rich_markup_mode=None)


@group.callback()
def _group() -> None:
    """The database."""


@group.command(epilog="Example: m2s db upgrade")
def upgrade(config: Config = None) -> None:
    """Create the database, or bring it to this version.

    Does nothing when it has the shape of this version already. Stop the server first.
    """
    from m2s.bootstrap import database_file, upgrade_database
    from m2s.entry.cli.desk import owning, settings_of

    settings = settings_of(config)
    with owning(settings, instead="stop it first: a database in use cannot change its shape"):
        upgrade_database(settings)
    typer.echo(f"{database_file(settings)} is ready")

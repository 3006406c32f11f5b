"""Do the visits say what the evidence says? They can be folded anew from it."""

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="visits", help="Visits, folded from evidence.", no_args_is_help=True, rich_markup_mode=None
)


@group.callback()
def _group() -> None:
    """Visits, folded from evidence."""


@group.command(epilog="Example: m2s visits rebuild")
def rebuild(config: Config = None, as_json: AsJson = False) -> None:
    """Fold all visits anew from their evidence.

    By the rules of this version and the stores as they are now. Changes nothing where nothing of this has changed.
    Stop the server first.
    """
    from dataclasses import asdict

    from m2s.app.rebuild import rebuild_visits
    from m2s.entry.cli.desk import settings_of, writing
    from m2s.entry.cli.printing import counted, print_json, waiting

    settings = settings_of(config)
    with (
        writing(settings, instead="stop it first: nothing may come in while visits are rebuilt") as desk,
        waiting("reading evidence") as show,
    ):
        done = rebuild_visits(
            desk.database,
            desk.catalog(),
            now=desk.clock.now(),
            progress=lambda evidence: show(f"folded {evidence:,} of evidence"),
        )
    if as_json:
        print_json(asdict(done))
    else:
        read = f"{counted(done.stays, 'stay')} told by {done.evidence} of evidence"
        typer.echo(f"{read}: {done.changed} changed, {done.dropped} dropped")

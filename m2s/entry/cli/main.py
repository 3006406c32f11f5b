"""What can be typed after `m2s`? Every command, in one module per group; each loads what it needs when it runs."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from m2s.core.base.errors import M2sError
from m2s.entry.cli import (
    beacon,
    campaigns,
    customers,
    db,
    dead_letters,
    demo_command,
    doctor,
    explain,
    init,
    keys,
    purchases,
    replay,
    report,
    retention,
    serve,
    simulate,
    stores,
    visits,
    webhooks,
)


class _Refusing(TyperGroup):
    """Says what m2s refuses on standard error and ends with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except M2sError as error:
            print(_told(error), file=sys.stderr)  # noqa: T201
            raise typer.Exit(1) from None


app = typer.Typer(
    name="m2s",
    cls=_Refusing,
    help="Turns a phone near a shop into a visit that can be proved.",
    epilog="Start with: m2s demo, or m2s init",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"m2s {version('m2s')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


app.command(epilog=demo_command.EXAMPLE)(demo_command.demo)
app.command(epilog=init.EXAMPLE)(init.init)
app.command(epilog=serve.EXAMPLE)(serve.serve)
app.add_typer(stores.group)
app.add_typer(campaigns.group)
app.add_typer(purchases.group)
app.add_typer(customers.group)
app.add_typer(beacon.group)
app.command(epilog=replay.EXAMPLE)(replay.replay)
app.command(epilog=simulate.EXAMPLE)(simulate.simulate)
app.command(epilog=explain.EXAMPLE)(explain.explain)
app.command(epilog=report.EXAMPLE)(report.report)
app.add_typer(visits.group)
app.add_typer(keys.group)
app.add_typer(webhooks.group)
app.add_typer(db.group)
app.add_typer(dead_letters.group)
app.add_typer(retention.group)
app.command(epilog=doctor.EXAMPLE)(doctor.doctor)


def main() -> None:
    """Runs the command of `sys.argv`."""
    app(prog_name="m2s")


def _told(error: M2sError) -> str:
    """The error, and below it each of its problems that it does not already tell."""
    problems = [
        f"  {problem.pointer}: {problem.detail}"
        for problem in error.problems
        if problem.detail not in error.detail
    ]
    return "\n".join([f"m2s: {error.detail}", *problems])

"""Who is a customer already? The retailer's own base of a file."""

from pathlib import Path
from typing import Annotated

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="customers", help="The retailer's own base.", no_args_is_help=True, rich_markup_mode=None
)


@group.callback()
def _group() -> None:
    """The retailer's own base."""


@group.command("import", epilog="Example: m2s customers import base.csv --country FR")
def import_customers(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8, a line a customer.")],
    country: Annotated[
        str | None,
        typer.Option(metavar="CC", help="Of phone numbers without a calling code; else that of the stores."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take the retailer's own base: pivot ids, since when, and consents; again as often as it changes.

    A line that is wrong is told and costs itself only. Exit code 1 when a line was not taken.
    """
    from m2s.entry.cli.rows import import_rows

    if country is not None and not (len(country) == 2 and country.isalpha() and country.isupper()):
        raise typer.BadParameter(
            f"{country!r} is no country; write two letters, like FR", param_hint="--country"
        )
    import_rows(
        file, "customers", noun="customer", config=config, as_json=as_json, options={"country": country}
    )

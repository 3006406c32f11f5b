"""What did the tills take? Baskets of a file."""

from pathlib import Path
from typing import Annotated

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="purchases", help="Baskets of the tills.", no_args_is_help=True, rich_markup_mode=None
)


@group.callback()
def _group() -> None:
    """Baskets of the tills."""


@group.command("import", epilog="Example: m2s purchases import baskets.csv")
def import_purchases(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in UTF-8, a line a basket.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take the baskets of a file, each once, with the shopper of its pivot ids.

    A line that is wrong is told and costs itself only; what is there already is counted. Exit code 1 when a line was
    not taken.
    """
    from m2s.entry.cli.rows import import_rows

    import_rows(file, "purchases", noun="basket", config=config, as_json=as_json)

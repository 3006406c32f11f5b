"""What came of it? A report as a table, JSON or CSV, on screen or in a file."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from m2s.entry.cli.days import DAY, began, check_order, ended, in_reach, zone_of
from m2s.entry.cli.options import Config

if TYPE_CHECKING:
    from m2s.app.measure import Report, Span
    from m2s.bootstrap import Desk

EXAMPLE = "Example: m2s report stores --from 2026-11-01 --to 2026-11-30 --format csv --out november.csv"

_Name = Literal["visits", "offers", "stores", "beacons"]
_Format = Literal["table", "json", "csv"]


def report(
    name: Annotated[_Name, typer.Argument(metavar="visits|offers|stores|beacons", help="Which report.")],
    first: Annotated[
        datetime | None, typer.Option("--from", formats=DAY, callback=in_reach, help="The first day.")
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=DAY, callback=in_reach, help="The last day, which counts."),
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="ID", help="This store only.")] = None,
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="This campaign only.")] = None,
    form: Annotated[_Format, typer.Option("--format", help="How it is written.")] = "table",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to a file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    config: Config = None,
) -> None:
    """Print the figures of visits, offers, stores or beacons.

    `visits` are per store and day, `offers` come with their lift, `stores` are per store, `beacons` say what may be
    wrong with each. Days are those of the store named, else of the first store by id. Works beside a running server.
    """
    from m2s.entry.cli.desk import reading

    check_order(first, last)
    with reading(config) as desk:
        _refuse_unknown(desk, store, campaign)
        span = _span(desk, first, last, store=store, campaign=campaign)
        made = desk.reports.report(name, span)
    text = _text(made, "json" if as_json else form, to_file=out is not None)
    if out is None:
        typer.echo(text, nl=False)
        return
    _write(out, text)
    typer.echo(f"{out} is written")


def _refuse_unknown(desk: "Desk", store: str | None, campaign: str | None) -> None:
    from m2s.core.base.errors import NotFound

    if store is not None and store not in desk.catalog().stores:
        raise NotFound(f"there is no store {store!r}; `m2s stores list` shows those that exist")
    if campaign is not None and all(row.id != campaign for row in desk.publish.campaigns()):
        raise NotFound(f"there is no campaign {campaign!r}; `m2s campaigns list` shows those that exist")


def _span(
    desk: "Desk",
    first: datetime | None,
    last: datetime | None,
    *,
    store: str | None,
    campaign: str | None,
) -> "Span":
    from m2s.app.measure import Span

    zone = zone_of(desk.catalog().stores, store)
    span = Span(store_id=store, campaign_id=campaign)
    if first is not None:
        span = replace(span, since=began(first, zone))
    if last is not None:
        span = replace(span, until=ended(last, zone))
    return span


def _text(made: "Report", form: _Format, *, to_file: bool) -> str:
    from m2s.app.sheet import csv_text
    from m2s.entry.cli.printing import json_text, screen_width, text_for_screen

    if form == "json":
        return json_text(
            {
                "name": made.name,
                "columns": made.columns,
                "rows": made.rows,
                "as_of": made.as_of,
                "rule_version": made.rule_version,
            }
        )
    if form == "csv":
        return csv_text(made.columns, made.rows)
    rows = [[row[column] for column in made.columns] for row in made.rows]
    table = text_for_screen(made.columns, rows, width=None if to_file else screen_width())
    return f"{table}as of {made.as_of}, rules {made.rule_version}\n"


def _write(out: Path, text: str) -> None:
    from m2s.core.base.errors import Invalid

    try:
        # CSV brings its own line ends.
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {(error.strerror or str(error)).lower()}") from None

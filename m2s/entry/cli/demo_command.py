"""How is the demo watched? A live table or a line now and then, and the report beside the truth at the end."""

import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from rich.console import Group

    from m2s.entry.cli.demo import Demo, Moment, Results

EXAMPLE = "Example: m2s demo --for 60s --seed 7"

_SHOWN_EVERY_S = 0.5
_SHOPS_SHOWN = 12


def demo(
    show_time: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help="Show time at speed 1: 60s are one simulated day. Else until Ctrl-C, or a day with --headless.",
        ),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Run as fast as it can, unattended.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 7,
    speed: Annotated[float, typer.Option(min=0.01, help="How many times as fast the day goes by.")] = 1.0,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port; another one when it is taken.")
    ] = 8000,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep it all in a new folder, where every other command works."),
    ] = None,
) -> None:
    """Show m2s at work: a city, shops, shoppers.

    Real shops, four campaigns and simulated shoppers, in a temporary folder unless you keep it. Ends with what m2s
    measured beside what really happened; Ctrl-C ends it earlier.
    """
    import logging

    from m2s.bootstrap import configure_logs
    from m2s.entry.cli.demo import DAY_SHOWN_S, open_demo

    show_s = _seconds(show_time) if show_time else DAY_SHOWN_S if headless else None
    configure_logs(sys.stderr, level=logging.WARNING)
    with open_demo(seed=seed, port=port, keep=keep) as running:
        try:
            typer.echo(_attribution(running), err=True)
            typer.echo(f"m2s listens on {running.url}", err=as_json)
            moments = running.run(show_s)
            if headless and show_s is not None:
                _tell(moments, show_s)
            else:
                _watch(_paced(moments, speed), running)
        except KeyboardInterrupt:
            typer.echo("stopped; this is what came of it so far", err=True)
        results = running.results()
    if keep is not None:
        typer.echo(f"kept in {keep}: the database, m2s.toml and the campaigns", err=True)
    typer.echo(results.as_json() if as_json else _told(results))


def _seconds(text: str) -> float:
    from campaigns.values import BadValueError, duration

    try:
        return duration("1s", "4w")(text).total_seconds()
    except BadValueError as error:
        raise typer.BadParameter(f"{error}; write it like 60s or 10m", param_hint="--for") from None


def _paced(moments: "Iterable[Moment]", speed: float) -> "Iterator[Moment]":
    """The moments, none before its show time."""
    began_s = time.monotonic()
    for moment in moments:
        time.sleep(max(0.0, began_s + moment.shown_s / speed - time.monotonic()))
        yield moment


def _tell(moments: "Iterable[Moment]", show_s: float) -> None:
    """A progress bar on standard error, or, where that is no terminal, a line for every tenth."""
    from m2s.entry.cli.printing import progress

    with progress() as tell:
        for moment in moments:
            tell(moment.shown_s / show_s, f"{_clock(moment.now)}  {_sightings(moment)}")


def _watch(moments: "Iterable[Moment]", running: "Demo") -> None:
    """The busiest shops and the newest phone screen, redrawn twice a second."""
    from rich.console import Console
    from rich.live import Live

    next_s = 0.0
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        for moment in moments:
            if time.monotonic() >= next_s:
                live.update(screen(moment, running), refresh=True)
                next_s = time.monotonic() + _SHOWN_EVERY_S


def screen(moment: "Moment", running: "Demo") -> "Group":
    """What the live demo shows: the busiest shops, the newest phone screen, how to end it, and whose data it uses."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from m2s.app.measure import Span

    figures = ("visits", "passers_by", "exposures", "ghosts", "redemptions")
    table = Table(
        box=box.SIMPLE_HEAD, title=f"{_clock(moment.now)}   {_sightings(moment)}", title_justify="left"
    )
    table.add_column("shop")
    for name in figures:
        table.add_column(name.replace("_", " "), justify="right")
    midnight = moment.now.replace(hour=0, minute=0)
    rows = running.engine.reports.report("stores", Span(since=midnight)).rows
    for row in sorted(rows, key=lambda row: -row["visits"])[:_SHOPS_SHOWN]:
        table.add_row(Text(str(row["name"])), *(str(row[name]) for name in figures))
    newest = moment.screens.rstrip("\n").rpartition("┌")[2]
    foot = (Text("Ctrl-C ends the demo with its report."), Text(_attribution(running)))
    return Group(table, Text(f"┌{newest}" if newest else ""), *foot)


def _attribution(running: "Demo") -> str:
    return f"Shops {running.attribution}"


def _told(results: "Results") -> str:
    """What was measured beside what really happened."""
    from m2s.entry.cli.printing import table_text

    lift = results.lift
    shown = "too few to tell"
    if lift["difference"] is not None:
        shown = f"{lift['difference']:+.1%} ({lift['low']:+.1%} to {lift['high']:+.1%})"
    rows = [
        ("visits", f"{results.visits:,}", f"{results.true_visits:,}"),
        ("effect of the measured campaign", shown, f"{results.true_effect:+.1%}"),
        ("precision of the visits", f"{results.precision:.1%}" if results.visits else "", ""),
        ("recall of the visits", f"{results.recall:.1%}" if results.true_visits else "", ""),
        ("offers sent", f"{results.sends:,}", ""),
        ("offers held out", f"{results.ghosts:,}", ""),
        ("offers suppressed", f"{results.suppressed:,}", ""),
        ("coupons redeemed", f"{results.redemptions:,}", ""),
    ]
    end = f"{results.sightings:,} sightings in {results.wall_s:g} s"
    return table_text(("", "measured by m2s", "what really happened"), rows) + end


def _clock(now: datetime) -> str:
    return now.astimezone(ZoneInfo("Europe/Monaco")).strftime("%A %H:%M")


def _sightings(moment: "Moment") -> str:
    return f"{moment.total.sightings:,} sightings"

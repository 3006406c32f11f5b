"""What would applying campaign files change, whom would they reach, and what stands against them?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m2s.entry.cli.backtest import telling
from m2s.entry.cli.campaign_files import read_all
from m2s.entry.cli.days import instant
from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from m2s.app.campaign_plan import Plan

EXAMPLE = "Example: m2s campaigns plan campaigns/*.yaml"
_MOST_NAMED = 10


def plan(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="One campaign a file, YAML 1.2.")],
    days: Annotated[
        int, typer.Option(min=1, max=60, help="By the evidence of how many days before now, or before --at.")
    ] = 7,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As if it were then, for example in the season of last year."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say what applying campaign files would do; changes nothing.

    What differs from what runs, the stores, the people reachable by channel, what the evidence of the last days would
    have brought, money against the budget, parts of SMS, what the law forbids, rival offers, and which effect the
    holdout can show. Works beside a running server.
    """
    from m2s.bootstrap import making_much
    from m2s.entry.cli.desk import reading, text_of
    from m2s.entry.cli.printing import print_json, progress

    then = None if at is None else instant(at)
    with reading(config) as desk:
        campaigns = read_all(desk, files)
        plans = []
        with progress() as tell, making_much():
            for number, (file, campaign) in enumerate(zip(files, campaigns, strict=True)):
                told = telling(tell, number, len(files), str(file))
                plans.append(desk.plans.plan(campaign, text_of(file), days=days, at=then, progress=told))
    if as_json:
        print_json({"plans": [one.as_plain() for one in plans]})
        return
    for one in plans:
        _print(one)


def _print(plan: "Plan") -> None:
    from m2s.app.campaign_plan import last
    from m2s.entry.cli.printing import counted

    typer.echo(f"{plan.campaign_id}: {_CHANGES[plan.change]} (version {plan.version})")
    _lines(plan.differences)
    named = ", ".join(plan.stores[:_MOST_NAMED]) + (", …" if len(plan.stores) > _MOST_NAMED else "")
    people = "1 person was" if plan.seen == 1 else f"{plan.seen} people were"
    verb = "takes" if len(plan.stores) == 1 else "take"
    typer.echo(f"\n{counted(len(plan.stores), 'store')} {verb} part: {named or 'none'}")
    typer.echo(f"{people} seen there in the {last(plan.days)}; reachable of them:")
    _table(plan.reach)
    typer.echo(f"\nWhat the {last(plan.days)} would have brought ({plan.played.evidence} of evidence):")
    totals = plan.played.tally.campaigns(plan.played.used)
    _table([row for row in totals if row["campaign_id"] == plan.campaign_id])
    _table(plan.played.tally.offers())
    _table([row for row in plan.played.tally.reasons() if row["campaign_id"] == plan.campaign_id])
    _table([row for row in plan.played.tally.hours() if row["campaign_id"] == plan.campaign_id])
    _lines(plan.played.notes)
    typer.echo("\nMessages and money")
    _lines(plan.money)
    if plan.sms:
        typer.echo("\nSMS at their longest")
        _table(plan.sms)
    for title, lines in (("The law", plan.law), ("Rivals", plan.conflicts), ("The holdout", plan.power)):
        typer.echo(f"\n{title}")
        _lines(lines or ("nothing to say",))


_CHANGES = {
    "created": "would be new",
    "changed": "would change",
    "unchanged": "is in force as it is",
    "refused": "cannot be applied",
}


def _lines(lines: "Sequence[str]") -> None:
    for line in lines:
        typer.echo(f"  {line}")


def _table(rows: "Sequence[Any]") -> None:
    from m2s.entry.cli.printing import print_table

    if rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])

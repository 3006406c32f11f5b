"""Which campaigns run? YAML files checked and put into force, and campaigns paused, resumed and stopped."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from campaigns.model import Campaign
    from campaigns.outline import StoreOutline
    from campaigns.problems import Problem
    from m2s.bootstrap import Desk

group = typer.Typer(
    name="campaigns", help="Campaigns, one YAML file each.", no_args_is_help=True, rich_markup_mode=None
)

_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="One campaign a file, YAML 1.2.")]
_CampaignId = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.")]


@group.command(epilog="Example: m2s campaigns validate campaigns/*.yaml")
def validate(files: _Files, config: Config = None, as_json: AsJson = False) -> None:
    """Check campaign files; changes nothing.

    The names of stores, tags, zones and places are looked up in the database, where there is one. Prints every
    problem of every file; exit code 1 when there are any.
    """
    from dataclasses import asdict

    from m2s.bootstrap import database_file
    from m2s.entry.cli.desk import reading, settings_of
    from m2s.entry.cli.printing import counted, print_json

    database = database_file(settings_of(config))
    stores: list[StoreOutline] | None = None
    if database.exists():
        with reading(config) as desk:
            stores = _outlines(desk)
    read, problems = _read(files, stores)
    against = f"{counted(len(stores), 'store')} of {database}" if stores is not None else None
    if as_json:
        print_json(
            {
                "valid": [{"file": str(file), "campaign_id": campaign.id} for file, _, campaign in read],
                "problems": [asdict(problem) for problem in problems],
                "checked_against": against,
            }
        )
    else:
        for file, _, campaign in read:
            typer.echo(f"{file}: valid (campaign {campaign.id}, {counted(len(campaign.offers), 'offer')})")
        if against:
            typer.echo(f"Checked against {against}.")
        _tell(problems)
    if against is None:
        told = (
            "whether stores, tags, brands, zones and places exist was NOT checked. Is this the right folder?"
        )
        typer.echo(f"m2s: there is no database {database.absolute()}: {told}", err=True)
    if problems:
        raise typer.Exit(1)


@group.command(epilog="Example: m2s campaigns apply campaigns/*.yaml")
def apply(files: _Files, config: Config = None, as_json: AsJson = False) -> None:
    """Put campaign files into force: all, or none.

    When one has a problem, nothing is applied. A paused campaign stays paused.
    """
    from m2s.entry.cli.desk import settings_of, writing
    from m2s.entry.cli.printing import print_json

    route = "use PUT /v1/campaigns/{id} there, or stop it first"
    with writing(settings_of(config), instead=route) as desk:
        read, problems = _read(files, _outlines(desk))
        if problems:
            _tell(problems)
            typer.echo("m2s: nothing was applied", err=True)
            raise typer.Exit(1)
        _refuse_what_cannot_be_applied([campaign for _, _, campaign in read], desk)
        done = [desk.publish.apply_campaign(None, text, file=str(file)) for file, text, _ in read]
    if as_json:
        changes = [
            {"campaign_id": it.campaign.id, "change": it.change, "state": it.campaign.state} for it in done
        ]
        print_json({"campaigns": changes})
        return
    for applied in done:
        state = "" if applied.campaign.state == "active" else f" ({applied.campaign.state})"
        typer.echo(f"{applied.campaign.id}: {applied.change}{state}")


@group.command("list", epilog="Example: m2s campaigns list")
def list_campaigns(config: Config = None, as_json: AsJson = False) -> None:
    """List every campaign ever applied, with its state."""
    from m2s.core.base.instants import rfc3339
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        rows = desk.publish.campaigns()
    columns = ("campaign_id", "state", "version", "applied_at")
    cells = [(row.id, row.state, row.version, rfc3339(row.applied_at)) for row in rows]
    if as_json:
        print_json({"campaigns": [dict(zip(columns, cell, strict=True)) for cell in cells]})
    else:
        print_table(columns, cells)


@group.command(epilog="Example: m2s campaigns pause croissant-november")
def pause(campaign_id: _CampaignId, config: Config = None) -> None:
    """Send nothing until the campaign is resumed."""
    _set_state("pause", campaign_id, config)


@group.command(epilog="Example: m2s campaigns resume croissant-november")
def resume(campaign_id: _CampaignId, config: Config = None) -> None:
    """Send again after a pause."""
    _set_state("resume", campaign_id, config)


@group.command(epilog="Example: m2s campaigns stop croissant-november")
def stop(campaign_id: _CampaignId, config: Config = None) -> None:
    """End a campaign for good."""
    _set_state("stop", campaign_id, config)


def _set_state(verb: str, campaign_id: str, config: Path | None) -> None:
    from m2s.entry.cli.desk import settings_of, writing

    route = f"use POST /v1/campaigns/{campaign_id}/{verb} there, or stop it first"
    with writing(settings_of(config), instead=route) as desk:
        change = {"pause": desk.publish.pause, "resume": desk.publish.resume, "stop": desk.publish.stop}[verb]
        row = change(campaign_id)
    typer.echo(f"{row.id}: {row.state}")


def _outlines(desk: "Desk") -> "list[StoreOutline]":
    from m2s.app.publish import outline_of

    return [outline_of(store) for store in desk.catalog().stores.values()]


def _read(
    files: Iterable[Path], stores: "Sequence[StoreOutline] | None"
) -> "tuple[list[tuple[Path, bytes, Campaign]], list[Problem]]":
    """The files that are valid, and every problem of the others."""
    from campaigns.problems import CampaignProblems
    from campaigns.reader import read_campaign
    from m2s.entry.cli.desk import bytes_of

    read, problems = [], []
    for file in files:
        text = bytes_of(file)
        try:
            read.append((file, text, read_campaign(text, str(file), stores=stores)))
        except CampaignProblems as found:
            problems += found.problems
    return read, problems


def _refuse_what_cannot_be_applied(campaigns: "Sequence[Campaign]", desk: "Desk") -> None:
    """Raises Conflict when two files hold one campaign, or one that was stopped: before anything is applied."""
    from m2s.core.base.errors import Conflict

    twice, times = Counter(campaign.id for campaign in campaigns).most_common(1)[0]
    if times > 1:
        raise Conflict(f"{times} of the files hold the campaign {twice!r}; nothing was applied")
    stopped = {row.id for row in desk.publish.campaigns() if row.state == "stopped"}
    for campaign in campaigns:
        if campaign.id in stopped:
            raise Conflict(
                f"the campaign {campaign.id!r} was stopped for good; give it another id after `campaign:`."
                " Nothing was applied"
            )


def _tell(problems: "Sequence[Problem]") -> None:
    from m2s.entry.cli.printing import counted

    for problem in problems:
        print(f"{problem}\n{problem.excerpt()}", file=sys.stderr)  # noqa: T201
    if problems:
        print(counted(len(problems), "problem"), file=sys.stderr)  # noqa: T201

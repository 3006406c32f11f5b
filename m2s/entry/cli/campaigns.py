"""Which campaigns run? YAML files checked and put into force, and campaigns paused, resumed and stopped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m2s.entry.cli import backtest, campaign_plan
from m2s.entry.cli.campaign_files import tell_problems, texts_of
from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from campaigns.outline import StoreOutline

group = typer.Typer(
    name="campaigns", help="Campaigns, one YAML file each.", no_args_is_help=True, rich_markup_mode=None
)

_Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="One campaign a file, YAML 1.2.")]
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
    from m2s.entry.cli.orders import outlines, read_campaigns
    from m2s.entry.cli.printing import counted, print_json

    settings = settings_of(config)
    database = database_file(settings)
    stores: list[StoreOutline] | None = None
    if database.exists():
        with reading(config) as desk:
            stores = outlines(desk)
    read, problems = read_campaigns(texts_of(files), stores, settings.sms_rules)
    against = f"{counted(len(stores), 'store')} of {database}" if stores is not None else None
    if as_json:
        print_json(
            {
                "valid": [{"file": file, "campaign_id": campaign.id} for file, _, campaign in read],
                "problems": [asdict(problem) for problem in problems],
                "checked_against": against,
            }
        )
    else:
        for file, _, campaign in read:
            typer.echo(f"{file}: valid (campaign {campaign.id}, {counted(len(campaign.offers), 'offer')})")
        if against:
            typer.echo(f"Checked against {against}.")
        tell_problems(problems)
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
    from campaigns.problems import Problem
    from m2s.entry.cli.desk import carry_out, settings_of
    from m2s.entry.cli.printing import print_json

    done = carry_out(settings_of(config), "campaigns apply", files=texts_of(files))
    if done["problems"]:
        tell_problems([Problem(**problem) for problem in done["problems"]])
        typer.echo("m2s: nothing was applied", err=True)
        raise typer.Exit(1)
    if as_json:
        print_json({"campaigns": done["campaigns"]})
        return
    for applied in done["campaigns"]:
        state = "" if applied["state"] == "active" else f" ({applied['state']})"
        typer.echo(f"{applied['campaign_id']}: {applied['change']}{state}")


@group.command("list", epilog="Example: m2s campaigns list")
def list_campaigns(config: Config = None, as_json: AsJson = False) -> None:
    """List every campaign ever applied, with its state."""
    from m2s.app.deciding import published_salt
    from m2s.core.base.instants import rfc3339
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        rows, universal_salt = desk.publish.campaigns(), published_salt(desk.database)
    columns = ("campaign_id", "state", "version", "applied_at")
    cells = [(row.id, row.state, row.version, rfc3339(row.applied_at)) for row in rows]
    if as_json:
        told = [
            dict(zip(columns, cell, strict=True)) | {"salt": row.salt}
            for cell, row in zip(cells, rows, strict=True)
        ]
        print_json({"campaigns": told, "universal_salt": universal_salt})
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


@group.command(epilog="Example: m2s campaigns schema > campaign.schema.json")
def schema() -> None:
    """Print the JSON Schema of campaign files, by which editors complete and check them."""
    from campaigns.schema import campaign_schema
    from m2s.entry.cli.printing import print_json

    print_json(campaign_schema())


group.command(epilog=campaign_plan.EXAMPLE)(campaign_plan.plan)
group.command(epilog=backtest.EXAMPLE)(backtest.backtest)


def _set_state(verb: str, campaign_id: str, config: Path | None) -> None:
    from m2s.entry.cli.desk import carry_out, settings_of

    done = carry_out(settings_of(config), f"campaigns {verb}", campaign_id=campaign_id)
    typer.echo(f"{done['campaign_id']}: {done['state']}")

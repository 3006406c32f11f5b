"""What would campaign files have sent? Stored evidence played again, one file or two versions side by side."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from m2s.entry.cli.campaign_files import read_all
from m2s.entry.cli.days import DAY, began, check_order, ended, in_reach, zone_of
from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from campaigns.model import Campaign
    from m2s.app.backtest import Played

EXAMPLE = "Example: m2s campaigns backtest campaigns/welcome.yaml --from 2026-11-02 --to 2026-11-08"
_MOST_STORES = 20
_IN_FORCE = "in force"


def backtest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Campaigns to try.")],
    first: Annotated[datetime, typer.Option("--from", formats=DAY, callback=in_reach, help="The first day.")],
    last: Annotated[
        datetime, typer.Option("--to", formats=DAY, callback=in_reach, help="The last day, which counts.")
    ],
    against: Annotated[
        bool, typer.Option("--against-running", help="Play what runs now as well, side by side.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Play stored evidence again, and say what would have been sent.

    The files take part with everything that runs, in place of campaigns of the same id. Files that hold the same
    campaign are versions of it: each is played alone, side by side. Days are those of the first store by id. Changes
    nothing; works beside a running server.
    """
    from m2s.bootstrap import making_much
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, progress

    check_order(first, last)
    with reading(config) as desk:
        zone = zone_of(desk.catalog().stores)
        since, until = began(first, zone), ended(last, zone)
        tries = _tries(files, read_all(desk, files), against=against)
        played = []
        with progress() as tell, making_much():
            for number, (name, campaigns) in enumerate(tries):
                scenario = desk.backtest.scenario(name, campaigns, since=since, until=until)
                tell_share = telling(tell, number, len(tries), name)
                played.append(desk.backtest.play(scenario, since=since, until=until, progress=tell_share))
    if as_json:
        print_json({"runs": [one.as_plain() for one in played]})
    else:
        _print(played)


def _tries(
    files: Sequence[Path], campaigns: "Sequence[Campaign]", *, against: bool
) -> "list[tuple[str, list[Campaign]]]":
    versions = max(Counter(campaign.id for campaign in campaigns).values())
    if versions > 1:
        tries = [(str(file), [campaign]) for file, campaign in zip(files, campaigns, strict=True)]
    else:
        tries = [(", ".join(map(str, files)), list(campaigns))]
    return [*tries, (_IN_FORCE, [])] if against else tries


def telling(
    tell: Callable[[float, str], None], number: int, runs: int, name: str
) -> Callable[[float], object]:
    """What tells the share of one of several runs as a share of all."""
    return lambda share: tell((number + share) / runs, name)


def _print(played: "Sequence[Played]") -> None:
    from m2s.app.tally import TABLES
    from m2s.entry.cli.printing import counted, print_table

    for run in played:
        typer.echo(f"{run.name}: {run.evidence} of evidence played")
    for note in dict.fromkeys(note for run in played for note in run.notes):
        typer.echo(f"- {note}")
    for title, table in TABLES.items():
        rows = [(run.name, row) for run in played for row in table(run.tally, run.used)]
        if not rows:
            continue
        keys = [
            name for name, value in rows[0][1].items() if name.endswith("_id") or name in ("hour", "reason")
        ]
        rows.sort(key=lambda one: [str(one[1][key]).rjust(2) for key in keys] if title != "reasons" else [])
        shown = rows[: _MOST_STORES * len(played)] if title == "stores" else rows
        columns = list(rows[0][1])
        names = ["version", *columns] if len(played) > 1 else columns
        typer.echo(f"\n{title}")
        print_table(
            names, [[*([name] * (len(played) > 1)), *(row[key] for key in columns)] for name, row in shown]
        )
        if len(shown) < len(rows):
            typer.echo(f"and {counted(len(rows) - len(shown), 'more row')}; --json has all of them")

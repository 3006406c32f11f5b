"""Is this installation fit to serve? Configuration, database, channels, providers and clock, each with what to do."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from m2s.app.doctor import Finding
    from m2s.settings import Settings

EXAMPLE = "Example: m2s doctor"
_COLUMNS = ("check", "result", "found", "do")


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Check configuration, database, channels, providers and clock. Sends nothing to anybody.

    Each provider that has a section in m2s.toml is asked whether it knows us, also before it carries a channel.
    """
    from m2s.entry.cli.desk import settings_of
    from m2s.entry.cli.printing import print_json, print_table

    found = list(_findings(settings_of(config)))
    if as_json:
        told = [
            {"check": name, "well": finding.well, "found": finding.said, "do": finding.advice or None}
            for name, finding in found
        ]
        print_json({"checks": told})
    else:
        rows = [(name, _result(finding), finding.said, finding.advice) for name, finding in found]
        print_table(_COLUMNS, rows)
    if not all(finding.well for _, finding in found):
        raise typer.Exit(1)


def _findings(settings: "Settings") -> Iterator[tuple[str, "Finding"]]:
    from m2s.app.doctor import Finding
    from m2s.bootstrap import check_channels

    yield "configuration", Finding(True, f"it can be read; mode is {settings.mode}")
    found, written_at = _database(settings)
    yield "database", found
    yield from check_channels(settings, written_at)


def _database(settings: "Settings") -> tuple["Finding", datetime | None]:
    """What is found of the database, and when it was last written to be sure."""
    from m2s.app.doctor import WRITTEN_AT, Finding
    from m2s.bootstrap import database_file, database_owner
    from m2s.core.base.errors import M2sError
    from m2s.core.base.instants import parse_rfc3339
    from m2s.entry.cli.desk import reading_of

    try:
        with reading_of(settings) as desk, desk.database.read() as records:
            written = records.catalog.setting(WRITTEN_AT)
    except M2sError as error:
        return Finding(False, error.detail, "do what it says, then ask again"), None
    owner = database_owner(settings)
    said = f"{database_file(settings)} can be read; " + (
        f"{owner} serves it" if owner else "nobody serves it"
    )
    return Finding(True, said), None if written is None else parse_rfc3339(written)


def _result(finding: "Finding") -> str:
    if not finding.well:
        return "wrong"
    return "look" if finding.advice else "well"

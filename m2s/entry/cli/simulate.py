"""How would a service fare with a city of phones? Simulated days are sent to it, or written down with the truth."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m2s.entry.cli.options import AsJson

if TYPE_CHECKING:
    from beacons.sim.scenario import Scenario
    from m2s.entry.cli.simulating import Run

EXAMPLE = "Example: m2s simulate high_street --out day.jsonl"


def simulate(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A YAML file, or the name of a scenario of m2s.")
    ],
    url: Annotated[str, typer.Option(help="Where the service listens.")] = "http://127.0.0.1:8000",
    key: Annotated[
        str | None,
        typer.Option(
            help="A key of role admin: missing stores are published, keys for app and tills made and revoked."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the scenario's.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=366, help="Instead of the scenario's.")] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=1, help="Times as fast as the clock; 1 is today, live. Else as fast as it can."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write sightings and truth as JSON lines instead of sending."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what really happened to a file of its own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would run, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate shoppers, their phones and a store's beacons.

    Scenarios of m2s: high_street, mall, retail_park, bakery_chain, beacon_aisles. The same seed gives the same
    sightings.
    """
    from m2s.core.base.errors import Invalid
    from m2s.entry.cli.printing import print_json

    chosen = _loaded(scenario, seed=seed, days=days)
    if dry_run:
        counted = chosen.counted()
        print_json(counted) if as_json else typer.echo(_counted(counted))
        return
    if out is None and key is None:
        raise typer.BadParameter(
            "sending needs a key of role admin, which `m2s init` prints; --out FILE writes without a service",
            param_hint="--key",
        )
    try:
        figures = _run(chosen, url=url, key=key, speed=speed, out=out, truth=truth)
    except OSError as error:
        raise Invalid(f"{error.filename or url}: {(error.strerror or str(error)).lower()}") from None
    print_json(figures) if as_json else typer.echo(_told(figures))


def _loaded(named: str, **instead: int | None) -> "Scenario":
    """The scenario, with what is given instead of its own; ends the command with every problem of its file."""
    from dataclasses import replace

    from m2s.entry.cli.printing import counted
    from m2s.entry.cli.scenario_file import ScenarioProblems, load_scenario

    try:
        given: dict[str, Any] = {name: value for name, value in instead.items() if value is not None}
        return replace(load_scenario(named), **given)
    except ScenarioProblems as found:
        for problem in found.problems:
            typer.echo(f"{problem}\n{problem.excerpt()}", err=True)
        typer.echo(counted(len(found.problems), "problem"), err=True)
        raise typer.Exit(1) from None


def _run(
    scenario: "Scenario",
    *,
    url: str,
    key: str | None,
    speed: float | None,
    out: Path | None,
    truth: Path | None,
) -> dict[str, Any]:
    from m2s.entry.cli.simulating import recorded, sent, write_truth

    running = recorded(scenario, out, speed) if out else sent(scenario, url, key=key or "", speed=speed)
    with truth.open("w", encoding="utf-8") if truth else nullcontext() as file, running as run:
        _watch(run)
        if file is not None:
            write_truth(run.simulation, file)
        return run.figures()


def _watch(run: "Run") -> None:
    """Goes through the run, with a progress bar; Ctrl-C ends it with what came of it so far."""
    from m2s.entry.cli.printing import progress

    try:
        with progress() as tell:
            for moment in run.moments():
                tell(moment.done, f"{moment.now:%a %d %b %H:%M}  {moment.sightings:,} sightings")
    except KeyboardInterrupt:
        typer.echo("stopped; this is what came of it so far", err=True)


def _counted(counted: dict[str, Any]) -> str:
    rows = []
    for name, value in counted.items():
        if isinstance(value, dict):
            rows += [(f"{name}: {part}", many) for part, many in value.items() if many]
        else:
            rows.append((name, value))
    return "\n".join(f"{name.replace('_', ' '):<28}{value}" for name, value in rows)


def _told(figures: dict[str, Any]) -> str:
    return "\n".join(
        f"{name.replace('_', ' '):<28}{value:,}" if isinstance(value, int) else f"{name:<28}{value}"
        for name, value in figures.items()
    )

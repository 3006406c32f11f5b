"""How is what is too old dropped now, without waiting for the server's heartbeat?"""

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="retention", help="What is kept how long.", no_args_is_help=True, rich_markup_mode=None
)

_STEP_S = 5.0
"""How long one step takes at most; after each the count is shown."""

_KINDS = ("sightings", "evidence", "dead_letters", "research")


@group.callback()
def _group() -> None:
    """What is kept how long."""


@group.command(epilog="Example: m2s retention run")
def run(config: Config = None, as_json: AsJson = False) -> None:
    """Drop what is older than `m2s.toml` says.

    A running server does this by itself every minute.
    """
    from m2s.entry.cli.desk import carry_out, settings_of
    from m2s.entry.cli.printing import print_json, waiting

    settings = settings_of(config)
    total = dict.fromkeys(_KINDS, 0)
    finished = False
    with waiting("looking for what is too old") as show:
        while not finished:
            step = carry_out(settings, "retention run", most_s=_STEP_S)
            finished = step["finished"]
            for kind in _KINDS:
                total[kind] += step[kind]
            show(f"dropped so far: {_told(total)}")
    if as_json:
        print_json(total)
    else:
        typer.echo(f"dropped {_told(total)}")


def _told(total: dict[str, int]) -> str:
    from m2s.entry.cli.printing import counted

    letters = counted(total["dead_letters"], "dead letter")
    research = counted(total["research"], "research event")
    return (
        f"{counted(total['sightings'], 'sighting')}, {total['evidence']} of evidence, {letters}, {research}"
    )

"""What could not be processed, and what becomes of it? Listed with its cause, tried again, or dropped."""

from typing import TYPE_CHECKING, Annotated

import typer

from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from m2s.app.rows import DeadLetterRow

group = typer.Typer(
    name="dead-letters",
    help="Sightings and messages that could not be processed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

LetterId = Annotated[
    str, typer.Argument(metavar="ID", help="The letter's id, as `m2s dead-letters list` shows it.")
]


@group.command("list", epilog="Example: m2s dead-letters list")
def list_letters(config: Config = None, as_json: AsJson = False) -> None:
    """List them, oldest first.

    Works beside a running server. With --json each has its sighting, as the phone sent it, or its message.
    """
    from m2s.core.base.instants import from_ms, rfc3339
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        rows = desk.dead_letters.list()
    if as_json:
        print_json({"dead_letters": [_as_json(row) for row in rows]})
        return
    columns = ("dead_letter_id", "kind", "device_id", "received_at", "tries", "cause")
    print_table(
        columns,
        [
            (row.id, row.kind, row.device_id, rfc3339(from_ms(row.received_at_ms)), row.tries, row.cause)
            for row in rows
        ],
    )


@group.command(epilog="Example: m2s dead-letters replay dl_0f3a9c51d2e47b86")
def replay(letter_id: LetterId, config: Config = None, as_json: AsJson = False) -> None:
    """Process one again: a sighting as of its first receipt, a message while it is valid.

    It is gone from the list unless it fails again; then it stays, with one more try. A message leaves only if the law,
    the shopper's consent and the limits let it leave now: `m2s explain` tells what became of it.
    """
    from m2s.entry.cli.desk import carry_out, settings_of
    from m2s.entry.cli.printing import print_json

    replayed = carry_out(settings_of(config), "dead-letters replay", letter_id=letter_id)
    if as_json:
        print_json({"dead_letter_id": letter_id, **replayed})
    else:
        detail = f" ({replayed['detail']})" if replayed["detail"] else ""
        typer.echo(f"{letter_id}: {replayed['verdict']}{detail}")


@group.command(epilog="Example: m2s dead-letters drop dl_0f3a9c51d2e47b86")
def drop(letter_id: LetterId, config: Config = None) -> None:
    """Drop one for good."""
    from m2s.entry.cli.desk import carry_out, settings_of

    carry_out(settings_of(config), "dead-letters drop", letter_id=letter_id)
    typer.echo(f"{letter_id} is dropped")


def _as_json(row: "DeadLetterRow") -> dict[str, object]:
    import json

    from m2s.core.base.instants import from_ms, rfc3339

    return {
        "dead_letter_id": row.id,
        "kind": row.kind,
        "device_id": row.device_id,
        "received_at": rfc3339(from_ms(row.received_at_ms)),
        "tries": row.tries,
        "last_tried_at": rfc3339(row.at),
        "cause": row.cause,
        row.kind: json.loads(row.body),
    }

"""Who may call the HTTP routes? Keys, each with a role; the secret is shown once."""

from typing import Annotated, Literal

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="keys", help="Keys for the HTTP routes.", no_args_is_help=True, rich_markup_mode=None
)

_KeyRole = Literal["sdk", "server", "manager", "till", "analyst", "privacy", "admin"]


@group.command(epilog="Example: m2s keys create --role till --store monaco-centre")
def create(
    role: Annotated[_KeyRole, typer.Option(help="What the key may do.")],
    store: Annotated[
        str | None, typer.Option(metavar="ID", help="The store that a till key is bound to.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it, this once."""
    from m2s.core.base.errors import Invalid
    from m2s.entry.cli.desk import carry_out, settings_of
    from m2s.entry.cli.printing import print_json

    if role == "till" and store is None:
        raise Invalid("a till key is bound to one store: add --store and an id that `m2s stores list` shows")
    if role != "till" and store is not None:
        raise Invalid(f"only a till key is bound to a store: leave --store out for the role {role}")
    made = carry_out(settings_of(config), "keys create", role=role, store_id=store)
    if as_json:
        print_json(made)
    else:
        typer.echo(made["key"])
        typer.echo(f"This is the key {made['key_id']}: keep it, it cannot be shown again.", err=True)


@group.command("list", epilog="Example: m2s keys list")
def list_keys(config: Config = None, as_json: AsJson = False) -> None:
    """List all keys, revoked ones too."""
    from m2s.core.base.instants import rfc3339
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        rows = desk.access.list()
    columns = ("key_id", "role", "store_id", "created_at", "revoked_at")
    cells = [
        (
            row.id,
            str(row.role),
            row.store_id,
            rfc3339(row.created_at),
            row.revoked_at and rfc3339(row.revoked_at),
        )
        for row in rows
    ]
    if as_json:
        print_json({"keys": [dict(zip(columns, cell, strict=True)) for cell in cells]})
    else:
        print_table(columns, cells)


@group.command(epilog="Example: m2s keys revoke 7h2k9q4m")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `m2s keys list` shows it.")],
    config: Config = None,
) -> None:
    """End a key at once."""
    from m2s.entry.cli.desk import carry_out, settings_of

    carry_out(settings_of(config), "keys revoke", key_id=key_id)
    typer.echo(f"{key_id} is revoked")

"""Which systems of the retailer's are told what happens? Endpoints; a secret is shown once."""

from typing import Annotated

import typer

from m2s.entry.cli.options import AsJson, Config

group = typer.Typer(
    name="webhooks",
    help="Your own systems that are told of visits, messages and coupons.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The id, as `m2s webhooks list` shows it.")]
_COLUMNS = ("webhook_id", "url", "events", "state", "reason", "created_at")


@group.command(epilog="Example: m2s webhooks add https://shop.example/m2s --event 'visit.*'")
def add(
    url: Annotated[str, typer.Argument(help="Where events are posted.")],
    event: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What is told, as often as needed; default: all.")
    ] = None,
    description: Annotated[str, typer.Option(help="What is there, for people.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Tell an address events, and print the secret that signs them, this once."""
    from m2s.entry.cli.desk import carry_out, settings_of

    made = carry_out(
        settings_of(config), "webhooks add", url=url, events=event or ["*"], description=description
    )
    _show(made, as_json=as_json)


@group.command("list", epilog="Example: m2s webhooks list")
def list_webhooks(config: Config = None, as_json: AsJson = False) -> None:
    """List all endpoints, disabled ones too; works beside a running server."""
    from m2s.core.base.instants import rfc3339
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        rows = desk.webhooks.every()
    cells = [(row.id, row.url, row.events, row.state, row.reason, rfc3339(row.created_at)) for row in rows]
    if as_json:
        print_json({"webhooks": [dict(zip(_COLUMNS, cell, strict=True)) for cell in cells]})
    else:
        print_table(_COLUMNS, cells)


@group.command(epilog="Example: m2s webhooks rotate whk_01k9x0c2e4p6r8t0v2x4z6b8d0")
def rotate(webhook_id: WebhookId, config: Config = None, as_json: AsJson = False) -> None:
    """Print a new secret, this once; for a day the one of before signs as well."""
    from m2s.entry.cli.desk import carry_out, settings_of

    _show(carry_out(settings_of(config), "webhooks rotate", webhook_id=webhook_id), as_json=as_json)


@group.command(epilog="Example: m2s webhooks remove whk_01k9x0c2e4p6r8t0v2x4z6b8d0")
def remove(webhook_id: WebhookId, config: Config = None) -> None:
    """Tell an address nothing more, and drop what it was told."""
    from m2s.entry.cli.desk import carry_out, settings_of

    carry_out(settings_of(config), "webhooks remove", webhook_id=webhook_id)
    typer.echo(f"{webhook_id} is removed")


def _show(made: dict[str, str], *, as_json: bool) -> None:
    from m2s.entry.cli.printing import print_json

    if as_json:
        print_json(made)
        return
    typer.echo(made["secret"])
    typer.echo(
        f"This is the secret of the webhook {made['webhook_id']}: keep it, it cannot be shown again.",
        err=True,
    )

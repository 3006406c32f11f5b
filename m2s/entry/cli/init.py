"""How does an installation begin? With a folder that works: configuration, a store, a campaign, a database, keys."""

import shlex
from contextlib import chdir
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: m2s init shop && cd shop"

_CONFIGURATION = "m2s.toml"
"""May hold the secret that signs webhooks, so that only its owner can read it."""

_NEXT = """\
{folder} is ready: m2s.toml, stores.geojson, campaigns/welcome.yaml, {database}.

Three keys; they are not kept and cannot be shown again:
  {admin}
    admin: for you, to create and revoke keys over HTTP while the server runs
  {manager}
    manager: for campaign managers and your scripts, to change stores and campaigns and read reports over HTTP
  {sdk}
    sdk: for your app, which registers each phone with it

Next{change_folder}:
  m2s stores import stores.geojson
  m2s campaigns apply campaigns/*.yaml
  m2s serve"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; this folder by default.")] = Path(),
) -> None:
    """Begin an installation: a folder that works.

    Writes m2s.toml, stores.geojson and campaigns/welcome.yaml, creates the database and prints keys for you,
    for campaign managers and for your app. Files that exist are never overwritten: then nothing is written at all.
    """
    from m2s.app.access import Role
    from m2s.bootstrap import database_file, upgrade_database
    from m2s.core.base.errors import Conflict, Invalid
    from m2s.entry.cli.desk import owning, settings_of, writing

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"{folder} cannot be made: {(error.strerror or str(error)).lower()}") from None
    with chdir(folder):
        new = _new_files()
        existing = [path for path in new if Path(path).exists()]
        if existing:
            raise Conflict(f"{folder / existing[0]} exists already; nothing was written")
        try:
            _write(new)
        except OSError as error:
            raise Invalid(
                f"{folder / error.filename} cannot be written: {(error.strerror or str(error)).lower()}"
            ) from None
        settings = settings_of(Path(_CONFIGURATION))
        with owning(settings, instead="stop it first"):
            upgrade_database(settings)
        with writing(settings, instead="stop it first") as desk:
            keys = {
                role.value: desk.access.create_key(role)[1] for role in (Role.ADMIN, Role.MANAGER, Role.SDK)
            }
        database = database_file(settings)
    elsewhere = folder.resolve() != Path.cwd()
    typer.echo(
        _NEXT.format(
            folder=folder if elsewhere else "This folder",
            database=database,
            **keys,
            change_folder=f", in {shlex.quote(str(folder))}" if elsewhere else "",
        )
    )


def _write(new: dict[str, str]) -> None:
    for path, text in new.items():
        Path(path).parent.mkdir(exist_ok=True)
        if path == _CONFIGURATION:
            Path(path).touch(0o600)
        Path(path).write_text(text, encoding="utf-8")


def _new_files() -> dict[str, str]:
    templates = files("m2s.entry.cli") / "templates"
    examples = files("campaigns") / "examples"
    return {
        _CONFIGURATION: (templates / _CONFIGURATION).read_text(encoding="utf-8"),
        "stores.geojson": (templates / "stores.geojson").read_text(encoding="utf-8"),
        "campaigns/welcome.yaml": (examples / "welcome.yaml").read_text(encoding="utf-8"),
    }

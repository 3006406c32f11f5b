"""Which stores are there, and what should be put right about them?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from m2s.core.places.store import Store

group = typer.Typer(
    name="stores", help="Stores with their zones and beacons.", no_args_is_help=True, rich_markup_mode=None
)

_FORMAT_OF_SUFFIX = {".geojson": "geojson", ".json": "geojson", ".csv": "csv"}
_STORE_ID = Annotated[str, typer.Argument(metavar="ID", help="The store's id.")]


@group.command("import", epilog="Example: m2s stores import stores.geojson")
def import_stores(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="GeoJSON or CSV, in UTF-8.")],
    file_format: Annotated[
        Literal["geojson", "csv", "osm"] | None,
        typer.Option(
            "--format", help="Else told by the file's name; osm is GeoJSON with OpenStreetMap tags."
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Add or replace the stores of a file: all, or none."""
    from m2s.entry.cli.desk import carry_out, settings_of, text_of
    from m2s.entry.cli.printing import counted, print_json, waiting

    chosen = file_format or _FORMAT_OF_SUFFIX.get(file.suffix.lower())
    if chosen is None:
        raise typer.BadParameter(f"what is {file}? add --format geojson, csv or osm", param_hint="--format")
    settings = settings_of(config)
    text = text_of(file)
    with waiting(f"importing {file}"):
        done = carry_out(
            settings,
            "stores import",
            file=str(file),
            text=text,
            file_format=chosen,
            timezone=settings.timezone,
        )
    if as_json:
        print_json(done)
    else:
        added = counted(done["created"], "store")
        typer.echo(f"{added} added, {done['replaced']} replaced (catalog version {done['version']})")


@group.command("list", epilog="Example: m2s stores list")
def list_stores(config: Config = None, as_json: AsJson = False) -> None:
    """List the stores; --json gives what `import` reads."""
    from m2s.core.places.geojson import store_to_feature
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        stores = list(desk.catalog().stores.values())
    if as_json:
        features = [store_to_feature(store) for store in stores]
        print_json({"type": "FeatureCollection", "features": features})
        return
    columns = ("id", "name", "store_type", "zones", "beacons", "timezone", "opening_hours")
    print_table(
        columns,
        (
            (
                store.id,
                store.name,
                store.store_type.value,
                len(store.zones),
                len(store.beacons),
                store.timezone,
                store.opening_hours,
            )
            for store in stores
        ),
    )


@group.command(epilog="Example: m2s stores show monaco-centre")
def show(store_id: _STORE_ID, config: Config = None, as_json: AsJson = False) -> None:
    """Show one store with its zones and beacons."""
    from m2s.core.base.errors import NotFound
    from m2s.core.places.geojson import store_to_feature
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json, print_table

    with reading(config) as desk:
        store = desk.catalog().stores.get(store_id)
    if store is None:
        raise NotFound(f"there is no store {store_id!r}; `m2s stores list` shows those that exist")
    if as_json:
        print_json(store_to_feature(store))
    else:
        print_table((store.id, store.name), _facts(store))


@group.command(epilog="Example: m2s stores check")
def check(config: Config = None, as_json: AsJson = False) -> None:
    """Say what will make visits unsure.

    Overlaps, premises that are too small, missing hours or zones; and what the evidence of the last 28 days says of
    radius, dwell and who drives by. Exit code 1 when there are errors.
    """
    from dataclasses import asdict

    from m2s.app.advice import advise
    from m2s.core.places.check import check_stores
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import counted, print_json, waiting

    with reading(config) as desk, desk.database.read() as records, waiting("reading evidence") as show:
        catalog = desk.catalog()
        stores = list(catalog.stores.values())
        findings = check_stores(stores)
        findings += advise(
            records,
            catalog,
            now=desk.clock.now(),
            progress=lambda shoppers: show(f"looked at {shoppers:,} shoppers at stores"),
        )
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        print_json({"stores": len(stores), "findings": [asdict(finding) for finding in findings]})
    else:
        for found in findings:
            place = f"{found.store_id}: " if found.store_id else ""
            typer.echo(f"{place}{found.severity}: {found.detail}; {found.advice}")
        warnings = sum(finding.severity == "warning" for finding in findings)
        told = (counted(len(stores), "store"), counted(errors, "error"), counted(warnings, "warning"))
        typer.echo(", ".join(told))
    if errors:
        raise typer.Exit(1)


def _facts(store: "Store") -> list[tuple[str, str | None]]:
    from m2s.core.places.zone import Circle

    visit = store.visit
    facts: list[tuple[str, str | None]] = [
        ("brand", store.brand),
        ("address", store.address),
        ("phone", store.phone),
        ("point", f"{store.latitude:.6f}, {store.longitude:.6f} (latitude, longitude)"),
        ("timezone", f"{store.timezone} ({store.country})"),
        ("opening_hours", store.opening_hours),
        ("tags", ", ".join(sorted(store.tags)) or None),
        ("store_type", store.store_type.value),
        ("visit", f"from {visit.dwell_min_s} s; with beacons from {visit.beacon_dwell_min_s} s"),
    ]
    for zone in store.zones:
        size = f"circle of {zone.shape.radius_m:g} m" if isinstance(zone.shape, Circle) else "polygon"
        facts.append((f"zone {zone.id}", f"{size}, {zone.area_m2:,.0f} m²"))
    facts += [
        (f"beacon {beacon.major}/{beacon.minor}", f"{beacon.place or 'no place'} ({beacon.uuid})")
        for beacon in store.beacons
    ]
    return [(name, value) for name, value in facts if value is not None]

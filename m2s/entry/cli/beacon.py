"""Which bytes does a beacon send, and whose bytes are these? iBeacon advertisements, both ways; no database needed."""

import re
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from m2s.entry.cli.options import AsJson

if TYPE_CHECKING:
    from beacons.frames.reading import Frame
    from beacons.region import Region

_LARGEST = 65_535
_REGION = re.compile(r"([0-9a-f-]{32,36})(?:/([0-9]{1,5}))?(?:/([0-9]{1,5}))?", re.IGNORECASE)
_UUID = "5b6ab1b6-58c6-4ad5-9f0f-7f4d2f0a3c11"

group = typer.Typer(
    name="beacon", help="What beacons send, as bytes.", no_args_is_help=True, rich_markup_mode=None
)


@group.command(
    epilog=f"Example: m2s beacon frame --uuid {_UUID} --major 2 --minor 1 --measured-power-dbm -59"
)
def frame(
    uuid: Annotated[UUID, typer.Option(help="The UUID that all beacons of a retailer share.")],
    major: Annotated[int, typer.Option(min=0, max=_LARGEST, help="The store's number.")],
    minor: Annotated[int, typer.Option(min=0, max=_LARGEST, help="The beacon's number in its store.")],
    measured_power_dbm: Annotated[
        int, typer.Option(min=-128, max=127, help="The signal strength that a phone measures 1 m away.")
    ],
    as_json: AsJson = False,
) -> None:
    """Print the bytes that an iBeacon sends, in hexadecimal.

    `advertisement` is all of it, `manufacturer_data` what follows the type ff in it.
    """
    from beacons.frames.ibeacon import IBeacon

    beacon = IBeacon(uuid, major, minor, measured_power_dbm)
    _print(
        {
            "advertisement": beacon.advertisement().hex(),
            "manufacturer_data": beacon.manufacturer_data().hex(),
        },
        as_json=as_json,
    )


@group.command(
    epilog="Example: m2s beacon decode 0201061aff4c0002155b6ab1b658c64ad59f0f7f4d2f0a3c1100020001c5"
)
def decode(
    octets: Annotated[
        list[str],
        typer.Argument(
            metavar="HEX", help="An advertisement, or an iBeacon's manufacturer data; spaces do not matter."
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option(metavar="UUID[/MAJOR[/MINOR]]", help="Refuse a beacon that is not in this region."),
    ] = None,
    eid_key: Annotated[
        str | None, typer.Option(metavar="HEX", help="Refuse an Eddystone-EID that is not of this key.")
    ] = None,
    eid_clock_s: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Where that beacon's clock stands.")
    ] = 0,
    eid_exponent: Annotated[
        int, typer.Option(min=0, max=15, help="That beacon changes every 2^K seconds.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Print whose bytes these are: an iBeacon, an AltBeacon, or an Eddystone UID or EID.

    What names no beacon is refused, with the byte at which it differs.
    """
    from beacons.frames.octets import BadFrame, read_hex
    from beacons.frames.reading import read_frame
    from m2s.core.base.errors import Invalid

    wanted = None if region is None else _region(region)
    key = None if eid_key is None else _key(eid_key)
    try:
        found = read_frame(read_hex(" ".join(octets)))
    except BadFrame as wrong:
        raise Invalid(f"this names no beacon: {wrong}") from None
    told = _fields(found)
    if wanted is not None:
        _refuse_outside(found, wanted)
    if key is not None:
        told["periods_off"] = _periods_off(found, key, eid_clock_s, exponent=eid_exponent)
    _print(told, as_json=as_json)


def _region(text: str) -> "Region":
    from beacons.region import Region

    parts = _REGION.fullmatch(text)
    try:
        uuid, *numbers = parts.groups() if parts else ("",)
        return Region((str(UUID(uuid)), *(None if number is None else int(number) for number in numbers)))
    except ValueError:
        raise typer.BadParameter(f"{text!r}; write it like {_UUID}/2/1", param_hint="--region") from None


def _key(text: str) -> bytes:
    from beacons.frames.octets import BadFrame, read_hex

    try:
        key = read_hex(text)
    except BadFrame as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--eid-key") from None
    if len(key) != 16:
        raise typer.BadParameter(f"it has {len(key)} bytes; a key has 16", param_hint="--eid-key")
    return key


def _fields(found: "Frame") -> dict[str, str | int]:
    """The frame's kind and fields, as JSON has them."""
    from dataclasses import fields

    told: dict[str, str | int] = {"type": found.kind}
    for field in fields(found):
        value = getattr(found, field.name)
        told[field.name] = value.hex() if isinstance(value, bytes) else value
    return told | ({"uuid": str(told["uuid"])} if "uuid" in told else {})


def _refuse_outside(found: "Frame", wanted: "Region") -> None:
    from beacons.frames.altbeacon import AltBeacon
    from beacons.frames.ibeacon import IBeacon
    from m2s.core.base.errors import Invalid

    if not isinstance(found, IBeacon | AltBeacon):
        raise Invalid("an Eddystone beacon has no UUID, major and minor, and is in no region")
    if not wanted.holds((str(found.uuid), found.major, found.minor)):
        told = "/".join("any" if one is None else str(one) for one in wanted.ids)
        raise Invalid(f"{found.uuid}/{found.major}/{found.minor} is not in the region {told}")


def _periods_off(found: "Frame", key: bytes, clock_s: int, *, exponent: int) -> int:
    from beacons.frames.eddystone import EddystoneEid
    from beacons.frames.ephemeral import PERIODS_OFF, resolve
    from m2s.core.base.errors import Invalid

    if not isinstance(found, EddystoneEid):
        raise Invalid(f"this is {found.kind}; only an eddystone_eid is of a key")
    off = resolve(found.ephemeral_id, key, clock_s, exponent=exponent)
    if off is None:
        raise Invalid(f"of another key, or its clock is more than {PERIODS_OFF} periods from {clock_s} s")
    return off


def _print(fields: dict[str, str | int], *, as_json: bool) -> None:
    from m2s.entry.cli.printing import print_json

    if as_json:
        print_json(fields)
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name.ljust(width)}  {value}")

"""Why did a shopper get a message, or none? Each decision in plain sentences."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from m2s.entry.cli.days import instant
from m2s.entry.cli.options import AsJson, Config

if TYPE_CHECKING:
    from m2s.app.explain import Explained
    from m2s.app.past import LastSeen
    from m2s.bootstrap import Desk

_WORTH_TELLING_MS = 60_000

EXAMPLE = "Example: m2s explain --shopper shp_01kc3… --at 2026-11-02T09:30:00+01:00"


def explain(
    shopper: Annotated[str | None, typer.Option(metavar="ID", help="The shopper's id.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="A device; stands for its shopper.")
    ] = None,
    offer: Annotated[str | None, typer.Option(metavar="ID", help="Decisions about this offer only.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As things stood then: decisions made up to this time.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say why a shopper got a message, or none.

    Rule by rule, the newest decision first. Works beside a running server.
    """
    from m2s.entry.cli.desk import reading
    from m2s.entry.cli.printing import print_json

    if (shopper is None) == (device is None):
        raise typer.BadParameter("name either a shopper or a device", param_hint="--shopper / --device")
    until = instant(at) + timedelta(milliseconds=1) if at is not None else None
    with reading(config) as desk:
        found = desk.explain.find(shopper_id=shopper, device_id=device, offer_id=offer, until=until)
        if offer is not None and not found.decisions:
            _refuse_unknown(desk, offer)
        zones = _zones(desk)
    if as_json:
        print_json(
            {
                "decisions": [_as_json(item) for item in found.decisions],
                "sentences": found.sentences,
                "last_seen": [_seen_as_json(seen) for seen in found.last_seen],
                "clock_offset_ms": found.clock_offset_ms,
            }
        )
        return
    blocks = [*found.sentences, *(_block(item, zones) for item in found.decisions)]
    blocks += [_seen_line(seen, zones) for seen in found.last_seen]
    if found.clock_offset_ms is not None and abs(found.clock_offset_ms) >= _WORTH_TELLING_MS:
        blocks.append(_clock_line(found.clock_offset_ms))
    typer.echo("\n\n".join(blocks))


def _refuse_unknown(desk: "Desk", offer: str) -> None:
    """Raises NotFound for an offer that no campaign has, stopped ones included."""
    from m2s.app.catalog import read_applied
    from m2s.core.base.errors import NotFound

    known = sorted({known.id for row in desk.publish.campaigns() for known in read_applied(row).offers})
    if offer not in known:
        there = f"there are: {', '.join(known)}" if known else "no campaign was ever applied"
        raise NotFound(f"there is no offer {offer!r}; {there}")


def _zones(desk: "Desk") -> dict[str, str]:
    return {store.id: store.timezone for store in desk.catalog().stores.values()}


def _block(item: "Explained", zones: dict[str, str]) -> str:
    row = item.decision
    head = (
        f"{_local(row.decided_at, row.store_id, zones)}  {row.campaign_id}/{row.offer_id} at {row.store_id}"
    )
    summary, *rules = item.sentences
    return "\n".join([f"{head} ({row.id})", f"  {summary}", *(f"  - {rule}" for rule in rules)])


def _seen_line(seen: "LastSeen", zones: dict[str, str]) -> str:
    when = _local(seen.at, seen.store_id, zones)
    return f"{when}  last seen at {seen.store_id}, zone {seen.zone_id}, by {seen.kind}"


def _clock_line(offset_ms: int) -> str:
    wrong = timedelta(seconds=abs(offset_ms) // 1000)
    side = "ahead of" if offset_ms > 0 else "behind"
    return f"The clock of this phone is {wrong} (h:mm:ss) {side} ours; no event time was changed for that."


def _local(at: datetime, store_id: str, zones: dict[str, str]) -> str:
    """The wall-clock time at the store."""
    return at.astimezone(ZoneInfo(zones.get(store_id, "UTC"))).isoformat(" ", timespec="seconds")


def _as_json(item: "Explained") -> dict[str, object]:
    from msgspec.structs import asdict

    from m2s.core.base.instants import rfc3339

    fields = asdict(item.decision)
    times = {name: rfc3339(fields[name]) for name in ("at", "decided_at", "valid_until")}
    sent = item.message
    message = sent and {"message_id": sent.id, "state": sent.state, "reason": sent.reason}
    return {
        "decision_id": fields.pop("id"),
        **fields,
        **times,
        "message": message,
        "sentences": item.sentences,
    }


def _seen_as_json(seen: "LastSeen") -> dict[str, object]:
    from dataclasses import asdict

    from m2s.core.base.instants import rfc3339

    return asdict(seen) | {"at": rfc3339(seen.at)}

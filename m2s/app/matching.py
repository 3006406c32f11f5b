"""Which sightings of a group are new, near a store, and evidence of what? A whole group is matched at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from m2s.app.catalog import Catalog
from m2s.app.dedupe import SeenIds
from m2s.app.sighting import Answer, Batch, BeaconSighting, Geofence, Location, Rejected, Sighting
from m2s.core.base.instants import to_ms
from m2s.core.presence.evidence import PREMISES, Evidence, Kind, Transition
from m2s.core.presence.quality import OLDEST_SAMPLE_MS, believable, event_time

CLOCK_TRUSTED = 1
MOCKED = 2
FOREGROUND = 4
"""Bits of a sighting's `flags`: the event time rests on the phone's clock; a mock location; the app was open."""


Row = tuple[Any, ...]
"""A sighting as `Sightings.add_sightings` takes it."""


@dataclass(slots=True)
class Tally:
    """What became of one request's items."""

    accepted: int = 0
    away: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)

    def answer(self) -> Answer:
        """The request's answer."""
        return Answer(self.accepted, self.away, self.duplicates, self.rejected, self.events)


@dataclass(slots=True)
class Matched:
    """A group after matching.

    `rows` are sightings to append, `keys` their de-duplication keys; `evidence` carries the index of its
    request; `outside` are (shopper_id, at_ms, accuracy_m) of fixes outside every padded zone.
    """

    tallies: list[Tally]
    rows: list[Row] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    evidence: list[tuple[int, Evidence]] = field(default_factory=list)
    outside: list[tuple[str, int, float]] = field(default_factory=list)


_Item = tuple[int, Sighting, str, Row]
"""The index of its request, what came, whose it is, and its row, which holds an event time that can be believed."""


def match_group(batches: Sequence[Batch], catalog: Catalog, seen: SeenIds) -> Matched:
    """Judges every item of a group: rejected, away, duplicate, or accepted with the evidence it gives."""
    matched = Matched([Tally(rejected=list(batch.rejected)) for batch in batches])
    items = _timed(batches, matched.tallies)
    away, hits = _located(items, catalog)
    young, old = seen.generations
    tallies, keys, point = matched.tallies, matched.keys, -1
    device_id, key_of = None, SeenIds.keys_of("")
    for number, sighting, shopper_id, row in items:
        evidence: Sequence[Evidence] | None = ()
        is_fix = type(sighting) is Location
        if is_fix:
            point += 1
            if away[point]:
                evidence = None
            elif point in hits:
                evidence = _position(shopper_id, row, hits[point], catalog=catalog)
        else:
            evidence = _reported(shopper_id, row, sighting, catalog=catalog)
        if evidence is None:
            tallies[number].away += 1
            continue
        if row[0] != device_id:
            device_id = row[0]
            key_of = SeenIds.keys_of(device_id)
        key = key_of(row[1])
        if key in keys or key in young or key in old:
            tallies[number].duplicates += 1
            continue
        tallies[number].accepted += 1
        keys.add(key)
        matched.rows.append(row)
        if evidence:
            matched.evidence.extend((number, one) for one in evidence)
        elif is_fix and not row[9] & MOCKED:
            matched.outside.append((shopper_id, row[3], row[7]))
    return matched


def _timed(batches: Sequence[Batch], tallies: Sequence[Tally]) -> list[_Item]:
    items: list[_Item] = []
    for number, batch in enumerate(batches):
        received_ms, sent_ms, sender, shoppers = (
            batch.received_at_ms,
            batch.sent_at_ms,
            batch.device_id,
            batch.shoppers,
        )
        oldest_ms, newest_ms = believable(received_ms)
        for index, sighting in batch.items:
            at = sighting.at
            try:
                at_ms, trusted = event_time(
                    received_ms, sent_ms, at_ms=None if at is None else to_ms(at), age_ms=sighting.age_ms
                )
            except ValueError as error:
                tallies[number].rejected.append(Rejected(index, sighting.id, "invalid", str(error)))
                continue
            if not oldest_ms <= at_ms <= newest_ms:
                detail = "happened more than 5 minutes in the future or more than 72 hours ago"
                tallies[number].rejected.append(Rejected(index, sighting.id, "time_out_of_range", detail))
                continue
            flags = CLOCK_TRUSTED if trusted else 0
            if sighting.mocked:
                flags |= MOCKED
            if sighting.foreground:
                flags |= FOREGROUND
            device_id = sender or sighting.device_id or ""
            row = _row(sighting, device_id, at_ms=at_ms, received_ms=received_ms, flags=flags)
            items.append((number, sighting, shoppers[device_id], row))
    return items


def _located(
    items: Sequence[_Item], catalog: Catalog
) -> tuple[Sequence[bool], Mapping[int, Sequence[tuple[int, float]]]]:
    """For the fixes among the items, in order: whether each is away; and the (zone, distance) hits of some."""
    fixes = [row for _, sighting, _, row in items if type(sighting) is Location]
    located = catalog.index.locate(np.array([row[5] for row in fixes]), np.array([row[6] for row in fixes]))
    hits: dict[int, list[tuple[int, float]]] = {}
    for point, zone, distance_m in zip(
        located.point_index.tolist(), located.zone_index.tolist(), located.distance_m.tolist(), strict=True
    ):
        hits.setdefault(point, []).append((zone, distance_m))
    return located.away.tolist(), hits


def _position(
    shopper_id: str, row: Row, hits: Sequence[tuple[int, float]], *, catalog: Catalog
) -> list[Evidence]:
    device_id, sighting_id, _, at_ms, _, latitude, longitude, accuracy_m, speed_mps, flags, _ = row
    evidence = []
    for number, distance_m in hits:
        ref = catalog.index.zones[number]
        if accuracy_m > catalog.rules[ref.store_id, ref.zone_id].max_accuracy_m:
            continue
        probability = ref.zone.inside_probability(
            latitude, longitude, accuracy_m=accuracy_m, distance_m=distance_m
        )
        evidence.append(
            Evidence(
                shopper_id=shopper_id,
                store_id=ref.store_id,
                zone_id=ref.zone_id,
                device_id=device_id,
                sighting_id=sighting_id,
                kind=Kind.LOCATION,
                at_ms=at_ms,
                inside_probability=probability,
                boundary_distance_m=distance_m,
                accuracy_m=accuracy_m,
                speed_mps=speed_mps,
                mocked=bool(flags & MOCKED),
            )
        )
    return evidence


def _reported(shopper_id: str, row: Row, sighting: Sighting, *, catalog: Catalog) -> list[Evidence] | None:
    """Evidence of a fence event or a beacon; None where the catalog knows none of what it names."""
    if isinstance(sighting, Geofence):
        return _fence(shopper_id, row, sighting, catalog=catalog)
    if isinstance(sighting, BeaconSighting):
        return _beacon(shopper_id, row, sighting, catalog=catalog)
    return None


def _fence(shopper_id: str, row: Row, sighting: Geofence, *, catalog: Catalog) -> list[Evidence] | None:
    zones = [
        (store_id, zone_id) for store_id, _, zone_id in (text.partition("/") for text in sighting.region_ids)
    ]
    inside = 0.0 if sighting.transition is Transition.EXIT else 1.0
    return [
        Evidence(
            shopper_id=shopper_id,
            store_id=store_id,
            zone_id=zone_id,
            device_id=row[0],
            sighting_id=sighting.id,
            kind=Kind.GEOFENCE,
            at_ms=row[3],
            inside_probability=inside,
            transition=sighting.transition,
            mocked=sighting.mocked,
        )
        for store_id, zone_id in dict.fromkeys(zones)
        if (store_id, zone_id) in catalog.rules
    ] or None


def _beacon(
    shopper_id: str, row: Row, sighting: BeaconSighting, *, catalog: Catalog
) -> list[Evidence] | None:
    known = catalog.beacons.get((sighting.uuid.lower(), sighting.major, sighting.minor))
    if known is None:
        return None
    store, beacon = known
    return [
        Evidence(
            shopper_id=shopper_id,
            store_id=store.id,
            zone_id=PREMISES,
            device_id=row[0],
            sighting_id=sighting.id,
            kind=Kind.BEACON,
            at_ms=row[3],
            inside_probability=1.0,
            beacon=f"{beacon.major}/{beacon.minor}",
            place=beacon.place,
            measured_power_dbm=beacon.measured_power_dbm,
            samples=_samples(sighting, sent_before_ms=row[4] - row[3]) or ((0, sighting.rssi_dbm),),
            mocked=sighting.mocked,
        )
    ]


def _samples(sighting: BeaconSighting, *, sent_before_ms: int) -> tuple[tuple[int, int], ...]:
    """How long before the event each reading was taken, and what it was; oldest first."""
    taken = ((max(0, sample.age_ms - sent_before_ms), sample.rssi_dbm) for sample in sighting.samples)
    return tuple(sorted((one for one in taken if one[0] <= OLDEST_SAMPLE_MS), reverse=True))


def _row(sighting: Sighting, device_id: str, *, at_ms: int, received_ms: int, flags: int) -> Row:
    if type(sighting) is Location:
        return (
            device_id,
            sighting.id,
            "location",
            at_ms,
            received_ms,
            sighting.latitude,
            sighting.longitude,
            sighting.accuracy_m,
            sighting.speed_mps,
            flags,
            None,
        )
    head = (device_id, sighting.id)
    if type(sighting) is Geofence:
        detail = {"transition": sighting.transition, "region_ids": sighting.region_ids}
        position = (sighting.latitude, sighting.longitude, sighting.accuracy_m, None)
        return (*head, "geofence", at_ms, received_ms, *position, flags, _json(detail))
    assert isinstance(sighting, BeaconSighting)  # noqa: S101  the last kind there is
    heard = {
        "uuid": sighting.uuid.lower(),
        "major": sighting.major,
        "minor": sighting.minor,
        "rssi_dbm": sighting.rssi_dbm,
        "samples": [(sample.age_ms, sample.rssi_dbm) for sample in sighting.samples],
    }
    return (*head, "beacon", at_ms, received_ms, None, None, None, None, flags, _json(heard))


def _json(detail: Mapping[str, object]) -> str:
    return msgspec.json.encode(detail).decode()

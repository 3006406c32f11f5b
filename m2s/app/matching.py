"""Which sightings of a group are new, near a store, and evidence of what? A whole group is matched at once."""

import json
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
from m2s.core.presence.quality import event_time, time_problem

CLOCK_TRUSTED = 1
MOCKED = 2
FOREGROUND = 4
"""Bits of a sighting's `flags`: the event time rests on the phone's clock; a mock location; the app was open."""


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
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    evidence: list[tuple[int, Evidence]] = field(default_factory=list)
    outside: list[tuple[str, int, float]] = field(default_factory=list)


class _Item(msgspec.Struct, frozen=True, gc=False):
    """One item with an event time that can be believed (a struct, because there is one for every sighting)."""

    number: int
    batch: Batch
    sighting: Sighting
    device_id: str
    at_ms: int
    flags: int

    @property
    def shopper_id(self) -> str:
        return self.batch.shoppers[self.device_id]


def match_group(batches: Sequence[Batch], catalog: Catalog, seen: SeenIds) -> Matched:
    """Judges every item of a group: rejected, away, duplicate, or accepted with the evidence it gives."""
    matched = Matched([Tally(rejected=list(batch.rejected)) for batch in batches])
    items = _timed(batches, matched.tallies)
    away, hits = _located(items, catalog)
    keys, rows, point = matched.keys, matched.rows, -1
    for item in items:
        sighting = item.sighting
        tally = matched.tallies[item.number]
        evidence: Sequence[Evidence] | None = ()
        if type(sighting) is Location:
            point += 1
            if away[point]:
                evidence = None
            elif point in hits:
                evidence = _position(item, sighting, hits[point], catalog=catalog)
        else:
            evidence = _reported(item, catalog)
        if evidence is None:
            tally.away += 1
            continue
        key = seen.key(item.device_id, sighting.id)
        if key in keys or key in seen:
            tally.duplicates += 1
            continue
        tally.accepted += 1
        keys.add(key)
        rows.append(_row(item))
        if evidence:
            matched.evidence.extend((item.number, one) for one in evidence)
        elif type(sighting) is Location and not sighting.mocked:
            matched.outside.append((item.shopper_id, item.at_ms, sighting.accuracy_m))
    return matched


def _timed(batches: Sequence[Batch], tallies: Sequence[Tally]) -> list[_Item]:
    items = []
    for number, batch in enumerate(batches):
        received_ms, sent_ms, sender = batch.received_at_ms, batch.sent_at_ms, batch.device_id
        for index, sighting in batch.items:
            at, age_ms = sighting.at, sighting.age_ms
            flags = (MOCKED if sighting.mocked else 0) | (FOREGROUND if sighting.foreground else 0)
            try:
                at_ms, trusted = event_time(
                    received_ms, sent_ms, at_ms=None if at is None else to_ms(at), age_ms=age_ms
                )
            except ValueError as error:
                tallies[number].rejected.append(Rejected(index, sighting.id, "invalid", str(error)))
                continue
            if time_problem(at_ms, received_ms) is not None:
                detail = "happened more than 5 minutes in the future or more than 72 hours ago"
                tallies[number].rejected.append(Rejected(index, sighting.id, "time_out_of_range", detail))
                continue
            device_id = sender or sighting.device_id or ""
            items.append(
                _Item(number, batch, sighting, device_id, at_ms, flags | CLOCK_TRUSTED if trusted else flags)
            )
    return items


def _located(
    items: Sequence[_Item], catalog: Catalog
) -> tuple[Sequence[bool], Mapping[int, Sequence[tuple[int, float]]]]:
    """For the fixes among the items, in order: whether each is away; and the (zone, distance) hits of some."""
    fixes = [item.sighting for item in items if type(item.sighting) is Location]
    located = catalog.index.locate(
        np.array([fix.latitude for fix in fixes]), np.array([fix.longitude for fix in fixes])
    )
    hits: dict[int, list[tuple[int, float]]] = {}
    for point, zone, distance_m in zip(
        located.point_index.tolist(), located.zone_index.tolist(), located.distance_m.tolist(), strict=True
    ):
        hits.setdefault(point, []).append((zone, distance_m))
    return located.away.tolist(), hits


def _position(
    item: _Item, fix: Location, hits: Sequence[tuple[int, float]], *, catalog: Catalog
) -> list[Evidence]:
    evidence = []
    for number, distance_m in hits:
        ref = catalog.index.zones[number]
        if fix.accuracy_m > catalog.rules[ref.store_id, ref.zone_id].max_accuracy_m:
            continue
        probability = ref.zone.inside_probability(
            fix.latitude, fix.longitude, accuracy_m=fix.accuracy_m, distance_m=distance_m
        )
        evidence.append(
            Evidence(
                shopper_id=item.shopper_id,
                store_id=ref.store_id,
                zone_id=ref.zone_id,
                device_id=item.device_id,
                sighting_id=fix.id,
                kind=Kind.LOCATION,
                at_ms=item.at_ms,
                inside_probability=probability,
                boundary_distance_m=distance_m,
                accuracy_m=fix.accuracy_m,
                speed_mps=fix.speed_mps,
                mocked=fix.mocked,
            )
        )
    return evidence


def _reported(item: _Item, catalog: Catalog) -> list[Evidence] | None:
    """Evidence of a fence event or a beacon; None where the catalog knows none of what it names."""
    if isinstance(item.sighting, Geofence):
        return _fence(item, item.sighting, catalog)
    if isinstance(item.sighting, BeaconSighting):
        return _beacon(item, item.sighting, catalog)
    return None


def _fence(item: _Item, sighting: Geofence, catalog: Catalog) -> list[Evidence] | None:
    zones = [
        (store_id, zone_id) for store_id, _, zone_id in (text.partition("/") for text in sighting.region_ids)
    ]
    inside = 0.0 if sighting.transition is Transition.EXIT else 1.0
    return [
        Evidence(
            shopper_id=item.shopper_id,
            store_id=store_id,
            zone_id=zone_id,
            device_id=item.device_id,
            sighting_id=sighting.id,
            kind=Kind.GEOFENCE,
            at_ms=item.at_ms,
            inside_probability=inside,
            transition=sighting.transition,
            mocked=sighting.mocked,
        )
        for store_id, zone_id in dict.fromkeys(zones)
        if (store_id, zone_id) in catalog.rules
    ] or None


def _beacon(item: _Item, sighting: BeaconSighting, catalog: Catalog) -> list[Evidence] | None:
    known = catalog.beacons.get((sighting.uuid.lower(), sighting.major, sighting.minor))
    if known is None:
        return None
    store, beacon = known
    oldest_first = sorted(sighting.samples, key=lambda sample: -sample.age_ms)
    return [
        Evidence(
            shopper_id=item.shopper_id,
            store_id=store.id,
            zone_id=PREMISES,
            device_id=item.device_id,
            sighting_id=sighting.id,
            kind=Kind.BEACON,
            at_ms=item.at_ms,
            inside_probability=1.0,
            beacon=f"{beacon.major}/{beacon.minor}",
            place=beacon.place,
            measured_power_dbm=beacon.measured_power_dbm,
            samples=tuple(sample.rssi_dbm for sample in oldest_first) or (sighting.rssi_dbm,),
            mocked=sighting.mocked,
        )
    ]


def _row(item: _Item) -> tuple[Any, ...]:
    sighting, received_ms = item.sighting, item.batch.received_at_ms
    if type(sighting) is Location:
        return (
            item.device_id,
            sighting.id,
            "location",
            item.at_ms,
            received_ms,
            sighting.latitude,
            sighting.longitude,
            sighting.accuracy_m,
            sighting.speed_mps,
            item.flags,
            None,
        )
    head = (item.device_id, sighting.id)
    if type(sighting) is Geofence:
        detail = json.dumps({"transition": sighting.transition.value, "region_ids": sighting.region_ids})
        position = (sighting.latitude, sighting.longitude, sighting.accuracy_m, None)
        return (*head, "geofence", item.at_ms, received_ms, *position, item.flags, detail)
    assert isinstance(sighting, BeaconSighting)  # noqa: S101  the last kind there is
    heard = {
        "uuid": sighting.uuid.lower(),
        "major": sighting.major,
        "minor": sighting.minor,
        "rssi_dbm": sighting.rssi_dbm,
        "samples": [[sample.age_ms, sample.rssi_dbm] for sample in sighting.samples],
    }
    nowhere = (None, None, None, None)
    return (*head, "beacon", item.at_ms, received_ms, *nowhere, item.flags, json.dumps(heard))

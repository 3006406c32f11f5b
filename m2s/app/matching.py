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
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.quality import OLDEST_SAMPLE_MS, believable, event_time

CLOCK_TRUSTED = 1
MOCKED = 2
FOREGROUND = 4
"""Bits of a sighting's `flags`: the event time rests on the phone's clock; a mock location; the app was open."""


Row = tuple[Any, ...]
"""A sighting as `Sightings.add_sightings` takes it; the names below say where some of its values stand."""

DEVICE, ID, AT_MS, RECEIVED_MS, LATITUDE, LONGITUDE, ACCURACY_M, SPEED_MPS, FLAGS = 0, 1, 3, 4, 5, 6, 7, 8, 9


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
    request; `outside` are by shopper the rows of believable fixes outside every padded zone, away or not.
    """

    tallies: list[Tally]
    rows: list[Row] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    evidence: list[tuple[int, Evidence]] = field(default_factory=list)
    outside: dict[str, list[Row]] = field(default_factory=dict)


@dataclass(slots=True)
class _Request:
    """What of one request has an event time that can be believed, as it came and as rows."""

    number: int
    batch: Batch
    sightings: list[Sighting]
    rows: list[Row]
    fixes: int


@dataclass(frozen=True, slots=True)
class _Located:
    """The fixes of a group, in order: which are away, which have (zone, distance) hits, and which have either."""

    away: list[bool]
    hits: Mapping[int, Sequence[tuple[int, float]]]
    marked: list[bool]


def match_group(batches: Sequence[Batch], catalog: Catalog, seen: SeenIds) -> Matched:
    """Judges every item of a group: rejected, away, duplicate, or accepted with the evidence it gives."""
    matched = Matched([Tally(rejected=list(batch.rejected)) for batch in batches])
    requests = [_timed(number, batch, matched.tallies[number]) for number, batch in enumerate(batches)]
    located = _locate(requests, catalog)
    first = 0
    for request in requests:
        if not _taken_whole(request, first, located, matched=matched, seen=seen):
            _take_singly(request, first, located, matched=matched, seen=seen, catalog=catalog)
        first += request.fixes
    return matched


def _timed(number: int, batch: Batch, tally: Tally) -> _Request:
    sightings: list[Sighting] = []
    rows: list[Row] = []
    fixes = 0
    received_ms, sent_ms, sender = batch.received_at_ms, batch.sent_at_ms, batch.device_id
    oldest_ms, newest_ms = believable(received_ms)
    for index, sighting in batch.items:
        at, age_ms = sighting.at, sighting.age_ms
        flags = 0
        if age_ms is not None:
            at_ms = received_ms - age_ms
        elif at is not None:
            at_ms, trusted = event_time(received_ms, sent_ms, at_ms=to_ms(at), age_ms=None)
            flags = CLOCK_TRUSTED if trusted else 0
        else:
            tally.rejected.append(Rejected(index, sighting.id, "missing_time", "give `age_ms`, or `at`"))
            continue
        if not oldest_ms <= at_ms <= newest_ms:
            detail = "happened more than 5 minutes in the future or more than 72 hours ago"
            tally.rejected.append(Rejected(index, sighting.id, "time_out_of_range", detail))
            continue
        if sighting.mocked:
            flags |= MOCKED
        if sighting.foreground:
            flags |= FOREGROUND
        device_id = sender or sighting.device_id or ""
        sightings.append(sighting)
        if type(sighting) is Location:
            fixes += 1
            rows.append(
                (
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
            )
        else:
            rows.append(_row(sighting, device_id, at_ms=at_ms, received_ms=received_ms, flags=flags))
    return _Request(number, batch, sightings, rows, fixes)


def _locate(requests: Sequence[_Request], catalog: Catalog) -> _Located:
    fixes = [
        row
        for request in requests
        for sighting, row in zip(request.sightings, request.rows, strict=True)
        if type(sighting) is Location
    ]
    located = catalog.index.locate(
        np.array([row[LATITUDE] for row in fixes]), np.array([row[LONGITUDE] for row in fixes])
    )
    hits: dict[int, list[tuple[int, float]]] = {}
    for point, zone, distance_m in zip(
        located.point_index.tolist(), located.zone_index.tolist(), located.distance_m.tolist(), strict=True
    ):
        hits.setdefault(point, []).append((zone, distance_m))
    marked = located.away.copy()
    marked[located.point_index] = True
    return _Located(located.away.tolist(), hits, marked.tolist())


def _taken_whole(
    request: _Request, first: int, located: _Located, *, matched: Matched, seen: SeenIds
) -> bool:
    """Takes a request of nothing but new fixes that touch no zone, which most are; False for every other."""
    rows, device_id = request.rows, request.batch.device_id
    if device_id is None or request.fixes < len(rows) or any(located.marked[first : first + request.fixes]):
        return False
    keys = set(map(seen.keys_of(device_id), [row[ID] for row in rows]))
    young, old = seen.generations
    if len(keys) < len(rows) or not (
        keys.isdisjoint(young) and keys.isdisjoint(old) and keys.isdisjoint(matched.keys)
    ):
        return False
    matched.tallies[request.number].accepted += len(rows)
    matched.keys |= keys
    matched.rows += rows
    outside = matched.outside.setdefault(request.batch.shoppers[device_id], [])
    outside += [row for row in rows if not row[FLAGS] & MOCKED]
    return True


def _take_singly(
    request: _Request, first: int, located: _Located, *, matched: Matched, seen: SeenIds, catalog: Catalog
) -> None:
    tally, shoppers, point = matched.tallies[request.number], request.batch.shoppers, first - 1
    for sighting, row in zip(request.sightings, request.rows, strict=True):
        evidence: Sequence[Evidence] | None = ()
        shopper_id = shoppers[row[DEVICE]]
        is_fix = type(sighting) is Location
        if is_fix:
            point += 1
            if located.away[point]:
                evidence = None
                if not row[FLAGS] & MOCKED:
                    matched.outside.setdefault(shopper_id, []).append(row)
            elif point in located.hits:
                evidence = _position(shopper_id, row, located.hits[point], catalog=catalog)
        else:
            evidence = _reported(shopper_id, row, sighting, catalog=catalog)
        if evidence is None:
            tally.away += 1
            continue
        key = seen.key(row[DEVICE], row[ID])
        if key in matched.keys or key in seen:
            tally.duplicates += 1
            continue
        tally.accepted += 1
        matched.keys.add(key)
        matched.rows.append(row)
        if evidence:
            matched.evidence.extend((request.number, one) for one in evidence)
        elif is_fix and not row[FLAGS] & MOCKED:
            matched.outside.setdefault(shopper_id, []).append(row)


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
            device_id=row[DEVICE],
            sighting_id=sighting.id,
            kind=Kind.GEOFENCE,
            at_ms=row[AT_MS],
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
            device_id=row[DEVICE],
            sighting_id=sighting.id,
            kind=Kind.BEACON,
            at_ms=row[AT_MS],
            inside_probability=1.0,
            beacon=f"{beacon.major}/{beacon.minor}",
            place=beacon.place,
            measured_power_dbm=beacon.measured_power_dbm,
            samples=_samples(sighting, sent_before_ms=row[RECEIVED_MS] - row[AT_MS])
            or ((0, sighting.rssi_dbm),),
            mocked=sighting.mocked,
        )
    ]


def _samples(sighting: BeaconSighting, *, sent_before_ms: int) -> tuple[tuple[int, int], ...]:
    """How long before the event each reading was taken, and what it was; oldest first."""
    taken = ((max(0, sample.age_ms - sent_before_ms), sample.rssi_dbm) for sample in sighting.samples)
    return tuple(sorted((one for one in taken if one[0] <= OLDEST_SAMPLE_MS), reverse=True))


def _row(sighting: Sighting, device_id: str, *, at_ms: int, received_ms: int, flags: int) -> Row:
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

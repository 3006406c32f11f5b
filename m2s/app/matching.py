"""Which sightings of a group are new, near a store, and evidence of what? A whole group is matched at once."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from m2s.app.catalog import Catalog
from m2s.app.dedupe import Keys, SeenIds
from m2s.app.sighting import Answer, Batch, BeaconSighting, Geofence, Location, Rejected, Sighting
from m2s.core.base.instants import to_ms
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import BEACON, EXIT, GEOFENCE, LOCATION, Evidence
from m2s.core.presence.quality import LATEST_AHEAD_MS, OLDEST_MS, OLDEST_SAMPLE_MS, event_time

CLOCK_TRUSTED = 1
MOCKED = 2
FOREGROUND = 4
"""Bits of a sighting's `flags`: the event time rests on the phone's clock; a mock location; the app was open."""


OUT_OF_RANGE = "time_out_of_range"
TOO_OLD = "happened more than 72 hours ago"
TOO_NEW = "happened more than 5 minutes in the future"

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Row = tuple[Any, ...]
"""A sighting as `SightingRecords.add_sightings` takes it; the names say where values stand."""

DEVICE, ID, AT_MS, RECEIVED_MS, LATITUDE, LONGITUDE, ACCURACY_M, FLAGS, SPEED_MPS = range(9)


@dataclass(slots=True)
class Tally:
    """What became of one request's items."""

    accepted: int = 0
    away: int = 0
    duplicates: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    events: list[dict[str, str | list[str]]] = field(default_factory=list)

    def answer(self) -> Answer:
        """The request's answer."""
        return Answer(self.accepted, self.away, self.duplicates, self.rejected, self.events)


@dataclass(slots=True)
class _Group:
    """What has an event time that can be believed, as rows; all but the fixes also as they came, by their place.

    `mocked` are the places of mocked fixes; `ends` says for each request how many rows there are up to its last.
    """

    rows: list[Row] = field(default_factory=list)
    reported: dict[int, Sighting] = field(default_factory=dict)
    mocked: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def counts(self, which: Bools) -> list[int]:
        """How many of each request's rows are marked."""
        owners = np.searchsorted(self.ends, which.nonzero()[0], side="right")
        counts: list[int] = np.bincount(owners, minlength=len(self.ends)).tolist()
        return counts

    def owner(self, place: int) -> int:
        """The request that the row in a place is of."""
        return bisect_right(self.ends, place)


@dataclass(slots=True)
class Matched:
    """A group after matching.

    `fixes` and `reported`, which are the other sightings, are to be appended, `keys` is what de-duplication is to
    remember of both; `told` is the evidence that each sighting gives, with the index of its request.
    """

    batches: Sequence[Batch]
    tallies: list[Tally]
    fixes: list[Row]
    reported: list[Row]
    keys: Keys
    told: list[tuple[int, list[Evidence]]]
    group: _Group
    is_outside: list[bool]

    @property
    def evidence(self) -> list[Evidence]:
        """Every piece of evidence."""
        return [one for _, found in self.told for one in found]

    def believable(self, number: int) -> Iterator[Row]:
        """The rows of a request's fixes that are not mocked, wherever they are."""
        ends, mocked = self.group.ends, set(self.group.mocked)
        for place in range(ends[number - 1] if number else 0, ends[number]):
            if place not in self.group.reported and place not in mocked:
                yield self.group.rows[place]

    def outside(self, number: int) -> Iterator[Row]:
        """The rows of a request's new and believable fixes that are outside every padded zone, away or not."""
        ends = self.group.ends
        first = ends[number - 1] if number else 0
        these = slice(first, ends[number])
        return compress(self.group.rows[these], self.is_outside[these])


def match_group(batches: Sequence[Batch], catalog: Catalog, seen: SeenIds) -> Matched:
    """Judges every item of a group: rejected, away, duplicate, or accepted with the evidence it gives."""
    group = _Group()
    tallies = [_take(batch, group) for batch in batches]
    rows = group.rows
    keys = seen.keys(list(map(itemgetter(DEVICE), rows)), list(map(itemgetter(ID), rows)))
    is_fix = np.ones(len(rows), dtype=np.bool_)
    is_fix[list(group.reported)] = False
    away = np.zeros(len(rows), dtype=np.bool_)
    fixes = _chosen(rows, is_fix)
    found = _locate(group, (is_fix, fixes), batches, catalog=catalog, away=away)
    for place, sighting in group.reported.items():
        shopper_id = batches[group.owner(place)].shoppers[rows[place][DEVICE]]
        reported = _reported(shopper_id, rows[place], sighting, catalog=catalog)
        away[place] = reported is None
        found[place] = reported or []
    repeated = np.zeros(len(rows), dtype=np.bool_)
    if away.any():
        repeated[~away] = seen.repeated(keys[:, ~away])
    else:
        repeated = seen.repeated(keys)
    is_outside = is_fix.copy()
    is_outside[[*found, *group.mocked]] = False
    told = [(group.owner(place), found[place]) for place in sorted(found) if not repeated[place]]
    dropped = repeated | away
    some_dropped, kept = dropped.any(), ~dropped
    if some_dropped:
        for tally, aways, repeats in zip(tallies, group.counts(away), group.counts(repeated), strict=True):
            tally.away, tally.duplicates = aways, repeats
            tally.accepted -= aways + repeats
    return Matched(
        batches,
        tallies,
        fixes=_chosen(rows, is_fix & kept) if some_dropped else fixes,
        reported=[rows[place] for place in group.reported if kept[place]],
        keys=keys[:, kept] if some_dropped else keys,
        told=told,
        group=group,
        is_outside=(is_outside & ~repeated).tolist(),
    )


def _chosen(rows: list[Row], which: Bools) -> list[Row]:
    return rows if which.all() else list(compress(rows, which.tolist()))


def _take(batch: Batch, group: _Group) -> Tally:
    """Adds a request's rows to the group; all that can be timed counts as accepted at first."""
    rows, first = group.rows, len(group.rows)
    rejected = list(batch.rejected)
    received_ms, sent_ms, sender = batch.received_at_ms, batch.sent_at_ms, batch.device_id
    for index, sighting in batch.items:
        flags, age_ms = 0, sighting.age_ms
        if age_ms is None:
            if sighting.at is None:
                rejected.append(Rejected(index, sighting.id, "missing_time", "give `age_ms`, or `at`"))
                continue
            at_ms, trusted = event_time(received_ms, sent_ms, at_ms=to_ms(sighting.at), age_ms=None)
            flags, age_ms = CLOCK_TRUSTED if trusted else 0, received_ms - at_ms
        if not -LATEST_AHEAD_MS <= age_ms <= OLDEST_MS:
            rejected.append(Rejected(index, sighting.id, OUT_OF_RANGE, TOO_OLD if age_ms > 0 else TOO_NEW))
            continue
        at_ms = received_ms - age_ms
        if sighting.mocked:
            flags |= MOCKED
            group.mocked.append(len(rows))
        if sighting.foreground:
            flags |= FOREGROUND
        device_id = sender or sighting.device_id or ""
        if type(sighting) is Location:
            row = (
                device_id,
                sighting.id,
                at_ms,
                received_ms,
                sighting.latitude,
                sighting.longitude,
                sighting.accuracy_m,
                flags,
            )
            rows.append(row if sighting.speed_mps is None else (*row, sighting.speed_mps))
        else:
            group.reported[len(rows)] = sighting
            rows.append(_row(sighting, device_id, at_ms=at_ms, received_ms=received_ms, flags=flags))
    group.ends.append(len(rows))
    return Tally(len(rows) - first, rejected=rejected)


def _locate(
    group: _Group, fixes: tuple[Bools, list[Row]], batches: Sequence[Batch], *, catalog: Catalog, away: Bools
) -> dict[int, list[Evidence]]:
    """By the place of a fix its evidence of the padded zones that hold it; marks who is away.

    `fixes` says which rows are fixes, and is these rows.
    """
    rows, index = group.rows, catalog.index
    is_fix, taken = fixes
    latitudes, longitudes = _column(taken, LATITUDE), _column(taken, LONGITUDE)
    located = index.locate(latitudes, longitudes)
    away[is_fix] = located.away
    point, zone, distances_m = located.point_index, located.zone_index, located.distance_m
    if not point.size:
        return {}
    places = is_fix.nonzero()[0][point].tolist()
    probabilities = index.inside_probabilities(
        latitudes[point],
        longitudes[point],
        accuracies_m=_column([rows[place] for place in places], ACCURACY_M),
        zone=zone,
        distances_m=distances_m,
    )
    evidence: dict[int, list[Evidence]] = {}
    owners = np.searchsorted(group.ends, places, side="right").tolist()
    for place, owner, number, distance_m, probability in zip(
        places, owners, zone.tolist(), distances_m.tolist(), probabilities.tolist(), strict=True
    ):
        row = rows[place]
        device_id, accuracy_m = row[DEVICE], row[ACCURACY_M]
        ref = index.zones[number]
        if accuracy_m > catalog.rules[ref.store_id, ref.zone_id].max_accuracy_m:
            continue
        evidence.setdefault(place, []).append(
            Evidence(
                batches[owner].shoppers[device_id],
                ref.store_id,
                ref.zone_id,
                device_id,
                row[ID],
                LOCATION,
                row[AT_MS],
                probability,
                distance_m,
                accuracy_m,
                row[SPEED_MPS] if len(row) > SPEED_MPS else None,
                mocked=row[FLAGS] & MOCKED != 0,
            )
        )
    return evidence


def _column(rows: Sequence[Row], place: int) -> Floats:
    return np.fromiter(map(itemgetter(place), rows), np.float64, len(rows))


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
    inside = 0.0 if sighting.transition is EXIT else 1.0
    return [
        Evidence(
            shopper_id=shopper_id,
            store_id=store_id,
            zone_id=zone_id,
            device_id=row[DEVICE],
            sighting_id=sighting.id,
            kind=GEOFENCE,
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
            kind=BEACON,
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
    head = (device_id, sighting.id, at_ms, received_ms)
    if type(sighting) is Geofence:
        detail = {"transition": sighting.transition, "region_ids": sighting.region_ids}
        position = (sighting.latitude, sighting.longitude, sighting.accuracy_m)
        return (*head, *position, flags, None, _json(detail), "geofence")
    assert isinstance(sighting, BeaconSighting)  # noqa: S101  the last kind there is
    heard = {
        "uuid": sighting.uuid.lower(),
        "major": sighting.major,
        "minor": sighting.minor,
        "rssi_dbm": sighting.rssi_dbm,
        "samples": [(sample.age_ms, sample.rssi_dbm) for sample in sighting.samples],
    }
    return (*head, None, None, None, flags, None, _json(heard), "beacon")


def _json(detail: Mapping[str, object]) -> str:
    return msgspec.json.encode(detail).decode()

"""What does the hot path keep? Sightings, evidence, presence and visits, by driver-level statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from m2s.adapters.storage.direct import Query, append, one_of, read, row_values, write
from m2s.adapters.storage.statements import (
    columns,
    delete_text,
    insert_text,
    pairs_text,
    select_text,
    upsert_text,
)
from m2s.adapters.storage.tables import evidence, presence, sightings, visits
from m2s.app.ports import Pair
from m2s.app.rows import VisitRow
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.presence.evidence import LOCATION, Evidence, Kind, Transition

_PAGE = 10_000
_NEVER_MS = 2**62
_PAGE_OF_TEXT = 16_384
_MOST_PAIRS = 256
_SIGHTING = [column.name for column in sightings.c if column.name not in ("seq", "kind")]
_EVIDENCE = list(Evidence.__struct_fields__)
_OF_SIGNALS = ("kind", "transition", "beacon", "place", "measured_power_dbm", "samples")
"""What evidence has only of a fence or a beacon; a position's kind stands in the text."""
_AS_THEY_ARE = [name for name in _EVIDENCE if name not in (*_OF_SIGNALS, "mocked")]
_OF_ALL = [*_AS_THEY_ARE, "mocked", "zone_version"]
_VISIT = list(VisitRow.__struct_fields__)
_PRESENCE = [column.name for column in presence.c]


_PAIR = "shopper_id = ? AND store_id = ?"
_ADD_SIGHTINGS = {
    len(_SIGHTING) - 2: insert_text(sightings, _SIGHTING[:-2], kind="location"),
    len(_SIGHTING) - 1: insert_text(sightings, _SIGHTING[:-1], kind="location"),
    len(_SIGHTING) + 1: insert_text(sightings, [*_SIGHTING, "kind"]),
}
"""By how many values a row has: each None to be bound costs more than a number, and what is the same needs none."""
# One text for a page is five times as fast to read as its rows.
_PAGE_OF_IDS = (
    "SELECT min(seq), json_group_array(device_id) FILTER (WHERE received_at_ms >= ?1),"
    " json_group_array(sighting_id) FILTER (WHERE received_at_ms >= ?1)"
    " FROM (SELECT seq, device_id, sighting_id, received_at_ms FROM sightings"
    " WHERE seq < ?2 ORDER BY seq DESC LIMIT ?3)"
)
_texts = msgspec.json.Decoder(list[str])
_ADD_POSITIONS = insert_text(evidence, _OF_ALL, kind=Kind.LOCATION.value)
_ADD_SIGNALS = insert_text(evidence, [*_OF_ALL, *_OF_SIGNALS])
_EVIDENCE_SINCE = select_text(evidence, _EVIDENCE, where=f"{_PAIR} AND at_ms >= ?", order_by=["at_ms", "seq"])
_EVERY_EVIDENCE = select_text(
    evidence, _EVIDENCE, where="zone_id = ?", order_by=["shopper_id", "store_id", "at_ms", "seq"]
)
_BETWEEN = select_text(
    evidence,
    _EVIDENCE,
    where="at_ms >= ? AND at_ms < ? AND store_id IN (SELECT value FROM json_each(?))",
    order_by=["at_ms", "seq"],
)
_PUT_PRESENCE = upsert_text(presence, _PRESENCE)
_DROP_PRESENCE = delete_text(presence)
_PUT_VISITS = upsert_text(visits, _VISIT)
_DROP_VISITS = delete_text(visits)
_VISITS_SINCE = select_text(visits, _VISIT, where=f"{_PAIR} AND end_at >= ?", order_by=["start_at", "id"])
_LAST_VISITS = Query(
    sa.select(
        visits.c.shopper_id, visits.c.store_id, sa.func.max(visits.c.end_at, type_=visits.c.end_at.type)
    )
    .where(one_of(visits.c.shopper_id), visits.c.kind == "visit", visits.c.end_at >= sa.bindparam("since"))
    .group_by(visits.c.shopper_id, visits.c.store_id)
)
_SEEN_AT = Query(
    sa.select(evidence.c.shopper_id, evidence.c.store_id)
    .where(
        one_of(evidence.c.store_id),
        evidence.c.at_ms >= sa.bindparam("since_ms"),
        evidence.c.at_ms <= sa.bindparam("until_ms"),
        evidence.c.mocked.is_(False),
    )
    .distinct()
    .order_by(evidence.c.shopper_id, evidence.c.store_id)
)


class SqlSightings:
    """Sightings, evidence, presence and visits: what the hot path writes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_sightings(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Appends rows (device_id, sighting_id, at_ms, received_at_ms, latitude, longitude, accuracy_m, flags,
        speed_mps, detail, kind); that of a location ends after its flags, or after its speed."""
        lengths = set(map(len, rows))
        for length in lengths:
            alike = rows if len(lengths) == 1 else [row for row in rows if len(row) == length]
            append(self._connection, _ADD_SIGHTINGS[length], alike)

    def recent_ids(self, received_since_ms: int) -> Iterator[tuple[list[str], list[str]]]:
        """Pages of device ids and sighting ids of what was received since, newest page first.

        Reads the ledger's tail backwards and stops at the first page that is wholly older.
        """
        before: int | None = 2**62
        while before is not None:
            ((before, devices, ids),) = self._read(_PAGE_OF_IDS, (received_since_ms, before, _PAGE_OF_TEXT))
            device_ids = _texts.decode(devices)
            if not device_ids:
                return
            yield device_ids, _texts.decode(ids)

    def add_evidence(self, rows: Sequence[Evidence], *, zone_version: int) -> None:
        """Appends evidence that was judged with this version of the zones: of one group, in whatever order."""
        positions, signals = [], []
        for row in rows:
            if row.kind is LOCATION:
                positions.append((*_as_they_are(row), int(row.mocked), zone_version))
            else:
                of_all = (*_as_they_are(row), int(row.mocked), zone_version)
                signals.append((*of_all, *_values_of_signals(row)))
        append(self._connection, _ADD_POSITIONS, positions)
        append(self._connection, _ADD_SIGNALS, signals)

    def evidence(self, shopper_id: str, store_id: str, since_ms: int) -> list[Evidence]:
        """Evidence of the pair with at_ms ≥ since_ms, oldest first."""
        return [_evidence(row) for row in self._read(_EVIDENCE_SINCE, (shopper_id, store_id, since_ms))]

    def evidence_of(self, since_ms: Mapping[Pair, int]) -> dict[Pair, list[Evidence]]:
        """As `evidence`, of many pairs at once, each since its own instant; a pair without any is absent."""
        found: dict[Pair, list[Evidence]] = {}
        for row in self._of_pairs(evidence, _EVIDENCE, since_ms, since="at_ms", order_by="at_ms, seq"):
            found.setdefault((row[0], row[1]), []).append(_evidence(row))
        return found

    def every_evidence(self, zone_id: str) -> Iterator[Evidence]:
        """All evidence of zones with this id, by shopper and store, each pair's oldest first."""
        with closing(self._connection.connection.cursor()) as cursor:
            cursor.execute(_EVERY_EVIDENCE, (zone_id,))
            while rows := cursor.fetchmany(_PAGE):
                yield from map(_evidence, rows)

    def evidence_between(
        self, since_ms: int, until_ms: int, *, store_ids: Iterable[str]
    ) -> Iterator[Sequence[Evidence]]:
        """Pages of what happened at the stores in [since, until), in order of time, and then as it came."""
        wanted = msgspec.json.encode(sorted(set(store_ids))).decode()
        with closing(self._connection.connection.cursor()) as cursor:
            cursor.execute(_BETWEEN, (since_ms, until_ms, wanted))
            while rows := cursor.fetchmany(_PAGE):
                yield [_evidence(row) for row in rows]

    def all_presence(self) -> Iterator[tuple[str, str, str, str]]:
        """(shopper_id, store_id, zone_id, state) of every open presence."""
        query = sa.select(presence.c.shopper_id, presence.c.store_id, presence.c.zone_id, presence.c.state)
        return ((row[0], row[1], row[2], row[3]) for row in self._connection.execute(query))

    def put_presence(self, rows: Sequence[tuple[str, str, str, int, str]]) -> None:
        """Adds or replaces (shopper_id, store_id, zone_id, last_at_ms, state)."""
        self._write(_PUT_PRESENCE, rows)

    def drop_presence(self, keys: Sequence[tuple[str, str, str]]) -> None:
        """Ends presences by (shopper_id, store_id, zone_id)."""
        self._write(_DROP_PRESENCE, keys)

    def visits_since(self, shopper_id: str, store_id: str, end_since: datetime) -> list[VisitRow]:
        """Stays of the pair that end at or after `end_since`, oldest first."""
        found = self._read(_VISITS_SINCE, (shopper_id, store_id, to_ms(end_since)))
        return [_visit(row) for row in found]

    def visits_of(self, end_since: Mapping[Pair, datetime]) -> dict[Pair, list[VisitRow]]:
        """As `visits_since`, of many pairs at once, each since its own instant; a pair without any is absent."""
        since_ms = {pair: to_ms(instant) for pair, instant in end_since.items()}
        found: dict[Pair, list[VisitRow]] = {}
        for kept in self._of_pairs(visits, _VISIT, since_ms, since="end_at", order_by="start_at, id"):
            row = _visit(kept)
            found.setdefault((row.shopper_id, row.store_id), []).append(row)
        return found

    def put_visits(self, rows: Sequence[VisitRow]) -> None:
        """Adds or replaces stays by id."""
        self._write(_PUT_VISITS, [_visit_values(row) for row in rows])

    def drop_visits(self, rows: Sequence[VisitRow]) -> None:
        """Takes stays back that the evidence no longer tells."""
        self._write(_DROP_VISITS, [(row.shopper_id, row.store_id, row.id) for row in rows])

    def open_visits(self, end_before: datetime) -> list[VisitRow]:
        """Open stays whose last evidence is before an instant, oldest first."""
        # The literal lets the partial index of open stays serve.
        query = (
            sa.select(*columns(visits, VisitRow))
            .where(visits.c.status == sa.literal_column("'open'"), visits.c.end_at < end_before)
            .order_by(visits.c.end_at, visits.c.id)
        )
        return [VisitRow(*row) for row in self._connection.execute(query)]

    def last_visits(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, dict[str, datetime]]:
        """Per shopper and store the end of the latest counted visit that ended since."""
        found: dict[str, dict[str, datetime]] = {}
        for shopper_id, store_id, end_at in _LAST_VISITS.of(self._connection, shopper_ids, since=since):
            found.setdefault(shopper_id, {})[store_id] = end_at
        return found

    def seen_at(
        self, store_ids: Iterable[str], since: datetime, *, until: datetime | None = None
    ) -> list[tuple[str, str]]:
        """(shopper_id, store_id) of every shopper with evidence at one of the stores since, sorted.

        Reads the index of evidence once from end to end, however many the stores.
        """
        until_ms = _NEVER_MS if until is None else to_ms(until)
        found = _SEEN_AT.of(self._connection, store_ids, since_ms=to_ms(since), until_ms=until_ms)
        return [(shopper_id, store_id) for shopper_id, store_id in found]

    def _of_pairs(
        self,
        table: sa.Table,
        names: Sequence[str],
        since_ms: Mapping[Pair, int],
        *,
        since: str,
        order_by: str,
    ) -> Iterator[Sequence[Any]]:
        wanted = [(*pair, instant) for pair, instant in since_ms.items()]
        for first in range(0, len(wanted), _MOST_PAIRS):
            part = wanted[first : first + _MOST_PAIRS]
            # Few texts, each prepared once, serve any number of pairs: what is left over asks for nobody.
            number = 1 << (len(part) - 1).bit_length()
            text = pairs_text(table, tuple(names), since=since, order_by=order_by, number=number)
            values = [value for row in part for value in row]
            yield from self._read(text, values + [None] * (3 * number - len(values)))

    def _write(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        write(self._connection, text, rows)

    def _read(self, text: str, parameters: Sequence[Any]) -> Sequence[Any]:
        return read(self._connection, text, parameters)


_SAMPLES = _EVIDENCE.index("samples")
_KIND = _EVIDENCE.index("kind")
_TRANSITION = _EVIDENCE.index("transition")
_MOCKED = _EVIDENCE.index("mocked")


_KINDS = {kind.value: kind for kind in Kind}
# The driver would ask a member of an enumeration how it is to be written, and it would ask its class for its value.
_TEXT_OF: dict[str | None, str | None] = {None: None} | {one: one.value for one in (*Kind, *Transition)}
_as_they_are = attrgetter(*_AS_THEY_ARE)


def _values_of_signals(row: Evidence) -> tuple[Any, ...]:
    return (
        _TEXT_OF[row.kind],
        _TEXT_OF[row.transition],
        row.beacon,
        row.place,
        row.measured_power_dbm,
        " ".join([f"{before_ms}:{rssi_dbm}" for before_ms, rssi_dbm in row.samples]) or None,
    )


def _evidence(row: Sequence[Any]) -> Evidence:
    kept = list(row)
    kept[_KIND] = _KINDS[kept[_KIND]]
    kept[_TRANSITION] = None if kept[_TRANSITION] is None else Transition(kept[_TRANSITION])
    kept[_SAMPLES] = _read_samples(kept[_SAMPLES]) if kept[_SAMPLES] else ()
    kept[_MOCKED] = bool(kept[_MOCKED])
    return Evidence(*kept)


def _read_samples(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (sample.split(":") for sample in text.split())
    return tuple((int(before_ms), int(rssi_dbm)) for before_ms, rssi_dbm in pairs)


_visit_values = row_values(visits, VisitRow)
_START, _END = (_VISIT.index(name) for name in ("start_at", "end_at"))


def _visit(row: Sequence[Any]) -> VisitRow:
    kept = list(row)
    kept[_START], kept[_END] = from_ms(kept[_START]), from_ms(kept[_END])
    return VisitRow(*kept)

"""Does the hot path's memory come back as it was, in event order, and fast where it must be?"""

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from m2s.adapters.storage import sightings as module
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.sightings import _visit, _visit_values
from m2s.app.ports import Records
from m2s.core.base.instants import from_ms
from m2s.core.presence.evidence import Evidence, Kind, Transition
from tests.adapters.storage.samples import DAY, FENCE, HOUR, NOW, POSITION, SIGNAL, VISIT
from tests.changed import replace

TEXT = st.text(max_size=8)
AMOUNT = st.none() | st.floats(allow_nan=False, allow_infinity=False)
OF_ALL = (st.integers(0, 2**48), st.floats(0, 1), AMOUNT, AMOUNT, AMOUNT)
POSITIONS = st.builds(Evidence, *[TEXT] * 5, st.just(Kind.LOCATION), *OF_ALL, mocked=st.booleans())
SIGNALS = st.builds(
    Evidence,
    *[TEXT] * 5,
    st.sampled_from([Kind.GEOFENCE, Kind.BEACON]),
    *OF_ALL,
    st.none() | st.sampled_from(Transition),
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.integers(-120, 0),
    st.lists(st.tuples(st.integers(0, 99_000), st.integers(-120, 0)), max_size=4).map(tuple),
    st.booleans(),
)
NUMBERS = count()
INSTANT = st.integers(0, 2**42).map(from_ms)


def sighting(number: int, received_at_ms: int) -> tuple[object, ...]:
    return ("dev_1", f"s-{number}", 1, received_at_ms, 43.7, 7.4, 12.5, 3, None, '{"a":1}', "beacon")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=POSITIONS | SIGNALS)
def test_evidence_is_kept_whole(database: SqlDatabase, one: Evidence) -> None:
    one = structs.replace(one, store_id=f"store {next(NUMBERS)}")
    database.write(lambda records: records.sightings.add_evidence([one], zone_version=1))
    with database.read() as records:
        assert records.sightings.evidence(one.shopper_id, one.store_id, 0) == [one]


@given(start=INSTANT, end=INSTANT)
def test_a_visit_survives_its_row(start: object, end: object) -> None:
    row = replace(VISIT, start_at=start, end_at=end)  # type: ignore[arg-type]
    assert _visit(_visit_values(row)) == row


def test_evidence_of_a_pair_comes_back_in_event_order(database: SqlDatabase) -> None:
    elsewhere = structs.replace(FENCE, store_id="market")
    somebody = structs.replace(FENCE, shopper_id="shp_2")

    def keep(records: Records) -> None:
        records.sightings.add_evidence([SIGNAL, FENCE, elsewhere], zone_version=1)
        records.sightings.add_evidence([POSITION, somebody], zone_version=2)
        records.sightings.add_evidence([], zone_version=2)

    database.write(keep)
    with database.read() as records:
        assert records.sightings.evidence("shp_1", "bakery", 0) == [FENCE, POSITION, SIGNAL]
        assert records.sightings.evidence("shp_1", "bakery", 2_000) == [POSITION, SIGNAL]
        assert records.sightings.evidence("shp_1", "market", 0) == [elsewhere]


def test_sightings_are_kept_whole_however_early_their_rows_end(database: SqlDatabase) -> None:
    rows = [sighting(1, 10), (*sighting(2, 10)[:7], 0, 1.5), sighting(3, 10)[:8], sighting(4, 10)]
    database.write(lambda records: records.sightings.add_sightings(rows))
    with database.read() as records:
        connection = records.sightings._connection  # type: ignore[attr-defined]
        kept = connection.exec_driver_sql("SELECT * FROM sightings ORDER BY sighting_id").all()
        # The kind stands third there, and last in what is added.
        assert [(*row[1:3], *row[4:], row[3]) for row in kept] == [
            row if len(row) == 11 else (*row, *[None] * (10 - len(row)), "location") for row in rows
        ]


def test_recent_ids_are_those_received_since_over_many_pages(
    database: SqlDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE_OF_TEXT", 3)
    rows = [sighting(number, 100 + number) for number in range(11)]
    database.write(lambda records: records.sightings.add_sightings(rows))
    with database.read() as records:
        for since, count in ((0, 11), (104, 7), (110, 1), (111, 0)):
            pages = list(records.sightings.recent_ids(since))
            found = [pair for devices, ids in pages for pair in zip(devices, ids, strict=True)]
            assert found == [("dev_1", f"s-{n}") for n in reversed(range(11 - count, 11))]
            assert all(len(devices) <= 3 for devices, _ in pages)


def test_presence_is_replaced_and_dropped_by_its_key(database: SqlDatabase) -> None:
    key = ("shp_1", "bakery", "premises")

    def keep(records: Records) -> None:
        records.sightings.put_presence([(*key, 1, "{}"), ("shp_2", "bakery", "vicinity", 1, "{}")])
        records.sightings.put_presence([(*key, 2, '{"in":1}')])
        records.sightings.drop_presence([("shp_2", "bakery", "vicinity"), ("shp_9", "bakery", "premises")])

    database.write(keep)
    with database.read() as records:
        assert list(records.sightings.all_presence()) == [(*key, '{"in":1}')]


def test_visits_are_replaced_dropped_and_read_by_their_end(database: SqlDatabase) -> None:
    first = replace(VISIT, id="vis_0", start_at=NOW - DAY, end_at=NOW - DAY + HOUR)
    corrected = replace(VISIT, dwell_s=60, replaces="vis_9")

    def keep(records: Records) -> None:
        records.sightings.put_visits([VISIT, first, replace(VISIT, id="vis_2")])
        records.sightings.put_visits([corrected, replace(VISIT, id="vis_3", store_id="market")])
        records.sightings.drop_visits([replace(VISIT, id=name) for name in ("vis_2", "vis_7")])

    database.write(keep)
    with database.read() as records:
        assert records.sightings.visits_since("shp_1", "bakery", first.end_at) == [first, corrected]
        after = first.end_at + timedelta(milliseconds=1)
        assert records.sightings.visits_since("shp_1", "bakery", after) == [corrected]


def test_open_visits_are_the_silent_ones(database: SqlDatabase) -> None:
    rows = [
        replace(VISIT, id="silent", end_at=NOW - HOUR),
        replace(VISIT, id="closed", end_at=NOW - HOUR, status="closed"),
        replace(VISIT, id="fresh", end_at=NOW),
    ]
    database.write(lambda records: records.sightings.put_visits(rows))
    with database.read() as records:
        assert records.sightings.open_visits(NOW) == [rows[0]]


def test_last_visits_are_counted_visits_only(database: SqlDatabase) -> None:
    rows = [
        replace(VISIT, id="a", end_at=NOW - HOUR),
        replace(VISIT, id="b", end_at=NOW),
        replace(VISIT, id="c", end_at=NOW + HOUR, kind="passer_by"),
        replace(VISIT, id="d", store_id="market", end_at=NOW - DAY),
        replace(VISIT, id="e", store_id="kiosk", end_at=NOW - 2 * DAY),
        replace(VISIT, id="f", shopper_id="shp_2", end_at=NOW),
    ]
    database.write(lambda records: records.sightings.put_visits(rows))
    with database.read() as records:
        assert records.sightings.last_visits(["shp_1", "shp_2", "shp_3"], NOW - DAY) == {
            "shp_1": {"bakery": NOW, "market": NOW - DAY},
            "shp_2": {"bakery": NOW},
        }


def test_who_was_seen_where_is_told_once_and_sorted(database: SqlDatabase) -> None:
    since = from_ms(2_000)
    rows = [
        structs.replace(POSITION, shopper_id="shp_3", mocked=False),
        structs.replace(POSITION, shopper_id="shp_1", store_id="market", mocked=False),
        structs.replace(POSITION, shopper_id="shp_5", mocked=True),
        structs.replace(SIGNAL, shopper_id="shp_1"),
        structs.replace(FENCE, shopper_id="shp_2"),
        structs.replace(SIGNAL, shopper_id="shp_4", store_id="kiosk"),
    ]
    database.write(lambda records: records.sightings.add_evidence(rows, zone_version=1))
    with database.read() as records:
        assert records.sightings.seen_at(["market", "bakery"], since) == [
            ("shp_1", "bakery"),
            ("shp_1", "market"),
            ("shp_3", "bakery"),
        ]
        assert records.sightings.seen_at([], since) == []


def test_who_was_seen_is_read_from_the_index_alone(database: SqlDatabase) -> None:
    with database.read() as records:
        connection = records.sightings._connection  # type: ignore[attr-defined]
        text = str(module._SEEN_AT._statement.compile(connection))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("[]", 0, 0)).all()
    assert "COVERING INDEX ix_evidence_shopper_store_at" in plan[0].detail
    assert not any("TEMP B-TREE" in step.detail for step in plan)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (module._EVIDENCE_SINCE, "ix_evidence_shopper_store_at"),
        (module._VISITS_SINCE, "sqlite_autoindex_visits_1 (shopper_id=? AND store_id=?)"),
        (module._PAGE_OF_IDS, "INTEGER PRIMARY KEY"),
    ],
)
def test_the_hot_reads_use_an_index(database: SqlDatabase, query: str, index: str) -> None:
    with database.read() as records:
        connection = records.sightings._connection  # type: ignore[attr-defined]
        values = (0,) * (3 if "?3" in query else query.count("?"))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all()
    assert any(index in step.detail for step in plan)
    assert not any(step.detail == "SCAN sightings" for step in plan)

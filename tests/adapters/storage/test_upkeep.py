"""Do the ledgers lose what is too old and nothing else, and do letters and clock readings come back as they were?"""

from datetime import timedelta

from msgspec import structs

from m2s.adapters.storage.database import SqlDatabase
from m2s.app.ports import Records
from m2s.app.rows import DeadLetterRow
from m2s.app.upkeep import Piece
from m2s.core.base.instants import to_ms
from tests.adapters.storage.samples import DAY, DEVICE, HOUR, NOW, POSITION
from tests.changed import replace

NOW_MS = to_ms(NOW)
DAY_MS = 86_400_000
LETTER = DeadLetterRow(
    id="dl_1",
    kind="sighting",
    device_id="dev_1",
    received_at_ms=NOW_MS,
    sent_at_ms=NOW_MS - 40,
    body='{"id": "\\ud800"}',
    cause="ZeroDivisionError: division by zero",
    tries=1,
    at=NOW,
)


def receive(database: SqlDatabase, *days_ago: float) -> None:
    """Sightings in the order in which they were written, each by how many days ago it was received."""
    rows = [("dev_1", f"s{ago}", 1, NOW_MS - int(ago * DAY_MS), 1.0, 1.0, 5.0, 0) for ago in days_ago]
    database.write(lambda records: records.sightings.add_sightings(rows))


def drop(database: SqlDatabase, *, after_seq: int = 0, limit: int = 10, all_of_them: bool = False) -> Piece:
    return database.write(
        lambda records: records.retention.drop_sightings(
            NOW_MS - 7 * DAY_MS, now_ms=NOW_MS, after_seq=after_seq, limit=limit, all_of_them=all_of_them
        )
    )


def keep_readings(database: SqlDatabase, *readings: tuple[str, int]) -> None:
    database.write(lambda records: records.devices.keep_clock_offsets(readings, moved_ms=2_000))


def kept(database: SqlDatabase) -> list[str]:
    with database.read() as records:
        return [sighting_id for _, ids in records.sightings.recent_ids(0) for sighting_id in ids][::-1]


def test_a_piece_drops_the_old_rows_among_the_next_and_says_whether_to_go_on(database: SqlDatabase) -> None:
    receive(database, 9, 8, 7.5, 6, 5)
    first = drop(database, limit=2)
    assert (first, kept(database)) == (Piece(2, 2, more=True), ["s7.5", "s6", "s5"])
    second = drop(database, after_seq=first.last_seq, limit=2)
    assert (second, kept(database)) == (Piece(1, 4, more=True), ["s6", "s5"])
    assert drop(database, after_seq=second.last_seq, limit=2) == Piece(0, 5, more=False)


def test_nothing_stored_is_nothing_to_drop(database: SqlDatabase) -> None:
    assert drop(database) == Piece(0, 0, more=False)


def test_a_row_of_exactly_the_limit_is_kept(database: SqlDatabase) -> None:
    receive(database, 7)
    assert drop(database) == Piece(0, 1, more=False)


def test_rows_written_while_the_clock_was_ahead_hide_no_old_ones(database: SqlDatabase) -> None:
    receive(database, -30, -30, -30, 9, 1)
    first = drop(database, limit=2)
    assert first == Piece(0, 2, more=True)
    assert drop(database, after_seq=first.last_seq, limit=2) == Piece(1, 4, more=True)
    assert kept(database) == ["s-30", "s-30", "s-30", "s1"]


def test_all_are_looked_at_where_old_rows_may_stand_behind_young_ones(database: SqlDatabase) -> None:
    receive(database, 1, 1, 8, 1, 1)
    pieces = []
    for after_seq in (0, 2, 4):
        pieces.append(drop(database, after_seq=after_seq, limit=2, all_of_them=True))
    assert pieces == [Piece(0, 2, more=True), Piece(1, 4, more=True), Piece(0, 5, more=False)]
    assert kept(database) == ["s1"] * 4


def test_evidence_goes_by_when_it_happened(database: SqlDatabase) -> None:
    ages_days = (400, 396.5, 395, 397, 1)
    rows = [
        structs.replace(POSITION, sighting_id=f"s{age}", at_ms=NOW_MS - int(age * DAY_MS))
        for age in ages_days
    ]

    def work(records: Records) -> Piece:
        records.sightings.add_evidence(rows, zone_version=1)
        return records.retention.drop_evidence(NOW_MS - 396 * DAY_MS, now_ms=NOW_MS, after_seq=0, limit=5)

    assert database.write(work) == Piece(3, 5, more=True)
    with database.read() as records:
        found = records.sightings.evidence(POSITION.shopper_id, POSITION.store_id, 0)
    assert [one.sighting_id for one in found] == ["s395", "s1"]


def test_a_letter_comes_back_and_another_failure_counts_as_a_try_of_it(database: SqlDatabase) -> None:
    again = replace(LETTER, cause="KeyError: 'x'", at=NOW + HOUR, tries=1)
    database.write(lambda records: records.dead_letters.keep(LETTER, most=5))
    with database.read() as records:
        assert records.dead_letters.all() == [LETTER]
    database.write(lambda records: records.dead_letters.keep(again, most=5))
    with database.read() as records:
        assert records.dead_letters.get("dl_1") == replace(again, tries=2)
        assert records.dead_letters.get("dl_2") is None


def test_beyond_the_limit_the_oldest_letters_go(database: SqlDatabase) -> None:
    def keep(records: Records) -> None:
        for number in range(7):
            records.dead_letters.keep(replace(LETTER, id=f"dl_{number}"), most=3)

    database.write(keep)
    with database.read() as records:
        assert [row.id for row in records.dead_letters.all()] == ["dl_4", "dl_5", "dl_6"]


def test_letters_are_dropped_by_name_and_by_age(database: SqlDatabase) -> None:
    ages = {"dl_old": 8 * DAY, "dl_edge": 7 * DAY, "dl_young": timedelta(0)}

    def keep(records: Records) -> None:
        for letter_id, age in ages.items():
            row = replace(LETTER, id=letter_id, received_at_ms=to_ms(NOW - age))
            records.dead_letters.keep(row, most=5)

    database.write(keep)
    assert database.write(lambda records: records.dead_letters.drop_before(NOW - 7 * DAY)) == 1
    assert [database.write(lambda records: records.dead_letters.drop("dl_edge")) for _ in "12"] == [
        True,
        False,
    ]
    with database.read() as records:
        assert [row.id for row in records.dead_letters.all()] == ["dl_young"]


def test_a_clock_reading_is_kept_when_it_is_new_or_has_moved(database: SqlDatabase) -> None:
    database.write(lambda records: records.devices.add_device(DEVICE, token_hash=b"1"))
    seen = []
    for offset_ms in (-40, 1_960, 1_961, -400_000):
        keep_readings(database, ("dev_1", offset_ms), ("dev_unknown", 7))
        with database.read() as records:
            row = records.devices.device("dev_1")
            assert row is not None
            seen.append(row.clock_offset_ms)
    assert seen == [-40, -40, 1_961, -400_000]

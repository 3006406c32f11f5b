"""What does the whole job cost beside writing the rows alone? In process, 500 sightings a commit, one core."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measured import Row, compared, timed
from benchmarks.workload import Mix, Traffic, fill, make_stores
from m2s.adapters.storage.database import SqlDatabase
from m2s.adapters.storage.migrate import upgrade
from m2s.app.groups import GroupResult
from m2s.app.ports import Records
from m2s.app.sighting import Answer, Batch, BeaconSighting, Geofence, Location, Sighting
from m2s.bootstrap import build_engine
from m2s.core.base.instants import to_ms
from m2s.entry.api.sightings import Sightings
from m2s.settings import Settings

ROUNDS = 9
COMMITS = 100
PER_COMMIT = 500

_decoder = msgspec.json.Decoder(Sightings)
_Body = tuple[str, bytes]


def whole_job(folder: Path, *, seed: int, mix: Mix, size: int) -> Row:
    """Decode, de-duplicate, match, presence, visits, decide, write and commit, against decode, rows and commit.

    `size` is the number of sightings in a request; 500 of them are committed together.
    """
    folder.mkdir()
    settings = Settings(database_url=f"sqlite:///{folder / 'whole.sqlite3'}")
    floor_url = f"sqlite:///{folder / 'floor.sqlite3'}"
    upgrade(settings.database_url)
    upgrade(floor_url)
    engine = build_engine(settings)
    engine.start(heartbeat=False)
    shoppers = fill(engine, make_stores(seed))
    traffic = Traffic(engine, seed=seed, mix=mix)
    received_at_ms = to_ms(engine.clock.now())
    engine.settle()
    ours, floors = [], []
    with SqlDatabase(floor_url) as floor:
        for round_number in range(ROUNDS + 1):
            groups = [traffic.bodies(PER_COMMIT // size, size) for _ in range(COMMITS)]
            again = [traffic.bodies(PER_COMMIT // size, size) for _ in range(COMMITS)]

            def whole(groups: Sequence[Sequence[_Body]] = groups) -> int:
                for bodies in groups:
                    batches = [_batch(body, shoppers, received_at_ms) for body in bodies]

                    def work(records: Records, batches: list[Batch] = batches) -> GroupResult[Answer]:
                        return engine.intake.process(records, batches)

                    engine.database.write(work, then=lambda result: result.publish())
                return COMMITS * PER_COMMIT

            def rows_alone(groups: Sequence[Sequence[_Body]] = again) -> int:
                for bodies in groups:
                    rows = [row for body in bodies for row in _rows(body, received_at_ms)]

                    def work(records: Records, rows: list[tuple[object, ...]] = rows) -> None:
                        records.sightings.add_sightings(rows)

                    floor.write(work)
                return COMMITS * PER_COMMIT

            pair = timed(whole), timed(rows_alone)
            if round_number:
                ours.append(pair[0])
                floors.append(pair[1])
    engine.stop()
    touches = "" if mix.together else ", every touch at a store of its own"
    name = f"whole job, 500 a commit, against rows alone (requests of {size}{touches})"
    return compared(name, ours, floors, goal=0.5)


def _batch(body: _Body, shoppers: dict[str, str], received_at_ms: int) -> Batch:
    device_id, text = body
    items = _decoder.decode(text).sightings
    return Batch(
        device_id, {device_id: shoppers[device_id]}, received_at_ms, None, list(enumerate(items)), []
    )


def _rows(body: _Body, received_at_ms: int) -> list[tuple[object, ...]]:
    device_id, text = body
    return [_row(device_id, item, received_at_ms) for item in _decoder.decode(text).sightings]


def _row(device_id: str, item: Sighting, received_at_ms: int) -> tuple[object, ...]:
    head = (
        device_id,
        item.id,
        item.__struct_config__.tag,
        received_at_ms - (item.age_ms or 0),
        received_at_ms,
    )
    if isinstance(item, Location):
        return (*head, item.latitude, item.longitude, item.accuracy_m, item.speed_mps, 0, None)
    if isinstance(item, Geofence):
        detail: dict[str, object] = {"transition": item.transition, "region_ids": item.region_ids}
    else:
        assert isinstance(item, BeaconSighting)
        samples = [[sample.age_ms, sample.rssi_dbm] for sample in item.samples]
        detail = {"uuid": item.uuid, "major": item.major, "minor": item.minor, "samples": samples}
    return (*head, None, None, None, None, 0, json.dumps(detail))

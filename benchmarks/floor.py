"""What is the least that taking sightings costs? Decode, rows and one insert on the same schema, driver and sync."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from benchmarks.measured import Round
from benchmarks.workload import Body, Traffic
from m2s.adapters.storage.direct import write
from m2s.adapters.storage.engine import driver, write_engine
from m2s.adapters.storage.migrate import upgrade
from m2s.adapters.storage.statements import insert_text
from m2s.adapters.storage.tables import sightings
from m2s.app.sighting import BeaconSighting, Geofence, Location, Sighting
from m2s.entry.api.sightings import Sightings

COMMITS = 100
PER_COMMIT = 500
SightingRow = tuple[object, ...]

_ADD = insert_text(
    sightings, [column.name for column in sightings.c if column.name not in ("seq", "kind")] + ["kind"]
)
decoder = msgspec.json.Decoder(Sightings)


class RowsAlone:
    """Writes sightings as they come: nothing is de-duplicated, matched or decided."""

    def __init__(
        self, path: Path, traffic: Traffic, *, size: int, received_at_ms: int, set_up: bool = False
    ) -> None:
        """`set_up` takes the driver as m2s sets it up, with its quick way to bind None; else it is as it comes."""
        self._driver = nullcontext if set_up else _driver_as_it_comes
        upgrade(f"sqlite:///{path}")
        self._engine = write_engine(path)
        self._connection = self._engine.connect()
        self._traffic = traffic
        self._size = size
        self._received_at_ms = received_at_ms

    def round(self) -> Round:
        """The work of one round."""
        groups = [self._traffic.bodies(PER_COMMIT // self._size, self._size) for _ in range(COMMITS)]

        def work() -> int:
            with self._driver():
                for bodies in groups:
                    self._commit([row for body in bodies for row in self._rows(body)])
            return COMMITS * PER_COMMIT

        return work

    def close(self) -> None:
        """Lets go of the database."""
        self._connection.close()
        self._engine.dispose()

    def _commit(self, rows: Sequence[SightingRow]) -> None:
        with self._connection.begin():
            write(self._connection, _ADD, rows)

    def _rows(self, body: Body) -> list[SightingRow]:
        device, text = body
        return [row_of(device, item, self._received_at_ms) for item in decoder.decode(text).sightings]


@contextmanager
def _driver_as_it_comes() -> Iterator[None]:
    adapters, key = driver().adapters, (type(None), driver().PrepareProtocol)
    adapter = adapters.pop(key)
    try:
        yield
    finally:
        adapters[key] = adapter


def row_of(device: str, item: Sighting, received_at_ms: int) -> SightingRow:
    """A sighting as storage takes it."""
    head = (device, item.id, received_at_ms - (item.age_ms or 0), received_at_ms)
    kind = item.__struct_config__.tag
    if isinstance(item, Location):
        return (*head, item.latitude, item.longitude, item.accuracy_m, 0, item.speed_mps, None, kind)
    if isinstance(item, Geofence):
        detail: dict[str, object] = {"transition": item.transition, "region_ids": item.region_ids}
    else:
        assert isinstance(item, BeaconSighting)
        samples = [[sample.age_ms, sample.rssi_dbm] for sample in item.samples]
        detail = {"uuid": item.uuid, "major": item.major, "minor": item.minor, "samples": samples}
    return (*head, None, None, None, 0, None, json.dumps(detail), kind)

"""What does the service make of recorded traces? Its own engine, in this process, on a database for the purpose."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from accuracy.stay_points import Place
from m2s.app.rows import VisitRow
from m2s.app.sighting import Batch, Sighting
from m2s.bootstrap import DemoEngine, Trace, build_demo_engine
from m2s.core.base.instants import to_ms
from m2s.core.places.geojson import read_features
from m2s.core.places.store import Store
from m2s.core.presence.evidence import Evidence

_MS = timedelta(milliseconds=1)
_MOST_ITEMS = 500
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of one trace, by store: the stays, and the evidence that they rest on."""

    stays: Mapping[str, Sequence[VisitRow]]
    evidence: Mapping[str, Sequence[Evidence]]

    def visits(self, store_id: str) -> list[VisitRow]:
        """The stays that count."""
        return [stay for stay in self.stays[store_id] if stay.kind == "visit"]


def store_at(store_id: str, place: Place) -> Store:
    """A store of which only the point is known, and no opening hours."""
    geometry = {"type": "Point", "coordinates": [place[1], place[0]]}
    properties = {"name": store_id, "timezone": "UTC", "country": "FR"}
    feature = {"type": "Feature", "id": store_id, "geometry": geometry, "properties": properties}
    (store,) = read_features([(store_id, feature)])
    return store


def replayed(traces: Sequence[Trace], stores: Sequence[Store]) -> list[Outcome]:
    """What comes of each trace when its phone, which is nobody else's, sends all of it as it ends."""
    order = sorted(range(len(traces)), key=lambda number: traces[number].sightings[-1].at)
    found = {}
    with TemporaryDirectory(prefix="m2s-accuracy-") as folder:
        start = traces[order[0]].sightings[-1].at
        made = build_demo_engine(Path(folder), start=start, seed=1, screens=io.StringIO())
        try:
            made.engine.publish.publish_stores(stores)
            made.engine.start(heartbeat=False)
            for number in order:
                found[number] = _outcome(made, traces[number], stores)
        finally:
            made.engine.stop()
    return [found[number] for number in range(len(traces))]


def _outcome(made: DemoEngine, trace: Trace, stores: Sequence[Store]) -> Outcome:
    made.clock.set(trace.sightings[-1].at)
    device_id = made.engine.devices.register({}, key_id="").device_id
    with made.engine.database.read() as records:
        device = records.devices.device(device_id)
    if device is None:
        raise LookupError(f"{device_id} has registered and is not there")
    shopper_id, now = device.shopper_id, made.clock.now()
    for items in _items(trace, now):
        batch = Batch(device_id, {device_id: shopper_id}, to_ms(now), to_ms(now), items, [])
        made.engine.submit(batch).result()
    with made.engine.database.read() as records:
        return Outcome(
            {store.id: records.sightings.visits_since(shopper_id, store.id, _LONG_AGO) for store in stores},
            {store.id: records.sightings.evidence(shopper_id, store.id, 0) for store in stores},
        )


def _items(trace: Trace, now: datetime) -> Iterator[list[tuple[int, Sighting]]]:
    for first in range(0, len(trace.sightings), _MOST_ITEMS):
        piece = trace.sightings[first : first + _MOST_ITEMS]
        yield [
            (place, msgspec.convert({**one.fields, "age_ms": (now - one.at) // _MS}, Sighting))
            for place, one in enumerate(piece)
        ]

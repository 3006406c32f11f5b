"""What the service makes of traces that need no recording: each phone for itself, whatever the order of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accuracy.replayed import replayed, store_at
from m2s.adapters.importers.traces import RecordedSighting
from m2s.bootstrap import Trace

SHOP, ELSEWHERE = (45.0, 7.0), (45.1, 7.0)


def trace(phone: str, start: datetime, *, step_s: int, speed_mps: float, many: int) -> Trace:
    """A way to the north that ends at the shop."""
    sightings = []
    for number in range(many):
        left_m = (many - 1 - number) * step_s * speed_mps
        fields = {
            "id": f"{number}",
            "kind": "location",
            "latitude": SHOP[0] - left_m / 111_195,
            "longitude": SHOP[1],
            "accuracy_m": 10.0,
        }
        sightings.append(RecordedSighting(start + timedelta(seconds=number * step_s), fields))
    return Trace(phone, tuple(sightings))


def test_a_rest_is_a_visit_and_a_drive_is_none() -> None:
    stands = trace("stands", datetime(2015, 1, 1, tzinfo=UTC), step_s=10, speed_mps=0, many=601)
    drives = trace("drives", datetime(2010, 1, 1, tzinfo=UTC), step_s=1, speed_mps=15, many=100)
    shop, elsewhere = store_at("shop", SHOP), store_at("elsewhere", ELSEWHERE)
    standing, driving = replayed([stands, drives], [shop, elsewhere])
    (visit,) = standing.visits("shop")
    assert (visit.start_at, visit.dwell_s) == (stands.sightings[0].at, 6000)
    assert {one.sighting_id for one in standing.evidence["shop"]} == {str(number) for number in range(601)}
    assert {stay.kind for stay in driving.stays["shop"]} <= {"passer_by"}
    assert driving.evidence["shop"]
    assert standing.stays["elsewhere"] == driving.stays["elsewhere"] == []

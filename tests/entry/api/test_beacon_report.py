"""`GET /v1/reports/beacons`: what phones sent over HTTP is told of each beacon, as JSON and CSV."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from tests.entry.api.wiring import BEACON, PORT, Service


def hear(service: Service, minor: int) -> None:
    """A new phone hears a beacon at the port."""
    _, token = service.consenting_phone()
    heard = {"kind": "beacon", "uuid": BEACON, "major": 1, "minor": minor, "rssi_dbm": -65, "age_ms": 0}
    fix = service.fix(latitude=PORT[0], longitude=PORT[1])
    answer = service.send(token, {**heard, "id": fix["id"] + "h"}, fix).json()
    assert answer["accepted"] == 2
    service.clock.advance(timedelta(minutes=1))


def test_beacons_are_told_one_by_one_those_with_findings_first(service: Service) -> None:
    # The church's beacon (1) is heard at the port, 1 km away, by two phones; the port's own (0) by one.
    for minor in (0, 1, 1):
        hear(service, minor)
    table = service.call("GET", "/v1/reports/beacons", "analyst").json()
    assert table["rule_version"] == "beacons-1"
    church, port = table["rows"]
    assert (church["store_id"], church["findings"], church["away_at"]) == ("church", "moved", "port")
    assert (port["store_id"], port["findings"], port["phone_days"]) == ("port", "", 1)
    assert port["last_heard"] == "2026-11-03T09:00:00.000Z"
    text = service.call("GET", "/v1/reports/beacons?format=csv", "manager").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == table["columns"]
    assert [(row["store_id"], row["minor"], row["away_m"]) for row in rows] == [
        ("church", "1", str(church["away_m"])),
        ("port", "0", ""),
    ]
    narrow = service.call("GET", "/v1/reports/beacons?store_id=port&to=2026-11-03", "analyst").json()
    assert [(row["store_id"], row["last_heard"]) for row in narrow["rows"]] == [("port", None)]

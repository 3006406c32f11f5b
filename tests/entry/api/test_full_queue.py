"""What do clients and operators hear while more sightings wait than may?"""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec

from m2s.app.ports import Records
from m2s.app.sighting import Batch, Sighting
from tests.entry.api.wiring import Service, running

WAIT_S = 20


def batch(service: Service, token: str, *, size: int) -> Batch:
    """So many sightings of a phone, as the door hands them in."""
    device = service.engine.access.authenticate(token).device
    assert device is not None
    text = json.dumps([service.fix() for _ in range(size)])
    items = list(enumerate(msgspec.json.decode(text, type=list[Sighting])))
    return Batch(device.id, {device.id: device.shopper_id}, 1_793_696_400_000, None, items, [])


def test_sightings_are_refused_at_once_everything_else_goes_on_and_both_are_told(tmp_path: Path) -> None:
    may_go_on, entered = threading.Event(), threading.Event()

    def hold(_records: Records) -> None:
        entered.set()
        assert may_go_on.wait(WAIT_S)

    with running(tmp_path, max_waiting_sightings=500) as service:
        token = service.phone()[1]
        filling = batch(service, token, size=500)
        service.engine.database.submit(hold)
        assert entered.wait(WAIT_S)
        waiting = service.engine.submit(filling)
        refused = [
            service.send(token, service.fix()),
            service.call(
                "POST", "/v1/sightings", token, content=b"{", headers={"content-type": "application/json"}
            ),
        ]
        ready = service.call("GET", "/readyz")
        read = service.call("GET", "/v1/offers", token)
        counted = service.call("GET", "/metrics").text
        may_go_on.set()
        assert waiting.result(WAIT_S).accepted == 500
        assert service.send(token, service.fix()).json()["accepted"] == 1
        assert service.call("GET", "/readyz").status_code == 200
        assert "m2s_sightings_waiting 0.0" in service.call("GET", "/metrics").text
    for answer in (*refused, ready):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
    assert {answer.json()["type"] for answer in refused} == {"urn:m2s:problem:queue_full"}
    assert "500 sightings wait" in ready.json()["errors"][0]["detail"]
    assert read.status_code == 200
    assert "m2s_sightings_waiting 500.0" in counted
    assert 'm2s_sightings_refused_total{reason="queue_full"} 2.0' in counted

"""What do clients and operators hear while more sightings wait than may?"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from anyio.to_thread import current_default_thread_limiter
from starlette.concurrency import run_in_threadpool

from m2s.app.ports import Records
from m2s.app.sighting import Batch, Sighting
from tests.entry.api.wiring import Service, running

WAIT_S = 60


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


def test_where_repeats_can_no_longer_be_told_nothing_is_taken_and_all_are_told_why(tmp_path: Path) -> None:
    with running(tmp_path, dedupe_max_ids=1_000) as service:
        token = service.phone()[1]
        kept = [service.fix() for _ in range(500)]
        taken = [service.send(token, *kept), service.send(token, *[service.fix() for _ in range(499)])]
        assert [answer.json()["accepted"] for answer in taken] == [500, 499]
        assert service.call("GET", "/readyz").status_code == 200
        assert service.send(token, *[service.fix() for _ in range(2)]).status_code == 503
        assert service.send(token, *kept[:1]).json()["duplicates"] == 1
        assert service.send(token, service.fix()).json()["accepted"] == 1
        refused, ready = service.send(token, service.fix()), service.call("GET", "/readyz")
        counted = service.call("GET", "/metrics").text
        stored = service.kept()
    assert refused.json()["type"] == "urn:m2s:problem:dedupe_full"
    assert refused.headers["retry-after"] == "60"
    assert ready.status_code == 503
    assert "raise dedupe_max_ids" in ready.json()["errors"][0]["detail"]
    assert "m2s_sightings_remembered 1000.0" in counted
    assert stored == 1_000


def test_the_process_is_alive_while_every_thread_waits(tmp_path: Path) -> None:
    may_go_on, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        may_go_on.wait(WAIT_S)

    with running(tmp_path) as service, ThreadPoolExecutor(1) as pool:
        portal = service.client.portal
        assert portal is not None
        threads = portal.call(current_default_thread_limiter)
        portal.call(setattr, threads, "total_tokens", 1)
        portal.start_task_soon(run_in_threadpool, hold)
        assert entered.wait(WAIT_S)
        alive = pool.submit(service.call, "GET", "/healthz")
        try:
            assert alive.result(WAIT_S / 4).status_code == 200
        finally:
            may_go_on.set()

"""What does a serving process do while its disk is full or its file is locked, and how soon does it go on?"""

from __future__ import annotations

import http.client
import json
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2s.adapters.storage.engine import driver
from tests.faults.clients import Crowd, crowd
from tests.faults.process import Process
from tests.faults.reckoning import check_all
from tests.faults.site import LATITUDE, LONGITUDE, Site, furnish
from tests.faults.size import times

RECOVERED_WITHIN_S = times(30, nightly=5)
LOCK_AWAITED_S = 5.0
ANSWERED_WITHIN_S = times(5, nightly=1)
FULL_BYTES = 64 * 1024
"""No file may grow beyond this: the log of the database is longer already, so nothing can be added to it."""


PROBES = "FROM sightings WHERE sighting_id NOT LIKE 'c%'"
"""What a test posts itself: the names that the crowd gives begin with a c."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how long it took."""

    status: int
    headers: dict[str, str]
    content: Any
    took_s: float


def ask(site: Site, method: str, path: str, token: str | None = None, body: Any = None) -> Answer:
    began_s = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    headers = {"content-type": "application/json"} if body is not None else {}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    told = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, told, content, time.monotonic() - began_s)


def post_one(site: Site, name: str) -> Answer:
    """One sighting in the first shop, by the last device: the crowd's own ids differ."""
    item = {"id": name, "kind": "location", "age_ms": 0, "accuracy_m": 10}
    place = {"latitude": LATITUDE, "longitude": LONGITUDE}
    return ask(site, "POST", "/v1/sightings", site.devices[-1].token, {"sightings": [item | place]})


def until(what: Callable[[], bool], *, within_s: float = 30.0) -> float:
    """After how many seconds something became true; fails when it did not."""
    began_s = time.monotonic()
    while not what():
        assert time.monotonic() - began_s < within_s, f"not within {within_s} s"
        time.sleep(0.02)
    return time.monotonic() - began_s


def acknowledged(clients: Crowd) -> int:
    return sum(len(client.acknowledged) for client in clients.phones)


def settled(clients: Crowd) -> int:
    """How many sightings were acknowledged when every phone has been refused since."""

    def refused() -> list[int]:
        return [client.line.statuses[503] for client in clients.phones]

    began = refused()
    until(lambda: all(now > then + 1 for now, then in zip(refused(), began, strict=True)))
    return acknowledged(clients)


@contextmanager
def served(folder: Path) -> Iterator[tuple[Site, Process, Crowd]]:
    """A server under load that has taken something."""
    site = furnish(folder, seed=1)
    with Process(site) as server, crowd(site, seed=1, phones=4) as clients:
        server.wait_until_listening()
        clients.up.set()
        until(lambda: acknowledged(clients) > 400)
        yield site, server, clients


def check_refusal(answer: Answer) -> None:
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content["type"] == "urn:m2s:problem:unavailable"


def check_reads(site: Site) -> None:
    """What only reads is served while nothing can be written."""
    for path, token in (
        ("/healthz", None),
        ("/v1/offers", site.devices[0].token),
        ("/v1/devices/me/consents", site.devices[0].token),
        (f"/v1/coupons/{site.coupons[-1]}", site.tills[0]),
    ):
        answer = ask(site, "GET", path, token)
        assert answer.status == 200, (path, answer)
        assert answer.took_s < ANSWERED_WITHIN_S, (path, answer)


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Another process's transaction that writes, as a backup tool's or a person's would be."""
    with closing(driver().connect(site.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_full_disk_is_told_and_gone_when_there_is_room(tmp_path: Path) -> None:
    turns = times(2, nightly=20)
    with served(tmp_path) as (site, server, clients):
        for turn in range(turns):
            most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, most))
            before = settled(clients)
            for n in range(20):
                check_refusal(post_one(site, f"full-{turn}-{n}"))
            check_reads(site)
            ready = ask(site, "GET", "/readyz")
            assert ready.status == 503
            assert "disk" in ready.content["errors"][0]["detail"]
            assert acknowledged(clients) == before
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))
            took_s = until(lambda: ask(site, "GET", "/readyz").status == 200)
            took_s += until(lambda turn=turn: post_one(site, f"room-{turn}").status == 200)
            print(f"full: taken again {took_s:.3f} s after there was room")
            assert took_s <= RECOVERED_WITHIN_S
            until(lambda before=before: acknowledged(clients) > before + 400)
        clients.finish()
        server.terminate()
    check_kept(site, clients, acknowledged_too=turns)


def test_a_lock_that_is_soon_let_go_of_refuses_nobody(tmp_path: Path) -> None:
    with served(tmp_path) as (site, server, clients), ThreadPoolExecutor(8) as pool:
        with locked(site):
            posted = [pool.submit(post_one, site, f"soon-{n}") for n in range(8)]
            # The lock is what is slept for: shorter than what is waited for it.
            time.sleep(LOCK_AWAITED_S / 5)
            assert not any(future.done() for future in posted)
        assert {future.result(timeout=60).status for future in posted} == {200}
        clients.finish()
        server.terminate()
    assert 503 not in clients.statuses
    check_kept(site, clients, acknowledged_too=8)


def test_a_locked_file_is_waited_for_and_then_told(tmp_path: Path) -> None:
    turns = times(1, nightly=10)
    with served(tmp_path) as (site, server, clients), ThreadPoolExecutor(8) as pool:
        for turn in range(turns):
            with locked(site):
                posted = [pool.submit(post_one, site, f"locked-{turn}-{n}") for n in range(8)]
                check_reads(site)
                answers = [future.result(timeout=60) for future in posted]
                for answer in answers:
                    check_refusal(answer)
                longest_s = max(answer.took_s for answer in answers)
                before = acknowledged(clients)
                again = post_one(site, f"locked-{turn}-again")
                check_refusal(again)
                ready = ask(site, "GET", "/readyz")
                assert (ready.status, ready.content["errors"][0]["detail"][-6:]) == (503, "locked")
                assert acknowledged(clients) == before
            took_s = until(lambda turn=turn: post_one(site, f"free-{turn}").status == 200)
            print(
                f"locked: told after {longest_s:.2f} s, the next {again.took_s:.2f} s; taken again {took_s:.3f} s after"
            )
            assert longest_s < LOCK_AWAITED_S + ANSWERED_WITHIN_S
            assert again.took_s < ANSWERED_WITHIN_S
            assert took_s <= RECOVERED_WITHIN_S
        clients.finish()
        server.terminate()
    check_kept(site, clients, acknowledged_too=turns)


def check_kept(site: Site, clients: Crowd, *, acknowledged_too: int) -> None:
    """All that the crowd and the test itself were told is kept is kept, once, and nothing that was refused."""
    with closing(driver().connect(site.database, isolation_level=None)) as connection:
        probes = [row[0] for row in connection.execute(f"SELECT sighting_id {PROBES}")]
        connection.execute(f"DELETE {PROBES}")
    assert len(set(probes)) == len(probes) == acknowledged_too
    print(check_all(site, clients.phones, clients.tills))
    assert set(clients.statuses) <= {200, 201, 409, 503}

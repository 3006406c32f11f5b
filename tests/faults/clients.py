"""Who calls a server that dies again and again? Phones and tills that repeat until they are answered and keep count."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event
from typing import Any

from tests.faults.site import LONGITUDE, STORES, Device, Site, latitude_of

BATCH = 20
_SPREAD_S = 1_800
_SURE_M, _VAGUE_M = 10, 30
_SPOTS = [(0, _SURE_M), (20, _SURE_M), (-30, _SURE_M), (-200, _VAGUE_M), (-1_000, _VAGUE_M)]
"""Metres north of a shop, and the accuracy of a fix there: surely inside, or outside."""
_TIMEOUT_S = 30.0
_PAUSE_S = 0.02
"""Before a request is repeated, so that clients leave the machine to the server that is to come back."""
_REPEATED_EVERY = 3
_UNAVAILABLE = 503


@dataclass
class Line:
    """One client's connection. It repeats a request until an answer other than 503 has come in, or all is `over`."""

    site: Site
    up: Event
    over: Event
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    _connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and answer. A callable `body` is made anew at each attempt."""
        while True:
            self.up.wait()
            text = json.dumps(body() if callable(body) else body)
            try:
                status, answer = self._once(path, text, headers)
            except (OSError, http.client.HTTPException):
                self.broken += 1
                self.close()
                if self.over.wait(_PAUSE_S):
                    raise
                continue
            self.statuses[status] += 1
            if status != _UNAVAILABLE or self.over.wait(_PAUSE_S):
                return status, answer

    def close(self) -> None:
        """Lets go of the connection; the next request makes another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _once(self, path: str, text: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=_TIMEOUT_S)
        self._connection.request("POST", path, text, {"content-type": "application/json", **headers})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())


@dataclass
class Phones:
    """One client that posts batches for its devices in turn, and what was acknowledged to it."""

    line: Line
    devices: Sequence[Device]
    rng: Random
    name: str
    posted: set[tuple[str, str]] = field(default_factory=set)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    inside: set[tuple[str, str]] = field(default_factory=set)
    duplicates: int = 0

    def run(self, stopped: Event) -> None:
        """Posts until told to stop, and then until the batch in hand is answered."""
        number = 0
        while not stopped.is_set():
            device = self.devices[number % len(self.devices)]
            number += 1
            self._post(device, number)
        self.line.close()

    def _post(self, device: Device, number: int) -> None:
        items = [self._item(f"{self.name}-{number}-{n}") for n in range(BATCH)]
        keys = {(device.id, item["id"]) for _, item in items}
        self.posted |= keys
        self.inside |= {(device.id, item["id"]) for _, item in items if item["accuracy_m"] == _SURE_M}
        status, answer = self.line.post(
            "/v1/sightings", lambda: _aged(items), {"authorization": f"Bearer {device.token}"}
        )
        assert status == 200, answer
        assert answer["accepted"] + answer["duplicates"] == BATCH, answer
        self.acknowledged |= keys
        self.duplicates += answer["duplicates"]

    def _item(self, name: str) -> tuple[float, dict[str, Any]]:
        """When it happened, and what: in a shop, before it, or a kilometre away from any."""
        store = self.rng.randrange(len(STORES))
        north_m, accuracy_m = self.rng.choice(_SPOTS)
        return time.time() - self.rng.uniform(0, _SPREAD_S), {
            "id": name,
            "kind": "location",
            "latitude": latitude_of(store, north_m=north_m),
            "longitude": LONGITUDE,
            "accuracy_m": accuracy_m,
        }


@dataclass
class Till:
    """One client that redeems every coupon, as another one does at the same time, and asks again for some answers."""

    line: Line
    key: str
    answers: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def run(self, stopped: Event) -> None:
        """Redeems until told to stop or until no coupon is left."""
        for number, code in enumerate(self.line.site.coupons):
            if stopped.is_set():
                break
            self.answers[code] = self._redeem(code)
            if number % _REPEATED_EVERY == 0:
                assert self._redeem(code) == self.answers[code]
        self.line.close()

    def _redeem(self, code: str) -> tuple[int, str | None]:
        headers = {"authorization": f"Bearer {self.key}", "idempotency-key": f"basket-{code}"}
        body = {"code": code, "store_id": STORES[0]}
        status, answer = self.line.post("/v1/redemptions", body, headers)
        assert status in (201, 409), answer
        return status, answer.get("redemption_id")


@dataclass
class Crowd:
    """Every client of a site, each in a thread of its own; they wait while `up` is not set."""

    up: Event
    over: Event
    phones: Sequence[Phones]
    tills: Sequence[Till]
    _running: Sequence[Future[None]] = ()
    _stopped: Event = field(default_factory=Event)

    @property
    def everybody(self) -> list[Phones | Till]:
        """Phones and tills."""
        return [*self.phones, *self.tills]

    @property
    def lines(self) -> list[Line]:
        """The connections of all."""
        return [client.line for client in self.everybody]

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was seen."""
        return sum((line.statuses for line in self.lines), Counter())

    def finish(self) -> None:
        """Lets every client bring to its end what it has begun; raises what went wrong in one."""
        self._stopped.set()
        for client in self._running:
            client.result(timeout=2 * _TIMEOUT_S)


@contextmanager
def crowd(site: Site, *, seed: int, phones: int = 4) -> Iterator[Crowd]:
    """Clients that are at work from now on."""
    up, over = Event(), Event()
    made = Crowd(
        up,
        over,
        [
            Phones(Line(site, up, over), site.devices[n::phones], Random(f"{seed}-{n}"), f"c{n}")
            for n in range(phones)
        ],
        [Till(Line(site, up, over), key) for key in site.tills],
    )
    with ThreadPoolExecutor(len(made.lines)) as pool:
        made._running = [pool.submit(client.run, made._stopped) for client in made.everybody]
        try:
            yield made
        except BaseException:
            # Where a client failed, that is why the rest did.
            for client in made._running:
                if client.done():
                    client.result()
            raise
        finally:
            for event in (made._stopped, over, up):
                event.set()


def _aged(items: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    now_s = time.time()
    return {
        "sightings": [
            {**item, "age_ms": max(0, round((now_s - happened_s) * 1000))} for happened_s, item in items
        ]
    }

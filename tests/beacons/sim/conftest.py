"""A service of a few lines on a loopback port that speaks the interface, so that the simulator can be watched."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx2
import pytest

from beacons.sim.client import Api
from beacons.sim.simulation import Crowd, Simulation
from beacons.sim.world import World

CITY = Path(__file__).parents[3] / "m2s" / "entry" / "cli" / "demo_city"
MONDAY = datetime(2026, 11, 2, tzinfo=ZoneInfo("Europe/Monaco"))
STEP = timedelta(seconds=60)


class StandIn:
    """Counts sightings, and decides once for each phone: to send to even ones, to hold back from odd ones."""

    def __init__(self, *, offered_store: str, region: dict[str, Any]) -> None:
        self.log: list[tuple[str, str, bytes]] = []
        self.now = MONDAY
        self.decided: dict[str, tuple[datetime, str]] = {}
        self.sightings: list[dict[str, Any]] = []
        self.redeemed: set[str] = set()
        self.failing = 0
        self._offered_store = offered_store
        self._region = region
        self._seen: set[tuple[str, str]] = set()
        self._devices = 0

    def answer(self, method: str, path: str, *, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        self.log.append((method, path, body))
        route = (method, urlsplit(path).path)
        if route == ("POST", "/v1/devices"):
            self._devices += 1
            return 201, {"device_id": f"d{self._devices}", "device_token": f"t{self._devices}"}
        if route == ("GET", "/v1/regions"):
            return 200, {"regions": [self._region]}
        if route == ("POST", "/v1/sightings"):
            if self.failing:
                self.failing -= 1
                return 503, {"title": "later"}
            return 200, self._take(f"d{key[1:]}", json.loads(body))
        if route == ("GET", "/v1/offers"):
            return 200, {"offers": self._wallet(f"d{key[1:]}")}
        if route == ("POST", "/v1/redemptions"):
            code = json.loads(body)["code"]
            used = code in self.redeemed
            self.redeemed.add(code)
            return (409, {"title": "used"}) if used else (201, {"redemption_id": code})
        if route == ("POST", "/v1/devices/me/identify"):
            return 200, {}
        return (200, {}) if method in ("PATCH", "PUT") else (404, {"title": path})

    def _take(self, device: str, body: dict[str, Any]) -> dict[str, Any]:
        new = [item for item in body["sightings"] if (device, item["id"]) not in self._seen]
        self._seen.update((device, item["id"]) for item in new)
        self.sightings += [
            {**item, "device_id": device, "received": self.now, "sent_at": body["sent_at"]} for item in new
        ]
        events = []
        if device not in self.decided:
            self.decided[device] = (self.now, self._offered_store)
            events = [{"type": "offer.decided", "outcome": "send"}] if self._sends(device) else []
        return {
            "accepted": len(new),
            "away": 0,
            "duplicates": len(body["sightings"]) - len(new),
            "rejected": [],
            "events": events,
        }

    def _sends(self, device: str) -> bool:
        return int(device[1:]) % 2 == 0

    def _wallet(self, device: str) -> list[dict[str, Any]]:
        if device not in self.decided or not self._sends(device):
            return []
        coupon = {
            "code": f"C-{device}",
            "value": "1.00",
            "currency": "EUR",
            "expires_at": None,
            "state": "issued",
        }
        offer = {"offer_id": "o", "campaign_id": "c", "decision_id": device, "store_id": self._offered_store}
        return [{**offer, "coupon": coupon}]


@pytest.fixture(scope="session")
def city_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CITY / "stores.geojson").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def scenery_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CITY / "scenery.geojson").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="session")
def city(city_document: dict[str, Any], scenery_document: dict[str, Any]) -> World:
    return World.from_geojson(city_document, scenery_document)


@pytest.fixture
def serve(city: World) -> Iterator[Callable[..., tuple[StandIn, Simulation]]]:
    """Start a stand-in on a free port and return it with a simulation that speaks to it."""
    running: list[tuple[HTTPServer, Thread, httpx2.Client]] = []

    def begin(seed: int, crowd: Crowd, *, store: str, effect: float = 0.0) -> tuple[StandIn, Simulation]:
        latitude, longitude = city.degrees(city.shops[store].at)
        circle = {"latitude": latitude, "longitude": longitude, "radius_m": 100.0}
        stand_in = StandIn(offered_store=store, region={"id": f"{store}/premises", **circle})
        server = HTTPServer(("127.0.0.1", 0), _handler(stand_in))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        client = httpx2.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False)
        running.append((server, thread, client))
        api = Api(client, sdk_key="sdk", till_keys=dict.fromkeys(city.shops, "till"))
        simulation = Simulation(
            city, seed, api=api, start=MONDAY, step=STEP, effects={"c": effect}, crowd=crowd
        )
        return stand_in, simulation

    yield begin
    for server, thread, client in running:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers["Authorization"].removeprefix("Bearer ")
            status, answer = stand_in.answer(self.command, self.path, key=key, body=body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do

        def log_message(self, *_: Any) -> None:
            pass

    return Handler

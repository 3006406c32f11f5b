"""Campaigns change while sightings come in: a bad file changes nothing, a good one is in force at once."""

from __future__ import annotations

import time
from random import Random
from threading import Event, Thread

from campaigns.identity import offer_version
from campaigns.reader import read_campaign
from tests.data import ROOT
from tests.entry.api.wiring import CAMPAIGN, Service

YAML = {"content-type": "application/yaml"}
WANTED = 200
MOST_TRIED = 2_000


def bases(service: Service) -> list[tuple[str, bytes]]:
    """Campaigns that can be applied here, by id."""
    texts = [
        CAMPAIGN.encode(),
        *(path.read_bytes() for path in sorted((ROOT / "campaigns/examples").glob("*.yaml"))),
    ]
    found = []
    for text in texts:
        checked = service.call("POST", "/v1/campaigns/validate", "manager", content=text, headers=YAML)
        if checked.status_code == 200:
            found.append((checked.json()["campaign_id"], text))
    return found


def mutated(text: bytes, rng: Random) -> bytes:
    """The text as a broken copy, a slip of the hand or a half-written file leaves it."""
    lines = text.splitlines(keepends=True)
    at, line = rng.randrange(len(text)), rng.randrange(len(lines))
    match rng.randrange(8):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + bytes([text[at] ^ (1 << rng.randrange(8))]) + text[at + 1 :]
        case 2:
            return (
                text[:at] + rng.choice([b"\xff", b"\x00", b"\xc3", b"\t", b"&a ", b"*a", b"!!x "]) + text[at:]
            )
        case 3:
            return b"".join([*lines[:line], *lines[line + 1 :]])
        case 4:
            return b"".join([*lines[: line + 1], *lines[line:]])
        case 5:
            return b"".join([*lines[:line], b"  " + lines[line], *lines[line + 1 :]])
        case 6:
            return text[at:] + text[:at]
        case _:
            return text.replace(
                *rng.choice([(b": ", b":"), (b"near", b"nera"), (b"%", b"0%"), (b"}", b""), (b'"', b"'")])
            )


def apply(service: Service, campaign_id: str, text: bytes) -> int:
    return service.call(
        "PUT", f"/v1/campaigns/{campaign_id}", "manager", content=text, headers=YAML
    ).status_code


class Load:
    """A phone that goes on sending, and what it is answered."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._over = Event()
        self.statuses: list[int] = []
        self._thread = Thread(target=self._send)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._over.is_set():
            self.statuses.append(self._service.send("device", self._service.fix()).status_code)


def test_two_hundred_broken_files_under_load_change_nothing(service: Service) -> None:
    rng = Random(20261122)
    known = bases(service)
    assert len(known) >= 3
    for campaign_id, text in known:
        assert apply(service, campaign_id, text) == 201
    in_force = service.call("GET", "/v1/campaigns", "manager").json()
    catalog = service.engine.catalog()
    refused, tried, answers = 0, 0, set()
    with Load(service) as load:
        while refused < WANTED and tried < MOST_TRIED:
            tried += 1
            campaign_id, text = rng.choice(known)
            broken = mutated(text, rng)
            checked = service.call("POST", "/v1/campaigns/validate", "manager", content=broken, headers=YAML)
            if checked.status_code == 200:
                continue
            answers |= {checked.status_code, apply(service, campaign_id, broken)}
            refused += 1
    assert refused == WANTED
    assert answers == {422}
    assert set(load.statuses) == {200}
    assert len(load.statuses) >= WANTED / 10
    assert service.engine.catalog() is catalog
    assert service.call("GET", "/v1/campaigns", "manager").json() == in_force


def test_a_good_file_is_in_force_within_two_seconds_and_each_decision_names_its_version(
    service: Service,
) -> None:
    new = CAMPAIGN.replace("valid_for: 45m", "valid_for: 1h")
    assert apply(service, "morning", CAMPAIGN.encode()) == 201
    _, first = service.consenting_phone()
    _, second = service.consenting_phone()
    far = {"latitude": 48.852}
    with Load(service):
        assert service.send(first, service.fix(**far)).json()["events"][0]["outcome"] == "send"
        began_s = time.perf_counter()
        assert apply(service, "morning", new.encode()) == 200
        assert service.send(second, service.fix(**far)).json()["events"][0]["outcome"] == "send"
        took_s = time.perf_counter() - began_s
    assert took_s < 2.0
    with service.engine.database.read() as records:
        rows = records.decisions.find(shopper_id=None, offer_id="warm", since=None, until=None, limit=10)
    versions = [
        offer_version(campaign, campaign.offers[0]) for campaign in map(read_campaign, (new, CAMPAIGN))
    ]
    by_device = {row.shopper_id: row.offer_version for row in rows if row.outcome == "send"}
    assert sorted(by_device.values()) == sorted(versions)
    assert versions[0] != versions[1]

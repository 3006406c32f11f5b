"""Does the route plan a phone's slots by what campaigns need today, and say when nothing has changed?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.entry.api.wiring import BEACON, CAMPAIGN, Service

PATH = "/v1/regions?latitude=48.86&longitude=2.35&platform=ios"
YAML = {"content-type": "application/yaml"}


def regions(service: Service, query: str = "") -> dict[str, Any]:
    answer = service.call("GET", PATH + query, "device")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def only(service: Service) -> str:
    """The one region for which there is a slot, a third of the way from the church to the port."""
    plan = service.call("GET", PATH.replace("48.86", "48.857") + "&limit=2", "device").json()
    (found,) = (region["id"] for region in plan["regions"] + plan["beacon_regions"])
    assert isinstance(found, str)
    return found


def put_campaign(service: Service, text: str) -> None:
    answer = service.call("PUT", "/v1/campaigns/morning", "manager", content=text, headers=YAML)
    assert answer.status_code in (200, 201), answer.text


def test_circles_and_beacons_come_with_the_circle_in_which_they_hold(shared: Service) -> None:
    plan = regions(shared)
    assert {region["id"] for region in plan["regions"]} == {
        f"{store}/{zone}" for store in ("church", "port") for zone in ("premises", "vicinity")
    }
    assert plan["beacon_regions"] == [{"id": f"beacon:{BEACON}/1", "uuid": BEACON, "major": 1}]
    assert plan["refresh_region"] == {
        "id": "refresh",
        "latitude": 48.86,
        "longitude": 2.35,
        "radius_m": 50_000.0,
    }
    assert (plan["refresh_after_m"], plan["refresh_after_s"]) == (49_920.0, 86_400)


@pytest.mark.parametrize("limit", [1, 2, 3, 6])
def test_all_of_it_takes_no_more_slots_than_the_limit(shared: Service, limit: int) -> None:
    plan = regions(shared, f"&limit={limit}")
    assert len(plan["regions"]) + len(plan["beacon_regions"]) + 1 == limit


def test_what_has_not_changed_is_not_sent_again(service: Service) -> None:
    first = service.call("GET", PATH, "device")
    assert first.headers["etag"] == f'"{first.json()["version"]}"'
    etag = {"if-none-match": first.headers["etag"]}
    near = PATH.replace("48.86", "48.8603")
    for path in (PATH, near):
        again = service.call("GET", path, "device", headers=etag)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert service.call("GET", PATH, "device", headers={"if-none-match": '"older"'}).status_code == 200
    far = service.call("GET", PATH.replace("48.86", "48.95"), "device", headers=etag)
    assert far.status_code == 200
    assert far.json()["regions"] != first.json()["regions"]
    assert sorted(far.json()["regions"], key=str) == sorted(first.json()["regions"], key=str)


def test_the_zone_of_a_running_campaign_outranks_the_nearer_one(service: Service) -> None:
    assert only(service) == f"beacon:{BEACON}/1"
    put_campaign(service, CAMPAIGN.replace("{tags: [bakery]}", "{ids: [port]}"))
    assert only(service) == "port/vicinity"
    service.call("POST", "/v1/campaigns/morning/pause", "manager")
    assert only(service) == f"beacon:{BEACON}/1"
    service.call("POST", "/v1/campaigns/morning/resume", "manager")
    assert only(service) == "port/vicinity"


@pytest.mark.parametrize(
    ("key", "dated"),
    [
        ("holdout", "from: 2026-11-05\nuntil: 2026-11-05\nholdout"),
        ("    trigger", "    from: 2026-11-05\n    until: 2026-11-05\n    trigger"),
    ],
)
def test_a_campaign_or_an_offer_counts_from_a_day_before_it_begins_until_it_is_over(
    service: Service, key: str, dated: str
) -> None:
    put_campaign(service, CAMPAIGN.replace(key, dated).replace("{tags: [bakery]}", "{ids: [port]}"))
    needed = []
    for _ in range(4):
        needed.append(only(service) == "port/vicinity")
        service.clock.advance(timedelta(days=1))
    assert needed == [False, True, True, False]


def test_the_beacons_of_a_place_that_a_campaign_waits_at_are_needed(service: Service) -> None:
    put_campaign(service, CAMPAIGN.replace("{tags: [bakery]}", "{ids: [port]}"))
    assert only(service) == "port/vicinity"
    trigger = "{beacon: {place: till, proximity: near, for: 20s}}"
    more = CAMPAIGN.replace("morning", "tills").replace("{near: vicinity}", trigger)
    answer = service.call("PUT", "/v1/campaigns/tills", "manager", content=more, headers=YAML)
    assert answer.status_code == 201, answer.text
    assert only(service) == f"beacon:{BEACON}/1"

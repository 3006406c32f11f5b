"""Do the routes do what they promise, one after another, on a real database?"""

from __future__ import annotations

import copy
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from campaigns.schema import campaign_schema
from m2s.adapters.storage.engine import database_path, write_engine
from m2s.app.access import Role
from tests.entry.api.wiring import CAMPAIGN, STORES, Service

YAML = {"content-type": "application/yaml"}
WHY = {"x-reason": "a customer asked"}
UUID = "7b1f4e9e-51f5-4f0d-8b1b-2f1f34a3c1aa"


def put_campaign(service: Service, text: str = CAMPAIGN, name: str = "morning") -> Any:
    return service.call("PUT", f"/v1/campaigns/{name}", "manager", content=text, headers=YAML)


def coupon_of(service: Service) -> tuple[str, str]:
    """A phone's token and the code of a coupon that it got."""
    assert put_campaign(service).status_code in (200, 201)
    _, token = service.consenting_phone()
    assert service.send(token, service.fix(latitude=48.851)).json()["events"]
    service.engine.deliver.drain()
    offers = service.call("GET", "/v1/offers", token).json()["offers"]
    return token, offers[0]["coupon"]["code"]


def test_a_phone_registers_and_changes_its_settings(service: Service) -> None:
    device_id, token = service.phone(platform="ios", novelty=[1])
    changed = service.call(
        "PATCH",
        "/v1/devices/me",
        token,
        json={"push_token": "t", "language": "fr", "os_permissions": {"location": "always"}},
    )
    assert changed.json() == {
        "device_id": device_id,
        "platform": "ios",
        "has_push_token": True,
        "language": "fr",
        "timezone": None,
        "os_permissions": {"location": "always"},
    }
    cleared = service.call(
        "PATCH", "/v1/devices/me", token, json={"push_token": None, "os_permissions": None}
    )
    assert (cleared.json()["has_push_token"], cleared.json()["os_permissions"]) == (False, {})
    assert cleared.json()["language"] == "fr"


def test_a_repeated_registration_gives_the_same_device_with_a_new_token(service: Service) -> None:
    def register(key: str, **details: Any) -> Any:
        return service.call("POST", "/v1/devices", "sdk", json=details, headers={"idempotency-key": key})

    first, again, other = (register(key, platform="ios") for key in (UUID, UUID, UUID[::-1]))
    assert (first.status_code, again.status_code) == (201, 201)
    assert register(UUID, platform="android").status_code == 422
    assert register("short").status_code == 422
    devices, tokens = (
        [answer.json()[name] for answer in (first, again, other)] for name in ("device_id", "device_token")
    )
    assert devices[0] == devices[1] != devices[2]
    found = [service.call("GET", "/v1/offers", token).status_code for token in tokens]
    assert found == [401, 200, 200]


def test_consents_are_kept_by_purpose_and_channel(service: Service) -> None:
    _, token = service.consenting_phone()
    withdrawn = {
        "purpose": "marketing",
        "channel": "push",
        "granted": False,
        "text_version": "2",
        "at": "2026-11-03T10:01:00+01:00",
    }
    service.call("PUT", "/v1/devices/me/consents", token, json={"consents": [withdrawn]})
    kept = service.call("GET", "/v1/devices/me/consents", token).json()["consents"]
    assert {(item["purpose"], item["channel"], item["granted"]) for item in kept} == {
        ("location", None, True),
        ("marketing", "push", False),
    }
    assert {item["at"] for item in kept} == {"2026-11-03T08:00:00.000Z", "2026-11-03T09:01:00.000Z"}


def test_a_shopper_is_identified_by_pivot_ids(service: Service) -> None:
    device_id, token = service.phone()

    def identify(role: str, **body: Any) -> Any:
        return service.call("POST", "/v1/devices/me/identify", role, json=body)

    assert identify(token, phone="+33612345678").status_code == 204
    assert identify("server", phone="+33612345678", device_id=device_id).status_code == 204
    assert identify(token, email="a@example.org", customer_id="c1", loyalty_id="L1").status_code == 204
    refused = identify(token, phone="06", email="a")
    assert [item["pointer"] for item in refused.json()["errors"]] == ["/phone", "/email"]
    assert identify("server", phone="+33612345678").status_code == 422
    assert identify("server", phone="+33612345678", device_id="dev_nobody").status_code == 404
    assert identify(token, phone="+33612345678", device_id="dev_other").status_code == 422
    assert identify(token).status_code == 422


def test_stores_are_published_whole_or_not_at_all(service: Service) -> None:
    more = copy.deepcopy(STORES)
    more["features"] = [more["features"][0] | {"id": "station"}]
    del more["features"][0]["properties"]["beacons"]
    assert service.call("PUT", "/v1/stores", "manager", json=more).json() == {"stores": 1, "version": 2}
    listed = service.call("GET", "/v1/stores", "manager").json()
    assert [feature["id"] for feature in listed["features"]] == ["church", "port", "station"]
    again = service.call("PUT", "/v1/stores", "manager", json=listed)
    assert again.json()["stores"] == 3

    half = copy.deepcopy(more)
    half["features"].append({"type": "Feature", "id": "bad", "geometry": None, "properties": {"nmae": "x"}})
    half["features"][0]["id"] = "harbour"
    refused = service.call("PUT", "/v1/stores", "manager", json=half)
    assert refused.status_code == 422
    assert all("features[1]" in item["pointer"] for item in refused.json()["errors"])
    assert service.call("GET", "/v1/stores/harbour", "manager").status_code == 404
    assert service.call("GET", "/v1/stores/station", "manager").json()["id"] == "station"


def test_a_campaign_is_checked_applied_paused_and_stopped(service: Service) -> None:
    checked = service.call("POST", "/v1/campaigns/validate", "manager", content=CAMPAIGN, headers=YAML)
    assert checked.json()["offers"] == ["warm"]
    assert service.call("GET", "/v1/campaigns", "manager").json()["campaigns"] == []

    created = put_campaign(service)
    assert (created.status_code, created.json()["change"]) == (201, "created")
    assert put_campaign(service, CAMPAIGN + "# a remark\n").json()["change"] == "unchanged"
    paused = service.call("POST", "/v1/campaigns/morning/pause", "manager").json()
    assert paused["state"] == "paused"
    changed = put_campaign(service, CAMPAIGN.replace("45m", "30m")).json()
    assert (changed["change"], changed["state"]) == ("changed", "paused")
    assert changed["salt"] == created.json()["salt"]
    assert service.call("POST", "/v1/campaigns/morning/resume", "manager").json()["state"] == "active"
    one = service.call("GET", "/v1/campaigns/morning", "manager").json()
    assert "valid_for: 30m" in one["yaml"]

    assert service.call("POST", "/v1/campaigns/morning/stop", "manager").json()["state"] == "stopped"
    assert service.call("POST", "/v1/campaigns/morning/resume", "manager").status_code == 409
    assert put_campaign(service).status_code == 409
    assert service.call("POST", "/v1/campaigns/other/pause", "manager").status_code == 404
    assert service.call("GET", "/v1/campaigns/other", "manager").status_code == 404


def test_anybody_gets_the_schema_of_campaigns_for_an_editor(shared: Service) -> None:
    answer = shared.call("GET", "/v1/campaigns/schema.json")
    assert answer.headers["content-type"] == "application/schema+json"
    assert answer.json() == campaign_schema()


def test_problems_of_a_campaign_name_line_and_column_and_change_nothing(service: Service) -> None:
    put_campaign(service)
    broken = CAMPAIGN.replace("near: vicinity", "nera: vicinity").replace("bakery", "bakary")
    refused = put_campaign(service, broken)
    assert refused.status_code == 422
    pointers = [item["pointer"] for item in refused.json()["errors"]]
    assert "<campaign>:4:17" in pointers
    assert any(pointer.startswith("<campaign>:8:") for pointer in pointers)
    assert service.call("GET", "/v1/campaigns/morning", "manager").json()["yaml"] == CAMPAIGN
    assert put_campaign(service, name="evening").status_code == 422
    assert put_campaign(service, "\xff").status_code == 422
    as_json = service.call("PUT", "/v1/campaigns/morning", "manager", json={})
    assert as_json.status_code == 415


def test_a_coupon_is_redeemed_once_and_its_second_use_says_where(service: Service) -> None:
    token, code = coupon_of(service)

    def redeem(key: str | None = None, **changes: Any) -> Any:
        body = {"code": code, "store_id": "port", "amount": 12.5, "currency": "EUR"} | changes
        headers = {"idempotency-key": key} if key else {}
        return service.call("POST", "/v1/redemptions", "till", json=body, headers=headers)

    assert service.call("GET", f"/v1/coupons/{code}", token).json()["state"] == "issued"
    assert service.call("GET", f"/v1/coupons/{code.lower()}", "till").json()["code"] == code
    assert redeem(amount="4.99").status_code == 422
    assert redeem(store_id="church").status_code == 403
    first = redeem("basket-1")
    assert (first.status_code, first.json()["amount"]) == (201, "12.5")
    service.clock.advance(timedelta(minutes=1))
    second = redeem()
    assert second.status_code == 409
    assert "2026-11-03T09:00:00.000Z" in second.json()["detail"]
    assert "'port'" in second.json()["errors"][0]["detail"]
    assert redeem("basket-1").json() == first.json()
    assert redeem("basket-1", amount=13).status_code == 422

    path = f"/v1/redemptions/{first.json()['redemption_id']}/void"
    assert service.call("POST", path, "till").json()["voided_at"] == "2026-11-03T09:01:00.000Z"
    assert redeem().status_code == 201
    assert service.call("POST", "/v1/redemptions/red_none/void", "till").status_code == 404


def test_a_coupon_is_shown_to_its_shopper_and_to_tills_only(service: Service) -> None:
    token, code = coupon_of(service)
    _, other = service.phone()
    symbol = service.call("GET", f"/v1/coupons/{code}.svg", token)
    assert symbol.headers["content-type"] == "image/svg+xml"
    assert symbol.text.startswith("<svg")
    assert service.call("GET", f"/v1/coupons/{code}", other).status_code == 404
    assert service.call("GET", f"/v1/coupons/{code}.svg", other).status_code == 404
    misread = "A" + code[1:] if code[0] != "A" else "B" + code[1:]
    assert service.call("GET", f"/v1/coupons/{misread}", "till").status_code == 422


def test_decisions_are_explained_to_who_says_why_they_ask(service: Service) -> None:
    put_campaign(service)
    device_id, token = service.phone()
    service.send(token, service.fix(latitude=48.851))
    assert service.call("GET", "/v1/decisions", "manager").status_code == 422
    found = service.call("GET", f"/v1/decisions?device_id={device_id}", "privacy", headers=WHY).json()
    decision = found["decisions"][0]
    assert (decision["outcome"], decision["reason"]) == ("suppressed", "consent")
    assert decision["trace"][-1]["passed"] is False
    assert len(decision["sentences"]) == len(decision["trace"]) + 1
    one = service.call("GET", f"/v1/decisions/{decision['decision_id']}", "manager", headers=WHY)
    assert one.json() == decision
    assert "latitude" not in one.text

    path = f"/v1/decisions?device_id={device_id}&from=2027-01-01&offer_id=warm"
    none = service.call("GET", path, "manager", headers=WHY).json()
    assert none["decisions"] == []
    assert "no occasion arose" in none["sentences"][0]
    assert "waits for a shopper" in none["sentences"][1]
    for path in (
        "/v1/decisions/dec_none",
        "/v1/decisions?device_id=dev_none",
        "/v1/decisions?shopper_id=shp_none",
    ):
        assert service.call("GET", path, "manager", headers=WHY).status_code == 404


def test_decisions_are_shown_of_one_shopper_only(shared: Service) -> None:
    refused = shared.call("GET", "/v1/decisions?offer_id=warm", "manager", headers=WHY)
    assert refused.status_code == 422
    assert "shopper_id or device_id" in refused.json()["errors"][0]["detail"]
    misspelt = shared.call("GET", "/v1/decisions?device=dev_1", "manager", headers=WHY)
    assert misspelt.status_code == 422
    assert "shopper_id, device_id, offer_id, from, to, limit" in misspelt.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("path", "role"), [("/v1/reports/visits?", "analyst"), ("/v1/decisions?shopper_id=shp_1&", "privacy")]
)
def test_a_span_that_ends_before_it_begins_is_refused(shared: Service, path: str, role: str) -> None:
    answer = shared.call("GET", f"{path}from=2026-11-04&to=2026-11-03", role, headers=WHY)
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == ["?from"]


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2101-01-01", "9999-12-31T23:59:59Z"]
)
@pytest.mark.parametrize(
    ("method", "path", "role", "name"),
    [
        ("GET", "/v1/reports/visits?from=", "analyst", "from"),
        ("GET", "/v1/reports/beacons?to=", "analyst", "to"),
        ("GET", "/v1/decisions?shopper_id=shp_1&from=", "privacy", "from"),
        ("POST", "/v1/campaigns/c/backtest?to=2026-11-03&from=", "manager", "from"),
        ("POST", "/v1/campaigns/plan?at=", "manager", "at"),
    ],
)
def test_a_time_out_of_all_reach_is_refused(
    shared: Service, method: str, path: str, role: str, *, name: str, at: str
) -> None:
    answer = shared.call(method, path + at, role, headers=WHY | YAML, content=CAMPAIGN)
    assert answer.status_code == 422
    assert [item["pointer"] for item in answer.json()["errors"]] == [f"?{name}"]


def test_a_query_parameter_is_given_once(shared: Service) -> None:
    answer = shared.call("GET", "/v1/reports/visits?store_id=port&store_id=church", "analyst")
    assert answer.status_code == 422
    assert [(item["pointer"], item["code"]) for item in answer.json()["errors"]] == [
        ("?store_id", "repeated_parameter")
    ]


def test_stores_are_taken_as_geo_json_by_its_own_media_type(service: Service) -> None:
    def put(kind: str) -> int:
        headers = {"content-type": kind}
        return service.call(
            "PUT", "/v1/stores", "manager", content=json.dumps(STORES), headers=headers
        ).status_code

    assert put("application/geo+json") == 200
    assert put("text/json") == 415
    device = service.call(
        "PATCH", "/v1/devices/me", "device", content="{}", headers={"content-type": "application/geo+json"}
    )
    assert device.status_code == 415


@pytest.mark.parametrize("name", ["visits", "offers", "stores"])
def test_reports_say_the_same_as_json_and_csv(service: Service, name: str) -> None:
    coupon_of(service)
    service.clock.advance(timedelta(minutes=1))
    table = service.call("GET", f"/v1/reports/{name}", "analyst").json()
    text = service.call("GET", f"/v1/reports/{name}?format=csv", "analyst")
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert (list(rows[0]), len(rows)) == (table["columns"], len(table["rows"]))
    assert rows[0]["exposures"] == str(table["rows"][0]["exposures"]) == "1"


def test_a_report_of_another_time_store_or_name_is_empty_or_refused(service: Service) -> None:
    coupon_of(service)

    def rows(query: str) -> Any:
        return service.call("GET", f"/v1/reports/visits?{query}", "manager").json()["rows"]

    assert len(rows("from=2026-11-03&to=2026-11-04")) == 1
    assert rows("from=2026-11-04T00:00:00%2B01:00") == []
    assert rows("store_id=church") == []
    assert service.call("GET", "/v1/reports/rumours", "manager").status_code == 422
    assert service.call("GET", "/v1/reports/visits?from=soon", "manager").status_code == 422


def test_the_service_says_that_it_lives_and_is_ready(shared: Service) -> None:
    assert shared.call("GET", "/healthz").json() == {"status": "ok"}
    assert shared.call("GET", "/readyz").json() == {"status": "ready"}


def test_why_it_is_not_ready_is_said_in_words_that_anybody_may_read(service: Service) -> None:
    def causes() -> list[str]:
        answer = service.call("GET", "/readyz")
        assert answer.status_code == 503
        return [item["detail"] for item in answer.json()["errors"]]

    with write_engine(database_path(service.engine.settings.database_url)).begin() as connection:
        connection.exec_driver_sql("ALTER TABLE meta RENAME TO elsewhere")
    assert causes() == ["the database does not work; the log says why"]
    service.engine.stop()
    assert causes() == ["the database is closed"]


def test_a_database_file_that_is_removed_or_replaced_is_noticed(service: Service, tmp_path: Path) -> None:
    path, aside = database_path(service.engine.settings.database_url), tmp_path / "aside"
    path.rename(aside)
    removed = service.call("GET", "/readyz")
    path.write_bytes(aside.read_bytes())
    replaced = service.call("GET", "/readyz")
    aside.rename(path)
    assert service.call("GET", "/readyz").status_code == 200
    for answer in (removed, replaced):
        assert answer.status_code == 503
        assert "was removed or replaced" in answer.json()["errors"][0]["detail"]
        assert str(tmp_path) not in answer.text


def test_a_fault_is_a_500_that_says_nothing_and_is_counted(service: Service) -> None:
    del service.engine.publish
    client = TestClient(service.client.app, raise_server_exceptions=False)
    answer = client.get("/v1/campaigns", headers={"authorization": f"Bearer {service.keys['manager']}"})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:m2s:problem:internal")
    counted = 'm2s_requests_total{method="GET",route="/v1/campaigns",status="500"} 1.0'
    assert counted in service.call("GET", "/metrics").text


def test_metrics_are_told_while_the_database_gives_nothing(service: Service) -> None:
    assert "m2s_messages_overdue_seconds 0.0" in service.call("GET", "/metrics").text
    path = database_path(service.engine.settings.database_url)
    path.rename(path.with_suffix(".away"))
    service.engine.database.close()
    assert "m2s_messages_overdue_seconds NaN" in service.call("GET", "/metrics").text


def test_unknown_addresses_and_methods_are_problems_too(shared: Service) -> None:
    for method, path, status in (
        ("GET", "/nope", 404),
        ("DELETE", "/v1/stores", 405),
        ("GET", "/v1/sightings", 405),
    ):
        answer = shared.call(method, path, Role.MANAGER)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status

"""Campaigns are tried over HTTP without being applied."""

from __future__ import annotations

from typing import Any

import pytest

from tests.entry.api.wiring import CAMPAIGN, Service

YAML = {"content-type": "application/yaml"}
SPAN = {"from": "2026-11-03", "to": "2026-11-04"}


def test_a_backtest_tells_what_another_version_would_have_sent(service: Service) -> None:
    _, phone = service.consenting_phone()
    service.send(phone, service.fix(latitude=48.852))
    call: dict[str, Any] = {"content": CAMPAIGN, "headers": YAML}
    answer = service.call(
        "POST", "/v1/campaigns/morning/backtest", "manager", params=SPAN | {"against_running": "true"}, **call
    )
    assert answer.status_code == 200, answer.text
    tried, in_force = answer.json()["runs"]
    (offer,) = tried["offers"]
    assert (offer["offer_id"], offer["would_send"], offer["channels"]) == ("warm", 1, "push=1")
    assert [(row["store_id"], row["would_send"]) for row in tried["stores"]] == [("port", 1)]
    assert [row["hour"] for row in tried["hours"]] == [10]
    assert (in_force["name"], in_force["offers"]) == ("in force", [])
    assert service.call("GET", "/v1/campaigns", "manager").json()["campaigns"] == []


def test_a_plan_counts_who_can_be_reached(service: Service) -> None:
    _, phone = service.consenting_phone()
    service.send(phone, service.fix(latitude=48.852))
    answer = service.call(
        "POST", "/v1/campaigns/plan", "manager", content=CAMPAIGN, headers=YAML, params={"days": 2}
    )
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["change"], plan["stores"], plan["seen"]) == ("created", ["church", "port"], 1)
    assert plan["reach"] == [{"offer_id": "warm", "channel": "push", "reachable": 1, "by_this_first": 1}]
    assert plan["played"]["offers"][0]["would_send"] == 1
    assert plan["power"] == ["Nobody is held out, so no effect can be shown: write `holdout: 10%`."]
    before = service.call(
        "POST",
        "/v1/campaigns/plan",
        "manager",
        content=CAMPAIGN,
        headers=YAML,
        params={"at": "2026-11-02T12:00:00Z"},
    ).json()
    assert (before["change"], before["seen"], before["played"]["offers"]) == ("created", 0, [])


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("other/backtest", SPAN, 422),
        ("morning/backtest", {"from": "2026-11-04", "to": "2026-11-03"}, 422),
        ("morning/backtest", {"from": "2026-01-01", "to": "2026-11-03"}, 422),
        ("morning/backtest", {}, 422),
        ("plan", {"days": 0}, 422),
        ("plan", {"at": "yesterday"}, 422),
    ],
)
def test_what_cannot_be_tried_is_refused(
    shared: Service, path: str, params: dict[str, Any], status: int
) -> None:
    answer = shared.call(
        "POST", f"/v1/campaigns/{path}", "manager", content=CAMPAIGN, headers=YAML, params=params
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"

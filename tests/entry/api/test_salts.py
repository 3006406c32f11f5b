"""Who is held out can be drawn again by anybody, from what is published."""

from __future__ import annotations

import re
from hashlib import sha256

from tests.entry.api.wiring import CAMPAIGN, Service

YAML = {"content-type": "application/yaml"}


def test_who_is_held_out_is_told_by_the_published_salt(service: Service) -> None:
    text = CAMPAIGN.replace("holdout: 0%", "holdout: 50%")
    assert (
        service.call("PUT", "/v1/campaigns/morning", "manager", content=text, headers=YAML).status_code == 201
    )
    published = service.call("GET", "/v1/campaigns", "manager").json()
    (campaign,) = published["campaigns"]
    outcomes = set()
    for _ in range(12):
        device_id, phone = service.consenting_phone()
        service.send(phone, service.fix(latitude=48.852))
        (decision,) = service.call(
            "GET",
            "/v1/decisions",
            "manager",
            params={"device_id": device_id},
            headers={"X-Reason": "a test"},
        ).json()["decisions"]
        digest = sha256(f"{campaign['salt']}|morning|{decision['shopper_id']}".encode()).digest()
        number = int.from_bytes(digest[:8], "big") % 10_000
        assert decision["outcome"] == ("ghost" if number < 5_000 else "send")
        holdout = decision["trace"][-1]
        assert (holdout["name"], holdout["value"], holdout["limit"]) == ("holdout", number, 5_000)
        outcomes.add(decision["outcome"])
    assert outcomes == {"ghost", "send"}
    assert re.fullmatch("[0-9a-f]{32}", published["universal_salt"])

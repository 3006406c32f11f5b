from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from campaigns.decision import decide
from campaigns.eligibility import CHECKS
from campaigns.facts import Candidate, PastOffer, Policy, ShopperFacts
from campaigns.model import (
    BeaconSeen,
    Channel,
    Dwell,
    Enter,
    Holidays,
    Hours,
    Near,
    Offer,
    Proximity,
    Rate,
    Trigger,
    When,
)
from tests.campaigns.cases import CAMPAIGN, NOW, OCCASION, OFFER, POLICY, SHOPPER, STORE
from tests.changed import replace

Row = Mapping[str, Any]
ROWS: list[Row] = YAML(typ="safe").load(Path(__file__).with_name("decisions.yaml").read_text("utf-8"))
WRITTEN: list[Row] = YAML(typ="safe").load(Path(__file__).with_name("written.yaml").read_text("utf-8"))
EXPECTED = frozenset({"name", "outcome", "reason", "channel", "arms", "valid_until"})
DELTAS = frozenset(
    {"candidate", "campaign", "offer", "when", "occasion", "store", "shopper", "past", "policy", "now"}
)


def instant(value: object) -> datetime:
    """A YAML time (naive UTC, as the parser gives it) as an aware one."""
    assert isinstance(value, datetime)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def plain(delta: Row) -> dict[str, Any]:
    return {key: instant(value) if isinstance(value, datetime) else value for key, value in delta.items()}


def trigger_of(delta: Row) -> Trigger:
    [(kind, zone)] = delta.items()
    triggers: dict[str, Trigger] = {
        "near": Near(zone),
        "enter": Enter(zone),
        "dwell": Dwell(zone, timedelta(minutes=5)),
        "beacon": BeaconSeen(zone, Proximity.NEAR, timedelta(seconds=20)),
    }
    return triggers[kind]


def when_of(delta: Row) -> When:
    return When(
        days=frozenset(delta.get("days", range(7))),
        hours=tuple(Hours(since, until) for since, until in delta.get("hours", ())),
        open=delta.get("open", False),
        closing_buffer=timedelta(minutes=delta.get("closing_buffer_min", 0)),
        holidays=Holidays(delta.get("holidays", "any")),
        open_on_arrival=delta.get("open_on_arrival", False),
    )


def offer_of(row: Row) -> Offer:
    delta = dict(row.get("offer", {}))
    if "trigger" in delta:
        delta["trigger"] = trigger_of(delta["trigger"])
    if "per_shopper" in delta:
        count, hours = delta["per_shopper"]
        delta["per_shopper"] = Rate(count, timedelta(hours=hours))
    return replace(OFFER, when=when_of(row.get("when", {})), **delta)


def candidate_of(row: Row) -> Candidate:
    offer = offer_of(row)
    return Candidate(
        campaign=replace(CAMPAIGN, offers=(offer,), **row.get("campaign", {})),
        offer=offer,
        offer_version="v1",
        salt="s1",
        paused=row.get("candidate", {}).get("paused", False),
        occasion=replace(OCCASION, **plain(row.get("occasion", {}))),
        store=replace(STORE, **plain(row.get("store", {}))),
    )


def shopper_of(row: Row) -> ShopperFacts:
    delta = dict(row.get("shopper", {}))
    for field in ("consents", "reachable"):
        if field in delta:
            delta[field] = frozenset(Channel(name) for name in delta[field])
    if "inside" in delta:
        delta["inside_store_ids"] = frozenset(delta.pop("inside"))
    if "left" in delta:
        delta["left_at"] = plain(delta.pop("left"))
    past = tuple(PastOffer(instant(at), campaign, offer) for at, campaign, offer in row.get("past", ()))
    return replace(SHOPPER, past=past, **delta)


def policy_of(row: Row) -> Policy:
    delta = dict(row.get("policy", {}))
    if "pressure" in delta:
        delta["pressure"] = tuple(delta["pressure"])
    return replace(POLICY, **delta)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_the_decision_is_the_one_in_the_table(row: Row) -> None:
    assert set(row) <= EXPECTED | DELTAS
    now = instant(row["now"]) if "now" in row else NOW
    [decision] = decide([candidate_of(row)], shopper_of(row), now=now, policy=policy_of(row))
    assert (decision.outcome.value, decision.reason) == (row["outcome"], row.get("reason"))
    if "channel" in row:
        assert decision.channel == row["channel"]
    if "arms" in row:
        assert decision.arms == row["arms"]
    if "valid_until" in row:
        assert decision.valid_until == instant(row["valid_until"])


def test_the_table_has_a_pass_and_a_failure_for_every_check() -> None:
    failed = {row["reason"] for row in (*ROWS, *WRITTEN) if "reason" in row}
    assert failed == {*(check.__name__ for check in CHECKS), "universal_holdout", "holdout"}
    assert {row["outcome"] for row in ROWS} == {"send", "ghost", "suppressed"}
    assert len({row["name"] for row in ROWS}) == len(ROWS)


def test_dates_in_the_table_are_dates() -> None:
    dates = [row["campaign"]["since"] for row in ROWS if "since" in row.get("campaign", {})]
    assert dates
    assert all(type(day) is date for day in dates)

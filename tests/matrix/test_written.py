from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from campaigns.decision import decide
from campaigns.facts import Candidate, PastOffer, Policy, ShopperFacts, Spent
from campaigns.history import History, PastPurchase, PastRedemption, PastResearch, PastVisit
from campaigns.model import Campaign, Channel, Money
from campaigns.pressure import pressure_rule
from campaigns.reader import read_campaign
from tests.campaigns.cases import CANDIDATE, NOW, OCCASION, POLICY, SHOPPER, STORE
from tests.changed import replace

Row = Mapping[str, Any]
HERE = Path(__file__).parent
ROWS: list[Row] = YAML(typ="safe").load((HERE / "written.yaml").read_text("utf-8"))
OLDER: list[Row] = YAML(typ="safe").load((HERE / "decisions.yaml").read_text("utf-8"))
MINUTE = timedelta(minutes=1)
OFFER = {
    "offer": "warm-croissant",
    "trigger": {"near": "vicinity"},
    "channels": ["push", "sms"],
    "coupon": {"value": "1.00 EUR", "expires": "1d"},
    "message": {
        "push": {"body": {"fr": "{value}, {expires}", "en": "{value}, {expires}"}},
        "sms": {"fr": "{store_name}: {value}, {expires}. STOP {stop_number}"},
    },
}
CAMPAIGN = {"campaign": "croissant-november", "name": "Croissants", "stores": {"all": True}, "holdout": "0%"}


def instant(value: Any) -> datetime:
    """A YAML time (naive UTC, as the parser gives it) as an aware one."""
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC)


def plain(delta: Row) -> dict[str, Any]:
    return {key: instant(value) if isinstance(value, datetime) else value for key, value in delta.items()}


def campaign_of(row: Row) -> Campaign:
    """The campaign as a manager writes it, read as the service reads it."""
    offer = {**OFFER, **row.get("offer", {})}
    offer["message"] = {name: text for name, text in OFFER["message"].items() if name in offer["channels"]}  # type: ignore[attr-defined]
    text = StringIO()
    YAML(typ="safe").dump({**CAMPAIGN, **row.get("campaign", {}), "offers": [offer]}, text)
    return read_campaign(text.getvalue())


def history_of(row: Row) -> History:
    return History(
        visits=tuple(
            PastVisit(store, instant(end) - minutes * MINUTE, instant(end))
            for store, end, minutes in row.get("visits", ())
        ),
        purchases=tuple(
            PastPurchase(store, instant(at), float(amount), currency)
            for store, at, amount, currency in row.get("purchases", ())
        ),
        redemptions=tuple(PastRedemption(store, instant(at)) for store, at in row.get("redemptions", ())),
        research=tuple(
            PastResearch(topic, store, instant(at)) for topic, store, at in row.get("research", ())
        ),
        existing=row.get("existing", False),
        home_region=frozenset(row.get("home", ())),
    )


def shopper_of(row: Row) -> ShopperFacts:
    delta = dict(row.get("shopper", {}))
    for short, field in (("inside", "inside_store_ids"), ("staff_at", "staff_at")):
        if short in delta:
            delta[field] = frozenset(delta.pop(short))
    past = tuple(
        PastOffer(instant(at), campaign, offer, Channel(channel), frozenset(tags))
        for at, campaign, offer, channel, tags in row.get("past", ())
    )
    return replace(SHOPPER, past=past, history=history_of(row), **delta)


def candidate_of(row: Row) -> Candidate:
    campaign = campaign_of(row)
    spent = dict(row.get("spent", {}))
    if "cost" in spent:
        spent["cost"] = Decimal(spent["cost"])
    return replace(
        CANDIDATE,
        campaign=campaign,
        offer=campaign.offers[0],
        occasion=replace(OCCASION, **plain(row.get("occasion", {}))),
        store=replace(STORE, **plain(row.get("store", {}))),
        spent=Spent(**spent),
    )


def policy_of(row: Row) -> Policy:
    prices = {
        Channel(name): Money(Decimal(str(amount)), "EUR") for name, amount in row.get("prices", {}).items()
    }
    rules = tuple(map(pressure_rule, row["pressure"])) if "pressure" in row else POLICY.pressure
    return replace(POLICY, prices=prices, pressure=rules)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_what_is_written_is_what_is_decided(row: Row) -> None:
    now = instant(row["now"]) if "now" in row else NOW
    [decision] = decide([candidate_of(row)], shopper_of(row), now=now, policy=policy_of(row))
    assert (decision.outcome.value, decision.reason) == (row["outcome"], row.get("reason"))
    last = decision.trace[-1]
    assert last.value == row.get("seen", last.value)
    assert last.limit == row.get("asked", last.limit)


def test_every_case_is_one_of_its_own() -> None:
    names = [row["name"] for row in (*ROWS, *OLDER)]
    assert len(set(names)) == len(names) >= 150

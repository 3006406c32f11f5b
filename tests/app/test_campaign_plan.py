"""A plan tells what a campaign will do, from what is kept, before it is applied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from campaigns.reader import read_campaign
from m2s.app.campaign_plan import Plan
from tests.app.town import HARBOUR, MORNING, ROCK, Town, campaign, fix, open_town

HELLO = campaign("new", "hello: {near: vicinity}|valid_for: 1h", holdout="10%")
PRICES = {"prices": {"push": "0.01 EUR", "sms_part": "0.05 EUR"}}


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = open_town(tmp_path, **PRICES)
    town.furnish()
    yield town
    town.engine.stop()


def plan(town: Town, text: str, *, days: int = 7, at: datetime | None = None) -> Plan:
    return town.engine.plans.plan(read_campaign(text), text, days=days, at=at)


def crowd(town: Town, number: int, *, visiting: int = 0) -> None:
    """So many come near one after the other, some of whom go in and stay."""
    for one in range(number):
        device = town.device(f"p{one}")
        town.post(device, fix(f"n{one}", "vicinity"))
        if one < visiting:
            for minute in range(3):
                town.wait(minutes=4)
                town.post(device, fix(f"v{one}.{minute}", "inside"))
        town.wait(minutes=1)
    town.wait(hours=1)


def test_what_would_change_is_told_against_what_runs(town: Town) -> None:
    assert plan(town, HELLO).change == "created"
    town.engine.publish.apply_campaign(None, HELLO)
    assert (plan(town, HELLO + "# later\n").change, plan(town, HELLO).differences) == ("unchanged", ())
    changed = plan(town, HELLO.replace("valid_for: 1h", "valid_for: 2h"))
    assert (changed.change, changed.differences) == ("changed", ("offers.hello.valid_for: 1h → 2h",))
    town.engine.publish.stop("new")
    assert plan(town, HELLO).change == "refused"


def test_people_are_counted_by_channel_with_consent_and_address(town: Town) -> None:
    crowd(town, 3)
    two = HELLO.replace("channels: [push]", "channels: [sms, push]").replace(
        "message: {push:", 'message: {sms: {en: "{store_name} STOP {stop_number}"}, push:'
    )
    found = plan(town, two)
    assert (found.stores, found.seen) == ((HARBOUR, ROCK), 3)
    assert [(row["channel"], row["reachable"], row["by_this_first"]) for row in found.reach] == [
        ("sms", 0, 0),
        ("push", 3, 3),
    ]
    with_phone = town.rows("SELECT id FROM shoppers ORDER BY id LIMIT 1")[0][0]
    town.engine.database.write(
        lambda records: records.devices.set_phone(with_phone, "+33612345678", country="FR")
    )
    town.engine.database.write(lambda records: agreed(records, with_phone))
    found = plan(town, two)
    assert [(row["channel"], row["reachable"], row["by_this_first"]) for row in found.reach] == [
        ("sms", 1, 1),
        ("push", 3, 2),
    ]
    assert [(row["language"], row["parts"]) for row in found.sms] == [("en", 1)]


def agreed(records: object, shopper_id: str) -> None:
    from m2s.app.rows import ConsentRow

    device = records.devices.devices_of([shopper_id])[shopper_id][0]  # type: ignore[attr-defined]
    row = ConsentRow("marketing", "sms", True, "v1", MORNING)
    records.devices.add_consents(device, [row], received_at=MORNING)  # type: ignore[attr-defined]


def test_expected_sends_and_money_come_from_the_evidence_and_are_held_against_the_budget(town: Town) -> None:
    crowd(town, 5)
    free = HELLO.replace("holdout: 10%", "holdout: 0%")
    tight = free.replace("offers:", "until: 2026-11-12\nbudget: {messages: 6, cost: 10.00 EUR}\noffers:")
    found = plan(town, tight, days=1)
    (row,) = (row for row in found.played.tally.offers() if row["campaign_id"] == "new")
    assert row["would_send"] == 5
    assert found.money == (
        "By the last day: 5.0 messages a day, which cost 0.05; in the 10 days that are left "
        "(until 2026-11-12): 50 messages, 0.50.",
        "Budget: 0 of 6 messages used up; it lasts 1 days, not the 10 that are left.",
        "Budget: 0 of 10 EUR used up; it lasts 200 days, long enough.",
    )


def test_a_plan_of_another_time_goes_by_the_days_before_it_and_the_law_after_it(town: Town) -> None:
    crowd(town, 6, visiting=2)
    first = town.clock.now() - timedelta(hours=1)
    town.wait(days=70)
    later = town.clock.now()
    town.post(town.device("late"), fix("late", "vicinity"))
    for minute in range(4):
        town.post("dev_p5", fix(f"back{minute}", "inside"))
        town.wait(minutes=4)
    then, now = plan(town, HELLO, at=first), plan(town, HELLO, days=1)
    assert (then.seen, now.seen) == (6, 2)
    assert "By the last 7 days 6 people would be offered something" in then.power[0]
    assert "33.3% of those seen visited" in then.power[0]
    assert "2026-11-19" in then.law[-1]
    assert str(later.date().year) in now.law[-1]
    assert "2026-11-19" not in now.law[-1]


def test_what_no_price_is_known_of_is_said(town: Town) -> None:
    both = HELLO.replace("channels: [push]", "channels: [push, webhook]")
    both = both.replace("message: {push:", 'message: {webhook: {en: "{store_name}"}, push:')
    assert plan(town, HELLO).money[-1].startswith("By the last 7 days")
    assert plan(town, both).money[-1] == (
        "No price is known for webhook: counted as 0 until the operator sets `prices`."
    )


def test_the_law_and_rival_offers_are_told(town: Town) -> None:
    rival = campaign("old", "hi: {enter: vicinity}|priority: 70")
    town.engine.publish.apply_campaign(None, rival)
    text = campaign("new", 'hello: {near: vicinity}|when: {hours: "20:30-22:00"}', "away: {exit: vicinity}")
    found = plan(town, text)
    assert any("hello can never send in MC" in told for told in found.law)
    (told,) = found.conflicts
    assert (
        told
        == "hello competes with old/hi at 2 stores, 10.5 hours a week: old/hi goes first by priority (50 and 70)"
    )
    town.engine.publish.pause("old")
    assert plan(town, text).conflicts == ()


def test_what_the_holdout_can_show_follows_from_base_and_number(town: Town) -> None:
    crowd(town, 20, visiting=4)
    (numbers, rise, *more) = plan(town, HELLO).power
    assert numbers == (
        "By the last 7 days 20 people would be offered something, 10% of them held out; "
        "20.0% of those seen visited within 7 days."
    )
    assert rise.startswith("A rise of ")
    assert more == [] or "pool several campaigns" in more[0]
    (nobody,) = plan(town, HELLO.replace("holdout: 10%", "holdout: 0%")).power
    assert nobody.startswith("Nobody is held out")
    town.wait(hours=48)
    (nothing,) = plan(town, HELLO, days=1).power
    assert nothing.startswith("What the holdout can show cannot be said: of 0 people seen")


def test_only_the_last_days_count(town: Town) -> None:
    crowd(town, 2)
    town.clock.advance(timedelta(days=3))
    assert (plan(town, HELLO, days=7).seen, plan(town, HELLO, days=2).seen) == (2, 0)

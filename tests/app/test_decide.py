"""What does a trigger lead to, and what does the decision leave behind, all of it or nothing?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from campaigns.holdout import CONTROL, TREATMENT, UNIVERSAL, arm, bucket
from m2s.app.rows import ConsentRow
from m2s.core.base.instants import to_ms
from tests.app.town import HARBOUR, ROCK, Town, campaign, fix, heard, open_town

COUPON = "coupon: {value: 1.00 EUR, expires: 2d}"
TABLES = ("decisions", "assignments", "coupons", "messages")


def left_behind(town: Town) -> tuple[int, ...]:
    return tuple(town.count(table) for table in TABLES)


def of_arm(town: Town, campaign_id: str, wanted: str) -> str:
    """A new device whose shopper is in an arm of a campaign."""
    live = town.engine.catalog().campaigns[campaign_id]
    name = next(
        f"{wanted}{n}"
        for n in count()
        if arm(bucket(live.salt, campaign_id, shopper_id=f"shp_{wanted}{n}"), share=live.campaign.holdout)
        == wanted
    )
    return town.device(name)


def test_a_send_leaves_decision_arm_coupon_and_message(town: Town) -> None:
    town.furnish(campaign("c", f"o: {{enter: premises}}|{COUPON}", holdout="10%"))
    device = of_arm(town, "c", TREATMENT)
    answer = town.post(device, fix("s0"))
    assert answer.events == [
        {
            "type": "offer.decided",
            "offer_id": "o",
            "campaign_id": "c",
            "store_id": HARBOUR,
            "outcome": "send",
        }
    ]
    assert left_behind(town) == (1, 1, 1, 1)
    (decision,) = town.decisions()
    assert (decision.outcome, decision.reason, decision.channel) == ("send", None, "push")
    assert (decision.store_id, decision.device_id, decision.trigger) == (HARBOUR, device, "enter")
    assert [check["passed"] for check in decision.trace] == [True] * len(decision.trace)
    assert decision.trace[-1]["name"] == "holdout"
    assert town.rows("SELECT experiment, arm FROM assignments") == [("c", TREATMENT)]
    assert town.rows("SELECT decision_id, state FROM messages") == [(decision.id, "planned")]
    assert town.rows("SELECT decision_id, state FROM coupons") == [(decision.id, "issued")]


def test_a_ghost_leaves_decision_and_arm_only(town: Town) -> None:
    town.furnish(campaign("c", f"o: {{enter: premises}}|{COUPON}", holdout="10%"))
    answer = town.post(of_arm(town, "c", CONTROL), fix("s0"))
    assert [event["outcome"] for event in answer.events] == ["ghost"]
    assert left_behind(town) == (1, 1, 0, 0)
    (decision,) = town.decisions()
    assert (decision.outcome, decision.reason) == ("ghost", "holdout")
    assert town.rows("SELECT experiment, arm FROM assignments") == [("c", CONTROL)]


def test_what_is_suppressed_leaves_its_reason_only(town: Town) -> None:
    town.furnish(campaign("c", f'o: {{enter: premises}}|{COUPON}|when: {{hours: "14:00-18:00"}}'))
    town.post(town.device("ann"), fix("s0"))
    assert left_behind(town) == (1, 0, 0, 0)
    assert [(row.outcome, row.reason) for row in town.decisions()] == [("suppressed", "offer_active")]


def test_without_consent_nothing_is_sent(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    device = town.device("ann")
    with town.engine.database.read() as records:
        row = records.devices.device(device)
    assert row is not None
    withdrawn = ConsentRow("marketing", "push", False, "v1", town.clock.now())
    town.engine.devices.put_consents(row, [withdrawn])
    town.post(device, fix("s0"))
    assert [row.reason for row in town.decisions()] == ["consent"]
    assert town.count("messages") == 0


def test_late_evidence_never_sends(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    town.post(town.device("ann"), fix("s0", age_s=300))
    town.post(town.device("bob"), fix("s0", age_s=301))
    assert [(row.shopper_id, row.outcome, row.reason) for row in town.decisions()] == [
        ("shp_ann", "send", None),
        ("shp_bob", "suppressed", "fresh"),
    ]


@pytest.mark.parametrize("which", [TREATMENT, CONTROL])
def test_a_second_occasion_the_same_day_is_too_much_pressure(town: Town, which: str) -> None:
    town.furnish(
        campaign("c", "o: {enter: premises}", holdout="30%"),
        campaign("other", "p: {beacon: {place: till, proximity: near, for: 1s}}"),
    )
    device = of_arm(town, "c", which)
    first = {TREATMENT: ("send", None), CONTROL: ("ghost", "holdout")}[which]
    town.post(device, fix("s0"))
    town.wait(minutes=1)
    town.post(device, heard("s1"))
    town.wait(minutes=1)
    town.post(device, fix("s2", shop=ROCK))
    assert [(row.campaign_id, row.outcome, row.reason) for row in town.decisions()] == [
        ("c", *first),
        ("other", "suppressed", "pressure"),
        ("c", "suppressed", "pressure"),
    ]
    town.wait(hours=24)
    town.post(device, fix("s3"))
    assert [(row.outcome, row.reason) for row in town.decisions("o")][-1] == first


def test_two_occasions_of_one_group_weigh_on_each_other(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    device = town.device("ann")
    town.post(device, fix("s0", age_s=120), fix("s1", shop=ROCK, age_s=10))
    assert [(row.store_id, row.reason) for row in town.decisions()] == [(HARBOUR, None), (ROCK, "pressure")]


def test_of_two_offers_at_once_the_one_of_higher_priority_is_made(town: Town) -> None:
    town.furnish(
        campaign("a", "low: {enter: premises}|priority: 10"),
        campaign("b", "high: {enter: premises}|priority: 90"),
    )
    town.post(town.device("ann"), fix("s0"))
    assert {(row.offer_id, row.outcome, row.reason) for row in town.decisions()} == {
        ("high", "send", None),
        ("low", "suppressed", "arbitration"),
    }
    assert left_behind(town) == (2, 1, 0, 1)


def test_a_paused_campaign_decides_but_does_not_send(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    town.engine.publish.pause("c")
    town.post(town.device("ann"), fix("s0"))
    town.engine.publish.resume("c")
    town.post(town.device("bob"), fix("s0"))
    assert [(row.outcome, row.reason) for row in town.decisions()] == [
        ("suppressed", "offer_active"),
        ("send", None),
    ]


@pytest.fixture
def held_out(tmp_path: Path) -> Iterator[Town]:
    found = open_town(tmp_path, universal_holdout=0.5)
    found.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    yield found
    found.engine.stop()


def test_the_universal_holdout_is_asked_before_the_campaigns(held_out: Town) -> None:
    for number in range(12):
        held_out.post(held_out.device(f"n{number}"), fix("s0"))
    ((salt,),) = held_out.rows("SELECT value FROM meta WHERE key = 'universal_salt'")
    kept: dict[str, dict[str, str]] = {}
    for shopper_id, experiment, drawn in held_out.rows("SELECT shopper_id, experiment, arm FROM assignments"):
        kept.setdefault(shopper_id, {})[experiment] = drawn
    outcomes = {row.shopper_id: row.outcome for row in held_out.decisions()}
    reasons = {row.shopper_id: row.reason for row in held_out.decisions()}
    assert len(outcomes) == 12
    for shopper_id, arms in kept.items():
        assert arms[UNIVERSAL] == arm(bucket(salt, UNIVERSAL, shopper_id=shopper_id), share=0.5)
        held = CONTROL in arms.values()
        assert outcomes[shopper_id] == ("ghost" if held else "send")
        universally = "universal_holdout" if arms[UNIVERSAL] == CONTROL else "holdout"
        assert reasons[shopper_id] == (universally if held else None)
        assert ("c" in arms) == (arms[UNIVERSAL] == TREATMENT)
    assert {CONTROL, TREATMENT} == {arms[UNIVERSAL] for arms in kept.values()}


def test_an_arm_stays_whatever_the_share_becomes(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="10%"))
    device = of_arm(town, "c", CONTROL)
    town.post(device, fix("s0"))
    town.engine.publish.apply_campaign("c", campaign("c", "o: {enter: premises}", holdout="0%"))
    town.wait(hours=25)
    town.post(device, fix("s1"))
    assert [row.outcome for row in town.decisions()] == ["ghost", "ghost"]


def test_a_coupon_until_closing_lasts_through_the_lunch_break_to_the_last_closing(town: Town) -> None:
    closing = "coupon: {value: 1.00 EUR, expires: closing}"
    town.furnish(
        campaign("c", f"o: {{enter: premises}}|{closing}"),
        opening_hours="Mo-Sa 10:30-12:00, 14:00-19:00",
    )
    town.post(town.device("early"), fix("s0"))
    town.clock.advance(timedelta(hours=2, minutes=30))
    town.post(town.device("noon"), fix("s0"))
    last = datetime(2026, 11, 3, 18, tzinfo=UTC)
    assert town.rows("SELECT expires_at FROM coupons") == [(to_ms(last),), (to_ms(last),)]
    town.clock.set(last)
    town.post(town.device("late"), fix("s0"))
    assert town.rows("SELECT max(expires_at) FROM coupons") == [(to_ms(last + timedelta(minutes=45)),)]


def test_the_message_says_what_the_shopper_can_use(town: Town) -> None:
    town.furnish(campaign("c", f"o: {{enter: premises}}|{COUPON}"))
    town.post(town.device("ann"), fix("s0"))
    assert town.rows("SELECT title, body, channel FROM messages") == [
        (None, "At Harbour: €1.00 until 5 Nov 10:00", "push")
    ]
    town.wait(seconds=30)
    assert town.rows("SELECT state FROM messages") == [("accepted",)]

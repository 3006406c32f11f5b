"""Why a shopper got a message or none: kept decisions in sentences, and what it means when there are none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from m2s.app.explain import Explain
from m2s.app.ports import Records
from m2s.app.rows import DecisionRow
from m2s.core.base.errors import NotFound
from tests.app.world import CHURCH, MORNING, PORT, World


@pytest.fixture
def explain(world: World) -> Explain:
    return Explain(world.database, world.clock, catalog=lambda: world.catalog)


def decide(world: World, shopper_id: str, **changes: object) -> DecisionRow:
    fields: dict[str, object] = {
        "id": world.ids.new("dec"),
        "occasion_key": world.ids.new("occ"),
        "campaign_id": "morning",
        "offer_id": "warm",
        "offer_version": "1",
        "shopper_id": shopper_id,
        "device_id": None,
        "store_id": PORT,
        "trigger": "near",
        "outcome": "suppressed",
        "reason": "fresh",
        "channel": None,
        "trace": [{"name": "fresh", "passed": False, "value": 600, "limit": 300}],
        "at": world.clock.now(),
        "decided_at": world.clock.now(),
        "valid_until": world.clock.now(),
    }
    row = DecisionRow(**(fields | changes))  # type: ignore[arg-type]
    world.database.write(lambda records: records.decisions.add([row]))
    return row


def test_a_decision_is_told_in_sentences_newest_first(explain: Explain, world: World) -> None:
    shopper = world.shopper("anna")
    first = decide(world, shopper)
    world.clock.advance(timedelta(hours=1))
    second = decide(world, shopper, offer_id="saturday")
    found = explain.find(shopper_id=shopper)
    assert [item.decision for item in found.decisions] == [second, first]
    assert found.decisions[0].sentences[0] == "No message was sent."
    assert "10 minutes" in found.decisions[0].sentences[1]
    assert (found.sentences, found.last_seen) == ((), ())
    assert explain.one(first.id).decision == first


def test_a_message_that_was_cancelled_at_the_second_look_is_not_said_to_have_been_sent(
    explain: Explain, world: World
) -> None:
    states = ["accepted", "cancelled", "planned"]
    messages = [world.decided(world.shopper(state), channel="push") for state in states]

    def settle(records: Records) -> None:
        accepted, cancelled, _ = records.messages.claim(
            "push", now=MORNING, leased_until_s=2.0, limit=3, most_again=0
        )
        records.messages.settle(cancelled.id, fence=1, state="cancelled", reason="consent", at=MORNING)
        records.messages.begin([accepted], now_s=1.0, leased_until_s=2.0, at=MORNING)
        records.messages.settle(accepted.id, fence=1, state="accepted", reason=None, at=MORNING)
        records.messages.release_leases(expired_at_s=None, at=MORNING)

    world.database.write(settle)
    told = [explain.one(message.decision_id) for message in messages]
    assert [one.sentences[0] for one in told] == [
        "A message was sent by push.",
        "A message was planned by push, and not sent: at the second look the consent had been withdrawn.",
        "A message was planned by push and waits to be sent.",
    ]
    assert [one.message and one.message.state for one in told] == states
    assert explain.find(shopper_id="shp_cancelled").decisions == (told[1],)


def test_who_was_joined_is_answered_for_by_either_id_and_said_to_be(explain: Explain, world: World) -> None:
    anna, ann = world.shopper("anna"), world.shopper("ann")
    early = decide(world, ann)
    world.database.write(lambda records: records.identities.merge(ann, into=anna, source="till", at=MORNING))
    late = decide(world, anna)
    told = f"{ann} turned out to be {anna} at 2026-11-03T09:00:00.000Z, by what the retailer knows of both"
    for asked in ({"shopper_id": ann}, {"shopper_id": anna}, {"shopper_id": ann, "device_id": "dev_anna"}):
        found = explain.find(**asked)
        assert {item.decision.id for item in found.decisions} == {early.id, late.id}
        assert [sentence.startswith(told) for sentence in found.sentences] == [True]
    nothing = explain.find(shopper_id=ann, offer_id="saturday")
    assert nothing.decisions == ()
    assert nothing.sentences[0].startswith(told)
    assert "no occasion arose" in nothing.sentences[1]


def test_decisions_are_found_by_device_offer_and_time(explain: Explain, world: World) -> None:
    anna, ben = world.shopper("anna"), world.shopper("ben")
    early = decide(world, anna)
    world.clock.advance(timedelta(hours=1))
    late = decide(world, anna, offer_id="saturday")
    decide(world, ben)

    def ids(**asked: object) -> list[str]:
        return [item.decision.id for item in explain.find(**asked).decisions]  # type: ignore[arg-type]

    assert ids(device_id="dev_anna") == [late.id, early.id]
    assert ids(device_id="dev_anna", offer_id="warm") == [early.id]
    assert ids(shopper_id=anna, since=MORNING + timedelta(hours=1)) == [late.id]
    assert ids(shopper_id=anna, until=MORNING + timedelta(hours=1)) == [early.id]
    assert len(ids(limit=2)) == 2


def test_without_a_decision_it_says_where_the_shopper_was_seen_but_no_position(
    explain: Explain, world: World
) -> None:
    shopper = world.shopper("anna")
    world.seen(shopper, PORT, MORNING - timedelta(hours=2))
    world.seen(shopper, CHURCH, MORNING - timedelta(hours=3))
    world.seen(shopper, CHURCH, MORNING - timedelta(hours=1))
    found = explain.find(shopper_id=shopper)
    assert [(seen.store_id, seen.at) for seen in found.last_seen] == [
        (CHURCH, MORNING - timedelta(hours=1)),
        (PORT, MORNING - timedelta(hours=2)),
    ]
    assert "no occasion arose" in found.sentences[0]
    assert "seen at the stores listed" in found.sentences[1]


def test_a_shopper_who_was_never_near_is_told_apart(explain: Explain, world: World) -> None:
    shopper = world.shopper("anna")
    world.seen(shopper, PORT, MORNING - timedelta(days=8))
    found = explain.find(shopper_id=shopper)
    assert found.last_seen == ()
    assert "No sighting" in found.sentences[1]


def test_who_does_not_exist_is_not_found(explain: Explain, world: World) -> None:
    world.shopper("anna")
    ben = world.shopper("ben")
    for asked in (
        {"shopper_id": "shp_none"},
        {"device_id": "dev_none"},
        {"device_id": "dev_anna", "shopper_id": ben},
    ):
        with pytest.raises(NotFound):
            explain.find(**asked)
    with pytest.raises(NotFound):
        explain.one("dec_none")

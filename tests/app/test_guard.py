from __future__ import annotations

from datetime import timedelta

import pytest

from m2s.app.guard import ANSWERED_WITHIN, WITHIN, Guard
from m2s.app.past import resumed_key
from m2s.app.rows import CampaignRow, MessageRow
from m2s.core.base.instants import rfc3339
from tests.app.world import CAMPAIGN, MORNING, World

DELIVERED = 300


@pytest.fixture
def sent(world: World) -> list[MessageRow]:
    """As many messages of one campaign, each to another shopper, that all left."""
    row = CampaignRow("morning", "1", "active", "salt", CAMPAIGN, MORNING)
    world.database.write(lambda records: records.catalog.put_campaign(row))
    messages = [world.decided(world.shopper(str(number)), coupon_for=None) for number in range(DELIVERED)]
    world.settled(messages, "accepted")
    world.clock.advance(timedelta(hours=1))
    return messages


def run(world: World) -> list[str]:
    paused: list[str] = []
    assert Guard(world.database, pause=paused.append).run(world.clock.now()) == paused
    return paused


def withdraw(world: World, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        world.withdraw(str(number), "push")


def test_a_campaign_that_drives_shoppers_away_is_paused(world: World, sent: list[MessageRow]) -> None:
    assert sent
    withdraw(world, 10)
    assert run(world) == []
    withdraw(world, 2, first=10)
    assert run(world) == ["morning"]


def test_who_opts_out_twice_counts_once(world: World, sent: list[MessageRow]) -> None:
    assert sent
    withdraw(world, 6)
    for number in range(6):
        world.withdraw(str(number), "sms")
    assert run(world) == []


def test_messages_that_did_not_leave_do_not_count(world: World, sent: list[MessageRow]) -> None:
    withdraw(world, 12)
    world.settled(sent[50:], "refused")
    assert run(world) == []


def test_an_opt_out_long_after_the_message_is_not_its_fault(world: World, sent: list[MessageRow]) -> None:
    assert sent
    world.clock.set(MORNING + ANSWERED_WITHIN)
    withdraw(world, 30)
    assert run(world) == []


def test_what_is_old_does_not_count(world: World, sent: list[MessageRow]) -> None:
    assert sent
    withdraw(world, 30)
    world.clock.set(MORNING + WITHIN + timedelta(seconds=1))
    assert run(world) == []


def test_what_a_manager_knew_when_she_resumed_is_not_held_against_it_again(
    world: World, sent: list[MessageRow]
) -> None:
    assert sent
    withdraw(world, 30)
    now = rfc3339(world.clock.now() + timedelta(seconds=1))
    world.database.write(lambda records: records.catalog.keep_setting(resumed_key("morning"), now))
    assert run(world) == []


def test_a_campaign_that_is_paused_already_is_left_alone(world: World, sent: list[MessageRow]) -> None:
    assert sent
    withdraw(world, 30)
    world.database.write(lambda records: records.catalog.set_campaign_state("morning", "paused"))
    assert run(world) == []

"""Does a provider that fails hold up only its own phones, where push has one for each platform?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from m2s.adapters.channels.platforms import ByPlatform
from m2s.adapters.runtime.metrics import Metrics
from m2s.app.channel import Accepted, Misconfigured, Refused, RetryLater, SendResult, Unknown
from m2s.app.lanes import Pace
from m2s.app.rows import MessageRow
from m2s.core.delivery.breaker import IN_A_ROW, REST_S
from tests.app.delivering import worker
from tests.app.world import Phone, World

DOWN = RetryLater(0.0, "503")
NAMES = {"ios": "apns", "android": "fcm"}


def answering(result: SendResult) -> Callable[[MessageRow], SendResult]:
    return lambda _message: result


def by_platform(apns: Phone, fcm: Phone) -> ByPlatform:
    return ByPlatform({"ios": apns, "android": fcm}, NAMES)


def planned(
    world: World, platform: str | None, number: int, *, valid_for: timedelta = timedelta(hours=1)
) -> list[MessageRow]:
    """Messages of as many shoppers with such phones."""
    shoppers = [world.shopper(f"{platform}{world.ids.new('x')}", platform=platform) for _ in range(number)]
    return [world.decided(shopper, coupon_for=None, valid_for=valid_for) for shopper in shoppers]


def states(world: World, messages: list[MessageRow]) -> set[str]:
    return {world.message(message).state for message in messages}


def held_up(metrics: Metrics, provider: str, cause: str) -> float | None:
    labels = {"channel": "push", "provider": provider, "cause": cause}
    return metrics.registry.get_sample_value("m2s_channel_held_up", labels)


@pytest.mark.parametrize("failing", [DOWN, Unknown("no answer"), Misconfigured("topic", "400")])
def test_a_provider_that_fails_holds_up_its_own_phones_only(world: World, failing: SendResult) -> None:
    apns, fcm, metrics = Phone(answering(failing)), Phone(), Metrics()
    # These expire first, and are more than is claimed at once.
    iphones = planned(world, "ios", 80, valid_for=timedelta(minutes=30))
    others = planned(world, "android", 60)
    sending = worker(world, push=by_platform(apns, fcm), pace=Pace(at_once=4), metrics=metrics)
    sending.drain()
    assert states(world, others) == {"accepted"}
    assert len(apns.sent) <= 2 * IN_A_ROW
    cause = "misconfigured" if isinstance(failing, Misconfigured) else "failures"
    assert (held_up(metrics, "apns", cause), held_up(metrics, "fcm", cause)) == (1, 0)
    assert states(world, iphones) == {"planned"}
    assert sending.drain() == 0


def test_when_it_is_back_its_messages_leave_in_order_of_expiry(world: World) -> None:
    apns, fcm = Phone(answering(DOWN)), Phone()
    early = planned(world, "ios", 50, valid_for=timedelta(minutes=40))
    sending = worker(world, push=by_platform(apns, fcm))
    sending.drain()
    late = [*planned(world, "android", 50), *planned(world, "ios", 50)]
    sending.drain()
    assert Counter(world.message(row).state for row in late) == {"accepted": 50, "planned": 50}
    apns.answer = answering(Accepted("1"))
    tried = len(apns.sent)
    for _ in range(120):
        world.clock.advance(timedelta(seconds=REST_S))
        sending.drain()
    assert states(world, [*early, *late]) == {"accepted"}
    ends = [row.valid_until for row in apns.sent[tried:] if row.tries == 0]
    assert all(first <= then for first, then in pairwise(ends))


def test_each_provider_of_a_channel_has_the_rate(world: World) -> None:
    apns, fcm = Phone(), Phone()
    planned(world, "ios", 40)
    planned(world, "android", 40)
    sending = worker(world, push=by_platform(apns, fcm), pace=Pace(1, {"push": 5.0}))
    counts = []
    for _ in range(12):
        sending.drain()
        counts.append((len(apns.sent), len(fcm.sent)))
        world.clock.advance(timedelta(seconds=1))
    assert counts[:3] == [(5, 5), (10, 10), (15, 15)]
    assert counts[-1] == (40, 40)


def test_after_a_change_of_providers_what_waited_for_one_is_sent_by_the_other(world: World) -> None:
    iphones = planned(world, "ios", 30)
    worker(world, push=by_platform(Phone(answering(DOWN)), Phone())).drain()
    assert ("apns",) in world.rows("SELECT provider FROM messages WHERE state = 'planned'")
    world.clock.advance(timedelta(minutes=1))
    alone = worker(world, push=Phone())
    alone.recover()
    alone.drain()
    assert states(world, iphones) == {"accepted"}


def test_a_refusal_for_which_nobody_was_asked_is_no_sign_that_the_provider_is_well(world: World) -> None:
    stale = Refused("stale_token", "30 days", asked=False)
    phone = Phone(answering(DOWN))
    planned(world, "android", IN_A_ROW)
    sending = worker(world, push=phone)
    sending.drain()
    assert len(phone.sent) == IN_A_ROW
    [message] = planned(world, "android", 1, valid_for=timedelta(minutes=1))
    planned(world, "android", IN_A_ROW, valid_for=timedelta(minutes=2))
    phone.answer = lambda row: stale if row.id == message.id else DOWN
    world.clock.advance(timedelta(seconds=REST_S))
    sending.drain()
    assert world.message(message).state == "refused"
    # One probe more, and not the five of a breaker that had closed.
    assert len(phone.sent) == IN_A_ROW + 2


def test_a_phone_of_no_platform_is_refused_and_holds_nobody_up(world: World) -> None:
    unknown, others = planned(world, None, 3), planned(world, "ios", 3)
    worker(world, push=by_platform(Phone(), Phone())).drain()
    assert (states(world, unknown), states(world, others)) == ({"refused"}, {"accepted"})

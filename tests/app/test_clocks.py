"""Is a phone's clock estimated in spite of slow requests, kept when it moved, and used for nothing?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.app.clocks import MOVED_MS, Clocks
from tests.app.town import Town, fix
from tests.app.world import World

NOW_MS = 1_800_000_000_000


class Told:
    """Clocks on a database, with what they told."""

    def __init__(self, world: World) -> None:
        self.ahead_s: list[float] = []
        self.clocks = Clocks(world.database, found=self.ahead_s.append)

    def read(self, *ahead_ms: int, device: str = "dev_1") -> list[float]:
        """What is told while these readings come in, in seconds."""
        before = len(self.ahead_s)
        for one in ahead_ms:
            self.clocks.read(device, NOW_MS + one, received_at_ms=NOW_MS)
        return self.ahead_s[before:]


@pytest.fixture
def told(world: World) -> Told:
    return Told(world)


def test_the_first_reading_is_the_estimate_and_near_ones_change_nothing(told: Told) -> None:
    assert told.read(-300, -MOVED_MS - 300, MOVED_MS - 300) == [-0.3]


def test_a_faster_clock_is_believed_at_once(told: Told) -> None:
    assert told.read(-60_000, -500) == [-60.0, -0.5]


def test_slow_requests_do_not_move_the_estimate(told: Told) -> None:
    assert told.read(-300, -9_000, -30_000, -8_000, -5_000, -400, *[-9_000] * 4, -200, *[-9_000] * 4) == [
        -0.3
    ]


def test_a_clock_that_was_set_back_is_believed_after_five_requests_by_the_quickest(told: Told) -> None:
    assert told.read(0, -3_600_900, -3_601_000, -3_600_200, -3_600_300, -3_600_700) == [0.0, -3600.2]
    assert told.read(-3_600_200) == []


def test_each_phone_has_its_own_clock(told: Told) -> None:
    assert told.read(5_000, device="dev_1") == [5.0]
    assert told.read(-5_000, device="dev_2") == [-5.0]
    assert told.read(5_000, device="dev_1") == []


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 1_900), min_size=1, max_size=30))
def test_whatever_the_delays_the_estimate_is_within_the_tolerance(
    ahead_ms: int, delays_ms: list[int]
) -> None:
    ahead_s: list[float] = []
    clocks = Clocks(None, found=ahead_s.append)  # type: ignore[arg-type]
    for delay_ms in delays_ms:
        clocks.read("dev_1", NOW_MS + ahead_ms, received_at_ms=NOW_MS + delay_ms)
    assert ahead_s == [(ahead_ms - delays_ms[0]) / 1000]


def test_what_is_new_or_moved_is_kept_with_the_device_by_the_heartbeat(town: Town) -> None:
    ann, bob = town.device("ann"), town.device("bob")
    now = town.clock.now()
    town.post(ann, fix("a1"), sent_at=now + timedelta(minutes=7))
    town.post(bob, fix("b1"))
    town.wait(seconds=10)
    kept = "SELECT id, clock_offset_ms FROM devices ORDER BY id"
    assert town.rows(kept) == [("dev_ann", 420_000), ("dev_bob", None)]
    town.restart()
    now = town.clock.now()
    town.post(ann, fix("a2"), sent_at=now + timedelta(minutes=7, seconds=1))
    town.post(bob, fix("b2"), sent_at=now)
    town.wait(seconds=10)
    assert town.rows(kept) == [("dev_ann", 420_000), ("dev_bob", 0)]
    assert "clock" not in " ".join(town.engine.explain.find(shopper_id="shp_ann").sentences)
    assert town.engine.explain.find(device_id=ann).clock_offset_ms == 420_000


def test_wrong_clocks_are_counted_by_how_wrong_they_are(town: Town) -> None:
    for name, minutes in (("ann", 7), ("bob", -6), ("eve", 4)):
        town.post(town.device(name), fix("s"), sent_at=town.clock.now() + timedelta(minutes=minutes))
    text = town.engine.metrics.render().decode()
    assert "m2s_device_clocks_wrong_total 2.0" in text
    assert 'm2s_device_clock_ahead_seconds_bucket{le="-300.0"} 1.0' in text
    assert 'm2s_device_clock_ahead_seconds_bucket{le="300.0"} 2.0' in text


def test_what_cannot_be_written_waits_for_the_next_beat(world: World) -> None:
    told = Told(world)
    told.read(5_000)
    world.database.close()
    with pytest.raises(Exception, match="closed"):
        told.clocks.keep(world.clock.now())
    assert told.clocks._waiting == {"dev_1": 5_000}


@pytest.mark.parametrize("ahead", [timedelta(days=-400), timedelta(minutes=-8), timedelta(minutes=6)])
def test_no_event_time_is_ever_changed_by_what_is_known_of_a_clock(town: Town, ahead: timedelta) -> None:
    town.furnish()
    times = []
    for name, known in (("right", timedelta(0)), ("wrong", ahead)):
        device, now = town.device(name), town.clock.now()
        for n in range(6):
            town.post(device, fix(f"{name}{n}"), sent_at=now + known)
        wrong = now + ahead
        town.post(
            device,
            fix("by_age", age_s=60, at=wrong),
            fix("by_difference", age_ms=None, at=wrong - timedelta(minutes=2)),
            sent_at=wrong,
        )
        town.post(device, fix("by_clock", age_ms=None, at=now - timedelta(minutes=3)))
        query = f"SELECT sighting_id, at_ms, flags FROM sightings WHERE device_id = '{device}'"  # noqa: S608
        times.append([row for row in town.rows(query) if row[0].startswith("by_")])
    assert times[0] == times[1]
    assert len(times[0]) == 3

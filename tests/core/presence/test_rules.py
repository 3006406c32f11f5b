"""Rules: what the size of the premises means for fence events and signals."""

from __future__ import annotations

import pytest
from shapely import box

from m2s.core.places.store import VISIT_DEFAULTS, StoreType
from m2s.core.places.zone import PREMISES, Circle, Polygon, Zone
from m2s.core.presence.rules import faint_db, fence_fits, stay_rules

DEGREE_M = 111_195.0


def rectangle(east_m: float, north_m: float) -> Zone:
    """At the equator, where degrees are as long both ways."""
    return Zone(PREMISES, Polygon(box(0, 0, east_m / DEGREE_M, north_m / DEGREE_M)))


def circle(radius_m: float) -> Zone:
    return Zone(PREMISES, Circle(0.0, 0.0, radius_m))


@pytest.mark.parametrize(
    ("zone", "loss_db"),
    [
        (circle(10), 30),
        (circle(150), 30),
        (rectangle(16, 20), 30),
        # As large as a circle of 29 m, and of 100 m.
        (rectangle(60, 44), 44),
        (rectangle(177.2, 177.2), 60),
    ],
)
def test_a_beacon_is_faint_beyond_ten_metres_indoors_or_the_outline_that_is_drawn(
    zone: Zone, loss_db: int
) -> None:
    assert faint_db(zone) == loss_db


@pytest.mark.parametrize(
    ("zone", "fits"),
    [
        (circle(60), False),
        (circle(89), False),
        (circle(90), True),
        (circle(150), True),
        (rectangle(60, 44), False),
        # A square has 0.64 of the area of the circle around it.
        (rectangle(300, 300), False),
    ],
)
def test_a_fence_fits_premises_that_have_four_fifths_of_the_circle_that_phones_watch(
    zone: Zone, fits: bool
) -> None:
    assert fence_fits(zone) is fits


def test_equal_numbers_are_one_object() -> None:
    visit = VISIT_DEFAULTS[StoreType.FASHION].rules
    rules = stay_rules(visit, rectangle(16, 20))
    assert rules is stay_rules(visit, circle(60))
    assert (rules.dwell_min_s, rules.gap_ms, rules.leave_margin_m) == (360, 900_000, 20.0)
    assert (rules.faint_db, rules.fence_fits) == (30, False)

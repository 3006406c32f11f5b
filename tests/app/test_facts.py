"""What does deciding know of a store, and of the way to it?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m2s.app.facts import store_facts
from tests.app.town import Town, campaign, fix
from tests.core.places.stores import point_feature, stores

ARRIVING = campaign("c", "soon: {near: vicinity}|when: {open: true, open_on_arrival: true}")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_a_closed_store_has_its_next_opening_and_the_end_of_it() -> None:
    [store] = stores(point_feature("a", 48.0, 2.0, opening_hours="Mo-Sa 09:00-19:00; PH off"))
    before, during = (store_facts(store, utc(2026, 11, 3, hour)) for hour in (7, 9))
    assert (before.is_open, before.closes_at) == (False, None)
    assert (before.opens_at, before.then_closes_at) == (utc(2026, 11, 3, 8), utc(2026, 11, 3, 18))
    assert (during.is_open, during.closes_at) == (True, utc(2026, 11, 3, 18))
    assert (during.opens_at, during.then_closes_at) == (None, None)


@pytest.mark.parametrize(("subdivision", "is_open"), [("FR-67", False), ("FR-75", True)])
def test_a_store_keeps_the_holidays_of_its_region(subdivision: str, is_open: bool) -> None:
    properties = {"opening_hours": "Mo-Sa 09:00-19:00; PH off", "country": "FR", "subdivision": subdivision}
    [store] = stores(point_feature("a", 48.0, 7.0, **properties))
    assert store_facts(store, utc(2026, 12, 26, 12)).is_open is is_open


@pytest.mark.parametrize(("speed_mps", "reason"), [(None, None), (1.0, None), (2.0, "open_on_arrival")])
def test_who_walks_comes_when_the_store_has_opened_and_who_runs_too_early(
    town: Town, speed_mps: float | None, reason: str | None
) -> None:
    # 200 m: 217 s on foot, 130 s at a run.
    town.furnish(ARRIVING, opening_hours="Mo-Su 10:03-19:00")
    town.post(town.device("ann"), fix("1", "vicinity", speed_mps=speed_mps))
    [decision] = town.decisions("soon")
    assert decision.reason == reason

"""Regions: what is left open fits any beacon, and what is named fits that one only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beacons.region import Region

IDS = st.tuples(st.uuids().map(str), st.integers(0, 65_535), st.integers(0, 65_535))


@given(IDS, st.lists(st.booleans(), max_size=3))
def test_a_beacon_is_in_every_region_that_names_some_of_its_ids(
    ids: tuple[str, int, int], named: list[bool]
) -> None:
    region = Region(tuple(one if is_named else None for one, is_named in zip(ids, named, strict=False)))
    assert region.holds(ids)


@given(IDS, IDS, st.integers(1, 3))
def test_another_id_is_outside(ids: tuple[str, int, int], other: tuple[str, int, int], many: int) -> None:
    assert Region(other[:many]).holds(ids) == (other[:many] == ids[:many])


def test_an_id_that_a_beacon_does_not_have_fits_only_any() -> None:
    assert Region(("u", 1, None)).holds(("u", 1))
    assert not Region(("u", 1, 2)).holds(("u", 1))


def test_a_sender_is_told_by_its_address_where_a_region_names_one() -> None:
    region = Region((), "01:02:03:04:05:AB")
    assert region.holds((), "01:02:03:04:05:ab")
    assert not region.holds((), "01:02:03:04:05:ac")
    assert not region.holds(())

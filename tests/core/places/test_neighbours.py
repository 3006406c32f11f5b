"""Neighbours: the stores that one fix can be evidence of together, found at once or as stores change."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest

from m2s.core.places import neighbours
from m2s.core.places.geo import earth_centred
from m2s.core.places.neighbours import Neighbours, neighbours_of
from m2s.core.places.store import Store
from m2s.core.places.zone_index import ZoneIndex
from tests.core.places.stores import area_feature, point_feature, stores


def shop(name: str, latitude: float, longitude: float, radius_m: float = 60, **more: object) -> Store:
    (store,) = stores(point_feature(name, latitude, longitude, premises_radius_m=radius_m, **more))
    return store


def found(*some: Store) -> Neighbours:
    return neighbours_of(ZoneIndex.build(some))


def by_distance(some: list[Store]) -> Neighbours:
    """One pair after the other, by the distance of their middles."""
    met: dict[str, set[str]] = {}
    for one, other in combinations(some, 2):
        a, b = one.premises.shape, other.premises.shape
        apart_m = np.linalg.norm(
            earth_centred(a.latitude, a.longitude) - earth_centred(b.latitude, b.longitude)
        )
        pads_m = (store.premises.margin_m + store.visit.max_accuracy_m for store in (one, other))
        if apart_m < 1.001 * (a.reach_m + b.reach_m + sum(pads_m)):
            met.setdefault(one.id, set()).add(other.id)
            met.setdefault(other.id, set()).add(one.id)
    return {name: frozenset(others) for name, others in met.items()}


def test_stores_are_neighbours_as_far_as_evidence_of_them_reaches() -> None:
    # Circles of 60 m, a margin of 20 m and an accuracy of 50 m: 260 m from middle to middle.
    near, far = shop("near", 48 + 259 / 111_200, 2), shop("far", 48 + 264 / 111_200, 2)
    middle = shop("middle", 48, 2)
    assert found(middle, near) == {"middle": {"near"}, "near": {"middle"}}
    assert found(middle, far) == {}
    assert found() == {}
    assert found(middle) == {}


def test_neighbours_are_found_across_the_antimeridian_and_near_what_is_too_large_for_the_table() -> None:
    fiji = {"timezone": "Pacific/Fiji"}
    assert found(shop("east", 10, 179.9999, **fiji), shop("west", 10, -179.9999, **fiji)) == {
        "east": {"west"},
        "west": {"east"},
    }
    ring = [[2.0, 80.0], [5.6, 80.0], [5.6, 80.6], [2.0, 80.6], [2.0, 80.0]]
    (large,) = stores(area_feature("large", ring))
    a, b, c = shop("a", 80.3, 3), shop("b", 80.3, 4), shop("c", 80.3, 30)
    assert found(a, large, b, c) == {"large": {"a", "b"}, "a": {"large"}, "b": {"large"}}
    index = ZoneIndex.build([a, large, b, c])
    assert index.everywhere.size
    assert neighbours_of(index, changed={"b"}, before={}) == {"large": {"b"}, "b": {"large"}}


def town(rng: Random, number: int) -> list[Store]:
    some = []
    for n in range(number):
        latitude, longitude = 48 + rng.uniform(0, 0.05), 2 + rng.uniform(0, 0.05)
        if rng.random() < 0.3:
            side = rng.uniform(0.0003, 0.004)
            ring = [[longitude, latitude], [longitude + side, latitude], [longitude, latitude + side]]
            some += stores(area_feature(f"s{n:03}", [*ring, ring[0]]))
        else:
            kind = rng.choice(["convenience", "retail_park"])
            some.append(shop(f"s{n:03}", latitude, longitude, rng.uniform(20, 200), store_type=kind))
    return some


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_every_pair_by_distance_and_stay_so_when_stores_change(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_AT_ONCE", 50)
    rng = Random(seed)
    some = town(rng, 60)
    index = ZoneIndex.build(some)
    known = neighbours_of(index)
    assert known == by_distance(some)
    assert any(len(others) > 2 for others in known.values())
    for _ in range(5):
        changed = {n: store for n, store in enumerate(town(rng, 62)) if rng.random() < 0.1}
        some = [changed.get(n, store) for n, store in enumerate(some)]
        some += [store for n, store in changed.items() if n >= len(some)]
        index = ZoneIndex.build(some, index)
        known = neighbours_of(index, changed={store.id for store in changed.values()}, before=known)
        assert known == by_distance(some)

"""The mall without beacons: what the service is told of it, what really stands there, and how its visits are judged."""

from __future__ import annotations

from datetime import timedelta

from accuracy.aimed import Aimed
from accuracy.bare_mall import bare_mall, judged_bare
from accuracy.happened import Happened
from accuracy.scored import Skipped
from accuracy.simulated_days import DAYS, Aside, Lived
from beacons.sim.route import Kind
from beacons.sim.truth import MeasuredVisit, TrueVisit, Truth
from m2s.core.places.geojson import read_collection
from m2s.core.places.zone import Circle
from m2s.entry.cli.scenario_file import load_scenario

MALL = bare_mall(500)
SHOP, NEXT = list(MALL.world.shops)[:2]


def happened(
    real: list[tuple[int, int, str]],
    counted: list[tuple[int, int, str]],
    ambiguous: list[tuple[int, int, str]],
) -> Happened:
    """Days of one buyer: each visit is its first and last minute, and its store."""
    start = MALL.midnight()

    def told(since: int, until: int, store_id: str) -> MeasuredVisit:
        return MeasuredVisit(
            "buyer", store_id, start + timedelta(minutes=since), start + timedelta(minutes=until)
        )

    truth = Truth(start, timedelta(minutes=1), {})
    for one in (told(*times) for times in real):
        truth.visits.append(
            TrueVisit(0, one.device_id, one.store_id, one.start, one.end, 300, True, Kind.BUYER)
        )
    aside = [Aside(told(*times), "ambiguous") for times in ambiguous]
    return Happened(Lived(MALL, truth, [told(*times) for times in counted], [], aside, 0, 0))


def test_the_service_is_told_of_points_with_the_circle_of_their_type() -> None:
    stores = read_collection(MALL.stores)
    assert len(stores) == len(load_scenario("mall").world.shops)
    shapes = [store.premises.shape for store in stores]
    assert {shape.radius_m for shape in shapes if isinstance(shape, Circle)} == {60.0}
    assert all(isinstance(shape, Circle) for shape in shapes)
    assert not any(store.beacons for store in stores)


def test_people_walk_in_the_units_of_the_mall_and_no_beacon_hangs_there() -> None:
    units = load_scenario("mall").world.shops
    assert {name: shop.outline for name, shop in MALL.world.shops.items()} == {
        name: shop.outline for name, shop in units.items()
    }
    assert all(len(shop.outline) == 4 and not shop.beacons for shop in MALL.world.shops.values())
    assert not MALL.fleet().faults


def test_it_is_as_large_as_asked_for() -> None:
    assert 500 <= DAYS * len(MALL.crowd.kinds()) < 600


def test_each_real_visit_is_right_or_told_of_another_store_or_set_aside() -> None:
    row = judged_bare(
        happened(
            [(0, 20, SHOP), (60, 80, SHOP), (120, 140, SHOP), (180, 200, SHOP)],
            [(5, 20, SHOP), (65, 80, NEXT), (240, 260, NEXT)],
            [(120, 140, SHOP)],
        ),
        seed=1,
    )
    assert isinstance(row, Aimed)
    assert (row.ours.value, row.n, row.groups, row.met) == (0.25, 4, 1, False)
    shares = {what: share for what, share in row.beside.items() if isinstance(share, float)}
    assert shares == {"right": 0.25, "ambiguous": 0.25, "no stay": 0.25}
    assert str(row.beside["of the 3 counted, wrong"]).startswith("0.667 ")


def test_where_nothing_is_counted_nothing_is_wrong() -> None:
    row = judged_bare(happened([(0, 20, SHOP)], [], [(0, 20, SHOP)]), seed=1)
    assert isinstance(row, Aimed)
    assert (row.ours.value, row.met, row.beside) == (0.0, True, {"ambiguous": 1.0})


def test_where_nobody_was_nothing_is_judged() -> None:
    assert isinstance(judged_bare(happened([], [(0, 20, SHOP)], []), seed=1), Skipped)

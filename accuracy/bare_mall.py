"""What becomes of visits to a mall that has neither beacons nor plans? The shipped mall, its shops known by points.

The units stand wall to wall as they do with beacons, and people walk in them; the service is only told of a point in
the middle of each, as by a manager who knows no more, so that every shop has the circle of its type.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from accuracy.aimed import Aimed, Tally, ratio
from accuracy.happened import Happened
from accuracy.scored import Estimate, Skipped
from accuracy.simulated_days import DAYS, sized
from beacons.sim.fleet import FAULTLESS
from beacons.sim.scenario import Scenario
from beacons.sim.truth import TrueVisit
from beacons.sim.world import World, store_id_of
from m2s.entry.cli.scenario_file import load_scenario

MOST_WRONG = 0.10
"""The share of real visits that may be told of another store; what cannot be told apart is to be `ambiguous`."""

_NAME = "wrong store, mall without beacons"
_RIGHT, _WRONG = "right", "wrong"


def bare_mall(person_days: int) -> Scenario:
    """The mall without its beacons, with so many days of persons at least."""
    mall = load_scenario("mall")
    shops = {store_id: replace(shop, beacons=()) for store_id, shop in mall.world.shops.items()}
    points = [_by_a_point(feature, mall.world) for feature in mall.stores["features"]]
    bare = replace(
        mall,
        id="mall_without_beacons",
        world=replace(mall.world, shops=shops),
        stores={**mall.stores, "features": points},
        faults=FAULTLESS,
    )
    return sized(bare, person_days, whole=DAYS * len(bare.crowd.kinds()))


def judged_bare(one: Happened, *, seed: int) -> Aimed | Skipped:
    """How many real visits are told of another store, what becomes of the others, and how wrong the counted are."""
    if not one.visits:
        return Skipped(_NAME, "there is nothing to judge: simulate more with --person-days")
    became = [(visit.device_id, _became(one, visit)) for visit in one.visits]
    counted = [(claim.device_id, one.visit_of(claim) is None) for claim in one.counted]
    many = Counter(what for _, what in became if what != _WRONG)
    beside: dict[str, float | Estimate] = {what: many[what] / len(became) for what, _ in many.most_common()}
    if counted:
        beside[f"of the {len(counted)} counted, wrong"] = _share(counted, seed=seed)
    return Aimed(
        _NAME,
        "share of real visits that are told of another store",
        _share([(device_id, what == _WRONG) for device_id, what in became], seed=seed),
        MOST_WRONG,
        at_most=True,
        n=len(became),
        groups=len({device_id for device_id, _ in became}),
        beside=beside,
    )


def _by_a_point(feature: Mapping[str, Any], mall: World) -> dict[str, Any]:
    latitude, longitude = mall.degrees(mall.shops[store_id_of(feature)].at)
    return {
        **feature,
        "properties": {**feature["properties"], "beacons": []},
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
    }


def _became(one: Happened, visit: TrueVisit) -> str:
    if one.claim_of(visit) is not None:
        return _RIGHT
    return _WRONG if one.is_told_of_another(visit) else one.why_not(visit)


def _share(verdicts: Iterable[tuple[str, bool]], *, seed: int) -> Estimate:
    """How many are so, with its interval; whose they are is drawn whole."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for device_id, is_so in verdicts:
        sums[device_id][0] += is_so
        sums[device_id][1] += 1
    return ratio([Tally(_NAME, *held) for held in sums.values()], seed=seed, share=True)

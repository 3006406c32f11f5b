"""Is everything of two shoppers one shopper's, once they are one? As if they had always been, whatever the order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m2s.app.inputs import Pivots
from m2s.app.measure import Span
from m2s.app.pivots import KINDS
from m2s.app.rebuild import rebuild_visits
from m2s.core.base.errors import Conflict
from tests.app.people import holders, identify, purchases, registered, shopper_of
from tests.app.test_purchases import basket
from tests.app.town import HARBOUR, ROCK, Town, campaign, fence, fix, open_town
from tests.app.world import World, open_world

NEAR = campaign("near", "hello: {near: vicinity}")
CUSTOMER = Pivots(customer_id="c1")


def same(town: Town, *names: str) -> None:
    """Says that the devices are of one person."""
    devices = town.engine.devices
    for name in names:
        town.engine.identify.identify(devices.device(f"dev_{name}"), CUSTOMER, vouched=True)


def told(town: Town) -> list[tuple[Any, ...]]:
    """What the visits say, but for whose they are and what they are called."""
    return [
        (row.store_id, row.start_at, row.end_at, row.dwell_s, row.kind, row.confidence, row.status)
        for row in town.visits()
    ]


def live(town: Town, ann: str, bob: str) -> None:
    """Two phones in one pocket: each saw half of a stay, one of them a stay next door, both are there now."""
    town.post(ann, fix("a1", age_s=7_200), fix("a2", age_s=6_900), fence("a3", "exit", age_s=3_600))
    town.post(bob, fix("b1", age_s=6_700), fix("b2", age_s=6_400))
    town.post(bob, fix("b3", shop=ROCK, age_s=3_000), fix("b4", shop=ROCK, age_s=2_500))
    town.post(ann, fix("a4", age_s=120))
    town.post(bob, fix("b5"))


def test_two_shoppers_are_as_if_they_had_been_one_all_along(tmp_path: Path) -> None:
    towns = []
    for name in ("apart", "together"):
        folder = tmp_path / name
        folder.mkdir()
        town = open_town(folder)
        town.furnish()
        live(town, town.device("ann"), town.device("bob", of="ann" if name == "together" else None))
        towns.append(town)
    apart, together = towns
    try:
        assert told(apart) != told(together)
        same(apart, "ann", "bob")
        assert told(apart) == told(together)
        assert apart.inside("ann") == together.inside("ann") == {HARBOUR}
        assert apart.inside("bob") == frozenset()
        for town in towns:
            town.clock.advance(timedelta(minutes=6))
            town.post("dev_bob", fix("b6"))
        assert told(apart) == told(together)
        done = rebuild_visits(apart.engine.database, apart.engine.catalog(), now=apart.clock.now())
        assert (done.changed, done.dropped) == (0, 0)
        assert apart.rows("SELECT DISTINCT shopper_id FROM visits") == [("shp_ann",)]
    finally:
        for town in towns:
            town.engine.stop()


def test_presence_is_one_shoppers_after_a_restart_too(town: Town) -> None:
    town.furnish()
    for name in ("ann", "bob"):
        town.post(town.device(name), fix(f"{name}1", age_s=60 if name == "ann" else 0))
    same(town, "ann", "bob")
    assert (town.inside("ann"), town.inside("bob")) == ({HARBOUR}, frozenset())
    before = dict(town.engine.intake._presences.by_shopper)
    town.restart()
    assert town.engine.intake._presences.by_shopper == before


def test_what_was_on_its_way_arrives_at_the_one_who_is_left(town: Town) -> None:
    town.furnish()
    ann, bob = town.device("ann"), town.device("bob")
    late = town.batch(bob, fix("b1", age_s=600), fix("b2"))
    same(town, "ann", "bob")
    town.together([late])
    assert town.rows("SELECT DISTINCT shopper_id FROM evidence") == [("shp_ann",)]
    assert [row.kind for row in town.visits("shp_ann")] == ["visit"]
    assert town.engine.devices.shoppers_of([ann, bob]) == {ann: "shp_ann", bob: "shp_ann"}


def test_a_visit_that_was_told_is_replaced_by_the_one_that_it_is_part_of(town: Town) -> None:
    town.furnish()
    ann, bob = town.device("ann"), town.device("bob")
    town.post(ann, fix("a1", age_s=3_600), fix("a2", age_s=3_200))
    town.post(bob, fix("b1", age_s=3_100), fix("b2", age_s=2_700))
    was = {row.id for row in town.visits()}
    same(town, "ann", "bob")
    (row,) = town.visits()
    assert was - {row.id} == set((row.replaces or "").split())


def test_pressure_of_both_weighs_on_the_one(town: Town) -> None:
    town.furnish(NEAR)
    ann, bob, cid = (town.device(name) for name in ("ann", "bob", "cid"))
    town.post(ann, fix("a1", "vicinity"))
    assert [row.outcome for row in town.decisions()] == ["send"]
    town.clock.advance(timedelta(hours=2))
    same(town, "ann", "bob")
    town.post(bob, fix("b1", "vicinity"))
    town.post(cid, fix("c1", "vicinity"))
    assert [(row.shopper_id, row.reason) for row in town.decisions()[1:]] == [
        ("shp_ann", "pressure"),
        ("shp_cid", None),
    ]


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Town]:
    """A town in which half of everybody is held out."""
    found = open_town(tmp_path)
    found.furnish(campaign("near", "hello: {near: vicinity}", holdout="50%"))
    yield found
    found.engine.stop()


def test_the_earlier_arm_rules_and_who_has_both_is_compared_with_nobody(split: Town) -> None:
    names = [f"p{number}" for number in range(12)]
    for name in names:
        split.clock.advance(timedelta(minutes=1))
        split.post(split.device(name), fix(f"{name}-1", "vicinity"))
    arms = dict(split.rows("SELECT shopper_id, arm FROM assignments WHERE experiment = 'near'"))
    first = names[0]
    other = next(name for name in names if arms[f"shp_{name}"] != arms[f"shp_{first}"])
    like = next(name for name in names[1:] if arms[f"shp_{name}"] == arms[f"shp_{first}"])
    same(split, first, like)
    assert split.rows("SELECT * FROM crossings") == []
    same(split, first, other)
    kept = dict(split.rows("SELECT shopper_id, arm FROM assignments WHERE experiment = 'near'"))
    assert kept == {who: arm for who, arm in arms.items() if who not in (f"shp_{other}", f"shp_{like}")}
    with split.engine.database.read() as records:
        assert records.identities.crossed(["near"]) == {f"shp_{first}"}
        assert records.identities.crossed(["far"]) == set()
    compared = {row.shopper_id for row in split.decisions() if row.outcome != "suppressed"}
    split.clock.advance(timedelta(minutes=1))
    (row,) = split.engine.reports.report("offers", Span()).rows
    assert f"shp_{first}" in compared
    assert row["crossed_shoppers"] == 1
    assert row["treated_shoppers"] + row["held_out_shoppers"] == len(compared) - 1


Statement = tuple[int, frozenset[str], int | None]
"""Of which person, by which kinds of pivot ids, and on which of her devices; None in a row of a file."""
persons = st.integers(0, 2)
statements = st.lists(
    st.tuples(
        persons,
        st.frozensets(st.sampled_from(KINDS), min_size=1),
        st.one_of(st.none(), st.integers(0, 1)),
    ),
    max_size=8,
)


@dataclass
class Told:
    """A world in which the same is told again and again, of other people each time."""

    world: World
    rounds: Iterator[int]

    def partition(self, order: list[Statement]) -> set[frozenset[Any]]:
        """Who belongs together after all of it, by pivot ids and devices."""
        number = next(self.rounds)
        devices: dict[tuple[int, int], Any] = {}
        for person, kinds, place in order:
            pivots = Pivots(**{kind: value_of(kind, number, person) for kind in kinds})
            if place is None:
                one = basket(f"{number}-{len(devices)}-{next(self.rounds)}", pivots=pivots)
                purchases(self.world).take([one], source="import")
            else:
                if (person, place) not in devices:
                    devices[person, place] = registered(self.world)
                identify(self.world).identify(devices[person, place], pivots, vouched=True)
        found: dict[str, set[Any]] = {}
        for key, device in devices.items():
            found.setdefault(shopper_of(self.world, device), set()).add(key)
        for person in range(3):
            for kind in ("customer_id", "loyalty_id"):
                for who in holders(self.world, kind, [value_of(kind, number, person)]).values():
                    found.setdefault(who, set()).add((person, kind))
        return {frozenset(one) for one in found.values()}


def value_of(kind: str, number: int, person: int) -> str:
    if kind == "phone":
        return f"+336{number:06}{person:02}"
    return f"{kind}-{number}-{person}" + ("@example.org" if kind == "email" else "")


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    world = open_world(tmp_path_factory.mktemp("told"))
    yield Told(world, count())
    world.database.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=statements, data=st.data())
def test_the_order_in_which_people_are_identified_does_not_matter(
    telling: Told, order: list[Statement], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(order))
    assert telling.partition(order) == telling.partition(again) == connected(order)


def connected(order: list[Statement]) -> set[frozenset[Any]]:
    """Who belongs together by the plainest reckoning: what was named together, and what that was named with."""
    groups: list[set[Any]] = []
    for person, kinds, place in order:
        one: set[Any] = {(person, kind) for kind in kinds} | (
            {(person, place)} if place is not None else set()
        )
        near = [group for group in groups if group & one]
        groups = [group for group in groups if not group & one] + [one.union(*near)]
    seen = ({key for key in group if key[1] not in ("phone", "email")} for group in groups)
    return {frozenset(group) for group in seen if group}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    order=st.lists(
        st.tuples(persons, persons, persons, st.booleans(), st.booleans(), st.one_of(st.none(), persons)),
        max_size=10,
    )
)
def test_nobody_is_ever_two_customers_and_nothing_belongs_to_who_is_gone(
    telling: Told, order: list[tuple[int, int, int, bool, bool, int | None]]
) -> None:
    """Whatever is told of whom, true or not, by the server, a file or a device."""
    world, number = telling.world, next(telling.rounds)
    devices = [registered(world) for _ in range(3)]
    for who, card, phone, with_card, vouched, device in order:
        pivots = Pivots(
            customer_id=value_of("customer_id", number, who),
            loyalty_id=value_of("loyalty_id", number, card) if with_card else None,
            phone=value_of("phone", number, phone),
        )
        if device is None:
            purchases(world).take(
                [basket(f"{number}-{next(telling.rounds)}", pivots=pivots)], source="import"
            )
            continue
        with suppress(Conflict):
            identify(world).identify(devices[device], pivots, vouched=vouched)
    many = world.rows(
        "SELECT shopper_id, count(*) FROM pivots WHERE kind = 'customer_id' AND vouched GROUP BY 1 HAVING count(*) > 1"
    )
    assert many == []
    for table in ("pivots", "purchases", "devices"):
        gone = f"SELECT shopper_id FROM {table} WHERE shopper_id NOT IN (SELECT id FROM shoppers)"  # noqa: S608
        assert world.rows(gone) == []
    for kind in KINDS[:1]:
        held = holders(world, kind, [value_of(kind, number, who) for who in range(3)])
        assert set(held) <= {value_of(kind, number, row[0]) for row in order}

"""What becomes of a stay that is told to the engine, piece by piece?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from m2s.app.rows import KeyRow, VisitRow
from m2s.app.sighting import Sighting
from m2s.core.base.instants import rfc3339
from tests.app.town import HARBOUR, MORNING, ROCK, Town, campaign, fence, fix, heard

TELLERS: dict[str, Sequence[Sighting]] = {
    "GPS": [fix(f"p{minute}", age_s=minute * 60) for minute in range(9)],
    "two positions and the fence": [
        fence("in", "enter", age_s=500),
        *(fix(f"p{minute}", age_s=minute * 60) for minute in (0, 8)),
        fence("out", "exit", age_s=0),
    ],
    "beacons": [heard(f"b{minute}", age_s=minute * 60) for minute in range(9)],
    "all of them": [
        *(fix(f"p{minute}", age_s=minute * 60) for minute in range(9)),
        fence("in", "enter", age_s=470),
        fence("out", "exit", age_s=5),
        *(heard(f"b{minute}", age_s=minute * 60) for minute in (1, 3, 5)),
    ],
}


def events(answer_events: Sequence[Mapping[str, str | list[str]]]) -> list[str | list[str]]:
    return [event["type"] for event in answer_events]


def corrected(visit: VisitRow, *replaces: str) -> dict[str, str | list[str]]:
    """What is told of a visit that was corrected."""
    return {
        "type": "visit.corrected",
        "visit_id": visit.id,
        "store_id": visit.store_id,
        "replaces": list(replaces),
        "start": rfc3339(visit.start_at),
        "end": rfc3339(visit.end_at),
        "status": visit.status,
        "confidence": visit.confidence,
    }


def retracted(visit: VisitRow) -> dict[str, str | list[str]]:
    """What is told of a visit that is none after all."""
    return {"type": "visit.retracted", "visit_id": visit.id, "store_id": visit.store_id}


@pytest.mark.parametrize("teller", TELLERS)
def test_one_stay_is_one_visit_whoever_told_it(town: Town, teller: str) -> None:
    town.furnish()
    device = town.device("ann")
    answer = town.post(device, *TELLERS[teller])
    (visit,) = town.visits()
    assert (visit.kind, visit.store_id, visit.shopper_id) == ("visit", HARBOUR, "shp_ann")
    assert 475 <= visit.dwell_s <= 484
    assert visit.confidence == ("high" if any(item.id[0] == "b" for item in TELLERS[teller]) else "medium")
    assert answer.events == [
        {
            "type": "visit.started",
            "visit_id": visit.id,
            "store_id": HARBOUR,
            "at": rfc3339(visit.start_at),
        }
    ]


@pytest.mark.parametrize(("radius_m", "stays"), [(100, [("unconfirmed", "low", 300)]), (60, [])])
def test_fences_alone_are_not_counted(town: Town, radius_m: int, stays: list[tuple[str, str, int]]) -> None:
    town.furnish(premises_radius_m=radius_m)
    answer = town.post(town.device("ann"), fence("in", "enter", age_s=600), fence("out", "exit"))
    assert [(row.kind, row.confidence, row.dwell_s) for row in town.visits()] == stays
    assert answer.events == []


def test_two_phones_of_one_shopper_tell_one_visit(town: Town) -> None:
    town.furnish()
    phone, watch = town.device("phone", of="ann"), town.device("watch", of="ann")
    town.post(phone, fix("p0"))
    town.wait(minutes=6)
    town.post(watch, fix("p1"))
    assert [(row.shopper_id, row.dwell_s, row.kind) for row in town.visits()] == [("shp_ann", 360, "visit")]


def test_every_shop_and_shopper_has_visits_of_its_own(town: Town) -> None:
    town.furnish()
    ann, bob = town.device("ann"), town.device("bob")
    town.post(
        ann,
        fix("a0", age_s=400),
        fix("a1", shop=ROCK, age_s=1200),
        fix("a2", shop=ROCK, age_s=800),
        fix("a3"),
    )
    town.post(bob, fix("a0", age_s=360), fix("a1"))
    assert [(row.shopper_id, row.store_id, row.dwell_s) for row in town.visits("shp_ann")] == [
        ("shp_ann", ROCK, 400),
        ("shp_ann", HARBOUR, 400),
    ]
    assert [(row.store_id, row.dwell_s) for row in town.visits("shp_bob")] == [(HARBOUR, 360)]


def test_a_visit_is_told_once_while_it_grows(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    told = []
    for minute in range(12):
        told.append(events(town.post(device, fix(f"p{minute}")).events))
        town.wait(minutes=1)
    assert told == [["visit.started"] if minute == 5 else [] for minute in range(12)]
    assert [row.dwell_s for row in town.visits()] == [660]


def test_a_restart_does_not_tell_a_visit_again(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    assert events(town.post(device, fix("p0", age_s=360), fix("p1")).events) == ["visit.started"]
    town.restart()
    town.wait(minutes=1)
    assert town.post(device, fix("p2")).events == []
    assert [row.dwell_s for row in town.visits()] == [420]


def test_earlier_evidence_renames_a_visit_and_tells_that_it_is_the_same(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    assert len(town.post(device, fix("p2", age_s=360), fix("p3")).events) == 1
    (first,) = town.visits()
    answer = town.post(device, fix("p1", age_s=500))
    (second,) = town.visits()
    assert answer.events == [corrected(second, first.id)]
    answer = town.post(device, fix("p0", age_s=600))
    (third,) = town.visits()
    assert answer.events == [corrected(third, second.id)]
    assert (third.dwell_s, third.replaces) == (600, " ".join(sorted([first.id, second.id])))
    assert len({first.id, second.id, third.id}) == 3
    assert town.post(device, fix("p4")).events == []


def test_a_passer_by_who_stays_after_all_is_told_when_she_has_stayed(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    assert town.post(device, fix("p0", age_s=400), fix("p1", age_s=300)).events == []
    assert [row.kind for row in town.visits()] == ["passer_by"]
    assert events(town.post(device, fix("p2", age_s=60)).events) == ["visit.started"]
    assert [row.kind for row in town.visits()] == ["visit"]


def test_late_evidence_corrects_the_end_of_a_closed_visit(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("p0", age_s=7_200), fix("p1", age_s=6_600))
    answer = town.post(device, fix("p2", age_s=6_300))
    (visit,) = town.visits()
    assert (visit.dwell_s, visit.status) == (900, "closed")
    assert answer.events == [corrected(visit)]
    assert town.post(device, fix("between", age_s=6_900)).events == []


def test_late_evidence_of_beacons_raises_the_confidence_of_a_closed_visit(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("p0", age_s=7_200), fix("p1", age_s=6_600))
    answer = town.post(device, heard("b0", age_s=7_100), heard("b1", age_s=6_700))
    (visit,) = town.visits()
    assert (visit.dwell_s, visit.confidence) == (600, "high")
    assert answer.events == [corrected(visit)]


def test_a_closed_visit_that_goes_on_after_all_is_open_again(town: Town) -> None:
    town.furnish(premises_radius_m=100)
    device = town.device("ann")
    town.post(device, fence("in", "enter", age_s=600), fix("p0", age_s=590), fix("p1", age_s=10))
    town.wait(minutes=20)
    assert [row.status for row in town.visits()] == ["closed"]
    answer = town.post(device, fence("there", "dwell"))
    (visit,) = town.visits()
    assert (visit.status, visit.dwell_s) == ("open", 1_800)
    assert answer.events == [corrected(visit)]
    town.wait(minutes=5)
    assert town.post(device, fix("p2")).events == []


def test_late_evidence_splits_a_visit_in_two(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    minute = 60
    before = [fence("in", "enter", age_s=120 * minute), *(fix(f"p{n}", age_s=n * minute) for n in (119, 112))]
    after = [
        fence("there", "dwell", age_s=60 * minute),
        *(fix(f"p{n}", age_s=n * minute) for n in (61, 56, 50)),
    ]
    assert events(town.post(device, *before, *after).events) == ["visit.started"]
    (whole,) = town.visits()
    answer = town.post(device, fix("between", "left", age_s=90 * minute))
    first, second = town.visits()
    assert (first.id, first.dwell_s, second.dwell_s) == (whole.id, 7 * minute, 11 * minute)
    assert answer.events == [
        corrected(first),
        {
            "type": "visit.started",
            "visit_id": second.id,
            "store_id": HARBOUR,
            "at": rfc3339(second.start_at),
        },
    ]
    answer = town.post(device, *(fix(f"p{n}", age_s=n * minute) for n in (106, 98, 89, 80, 72, 64)))
    (joined,) = town.visits()
    assert (joined.id, joined.replaces) == (whole.id, second.id)
    assert answer.events == [corrected(joined, second.id)]


def test_late_evidence_takes_a_visit_back(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("p0", age_s=7_200), fix("p1", age_s=6_800))
    (before,) = town.visits()
    answer = town.post(device, fix("drove-by", "left", age_s=7_201))
    (after,) = town.visits()
    assert (after.kind, after.dwell_s, after.replaces) == ("passer_by", 0, None)
    assert answer.events == [retracted(before)]
    assert town.post(device, fix("p2", age_s=6_790)).events == []
    assert events(town.post(device, fix("p3", age_s=6_400)).events) == ["visit.started"]
    counted = town.engine.metrics.render().decode()
    assert 'm2s_visit_events_total{event="visit.started"} 2.0' in counted
    assert 'm2s_visit_events_total{event="visit.retracted"} 1.0' in counted


def test_who_stays_too_long_is_no_visitor_any_more(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    told = []
    for minute in range(0, 130, 5):
        told.append(town.post(device, fix(f"p{minute}")).events)
        town.wait(minutes=5)
    (stay,) = town.visits()
    assert stay.kind == "too_long"
    assert [kind for answer in told for kind in events(answer)] == ["visit.started", "visit.retracted"]
    assert told[-1] == [retracted(stay)]


def test_late_evidence_joins_two_stays(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(
        device, fix("p0", age_s=3000), fix("p1", age_s=2600), fix("p2", age_s=1500), fix("p3", age_s=1100)
    )
    first, second = town.visits()
    assert [row.dwell_s for row in (first, second)] == [400, 400]
    answer = town.post(device, fix("late", age_s=2050))
    (joined,) = town.visits()
    assert answer.events == [corrected(joined, second.id)]
    assert (joined.id, joined.replaces, joined.dwell_s) == (first.id, second.id, 1900)


def test_a_late_exit_bridges_hours_of_silence(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    hour = 3600
    town.post(
        device,
        fence("in", "enter", age_s=15 * hour),
        fix("p0", age_s=15 * hour - 60),
        fix("p1", age_s=8 * hour),
    )
    assert len(town.visits()) == 2
    town.post(device, fence("out", "exit", age_s=hour))
    assert [row.dwell_s for row in town.visits()] == [7 * hour - 60]


@pytest.mark.parametrize("edge_s", [1200, 1350])
def test_a_car_that_drove_by_stays_out_when_evidence_follows(town: Town, edge_s: int) -> None:
    # What tells the speed of the second fix lies just before what a fold for the third must look back over.
    town.furnish()
    device = town.device("ann")
    for name, spot, age_s in (
        ("p0", "left", edge_s + 1),
        ("p1", "inside", edge_s - 1),
        ("p2", "inside", 600),
    ):
        town.post(device, fix(name, spot, age_s=age_s))
    assert [(row.dwell_s, row.kind) for row in town.visits()] == [(0, "passer_by")]


def test_silence_closes_a_visit_at_its_last_evidence(town: Town) -> None:
    town.furnish()
    device = town.device("ann")
    town.post(device, fix("p0", age_s=360), fix("p1"))
    town.wait(minutes=10)
    assert [row.status for row in town.visits()] == ["open"]
    town.wait(seconds=30)
    assert [(row.status, row.end_at) for row in town.visits()] == [("closed", MORNING)]


def test_a_stay_that_is_told_late_is_closed_at_once(town: Town) -> None:
    town.furnish()
    town.post(town.device("ann"), fix("p0", age_s=7200), fix("p1", age_s=6600))
    assert [(row.status, row.kind) for row in town.visits()] == [("closed", "visit")]


def test_a_redemption_at_the_till_proves_a_short_stay(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}|coupon: {value: 1.00 EUR, expires: 2d}"))
    device = town.device("ann")
    town.post(device, fix("p0"))
    town.wait(minutes=1)
    town.post(device, fix("p1"))
    assert [row.kind for row in town.visits()] == ["passer_by"]
    ((code,),) = town.rows("SELECT code FROM coupons")
    till = KeyRow("k", "till", HARBOUR, MORNING, None)
    redeemed = town.engine.redeem.redeem(
        till,
        code,
        store_id=HARBOUR,
        basket_id=None,
        amount=Decimal(9),
        currency="EUR",
        idempotency_key=None,
        body_hash=b"",
    )
    town.wait(minutes=11)
    (visit,) = town.visits()
    assert (visit.kind, visit.confidence, visit.status, visit.dwell_s) == ("visit", "high", "closed", 60)
    town.engine.redeem.void(till, redeemed["redemption_id"])
    assert [(row.kind, row.confidence) for row in town.visits()] == [("passer_by", "low")]


def test_a_stay_while_the_shop_is_closed_is_no_visit(town: Town) -> None:
    town.furnish(opening_hours="Mo-Su 14:00-19:00")
    town.post(town.device("ann"), fix("p0", age_s=400), fix("p1"))
    assert [row.kind for row in town.visits()] == ["closed"]


def test_what_comes_one_by_one_backwards_makes_the_same_visits(town: Town) -> None:
    town.furnish()
    items = TELLERS["all of them"]
    town.post(town.device("ann"), *items)
    in_order = [(row.start_at, row.end_at, row.kind, row.confidence, row.sources) for row in town.visits()]
    other = town.device("bob")
    for item in sorted(items, key=lambda item: item.age_ms or 0):
        town.post(other, item)
    backwards = [
        (row.start_at, row.end_at, row.kind, row.confidence, row.sources) for row in town.visits("shp_bob")
    ]
    assert backwards == in_order

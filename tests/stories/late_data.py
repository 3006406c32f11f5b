"""Histories of shoppers who come and go, the ways in which their evidence may arrive, and what is to be made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from msgspec import structs

from m2s.app.catalog import Catalog
from m2s.app.folding import Folded, fold_stays
from m2s.app.ports import Records
from m2s.app.rivals import contenders
from m2s.app.rows import RedemptionRow, VisitRow
from m2s.app.visit_events import CORRECTED, RETRACTED, STARTED, event_fields, names_of
from m2s.app.visits import close_visits, refresh_visits
from m2s.core.base.instants import from_ms, rfc3339, to_ms
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import Evidence, Kind, Transition
from m2s.core.presence.rivals import outcomes
from m2s.core.presence.visit import StayKind
from tests.app.town import HARBOUR, MORNING, ROCK, features
from tests.changed import replace

QUAY = "quay"
"""A third shop, next to the rock and too far from the harbour to be its neighbour."""
HOUR_MS = 3_600_000
STEPS_S = (5, 30, 60, 60, 120, 240, 299, 300, 301, 590, 600, 601, 900, 1_800)
"""Around the smallest dwell (300 s) and the gap (600 s) of a shop."""
DELAYS_S = (0, 0, 0, 20, 300, 1_200, 7_200, 20 * 3_600, 60 * 3_600)
HEARD = ("heard", "heard", "pair", "faint")
SHAPES = (*("inside",) * 8, "maybe", "neutral", "left", "left", "driving", "mocked", *HEARD)
FENCES = ("enter", "exit", "dwell")
POSITIONS = {
    "inside": (0.99, -50.0),
    "driving": (0.99, -50.0),
    "mocked": (0.99, -50.0),
    "maybe": (0.6, -4.0),
    "neutral": (0.1, 12.0),
    "left": (0.0, 90.0),
}


@dataclass(frozen=True)
class Told:
    """One piece of evidence, or a redemption (None), of a shopper at a store, and when it arrives first."""

    shopper_id: str
    store_id: str
    at_ms: int
    arrives_ms: int
    evidence: Evidence | None


def history(number: int, name: str) -> list[Told]:
    """5 to 40 things that happened to one or two shoppers with two phones each at one to three shops in a row."""
    rng = Random(number)
    told: list[Told] = []
    length = rng.randint(5, 40)
    stores = [HARBOUR, ROCK, QUAY][: rng.choice((1, 1, 2, 3, 3))]
    shoppers = [f"shp_{name}_{number}_{n}" for n in range(1 if rng.random() < 0.7 else 2)]
    delays = DELAYS_S[: rng.choice((3, 6, 9))]
    at_ms = to_ms(MORNING)
    while len(told) < length:
        at_ms += rng.choice((0, 0, 1, 3, 17)) * HOUR_MS // 2
        shopper_id, store_id = rng.choice(shoppers), rng.choice(stores)
        between = len(stores) > 1 and rng.random() < 0.6
        for _ in range(rng.randint(8, 30) if between else rng.randint(1, 9)):
            store_id = rng.choice(stores) if between else store_id
            at_ms += rng.choice(STEPS_S) * 1_000 + rng.choice((0, 0, 0, 1, 999))
            arrives_ms = at_ms + rng.choice(delays) * 1_000
            evidence = None
            if rng.random() > 0.02:
                evidence = _evidence(rng, shopper_id, store_id, at_ms=at_ms, name=f"s{len(told)}")
                if between and evidence.boundary_distance_m is not None and rng.random() < 0.8:
                    evidence = structs.replace(
                        evidence, inside_probability=rng.uniform(0.8, 1), boundary_distance_m=-9.0
                    )
            told.append(Told(shopper_id, store_id, at_ms, arrives_ms, evidence))
    return told


def _evidence(rng: Random, shopper_id: str, store_id: str, *, at_ms: int, name: str) -> Evidence:
    shape = rng.choice(SHAPES if rng.random() < 0.85 else FENCES)
    phone = f"dev_{shopper_id}_{rng.choice('aaab')}"
    one = Evidence(shopper_id, store_id, PREMISES, phone, name, Kind.LOCATION, at_ms, 1.0)
    if shape in FENCES:
        transition = Transition(shape)
        inside = float(transition is not Transition.EXIT)
        return structs.replace(one, kind=Kind.GEOFENCE, transition=transition, inside_probability=inside)
    if shape in HEARD:
        readings = 2 if shape == "pair" else 5
        power_dbm = -20 if shape == "faint" else -59
        samples = tuple((1_000 * before, -62) for before in reversed(range(readings)))
        return structs.replace(
            one, kind=Kind.BEACON, beacon="b", place="till", measured_power_dbm=power_dbm, samples=samples
        )
    probability, distance_m = POSITIONS[shape]
    return structs.replace(
        one,
        inside_probability=probability,
        boundary_distance_m=distance_m,
        accuracy_m=10.0,
        speed_mps=14.0 if shape == "driving" else None,
        mocked=shape == "mocked",
    )


Arrival = tuple[int, Sequence[Told]]
"""What is committed together, and when (ms)."""


def as_phones_send(told: Sequence[Told], rng: Random) -> Iterator[Arrival]:
    """Each when its delay is over, some of it once more later on; a few at a time, newest first."""
    due = [(one.arrives_ms, n) for n, one in enumerate(told)]
    due += [
        (ms + rng.choice(DELAYS_S) * 1_000, n) for ms, n in due if rng.random() < 0.15 and told[n].evidence
    ]
    due.sort()
    while due:
        size = rng.randint(1, 6)
        now_ms = due[min(size, len(due)) - 1][0]
        yield now_ms, [told[n] for _, n in reversed(due[:size])]
        due = due[size:]


def in_any_order(told: Sequence[Told], rng: Random) -> Iterator[Arrival]:
    """All of it when it is over, shuffled, cut anywhere, some of it twice."""
    now_ms = max(one.at_ms for one in told)
    left = [*told, *(one for one in told if rng.random() < 0.15 and one.evidence)]
    rng.shuffle(left)
    while left:
        size = rng.randint(1, 8)
        yield now_ms, left[:size]
        left = left[size:]
        now_ms += rng.choice((0, 1_000, 60_000, HOUR_MS))


@dataclass
class Follower:
    """Somebody who knows of visits only what events say."""

    visits: dict[str, dict[str, str | list[str]]] = field(default_factory=dict)
    heirs: dict[str, str] = field(default_factory=dict)
    """By the id of a visit that was replaced the one that stands for it."""
    seen: Counter[str] = field(default_factory=Counter)

    def hear(self, events: Iterable[Mapping[str, str | list[str]]]) -> None:
        """Takes the events of one answer."""
        for fields in events:
            name, replaced = str(fields["visit_id"]), list(fields.get("replaces", ()))
            if fields["type"] == RETRACTED:
                del self.visits[name]
                self.heirs = {old: new for old, new in self.heirs.items() if new != name}
            elif fields["type"] == STARTED:
                assert name not in self.visits
                self.heirs.pop(name, None)
                self.visits[name] = {"start": fields["at"]}
            else:
                assert fields["type"] == CORRECTED
                assert replaced or name in self.visits
                self._count(name, replaced)
                for old in replaced:
                    del self.visits[old]
                self.heirs.pop(name, None)
                self.heirs = {old: name if new in replaced else new for old, new in self.heirs.items()}
                self.heirs |= dict.fromkeys(replaced, name)
                self.visits[name] = {key: fields[key] for key in ("start", "end", "status", "confidence")}
            self.seen[str(fields["type"])] += 1

    def _count(self, name: str, replaced: Sequence[str]) -> None:
        if len(replaced) + (name in self.visits) > 1:
            self.seen["merged"] += 1
        elif replaced:
            self.seen["renamed"] += 1

    def check(self, rows: Sequence[VisitRow]) -> None:
        """What events said is what is kept."""
        counted = {row.id: row for row in rows if row.kind == "visit"}
        assert self.visits.keys() == counted.keys()
        for name, told in self.visits.items():
            row = counted[name]
            assert told["start"] == rfc3339(row.start_at)
            if told.get("status") == "closed":
                assert (told["end"], told["confidence"]) == (rfc3339(row.end_at), row.confidence)
        for row in rows:
            assert not names_of(row) & counted.keys()
        for old, new in self.heirs.items():
            assert old in names_of(counted[new])


def live(records: Records, arrivals: Iterable[Arrival], *, catalog: Catalog, rng: Random) -> Follower:
    """Takes what arrives as the intake does; visits are closed now and then, and in the end."""
    follower, now = Follower(), MORNING
    for now_ms, together in arrivals:
        now = from_ms(now_ms)
        fresh: dict[tuple[str, str], list[Evidence]] = {}
        touched: dict[tuple[str, str], int] = {}
        for one in together:
            pair = (one.shopper_id, one.store_id)
            touched[pair] = min(one.at_ms, touched.get(pair, one.at_ms))
            if one.evidence is None:
                records.coupons.add_redemption(_redemption(one))
            else:
                fresh.setdefault(pair, []).append(one.evidence)
        told = refresh_visits(records, touched, fresh=fresh, catalog=catalog, now=now)
        follower.hear(event_fields(event) for event in told)
        new = [evidence for pair in fresh.values() for evidence in pair]
        records.sightings.add_evidence(new, zone_version=1)
        if rng.random() < 0.3:
            close_visits(records, catalog=catalog, now=now)
    return follower


def _redemption(told: Told) -> RedemptionRow:
    name = f"{told.shopper_id}@{told.at_ms}"
    at = from_ms(told.at_ms)
    return RedemptionRow(
        id=f"red_{name}",
        code=name,
        shopper_id=told.shopper_id,
        campaign_id="c",
        offer_id="o",
        store_id=told.store_id,
        key_id="till",
        basket_id=None,
        amount=None,
        currency=None,
        at=at,
        voided_at=None,
    )


def from_order(told: Sequence[Told], *, catalog: Catalog) -> list[VisitRow]:
    """The closed stays that all of it tells at once, in order of time."""
    found: list[Folded] = []
    later = from_ms(max(one.arrives_ms for one in told)) + timedelta(days=7)
    ordered = sorted(told, key=lambda one: one.at_ms)
    for shopper_id, store_id in sorted({(one.shopper_id, one.store_id) for one in told}):
        mine = [one for one in ordered if (one.shopper_id, one.store_id) == (shopper_id, store_id)]
        found += fold_stays(
            (shopper_id, catalog.stores[store_id]),
            [one.evidence for one in mine if one.evidence],
            proofs=[from_ms(one.at_ms) for one in mine if one.evidence is None],
            since_ms=0,
            catalog=catalog,
            now=later,
        )
    kinds: dict[str, StayKind] = {}
    for shopper_id in {one.shopper_id for one in told}:
        mine = [one for one in found if one.row.shopper_id == shopper_id]
        kinds |= outcomes(contenders(mine), catalog.neighbours)
    rows = [replace(one.row, kind=kinds.get(one.row.id, one.row.kind)) for one in found]
    return sorted(rows, key=lambda row: row.id)


def three_shops(**properties: Any) -> dict[str, Any]:
    """The two shops as GeoJSON, and beyond the rock a third one, as large as the circle that phones watch."""
    shops = features(**properties)
    longitude, latitude = shops["features"][1]["geometry"]["coordinates"]
    point = {"type": "Point", "coordinates": [longitude, latitude + 250 / 111_130]}
    quay = {
        "name": "Quay",
        "timezone": "Europe/Monaco",
        "country": "MC",
        "premises_radius_m": 100,
        **properties,
    }
    shops["features"].append({"type": "Feature", "id": QUAY, "geometry": point, "properties": quay})
    return shops

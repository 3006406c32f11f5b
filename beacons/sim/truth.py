"""What really happened in the simulation, how well was it measured, and what did messages really change?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from beacons.sim.fleet import Fault
from beacons.sim.route import Kind
from beacons.sim.walker import Shopper
from beacons.sim.world import DAY_S

_RECALL_MARGIN = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class TrueVisit:
    """A stay in a store that took place. `planned` visits would have taken place without any message."""

    shopper: int
    device_id: str
    store_id: str
    start: datetime
    end: datetime
    dwell_min_s: float
    planned: bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class TrueRedemption:
    """A coupon that a till accepted."""

    device_id: str
    store_id: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MeasuredVisit:
    """A visit as the service reports it."""

    device_id: str
    store_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """How well visits were measured: shares of 1, and the mean absolute error of the dwell in seconds."""

    precision: float
    recall: float
    dwell_mae_s: float


@dataclass(slots=True)
class Truth:
    """The simulation's own record. `effects` is the share of shoppers whom a message of a campaign moves."""

    start: datetime
    step: timedelta
    effects: Mapping[str, float]
    people: dict[str, Shopper] = field(default_factory=dict)
    visits: list[TrueVisit] = field(default_factory=list)
    redemptions: list[TrueRedemption] = field(default_factory=list)
    until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.until = self.start

    def true_effect(
        self,
        campaign_id: str,
        store_ids: Collection[str],
        *,
        decided: Mapping[str, Sequence[tuple[datetime, str]]],
    ) -> float:
        """The mean of Y1 - Y0 over the decided shoppers, 0 when there are none.

        `decided` holds, by device id, when this campaign decided to send or to hold back and for which
        store, in order of time. Both outcomes look at visits that start after the first of these decisions
        and end before now. Y0 is 1 when the shopper's own plan holds such a visit to one of `store_ids` of
        at least the store's minimum dwell. Y1 is 1 when Y0 is, or when a message seen one step after one of
        the decisions would move her (her fixed draw u for campaign and store is below the effect, and she
        is free, on her way, and the store is open): the same rule and the same draws by which shown
        messages move her. Nothing that she did after a message enters, so that treated and held-out
        shoppers are counted alike.
        """
        differences = [
            self._difference(self.people[device_id], campaign_id, store_ids, decisions=decisions)
            for device_id, decisions in decided.items()
            if decisions
        ]
        return sum(differences) / len(differences) if differences else 0.0

    def _difference(
        self,
        shopper: Shopper,
        campaign_id: str,
        store_ids: Collection[str],
        *,
        decisions: Sequence[tuple[datetime, str]],
    ) -> int:
        end_s = (self.until - self.start).total_seconds()
        first_s = (decisions[0][0] - self.start).total_seconds()
        for day in range(int(first_s // DAY_S), int(end_s // DAY_S) + 1):
            for stop in shopper.plan(day).stops:
                long_enough = stop.leave_s - stop.arrive_s >= shopper.world.shops[stop.store_id].dwell_min_s
                if (
                    stop.store_id in store_ids
                    and stop.arrive_s > first_s
                    and stop.leave_s <= end_s
                    and long_enough
                ):
                    return 0
        effect = self.effects.get(campaign_id, 0.0)
        for at, store_id in decisions:
            seen_s = (at + self.step - self.start).total_seconds()
            if shopper.reacts(campaign_id, store_id, effect):
                changed = shopper.detour(shopper.plan(int(seen_s // DAY_S)), store_id, seen_s)
                if changed is not None and changed.stops[-1].leave_s <= end_s:
                    return 1
        return 0


def told(truth: Truth, faults: Iterable[Fault] = ()) -> Iterator[dict[str, object]]:
    """The record as plain values, one a line of a file: people, visits, redemptions, faults of beacons."""
    for device_id, shopper in truth.people.items():
        yield {"truth": "person", "device_id": device_id, "person": shopper.index, "who": shopper.kind.value}
    for visit in truth.visits:
        yield {
            "truth": "visit",
            "device_id": visit.device_id,
            "person": visit.shopper,
            "who": visit.kind.value,
            "store_id": visit.store_id,
            "start": visit.start.isoformat(),
            "end": visit.end.isoformat(),
            "planned": visit.planned,
        }
    for one in truth.redemptions:
        paid = {"device_id": one.device_id, "store_id": one.store_id, "code": one.code}
        yield {"truth": "redemption", **paid, "at": one.at.isoformat()}
    for fault in faults:
        yield {
            "truth": "beacon",
            "fault": fault.kind,
            "uuid": fault.beacon.uuid,
            "major": fault.beacon.major,
            "minor": fault.beacon.minor,
            "at": (truth.start + timedelta(seconds=fault.at_s)).isoformat(),
            "store_id": fault.store_id,
        }


def score(true_visits: Iterable[TrueVisit], measured: Sequence[MeasuredVisit]) -> Score:
    """Compare measured visits with true ones of the same device and store.

    A measured visit is right when it overlaps a true one. A true visit must be found when it lasted two
    minutes longer than the store's minimum. The dwell error is over the found ones, each with the measured
    visit that overlaps it most. Where nothing was measured, or nothing was there to find, the share is 0.
    """
    claims: dict[tuple[str, str], list[MeasuredVisit]] = defaultdict(list)
    for claim in measured:
        claims[claim.device_id, claim.store_id].append(claim)
    right: set[int] = set()
    found: list[bool] = []
    errors_s: list[float] = []
    for visit in true_visits:
        overlapping = [
            c for c in claims[visit.device_id, visit.store_id] if _overlap(visit, c) > timedelta(0)
        ]
        right.update(id(claim) for claim in overlapping)
        if visit.end - visit.start < timedelta(seconds=visit.dwell_min_s) + _RECALL_MARGIN:
            continue
        found.append(bool(overlapping))
        if overlapping:
            best = max(overlapping, key=partial(_overlap, visit))
            errors_s.append(abs(((best.end - best.start) - (visit.end - visit.start)).total_seconds()))
    return Score(
        precision=len(right) / len(measured) if measured else 0.0,
        recall=sum(found) / len(found) if found else 0.0,
        dwell_mae_s=sum(errors_s) / len(errors_s) if errors_s else 0.0,
    )


def _overlap(visit: TrueVisit, claim: MeasuredVisit) -> timedelta:
    return min(visit.end, claim.end) - max(visit.start, claim.start)

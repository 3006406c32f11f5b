"""What came of it? Reports per store and day, store, offer with its lift, and beacon, computed from what is kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from beacons.health import RULE_VERSION as HEALTH_RULES
from campaigns.holdout import UNIVERSAL
from campaigns.model import Campaign
from m2s.app.beacon_health import COLUMNS, beacon_rows
from m2s.app.catalog import Catalog, read_applied, stores_of
from m2s.app.counted import Counted, counted_stays
from m2s.app.figures import CountRow, OfferedRow
from m2s.app.ports import Database, Records
from m2s.app.rows import VisitRow
from m2s.core.base.errors import NotFound
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.delivery.message import State
from m2s.core.measure.lift import Arm, Lift, lift
from m2s.core.presence.visit import RULE_VERSION, StayKind

_BEGINNING = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_SHORTEST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """What a report covers: [since, until) in UTC, and one store or campaign only where named."""

    since: datetime = _BEGINNING
    until: datetime | None = None
    store_id: str | None = None
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A table of figures; values are JSON-able. `as_of` and `rule_version` say what they rest on."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    as_of: str
    rule_version: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a report is made from: what is kept, the stores as they are now, and the span with its end."""

    records: Records
    catalog: Catalog
    span: Span
    until: datetime

    def counts(self, *, by_quarter: bool = False) -> list[CountRow]:
        span = self.span
        return self.records.reports.counts(
            span.since,
            self.until,
            store_id=span.store_id,
            campaign_id=span.campaign_id,
            by_quarter=by_quarter,
        )

    def stays(self) -> Counted:
        span = self.span
        return counted_stays(self.records, self.catalog, span.since, until=self.until, store_id=span.store_id)


_VISITS = (StayKind.VISIT,)
_FIGURES = (
    "passers_by",
    "visits",
    "set_aside",
    "unique_shoppers",
    "median_dwell_s",
    "exposures",
    "ghosts",
    "suppressed",
    "redemptions",
)
_SENT = (State.ACCEPTED, State.DELIVERED)
"""The states of messages that went out: `delivered` where the provider reported so, `accepted` without a report."""
_LIFT = (
    "treated_shoppers",
    "treated_visitors",
    "held_out_shoppers",
    "held_out_visitors",
    "difference",
    "low",
    "high",
    "crossed_shoppers",
    "lift_status",
)


class Measure:
    """Makes the reports."""

    def __init__(self, database: Database, clock: Clock, *, catalog: Callable[[], Catalog]) -> None:
        self._database = database
        self._clock = clock
        self._catalog = catalog

    def report(self, name: str, span: Span) -> Report:
        """The report `visits` (per store and day), `stores`, `offers` (with lift) or `beacons` (how each is).

        Raises NotFound for another name.
        """
        if name not in REPORTS:
            raise NotFound(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
        columns, make, rules = REPORTS[name]
        now = self._clock.now()
        with self._database.read() as records:
            rows = make(_Asked(records, self._catalog(), span, span.until or now))
        return Report(name, columns, tuple(rows), rfc3339(now), rules)


def campaign_lift(
    campaign: Campaign,
    first: Mapping[str, OfferedRow],
    visits: Iterable[VisitRow],
    *,
    store_ids: Collection[str],
) -> Lift | None:
    """Shoppers with at least one visit to a store of the campaign after their first decision, arm against arm.

    `first` holds by shopper id the first send or ghost of the campaign ever. A visit counts that starts after it
    and within the attribution window. Shoppers held out from all campaigns are in neither arm.
    """
    came = {
        visit.shopper_id
        for visit in visits
        if visit.kind == "visit"
        and visit.store_id in store_ids
        and visit.shopper_id in first
        and first[visit.shopper_id].decided_at
        < visit.start_at
        <= first[visit.shopper_id].decided_at + campaign.attribution_window
    }
    arms: dict[str, list[bool]] = defaultdict(list)
    for shopper_id, row in first.items():
        if row.reason != "universal_holdout":
            arms[row.outcome].append(shopper_id in came)
    treated, control = arms["send"], arms["ghost"]
    return lift(Arm(sum(treated), len(treated)), Arm(sum(control), len(control)))


def _compared(asked: _Asked, campaign: Campaign) -> tuple[Lift | None, int]:
    """The lift of those whose first decision of the campaign, at whatever store, lies in the span.

    Who became one of two shoppers, one of them treated and one held out, is left out; and how many these are.
    """
    reports = asked.records.reports
    first: dict[str, OfferedRow] = {}
    for row in reports.offered(campaign.id):
        first.setdefault(row.shopper_id, row)
    asked_for = {who: row for who, row in first.items() if asked.span.since <= row.decided_at < asked.until}
    crossed = asked.records.identities.crossed([campaign.id, UNIVERSAL])
    cohort = {who: row for who, row in asked_for.items() if who not in crossed}
    left_out = len(asked_for) - len(cohort)
    if not cohort:
        return None, left_out
    times = [row.decided_at for row in cohort.values()]
    end = max(times) + campaign.attribution_window + _SHORTEST
    visits = counted_stays(asked.records, asked.catalog, min(times), until=end, kinds=_VISITS).visits
    taking_part = {store.id for store in stores_of(campaign, asked.catalog.stores.values())}
    return campaign_lift(campaign, cohort, visits, store_ids=taking_part), left_out


def _by_day(asked: _Asked) -> list[dict[str, Any]]:
    def key(store_id: str, at: datetime) -> tuple[str, date]:
        store = asked.catalog.stores.get(store_id)
        return store_id, at.astimezone(ZoneInfo(store.timezone if store else "UTC")).date()

    return [
        {"store_id": store_id, "day": day.isoformat(), **figures}
        for (store_id, day), figures in _figures(asked, key, counts=asked.counts(by_quarter=True))
    ]


def _by_store(asked: _Asked) -> list[dict[str, Any]]:
    found = {
        store_id: figures
        for (store_id,), figures in _figures(asked, lambda store_id, _: (store_id,), counts=asked.counts())
    }
    names = {store.id: store.name for store in asked.catalog.stores.values()}
    return [
        {"store_id": store_id, "name": names.get(store_id), **found[store_id]} for store_id in sorted(found)
    ]


def _figures(
    asked: _Asked, key: Callable[[str, datetime], tuple[Any, ...]], *, counts: Iterable[CountRow]
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The common figures of every group that has any, sorted by its key."""
    passers_by: Counter[tuple[Any, ...]] = Counter()
    visits: dict[tuple[Any, ...], list[VisitRow]] = defaultdict(list)
    found = asked.stays()
    for visit in found.stays:
        group = key(visit.store_id, visit.start_at)
        if visit.kind == "visit":
            visits[group].append(visit)
        else:
            passers_by[group] += 1
    reasons: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for stay, reason in found.aside:
        reasons[key(stay.store_id, stay.start_at)][reason] += 1
    counted: dict[tuple[Any, ...], list[CountRow]] = defaultdict(list)
    for row in counts:
        counted[key(row.store_id, row.at)].append(row)
    groups = {*passers_by, *visits, *reasons, *counted}
    return [
        (
            group,
            {
                "passers_by": passers_by[group],
                "visits": len(visits[group]),
                "set_aside": dict(sorted(reasons[group].items())),
                "unique_shoppers": len({visit.shopper_id for visit in visits[group]}),
                "median_dwell_s": round(median(visit.dwell_s for visit in visits[group]))
                if visits[group]
                else None,
                **_sums(counted[group]),
            },
        )
        for group in sorted(groups)
    ]


def _sums(rows: Sequence[CountRow]) -> dict[str, Any]:
    many: Counter[str] = Counter()
    suppressed: Counter[str] = Counter()
    for row in rows:
        many[row.what] += row.many
        if row.what == "suppressed":
            suppressed[row.reason or "unknown"] += row.many
    messages = _messages(rows)
    return {
        "exposures": sum(messages.get(state, 0) for state in _SENT),
        "ghosts": many["ghost"],
        "suppressed": dict(suppressed.most_common()),
        "redemptions": many["redemption"],
    }


def _messages(rows: Iterable[CountRow]) -> dict[str, int]:
    """How many messages ended how, by their states."""
    many: Counter[str] = Counter()
    for row in rows:
        if row.what == "message" and row.reason is not None:
            many[row.reason] += row.many
    return dict(sorted(many.items()))


def _by_offer(asked: _Asked) -> list[dict[str, Any]]:
    """Of every campaign ever applied, stopped ones included."""
    counted: dict[tuple[str, str], list[CountRow]] = defaultdict(list)
    for row in asked.counts():
        counted[row.campaign_id, row.offer_id].append(row)
    rows = []
    for applied in asked.records.catalog.campaigns():
        if asked.span.campaign_id not in (None, applied.id):
            continue
        campaign = read_applied(applied)
        compared = _lift_figures(*_compared(asked, campaign))
        for offer in campaign.offers:
            of_offer = counted[campaign.id, offer.id]
            told = {"messages": _messages(of_offer), **_sums(of_offer)}
            rows.append({"campaign_id": campaign.id, "offer_id": offer.id, **told, **compared})
    return rows


def _lift_figures(compared: Lift | None, crossed: int) -> dict[str, Any]:
    """The campaign's lift; the difference stays hidden while too few are held out to tell it from noise."""
    if compared is None:
        return dict.fromkeys(_LIFT, None) | {"crossed_shoppers": crossed, "lift_status": "too_few"}
    shown = compared.enough
    return {
        "treated_shoppers": compared.treated.shoppers,
        "treated_visitors": compared.treated.visited,
        "held_out_shoppers": compared.control.shoppers,
        "held_out_visitors": compared.control.visited,
        "difference": round(compared.difference, 6) if shown else None,
        "low": round(compared.interval.low, 6) if shown else None,
        "high": round(compared.interval.high, 6) if shown else None,
        "crossed_shoppers": crossed,
        "lift_status": "shown" if shown else "too_few",
    }


def _by_beacon(asked: _Asked) -> list[dict[str, Any]]:
    span = asked.span
    return beacon_rows(
        asked.records.reports, asked.catalog, since=span.since, until=asked.until, store_id=span.store_id
    )


REPORTS: Mapping[str, tuple[tuple[str, ...], Callable[[_Asked], Sequence[Mapping[str, Any]]], str]] = {
    "visits": (("store_id", "day", *_FIGURES), _by_day, RULE_VERSION),
    "stores": (("store_id", "name", *_FIGURES), _by_store, RULE_VERSION),
    "offers": (
        ("campaign_id", "offer_id", "messages", "exposures", "ghosts", "suppressed", "redemptions", *_LIFT),
        _by_offer,
        RULE_VERSION,
    ),
    "beacons": (COLUMNS, _by_beacon, HEALTH_RULES),
}
"""The reports by name: their columns, how their rows are made, and by which rules."""

"""What came of it? Reports per store and day, per store, and per offer with its lift, computed from what is kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.model import Campaign
from m2s.app.catalog import Catalog, read_applied
from m2s.app.ports import Database, Records
from m2s.app.rows import DecisionRow, MessageRow, RedemptionRow, VisitRow
from m2s.core.base.errors import NotFound
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.measure.lift import Arm, Lift, lift
from m2s.core.presence.visit import RULE_VERSION

_BEGINNING = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


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
class _Kept:
    """The rows of a span, already narrowed to the store and campaign asked for; stopped campaigns included."""

    campaigns: Sequence[Campaign]
    visits: Sequence[VisitRow]
    decisions: Sequence[DecisionRow]
    exposures: Sequence[MessageRow]
    redemptions: Sequence[RedemptionRow]


_FIGURES = (
    "passers_by",
    "visits",
    "unique_shoppers",
    "median_dwell_s",
    "exposures",
    "ghosts",
    "suppressed",
    "redemptions",
)
_LIFT = (
    "treated_shoppers",
    "treated_visitors",
    "held_out_shoppers",
    "held_out_visitors",
    "difference",
    "low",
    "high",
    "lift_status",
)


class Measure:
    """Makes the reports."""

    def __init__(self, database: Database, clock: Clock, *, catalog: Callable[[], Catalog]) -> None:
        self._database = database
        self._clock = clock
        self._catalog = catalog

    def report(self, name: str, span: Span) -> Report:
        """The report `visits` (per store and day), `stores` (per store) or `offers` (per offer, with lift).

        Raises NotFound for another name.
        """
        if name not in REPORTS:
            raise NotFound(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
        columns, make = REPORTS[name]
        with self._database.read() as records:
            kept = _kept(records, span, until=span.until or self._clock.now())
        rows = make(kept, self._catalog())
        return Report(name, columns, tuple(rows), rfc3339(self._clock.now()), RULE_VERSION)


def campaign_lift(
    campaign: Campaign, decisions: Iterable[DecisionRow], visits: Iterable[VisitRow], stores: Catalog
) -> Lift | None:
    """Shoppers with at least one visit to a store of the campaign after their first decision, arm against arm.

    The analysis set is everybody with a send or a ghost of the campaign; a visit counts that starts after the
    first decision and within the attribution window. Shoppers held out from all campaigns are in neither arm.
    """
    first: dict[str, DecisionRow] = {}
    for row in sorted(decisions, key=lambda row: row.decided_at):
        if row.campaign_id == campaign.id and row.outcome != "suppressed":
            first.setdefault(row.shopper_id, row)
    taking_part = {
        store.id
        for store in stores.stores.values()
        if campaign.stores.matches(store_id=store.id, tags=store.tags, brand=store.brand)
    }
    came = {
        visit.shopper_id
        for visit in visits
        if visit.kind == "visit"
        and visit.store_id in taking_part
        and visit.shopper_id in first
        and first[visit.shopper_id].decided_at
        < visit.start_at
        <= first[visit.shopper_id].decided_at + campaign.attribution_window
    }
    arms: dict[str, list[bool]] = defaultdict(list)
    for shopper_id, row in first.items():
        if row.trace and row.trace[-1]["name"] != "universal_holdout":
            arms[row.outcome].append(shopper_id in came)
    treated, control = arms["send"], arms["ghost"]
    return lift(Arm(sum(treated), len(treated)), Arm(sum(control), len(control)))


def _kept(records: Records, span: Span, *, until: datetime) -> _Kept:
    def wanted(row: VisitRow | DecisionRow | MessageRow | RedemptionRow) -> bool:
        campaign_id = getattr(row, "campaign_id", span.campaign_id)
        return span.store_id in (None, row.store_id) and span.campaign_id in (None, campaign_id)

    reports = records.reports
    return _Kept(
        campaigns=[
            read_applied(row) for row in records.catalog.campaigns() if span.campaign_id in (None, row.id)
        ],
        visits=[row for row in reports.visits(span.since, until) if wanted(row)],
        decisions=[row for row in reports.decisions(span.since, until) if wanted(row)],
        exposures=[row for row in reports.exposures(span.since, until) if wanted(row)],
        redemptions=[
            row for row in reports.redemptions(span.since, until) if wanted(row) and row.voided_at is None
        ],
    )


def _by_day(kept: _Kept, catalog: Catalog) -> list[dict[str, Any]]:
    def key(store_id: str, at: datetime) -> tuple[str, date]:
        store = catalog.stores.get(store_id)
        return store_id, at.astimezone(ZoneInfo(store.timezone if store else "UTC")).date()

    return [
        {"store_id": store_id, "day": day.isoformat(), **figures}
        for (store_id, day), figures in _figures(kept, key)
    ]


def _by_store(kept: _Kept, catalog: Catalog) -> list[dict[str, Any]]:
    found = {store_id: figures for (store_id,), figures in _figures(kept, lambda store_id, _: (store_id,))}
    names = {store.id: store.name for store in catalog.stores.values()}
    return [
        {"store_id": store_id, "name": names.get(store_id), **found[store_id]} for store_id in sorted(found)
    ]


def _figures(
    kept: _Kept, key: Callable[[str, datetime], tuple[Any, ...]]
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The common figures of every group that has any, sorted by its key."""
    passers_by: Counter[tuple[Any, ...]] = Counter()
    visits: dict[tuple[Any, ...], list[VisitRow]] = defaultdict(list)
    for visit in kept.visits:
        group = key(visit.store_id, visit.start_at)
        if visit.kind == "visit":
            visits[group].append(visit)
        elif visit.kind == "passer_by":
            passers_by[group] += 1
    exposures = Counter(key(row.store_id, row.created_at) for row in kept.exposures)
    redeemed = Counter(key(row.store_id, row.at) for row in kept.redemptions)
    ghosts: Counter[tuple[Any, ...]] = Counter()
    suppressed: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in kept.decisions:
        group = key(row.store_id, row.decided_at)
        if row.outcome == "ghost":
            ghosts[group] += 1
        elif row.outcome == "suppressed":
            suppressed[group][row.reason or "unknown"] += 1
    groups = {*passers_by, *visits, *exposures, *redeemed, *ghosts, *suppressed}
    return [
        (
            group,
            {
                "passers_by": passers_by[group],
                "visits": len(visits[group]),
                "unique_shoppers": len({visit.shopper_id for visit in visits[group]}),
                "median_dwell_s": round(median(visit.dwell_s for visit in visits[group]))
                if visits[group]
                else None,
                "exposures": exposures[group],
                "ghosts": ghosts[group],
                "suppressed": dict(suppressed[group].most_common()),
                "redemptions": redeemed[group],
            },
        )
        for group in sorted(groups)
    ]


def _by_offer(kept: _Kept, catalog: Catalog) -> list[dict[str, Any]]:
    rows = []
    for campaign in kept.campaigns:
        compared = campaign_lift(campaign, kept.decisions, kept.visits, catalog)
        for offer in campaign.offers:

            def mine(
                row: DecisionRow | MessageRow | RedemptionRow,
                whose: tuple[str, str] = (campaign.id, offer.id),
            ) -> bool:
                return (row.campaign_id, row.offer_id) == whose

            decided = [row for row in kept.decisions if mine(row)]
            suppressed = Counter(row.reason or "unknown" for row in decided if row.outcome == "suppressed")
            rows.append(
                {
                    "campaign_id": campaign.id,
                    "offer_id": offer.id,
                    "exposures": sum(mine(row) for row in kept.exposures),
                    "ghosts": sum(row.outcome == "ghost" for row in decided),
                    "suppressed": dict(suppressed.most_common()),
                    "redemptions": sum(mine(row) for row in kept.redemptions),
                    **_lift_figures(compared),
                }
            )
    return rows


def _lift_figures(compared: Lift | None) -> dict[str, Any]:
    """The campaign's lift; the difference stays hidden while too few are held out to tell it from noise."""
    if compared is None:
        return dict.fromkeys(_LIFT, None) | {"lift_status": "too_few"}
    shown = compared.enough
    return {
        "treated_shoppers": compared.treated.shoppers,
        "treated_visitors": compared.treated.visited,
        "held_out_shoppers": compared.control.shoppers,
        "held_out_visitors": compared.control.visited,
        "difference": round(compared.difference, 6) if shown else None,
        "low": round(compared.interval.low, 6) if shown else None,
        "high": round(compared.interval.high, 6) if shown else None,
        "lift_status": "shown" if shown else "too_few",
    }


REPORTS: Mapping[str, tuple[tuple[str, ...], Callable[[_Kept, Catalog], Sequence[Mapping[str, Any]]]]] = {
    "visits": (("store_id", "day", *_FIGURES), _by_day),
    "stores": (("store_id", "name", *_FIGURES), _by_store),
    "offers": (
        ("campaign_id", "offer_id", "exposures", "ghosts", "suppressed", "redemptions", *_LIFT),
        _by_offer,
    ),
}
"""The reports by name: their columns and how their rows are made."""

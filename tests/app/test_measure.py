"""Do the reports say what happened? A history written by hand, and every figure of it counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from m2s.app.measure import Span
from m2s.app.ports import Records
from m2s.app.rows import DecisionRow, MessageRow, RedemptionRow, VisitRow
from m2s.core.base.errors import NotFound
from m2s.core.places.geojson import read_collection
from tests.app.town import HARBOUR, ROCK, Town, campaign, features
from tests.changed import replace

MONDAY = datetime(2026, 10, 5, 10, 0, tzinfo=UTC)
"""12:00 in Monaco."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

VISIT = VisitRow(
    id="",
    shopper_id="ann",
    store_id=HARBOUR,
    start_at=MONDAY,
    end_at=MONDAY,
    dwell_s=0,
    kind="visit",
    confidence="medium",
    status="closed",
    sources="location",
    replaces=None,
    rule_version="visits-3",
)
DECISION = DecisionRow(
    id="",
    occasion_key="",
    campaign_id="c",
    offer_id="o",
    offer_version="1",
    shopper_id="ann",
    device_id=None,
    store_id=HARBOUR,
    trigger="enter",
    outcome="send",
    reason=None,
    channel="push",
    trace=[],
    at=MONDAY,
    decided_at=MONDAY,
    valid_until=MONDAY + DAY,
)


@dataclass
class History:
    """Rows with names of their own, to be kept at once."""

    visits: list[VisitRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    redemptions: list[RedemptionRow] = field(default_factory=list)

    def visit(self, at: datetime, minutes: float = 10, **changes: Any) -> None:
        end, name = at + minutes * MINUTE, f"vis_{len(self.visits)}"
        row = replace(VISIT, id=name, start_at=at, end_at=end, dwell_s=round(minutes * 60))
        self.visits.append(replace(row, **changes))

    def decision(self, at: datetime, *, message: str | None = None, **changes: Any) -> None:
        """A decision; `message` is the state of its message, if it has one."""
        name = f"dec_{len(self.decisions)}"
        row = replace(DECISION, id=name, occasion_key=name, at=at, decided_at=at, **changes)
        self.decisions.append(row)
        if message is not None:
            self.messages.append(
                MessageRow(
                    id=f"msg_{name}",
                    decision_id=name,
                    shopper_id=row.shopper_id,
                    device_id=None,
                    campaign_id=row.campaign_id,
                    offer_id=row.offer_id,
                    store_id=row.store_id,
                    channel="push",
                    title=None,
                    body="",
                    state=message,
                    reason=None,
                    not_before=at,
                    valid_until=at + DAY,
                    created_at=at,
                    tries=1,
                    fence=1,
                )
            )

    def redemption(self, at: datetime, *, voided: bool = False, **changes: Any) -> None:
        row = RedemptionRow(
            id=f"red_{len(self.redemptions)}",
            code="code",
            shopper_id="ann",
            campaign_id="c",
            offer_id="o",
            store_id=HARBOUR,
            key_id="key",
            basket_id=None,
            amount=None,
            currency=None,
            at=at,
            voided_at=at + MINUTE if voided else None,
        )
        self.redemptions.append(replace(row, **changes))

    def keep(self, town: Town) -> None:
        def work(records: Records) -> None:
            records.sightings.put_visits(self.visits)
            records.decisions.add(self.decisions)
            records.messages.add(self.messages)
            for row in self.redemptions:
                records.coupons.add_redemption(row)

        town.engine.database.write(work)


def report(town: Town, name: str, span: Span | None = None) -> Sequence[Mapping[str, Any]]:
    return town.engine.reports.report(name, span or Span()).rows


def two_days() -> History:
    """Two days at the harbour, one visit on the rock."""
    told = History()
    told.visit(MONDAY, 6)
    told.visit(MONDAY + 66 * MINUTE, 9, shopper_id="ann")
    told.visit(MONDAY + 5 * MINUTE, 30, shopper_id="bob")
    told.visit(MONDAY, 2, shopper_id="cat", kind="passer_by", confidence="low")
    told.visit(MONDAY, 2, shopper_id="dan", kind="passer_by", confidence="low")
    for kind in ("unconfirmed", "too_long", "closed"):
        told.visit(MONDAY, 400, shopper_id="eve", kind=kind)
    told.visit(MONDAY + DAY, 7, shopper_id="bob")
    told.visit(MONDAY + DAY, 8, shopper_id="cat")
    told.visit(MONDAY, 12, store_id=ROCK)
    told.decision(MONDAY, message="accepted")
    told.decision(MONDAY, message="unknown", shopper_id="bob")
    told.decision(MONDAY, message="expired", shopper_id="fay")
    told.decision(MONDAY, outcome="ghost", reason="holdout", shopper_id="cat")
    told.decision(MONDAY, outcome="ghost", reason="universal_holdout", shopper_id="gil")
    for reason in ("pressure", "fresh", "pressure"):
        told.decision(MONDAY, outcome="suppressed", reason=reason)
    told.decision(MONDAY + DAY, message="accepted", offer_id="p", store_id=ROCK)
    told.redemption(MONDAY + 30 * MINUTE)
    told.redemption(MONDAY + 40 * MINUTE, voided=True)
    told.redemption(MONDAY + DAY, offer_id="p", store_id=ROCK)
    return told


@pytest.fixture
def measured(town: Town) -> Town:
    town.furnish(campaign("c", "o: {enter: premises}", "p: {near: vicinity}", holdout="10%"))
    two_days().keep(town)
    return town


def test_visits_are_told_per_store_and_day(measured: Town) -> None:
    assert report(measured, "visits") == (
        {
            "store_id": HARBOUR,
            "day": "2026-10-05",
            "passers_by": 2,
            "visits": 3,
            "set_aside": {"closed": 1, "too_long": 1, "unconfirmed": 1},
            "unique_shoppers": 2,
            "median_dwell_s": 540,
            "exposures": 1,
            "ghosts": 2,
            "suppressed": {"pressure": 2, "fresh": 1},
            "redemptions": 1,
        },
        {
            "store_id": HARBOUR,
            "day": "2026-10-06",
            "passers_by": 0,
            "visits": 2,
            "set_aside": {},
            "unique_shoppers": 2,
            "median_dwell_s": 450,
            "exposures": 0,
            "ghosts": 0,
            "suppressed": {},
            "redemptions": 0,
        },
        {
            "store_id": ROCK,
            "day": "2026-10-05",
            "passers_by": 0,
            "visits": 1,
            "set_aside": {},
            "unique_shoppers": 1,
            "median_dwell_s": 720,
            "exposures": 0,
            "ghosts": 0,
            "suppressed": {},
            "redemptions": 0,
        },
        {
            "store_id": ROCK,
            "day": "2026-10-06",
            "passers_by": 0,
            "visits": 0,
            "set_aside": {},
            "unique_shoppers": 0,
            "median_dwell_s": None,
            "exposures": 1,
            "ghosts": 0,
            "suppressed": {},
            "redemptions": 1,
        },
    )


def test_stores_are_told_over_the_whole_span(measured: Town) -> None:
    harbour, rock = report(measured, "stores")
    assert (harbour["store_id"], harbour["name"]) == (HARBOUR, "Harbour")
    # Ann twice, bob twice, cat once: 6, 7, 8, 9 and 30 minutes.
    assert (harbour["visits"], harbour["unique_shoppers"], harbour["median_dwell_s"]) == (5, 3, 480)
    assert (harbour["passers_by"], harbour["redemptions"]) == (2, 1)
    assert (rock["visits"], rock["exposures"], rock["redemptions"]) == (1, 1, 1)


def test_offers_are_told_one_by_one(measured: Town) -> None:
    first, second = report(measured, "offers")
    assert (first["campaign_id"], first["offer_id"]) == ("c", "o")
    assert (first["exposures"], first["ghosts"], first["redemptions"]) == (1, 2, 1)
    assert first["suppressed"] == {"pressure": 2, "fresh": 1}
    assert first["messages"] == {"accepted": 1, "expired": 1, "unknown": 1}
    assert (second["offer_id"], second["exposures"], second["redemptions"]) == ("p", 1, 1)


def test_a_span_a_store_and_a_campaign_narrow_a_report(measured: Town) -> None:
    tuesday = Span(since=MONDAY + DAY - 12 * 60 * MINUTE)
    assert [row["day"] for row in report(measured, "visits", tuesday)] == ["2026-10-06", "2026-10-06"]
    until_monday = Span(until=MONDAY + MINUTE)
    assert [row["visits"] for row in report(measured, "stores", until_monday)] == [1, 1]
    at_exactly = Span(since=MONDAY + DAY, until=MONDAY + DAY)
    assert report(measured, "visits", at_exactly) == ()
    assert [row["store_id"] for row in report(measured, "stores", Span(store_id=ROCK))] == [ROCK]
    assert report(measured, "offers", Span(campaign_id="other")) == ()
    (narrow,) = report(measured, "stores", Span(campaign_id="other", store_id=HARBOUR))
    assert (narrow["visits"], narrow["exposures"], narrow["redemptions"]) == (5, 0, 0)


def test_a_report_says_when_and_by_which_rule(measured: Town) -> None:
    found = measured.engine.reports.report("visits", Span())
    assert (found.as_of, found.rule_version) == ("2026-11-03T09:00:00.000Z", "visits-3")
    assert found.columns == tuple(found.rows[0])
    with pytest.raises(NotFound, match="visits, stores, offers"):
        measured.engine.reports.report("profit", Span())


def test_visits_less_than_an_hour_apart_are_one(town: Town) -> None:
    town.furnish()
    told = History()
    # The visit before the span is counted the day before; each is held against the one before it, counted or not.
    midnight = datetime(2026, 10, 5, 22, tzinfo=UTC)
    for minutes in (-20, 49.9, 119.8, 190):
        told.visit(midnight + minutes * MINUTE, 10)
    told.visit(midnight + 60 * MINUTE, 10, kind="unconfirmed")
    told.visit(midnight + 60 * MINUTE, 10, shopper_id="bob")
    told.visit(midnight + 60 * MINUTE, 10, store_id=ROCK)
    told.keep(town)
    tuesday = Span(since=midnight, store_id=HARBOUR)
    (row,) = report(town, "visits", tuesday)
    assert (row["visits"], row["set_aside"]) == (2, {"revisit": 2, "unconfirmed": 1})
    assert [row["visits"] for row in report(town, "visits", Span(store_id=HARBOUR))] == [1, 2]
    town.furnish(visit={"revisit_cooldown_s": 0})
    (row,) = report(town, "visits", tuesday)
    assert (row["visits"], row["set_aside"]) == (4, {"unconfirmed": 1})


def test_days_are_those_of_the_store(town: Town) -> None:
    shops = features()
    shops["features"][1]["properties"] |= {"timezone": "Pacific/Auckland", "country": "NZ"}
    town.engine.publish.publish_stores(read_collection(shops))
    told = History()
    for store_id in (HARBOUR, ROCK):
        for hour in (9, 10, 11, 21, 22, 23):
            at = datetime(2026, 7, 1, hour, 59, 59, 999_000, tzinfo=UTC)
            told.visit(at, store_id=store_id, shopper_id=f"at {hour}")
            told.decision(at, outcome="ghost", store_id=store_id)
    told.keep(town)
    # Monaco is at +2 and Auckland at +12 in July: the days begin at 22:00 and 12:00 UTC.
    for figure in ("visits", "ghosts"):
        assert {(row["store_id"], row["day"]): row[figure] for row in report(town, "visits")} == {
            (HARBOUR, "2026-07-01"): 4,
            (HARBOUR, "2026-07-02"): 2,
            (ROCK, "2026-07-01"): 3,
            (ROCK, "2026-07-02"): 3,
        }


@pytest.mark.parametrize("timezone", ["Asia/Kathmandu", "Australia/Adelaide", "Pacific/Chatham"])
def test_what_is_counted_by_the_quarter_hour_falls_on_the_right_day_in_every_zone(
    town: Town, timezone: str
) -> None:
    town.furnish(timezone=timezone)
    midnight = datetime(2026, 7, 2, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    told = History()
    told.decision(midnight - timedelta(milliseconds=1), outcome="ghost")
    told.decision(midnight, outcome="ghost")
    told.keep(town)
    assert [(row["day"], row["ghosts"]) for row in report(town, "visits")] == [
        ("2026-07-01", 1),
        ("2026-07-02", 1),
    ]


def test_every_time_zone_is_whole_quarter_hours_off() -> None:
    moments = [datetime(year, month, 1, tzinfo=UTC) for year in (2000, 2012, 2026) for month in (1, 7)]
    assert all(
        at.astimezone(ZoneInfo(name)).utcoffset() % timedelta(minutes=15) == timedelta(0)  # type: ignore[operator]
        for name in available_timezones()
        for at in moments
    )


def test_a_day_has_25_hours_in_autumn_and_23_in_spring(town: Town) -> None:
    town.furnish()
    told = History()
    # Local midnights around the changes of 2026-03-29 and 2026-10-25, each with the second before it.
    midnights = [
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    ]
    for midnight in midnights:
        told.visit(midnight - timedelta(seconds=1), shopper_id="bob")
        told.visit(midnight)
    told.keep(town)
    assert [(row["day"], row["visits"]) for row in report(town, "visits")] == [
        ("2026-03-28", 1),
        ("2026-03-29", 2),
        ("2026-03-30", 1),
        ("2026-10-24", 1),
        ("2026-10-25", 2),
        ("2026-10-26", 1),
    ]


def test_what_went_on_past_midnight_counts_where_it_began(town: Town) -> None:
    town.furnish()
    told = History()
    told.visit(datetime(2026, 10, 5, 21, 50, tzinfo=UTC), 30)
    told.keep(town)
    assert [(row["day"], row["median_dwell_s"]) for row in report(town, "visits")] == [("2026-10-05", 1800)]


def experiment(arms: Mapping[str, tuple[int, int]]) -> History:
    """For each outcome (visitors, shoppers): everybody decided on Monday, visitors come the day after."""
    told = History()
    for outcome, (visitors, shoppers) in arms.items():
        for number in range(shoppers):
            who = f"{outcome}{number}"
            told.decision(MONDAY, outcome=outcome, shopper_id=who)
            if number < visitors:
                told.visit(MONDAY + DAY, shopper_id=who, store_id=(HARBOUR, ROCK)[number % 2])
    return told


def lift_of(town: Town, span: Span | None = None) -> dict[str, Any]:
    (row,) = report(town, "offers", span)
    shown = (
        "treated_shoppers",
        "treated_visitors",
        "held_out_shoppers",
        "held_out_visitors",
        "difference",
        "low",
    )
    return {name: row[name] for name in (*shown, "high", "lift_status")}


def test_lift_compares_the_arms_with_newcombes_interval(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    experiment({"send": (56, 70), "ghost": (48, 80)}).keep(town)
    found = lift_of(town)
    # Example (a) of Newcombe 1998, table II: 56/70 − 48/80, method 10.
    assert (round(found.pop("low"), 4), round(found.pop("high"), 4)) == (0.0524, 0.3339)
    assert found == {
        "treated_shoppers": 70,
        "treated_visitors": 56,
        "held_out_shoppers": 80,
        "held_out_visitors": 48,
        "difference": 0.2,
        "lift_status": "shown",
    }


def test_fifty_held_out_are_enough_and_forty_nine_are_too_few(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    told = experiment({"send": (30, 60), "ghost": (10, 49)})
    told.keep(town)
    found = lift_of(town)
    assert (found["held_out_shoppers"], found["held_out_visitors"]) == (49, 10)
    assert (found["difference"], found["low"], found["high"]) == (None, None, None)
    assert found["lift_status"] == "too_few"
    more = History(decisions=told.decisions[:])
    more.decision(MONDAY, outcome="ghost", shopper_id="ghost49")
    del more.decisions[:-1]
    more.keep(town)
    assert (lift_of(town)["difference"], lift_of(town)["lift_status"]) == (0.3, "shown")


def test_nobody_held_out_is_too_few(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}"))
    experiment({"send": (5, 60)}).keep(town)
    assert lift_of(town) == dict.fromkeys(lift_of(town)) | {"lift_status": "too_few"}


def test_lift_counts_what_followed_the_first_decision(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    told = History()
    for who in ("sent", "both", "early", "at_once", "late", "passer", "elsewhere"):
        told.decision(MONDAY, shopper_id=who)
    told.decision(MONDAY + 2 * DAY, shopper_id="sent")
    for number in range(50):
        told.decision(MONDAY, outcome="ghost", shopper_id=f"held{number}")
    told.decision(MONDAY, outcome="suppressed", reason="fresh", shopper_id="suppressed")
    told.decision(MONDAY, outcome="ghost", reason="universal_holdout", shopper_id="universal")
    told.decision(MONDAY, outcome="send", shopper_id="other", campaign_id="another")
    told.visit(MONDAY + MINUTE, shopper_id="sent")
    told.visit(MONDAY + DAY, shopper_id="both")
    told.visit(MONDAY + 2 * DAY, shopper_id="both")
    told.visit(MONDAY - MINUTE, 60, shopper_id="early")
    told.visit(MONDAY, shopper_id="at_once")
    told.visit(MONDAY + 7 * DAY + MINUTE, shopper_id="late")
    told.visit(MONDAY + DAY, shopper_id="passer", kind="passer_by")
    told.visit(MONDAY + DAY, shopper_id="elsewhere", store_id="not in the campaign")
    for who in ("suppressed", "universal", "other", "held7"):
        told.visit(MONDAY + DAY, shopper_id=who)
    told.keep(town)
    found = lift_of(town)
    assert (found["treated_shoppers"], found["treated_visitors"]) == (7, 2)
    assert (found["held_out_shoppers"], found["held_out_visitors"]) == (50, 1)
    assert found["difference"] == round(2 / 7 - 1 / 50, 6)


def test_a_span_compares_those_whose_first_decision_ever_lies_in_it(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    told = History()
    for number in range(10):
        for outcome, reason in (("send", None), ("ghost", "holdout")):
            who = f"{outcome}{number}"
            told.decision(MONDAY, outcome=outcome, reason=reason, shopper_id=who)
            # Those who do not come by themselves are asked again, and come then.
            told.decision(MONDAY + 3 * DAY, outcome=outcome, reason=reason, shopper_id=who)
            told.visit(MONDAY + (4 if number < 8 else 1) * DAY, shopper_id=who)
    told.decision(MONDAY + 3 * DAY, shopper_id="new")
    told.decision(MONDAY + 3 * DAY, outcome="ghost", reason="holdout", shopper_id="newly held out")
    told.visit(MONDAY + 4 * DAY, shopper_id="new")
    told.keep(town)
    counts = ("treated_shoppers", "treated_visitors", "held_out_shoppers", "held_out_visitors")

    def compared(span: Span) -> list[int]:
        found = lift_of(town, span)
        return [found[name] for name in counts]

    assert compared(Span(since=MONDAY + 2 * DAY)) == [1, 1, 1, 0]
    assert compared(Span(until=MONDAY + 2 * DAY)) == [10, 10, 10, 10], (
        "what followed counts after the span, too"
    )
    assert compared(Span()) == [11, 11, 11, 10]


def test_a_store_does_not_narrow_the_comparison(town: Town) -> None:
    town.furnish(campaign("c", "o: {enter: premises}", holdout="50%"))
    told = History()
    for outcome, reason in (("send", None), ("ghost", "holdout")):
        for store_id in (HARBOUR, ROCK):
            told.decision(
                MONDAY, outcome=outcome, reason=reason, shopper_id=outcome + store_id, store_id=store_id
            )
    told.visit(MONDAY + DAY, shopper_id=f"send{HARBOUR}", store_id=ROCK)
    told.keep(town)
    whole = lift_of(town)
    assert (whole["treated_shoppers"], whole["treated_visitors"], whole["held_out_shoppers"]) == (2, 1, 2)
    (narrow,) = report(town, "offers", Span(store_id=HARBOUR))
    assert narrow["ghosts"] == 1
    assert {name: narrow[name] for name in whole} == whole


def test_a_stopped_campaign_keeps_its_figures(measured: Town) -> None:
    before = report(measured, "offers")
    measured.engine.publish.stop("c")
    assert report(measured, "offers") == before

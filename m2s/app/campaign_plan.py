"""What will a campaign do? What changes, whom it reaches, what it costs, what stands against it.

What it would send comes from playing the evidence of the last days again (`m2s.app.backtest`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns.difference import differences
from campaigns.identity import version_of
from campaigns.longest import longest
from campaigns.model import Campaign, Channel, Near, Offer
from campaigns.outlook import Ground, forbidden, shared_minutes
from campaigns.schedule import dates_text
from m2s.app.backtest import Backtest, Played, Progress, Turn
from m2s.app.catalog import Catalog, stores_of
from m2s.app.facts import load_shoppers
from m2s.app.ports import Database, Records
from m2s.app.rows import CampaignRow
from m2s.app.spending import MICRO, Used
from m2s.core.base.instants import Clock
from m2s.core.measure.power import detectable
from m2s.core.places.store import Store

_TOGETHER = 1_000
_INSTANT = timedelta(milliseconds=1)
_YEAR = 366
Row = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign will do: `change` as applying would say, and sentences and tables by what they are about.

    `reach` counts people by offer and channel; `played` is what the last `days` would have brought.
    """

    campaign_id: str
    version: str
    change: str
    differences: tuple[str, ...]
    stores: tuple[str, ...]
    seen: int
    reach: tuple[Row, ...]
    days: int
    played: Played
    money: tuple[str, ...]
    sms: tuple[Row, ...]
    law: tuple[str, ...]
    conflicts: tuple[str, ...]
    power: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        """It as JSON."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return told | {"played": self.played.as_plain()}


class CampaignPlans:
    """Plans campaigns; writes nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        backtest: Backtest,
    ) -> None:
        self._database = database
        self._clock = clock
        self._backtest = backtest

    def plan(
        self,
        campaign: Campaign,
        yaml: str,
        *,
        days: int,
        at: datetime | None = None,
        progress: Progress = lambda _share: None,
        turn: Turn = lambda: None,
    ) -> Plan:
        """The plan of a campaign that was read from this text, by the evidence of the `days` before `at`, or now."""
        now, catalog = at or self._clock.now(), self._backtest.catalog()
        since = now - timedelta(days=days)
        stores = stores_of(campaign, catalog.stores.values())
        until = now + _INSTANT
        scenario = self._backtest.scenario(campaign.id, [campaign], since=since, until=until)
        played = self._backtest.play(scenario, since=since, until=until, progress=progress, turn=turn)
        with self._database.read() as records:
            known = next((row for row in records.catalog.campaigns() if row.id == campaign.id), None)
            there = [store.id for store in stores]
            seen = sorted({one for one, _ in records.sightings.seen_at(there, since, until=until)})
            reach = _reach(records, campaign, seen, now=now)
            came = _came(records, campaign, seen, stores, now=now)
            used = records.spending.used([(campaign.id, "", "")]).get((campaign.id, "", ""), Used())
        return Plan(
            campaign.id,
            version_of(campaign),
            *_change(campaign, yaml, known),
            stores=tuple(store.id for store in stores),
            seen=len(seen),
            reach=reach,
            days=days,
            played=played,
            money=(*_money(campaign, played, used, days=days, now=now), *self._unpriced(campaign)),
            sms=_sms(campaign, stores),
            law=tuple(self._law(campaign, stores, now)),
            conflicts=tuple(_conflicts(campaign, stores, catalog)),
            power=tuple(_power(campaign, played, seen=len(seen), came=came, days=days)),
        )

    def _unpriced(self, campaign: Campaign) -> Iterator[str]:
        named = {channel for offer in campaign.offers for channel in offer.channels}
        missing = sorted(named - self._backtest.house.policy.prices.keys())
        if missing:
            yield f"No price is known for {', '.join(missing)}: counted as 0 until the operator sets `prices`."

    def _law(self, campaign: Campaign, stores: Sequence[Store], now: datetime) -> Iterator[str]:
        grounds = list(
            dict.fromkeys(Ground(store.timezone, store.country, store.subdivision) for store in stores)
        )
        told: dict[str, None] = {}
        for offer in campaign.offers:
            told |= dict.fromkeys(
                forbidden(
                    campaign, offer, grounds, now=now, default_law=self._backtest.house.policy.default_law
                )
            )
        yield from told


def _change(campaign: Campaign, yaml: str, known: CampaignRow | None) -> tuple[str, tuple[str, ...]]:
    if known is None:
        return "created", ()
    if known.state == "stopped":
        return "refused", (f"{campaign.id} was stopped for good; give it another id after `campaign:`",)
    if known.version == version_of(campaign):
        return "unchanged", ()
    return "changed", tuple(differences(known.yaml, yaml))


def _reach(records: Records, campaign: Campaign, seen: Sequence[str], *, now: datetime) -> tuple[Row, ...]:
    """By offer and channel how many of those seen there agreed and have an address, and whom the offer takes by it."""
    able: Counter[tuple[str, Channel]] = Counter()
    taken: Counter[tuple[str, Channel]] = Counter()
    for first in range(0, len(seen), _TOGETHER):
        people = load_shoppers(
            records, seen[first : first + _TOGETHER], now=now, inside={}, history=timedelta(0)
        )
        for shopper in people.values():
            usable = shopper.consents & shopper.reachable if shopper.location_consent else frozenset()
            for offer in campaign.offers:
                possible = [channel for channel in offer.channels if channel in usable]
                able.update((offer.id, channel) for channel in possible)
                taken.update((offer.id, channel) for channel in possible[:1])
    return tuple(
        {
            "offer_id": offer.id,
            "channel": channel.value,
            "reachable": able[offer.id, channel],
            "by_this_first": taken[offer.id, channel],
        }
        for offer in campaign.offers
        for channel in offer.channels
    )


def _came(
    records: Records, campaign: Campaign, seen: Sequence[str], stores: Sequence[Store], *, now: datetime
) -> int:
    """How many of those seen visited one of the stores within a window of attribution, up to now."""
    there = {store.id for store in stores}
    came = 0
    for first in range(0, len(seen), _TOGETHER):
        part = seen[first : first + _TOGETHER]
        stays = records.histories.stays(part, now - campaign.attribution_window)
        came += sum(
            any(stay.counted and stay.store_id in there and stay.start_at <= now for stay in of_one)
            for of_one in stays.values()
        )
    return came


def _money(campaign: Campaign, played: Played, used: Used, *, days: int, now: datetime) -> Iterator[str]:
    sends = sum(
        int(str(row["would_send"]))
        for row in played.tally.campaigns(played.used)
        if row["campaign_id"] == campaign.id
    )
    spent = played.used.get((campaign.id, "", ""), Used())
    left = _days_left(campaign, now)
    length = "a year" if campaign.until is None else f"the {left} days that are left ({dates_text(campaign)})"
    yield (
        f"By the {last(days)}: {sends / days:.1f} messages a day, which cost "
        f"{_amount(spent.cost_micro / days)}; in {length}: {sends / days * left:.0f} messages, "
        f"{_amount(spent.cost_micro / days * left)}."
    )
    budget = campaign.budget
    limits: list[tuple[str, float, float, float]] = []
    if budget.messages is not None:
        limits.append(("messages", budget.messages, used.messages, sends / days))
    if budget.cost is not None:
        money = float(budget.cost.amount)
        limits.append((budget.cost.currency, money, used.cost_micro / MICRO, spent.cost_micro / MICRO / days))
    if budget.coupons is not None:
        limits.append(("coupons", budget.coupons, used.coupons, spent.coupons / days))
    for what, limit, before, a_day in limits:
        lasts = _lasts(limit - before, a_day, left)
        yield f"Budget: {before:g} of {limit:g} {what} used up; {lasts}."


def _lasts(rest: float, a_day: float, left: int) -> str:
    if rest <= 0:
        return "nothing is left, so nothing is sent"
    if not a_day:
        return "nothing would be used"
    days = rest / a_day
    return f"it lasts {days:.0f} days, " + (
        "long enough" if days >= left else f"not the {left} that are left"
    )


def _days_left(campaign: Campaign, now: datetime) -> int:
    today = now.date()
    first = max(today, campaign.since or today)
    return _YEAR if campaign.until is None else max(0, (campaign.until - first).days + 1)


def last(days: int) -> str:
    """The days that a plan goes by, in words."""
    return "last day" if days == 1 else f"last {days} days"


def _amount(micro: float) -> str:
    return f"{Decimal(micro) / MICRO:.2f}"


def _sms(campaign: Campaign, stores: Sequence[Store]) -> tuple[Row, ...]:
    """How many parts each text needs at its longest."""
    rows: list[Row] = []
    for offer in campaign.offers:
        texts = offer.message.get(Channel.SMS)
        for language, text in texts.body.items() if texts else ():
            worst = longest(
                text, stores, coupon=offer.coupon, language=language, transliterate=offer.transliterate
            )
            rows.append(
                {
                    "offer_id": offer.id,
                    "language": language,
                    "parts": worst.length.parts,
                    "encoding": worst.length.encoding,
                    "longest_at": worst.store_name or "",
                }
            )
    return tuple(rows)


def _conflicts(campaign: Campaign, stores: Sequence[Store], catalog: Catalog) -> Iterator[str]:
    """Offers that come up for the same shoppers at the same stores and hours: one of them gets the message."""
    there = {store.id for store in stores}
    others = [
        (live.campaign, offer)
        for live in catalog.campaigns.values()
        if live.campaign.id != campaign.id and not live.paused
        for offer in live.campaign.offers
    ]
    for place, offer in enumerate(campaign.offers):
        rivals = [*((campaign, one) for one in campaign.offers[place + 1 :]), *others]
        for rival, other in rivals:
            shared = sum(store.id in there for store in stores_of(rival, catalog.stores.values()))
            hours = shared_minutes(offer, other) / 60
            if (
                not shared
                or not hours
                or not _meet(campaign, rival)
                or _waits_for(offer) != _waits_for(other)
            ):
                continue
            name = other.id if rival is campaign else f"{rival.id}/{other.id}"
            first = (
                "neither goes first"
                if offer.priority == other.priority
                else (f"{offer.id if offer.priority > other.priority else name} goes first")
            )
            yield (
                f"{offer.id} competes with {name} at {shared} {'store' if shared == 1 else 'stores'}, {hours:g} hours "
                f"a week: {first} by priority ({offer.priority} and {other.priority})"
            )


def _waits_for(offer: Offer) -> tuple[str, object]:
    """What must be alike for two offers to come up at one moment: near and enter are the same step in."""
    trigger = offer.trigger
    kind = "enter" if isinstance(trigger, Near) else type(trigger).__name__.lower()
    return kind, getattr(trigger, "zone", getattr(trigger, "place", None))


def _meet(one: Campaign, other: Campaign) -> bool:
    return not (
        (one.until is not None and other.since is not None and one.until < other.since)
        or (other.until is not None and one.since is not None and other.until < one.since)
    )


def _power(campaign: Campaign, played: Played, *, seen: int, came: int, days: int) -> Iterator[str]:
    window = campaign.attribution_window / timedelta(days=1)
    if not campaign.holdout:
        yield "Nobody is held out, so no effect can be shown: write `holdout: 10%`."
        return
    shoppers = played.tally.shoppers(campaign.id)
    if not came or came == seen or shoppers < 2:
        yield (
            f"What the holdout can show cannot be said: of {seen} people seen, {came} visited within {window:g} days, "
            f"and {shoppers} would be offered something."
        )
        return
    base, share = came / seen, campaign.holdout
    least = detectable(base, shoppers=shoppers, share=share)
    half = detectable(base, shoppers=shoppers, share=0.5)
    yield (
        f"By the {last(days)} {shoppers} people would be offered something, {share:.0%} of them held out; "
        f"{base:.1%} of those seen visited within {window:g} days."
    )
    if least is None:
        yield "No effect can be shown with so few: pool several campaigns, or run it longer."
        return
    yield f"A rise of {least * 100:.2f} points can be shown, in four of five such campaigns; less may go unseen."
    if half is not None and least > base and share < 0.5:
        yield (
            f"That is more than twice as many visitors: hold out 50 % ({half * 100:.2f} points), "
            "or pool several campaigns."
        )

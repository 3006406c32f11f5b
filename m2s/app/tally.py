"""What did a run decide? Counts by campaign, offer, store, local hour, outcome and reason, and tables of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.facts import Decision, Outcome
from m2s.app.spending import MICRO, Place, Used

Row = Mapping[str, str | int | float | None]
_Key = tuple[str, str, str, int, str, str | None]
_WHAT = {Outcome.SEND: "would_send", Outcome.GHOST: "would_hold", Outcome.SUPPRESSED: "suppressed"}


@dataclass(slots=True)
class _Shopper:
    """What one shopper would have got of a campaign, and how often the house's pressure held one back."""

    messages: int = 0
    held: int = 0
    pressed: int = 0


@dataclass(slots=True)
class Tally:
    """Counts what is decided, as it is decided."""

    _counts: Counter[_Key] = field(default_factory=Counter)
    _channels: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _shoppers: dict[str, dict[str, _Shopper]] = field(default_factory=dict)
    _zones: dict[str, ZoneInfo] = field(default_factory=dict)

    def count(self, decisions: Iterable[Decision]) -> None:
        """Counts decisions in."""
        for decision in decisions:
            candidate, outcome = decision.candidate, decision.outcome
            campaign_id, offer_id, store = candidate.campaign.id, candidate.offer.id, candidate.store
            zone = self._zones.get(store.timezone)
            if zone is None:
                zone = self._zones[store.timezone] = ZoneInfo(store.timezone)
            hour = decision.decided_at.astimezone(zone).hour
            reason = decision.reason if outcome is Outcome.SUPPRESSED else None
            self._counts[campaign_id, offer_id, store.store_id, hour, outcome.value, reason] += 1
            shopper_id = candidate.occasion.shopper_id
            shopper = self._shoppers.setdefault(campaign_id, {}).setdefault(shopper_id, _Shopper())
            shopper.messages += outcome is Outcome.SEND
            shopper.held += outcome is Outcome.GHOST
            shopper.pressed += reason == "pressure"
            if outcome is Outcome.SEND and decision.channel is not None:
                self._channels[campaign_id, offer_id, decision.channel.value] += 1

    def campaigns(self, used: Mapping[Place, Used]) -> list[Row]:
        """Each campaign's outcomes, what its messages cost, and how much pressure held back of what could be sent."""
        rows: list[Row] = []
        outcomes = self._by(lambda key: (key[0], key[4]))
        for campaign_id, shoppers in sorted(self._shoppers.items()):
            sends, ghosts = (
                outcomes[campaign_id, Outcome.SEND.value],
                outcomes[campaign_id, Outcome.GHOST.value],
            )
            pressed = sum(one.pressed for one in shoppers.values())
            spent = used.get((campaign_id, "", ""), Used())
            rows.append(
                {
                    "campaign_id": campaign_id,
                    "would_send": sends,
                    "would_hold": ghosts,
                    "suppressed": outcomes[campaign_id, Outcome.SUPPRESSED.value],
                    "cost": str((Decimal(spent.cost_micro) / MICRO).normalize().quantize(Decimal("0.01"))),
                    "coupons": spent.coupons,
                    "shoppers": len(shoppers),
                    "shoppers_reached": sum(one.messages > 0 for one in shoppers.values()),
                    "most_to_one": max((one.messages for one in shoppers.values()), default=0),
                    "saturation": round(pressed / (pressed + sends + ghosts), 3) if pressed else 0.0,
                }
            )
        return rows

    def offers(self) -> list[Row]:
        """Each offer's outcomes, and its messages by channel."""
        outcomes = self._by(lambda key: (key[0], key[1], key[4]))
        offers = sorted({(key[0], key[1]) for key in self._counts})
        return [
            {
                "campaign_id": campaign_id,
                "offer_id": offer_id,
                **{name: outcomes[campaign_id, offer_id, outcome.value] for outcome, name in _WHAT.items()},
                "channels": " ".join(
                    f"{channel}={count}"
                    for (campaign, offer, channel), count in sorted(self._channels.items())
                    if (campaign, offer) == (campaign_id, offer_id)
                ),
            }
            for campaign_id, offer_id in offers
        ]

    def reasons(self) -> list[Row]:
        """Why offers would not be made, the most frequent reason of each first."""
        counts = self._by(lambda key: (key[0], key[1], key[5]) if key[5] is not None else None)
        ordered = sorted(counts.items(), key=lambda one: (one[0][:2], -one[1], one[0][2]))
        return [
            {"campaign_id": campaign_id, "offer_id": offer_id, "reason": reason, "count": count}
            for (campaign_id, offer_id, reason), count in ordered
        ]

    def stores(self) -> list[Row]:
        """Outcomes by campaign and store."""
        return self._split("store_id", 2)

    def hours(self) -> list[Row]:
        """Outcomes by campaign and hour of the stores' days."""
        return self._split("hour", 3)

    def shoppers(self, campaign_id: str) -> int:
        """How many shoppers would get a message of a campaign, or be held out."""
        found = self._shoppers.get(campaign_id, {}).values()
        return sum(one.messages > 0 or one.held > 0 for one in found)

    def _split(self, name: str, place: int) -> list[Row]:
        counts = self._by(lambda key: (key[0], key[place], key[4]))
        return [
            {
                "campaign_id": campaign_id,
                name: value,
                **{what: counts[campaign_id, value, outcome.value] for outcome, what in _WHAT.items()},
            }
            for campaign_id, value in sorted({(campaign_id, value) for campaign_id, value, _ in counts})
        ]

    def _by(self, part: Any) -> Counter[Any]:
        """The counts of what shares a part of its key; None leaves out."""
        found: Counter[Any] = Counter()
        for key, count in self._counts.items():
            shared = part(key)
            if shared is not None:
                found[shared] += count
        return found


TABLES: Mapping[str, Callable[[Tally, Mapping[Place, Used]], list[Row]]] = {
    "campaigns": lambda tally, used: tally.campaigns(used),
    "offers": lambda tally, _used: tally.offers(),
    "reasons": lambda tally, _used: tally.reasons(),
    "hours": lambda tally, _used: tally.hours(),
    "stores": lambda tally, _used: tally.stores(),
}
"""The tables of a run, by name."""

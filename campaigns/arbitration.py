"""Which of several offers does a shopper get at one instant?

The highest priority, then what is worth most, then the store that sent least, then the most stock, then the nearest.
"""

from collections.abc import Sequence
from math import inf

from campaigns.facts import Candidate, Check
from campaigns.texts import money_text

_Rank = tuple[int, float, int, float, float, str, str, str, str]


def winner(candidates: Sequence[Candidate]) -> int:
    """The index of the candidate that is made; ties end at the ids, so the order given never matters.

    Coupons are compared by what they are worth only where all are in one currency; an offer without one is worth 0.
    Raises ValueError without candidates.
    """
    currencies = {one.offer.coupon.value.currency for one in candidates if one.offer.coupon is not None}
    comparable = len(currencies) == 1
    return min(range(len(candidates)), key=lambda index: _rank(candidates[index], comparable=comparable))


def verdict(candidate: Candidate, *, lost_to: Candidate | None) -> Check:
    """The trace entry of a candidate that won (`lost_to` is None) or that another one outranked."""
    return Check("arbitration", lost_to is None, _label(candidate), _label(lost_to) if lost_to else None)


def _rank(candidate: Candidate, *, comparable: bool) -> _Rank:
    coupon, distance_m = candidate.offer.coupon, candidate.occasion.distance_m
    return (
        -candidate.offer.priority,
        -float(coupon.value.amount) if coupon is not None and comparable else 0.0,
        candidate.spent.at_store,
        -_left(candidate),
        inf if distance_m is None else distance_m,
        candidate.campaign.id,
        candidate.offer.id,
        candidate.store.store_id,
        candidate.occasion.key,
    )


def _left(candidate: Candidate) -> float:
    """How many coupons are left; any number where the offer has no stock."""
    coupon = candidate.offer.coupon
    return inf if coupon is None or coupon.stock is None else coupon.stock - candidate.spent.stock


def _label(candidate: Candidate) -> str:
    coupon, distance_m = candidate.offer.coupon, candidate.occasion.distance_m
    parts = [f"priority {candidate.offer.priority}"]
    if coupon is not None:
        parts.append(f"worth {money_text(coupon.value, 'en')}")
    if candidate.spent.at_store:
        parts.append(f"{candidate.spent.at_store} sent at this store")
    if _left(candidate) < inf:
        parts.append(f"{_left(candidate):.0f} coupons left")
    if distance_m is not None:
        parts.append(f"{distance_m:.0f} m away")
    name = f"{candidate.campaign.id}/{candidate.offer.id} at {candidate.store.store_id}"
    return f"{name} ({', '.join(parts)})"

"""Which of several offers does a shopper get at one instant? The highest priority, then the nearest store."""

from collections.abc import Sequence
from math import inf

from campaigns.facts import Candidate, Check


def winner(candidates: Sequence[Candidate]) -> int:
    """The index of the candidate that is made; ties end at the ids, so the order given never matters.

    Raises ValueError without candidates.
    """
    return min(range(len(candidates)), key=lambda index: _rank(candidates[index]))


def verdict(candidate: Candidate, *, lost_to: Candidate | None) -> Check:
    """The trace entry of a candidate that won (`lost_to` is None) or that another one outranked."""
    return Check("arbitration", lost_to is None, _label(candidate), _label(lost_to) if lost_to else None)


def _rank(candidate: Candidate) -> tuple[int, float, str, str, str, str]:
    distance_m = candidate.occasion.distance_m
    return (
        -candidate.offer.priority,
        inf if distance_m is None else distance_m,
        candidate.campaign.id,
        candidate.offer.id,
        candidate.store.store_id,
        candidate.occasion.key,
    )


def _label(candidate: Candidate) -> str:
    distance_m = candidate.occasion.distance_m
    far = "" if distance_m is None else f", {distance_m:.0f} m away"
    name = f"{candidate.campaign.id}/{candidate.offer.id} at {candidate.store.store_id}"
    return f"{name} (priority {candidate.offer.priority}{far})"

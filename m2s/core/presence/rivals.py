"""At which of two stores side by side was the shopper? Her stays there that overlap in time compete for the visit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from m2s.core.presence.visit import StayKind

CLEAR = 1.5
"""A stay is that of a visit when its score is so many times that of each rival."""


# Made anew for each contest: frozen would take three times as long. Nobody changes one.
@dataclass(slots=True)
class Contender:
    """A stay that competes, by the name that it has for its caller.

    `score` is that of the stay. One that `may_count` would be a visit if it were alone; another is too long to be one,
    and says all the same where the shopper was.
    """

    id: str
    store_id: str
    start_ms: int
    end_ms: int
    score: float
    proven: bool
    may_count: bool = True


def compete(one: Contender, other: Contender) -> bool:
    """Whether two stays overlap by half of the shorter one at least; less is how far positions stray next door."""
    shared_ms = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
    return shared_ms >= 0 and 2 * shared_ms >= min(one.end_ms - one.start_ms, other.end_ms - other.start_ms)


def outcome(one: Contender, rivals: Iterable[Contender]) -> StayKind:
    """A visit, `elsewhere` when a rival is clearly the visit, or `ambiguous`; a proof stands above every score."""
    rivals = list(rivals)
    if one.proven:
        return StayKind.VISIT
    if any(rival.proven or rival.score >= CLEAR * one.score for rival in rivals):
        return StayKind.ELSEWHERE
    if all(one.score >= CLEAR * rival.score for rival in rivals):
        return StayKind.VISIT
    return StayKind.AMBIGUOUS


def outcomes(
    contenders: Sequence[Contender], neighbours: Mapping[str, Collection[str]]
) -> dict[str, StayKind]:
    """What each of one shopper's stays is that may count, by its id, whatever their order.

    Only stays at stores side by side compete.
    """
    ordered = sorted(contenders, key=lambda one: (one.start_ms, one.id))
    rivals: dict[str, list[Contender]] = {one.id: [] for one in ordered}
    open_: list[Contender] = []
    for one in ordered:
        open_ = [other for other in open_ if other.end_ms >= one.start_ms]
        for other in open_:
            if other.store_id in neighbours.get(one.store_id, ()) and compete(one, other):
                rivals[one.id].append(other)
                rivals[other.id].append(one)
        open_.append(one)
    return {one.id: outcome(one, rivals[one.id]) for one in ordered if one.may_count}

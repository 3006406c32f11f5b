"""What is told of visits when evidence changes them? That one started, was corrected, or is none after all.

Whoever follows the events in their order knows which visits there are: a start adds one, a correction puts one in the
place of those that it replaces, and what is retracted goes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from m2s.app.rows import VisitRow
from m2s.core.base.instants import rfc3339
from m2s.core.presence.visit import StayKind

STARTED, CORRECTED, RETRACTED = "visit.started", "visit.corrected", "visit.retracted"


@dataclass(frozen=True, slots=True)
class VisitEvent:
    """One thing that is told of a visit; `replaces` are the ids of told visits that it now stands for."""

    type: str
    visit: VisitRow
    replaces: tuple[str, ...] = ()


def event_fields(event: VisitEvent) -> dict[str, str | list[str]]:
    """The event as it is answered."""
    visit = event.visit
    fields: dict[str, str | list[str]] = {
        "type": event.type,
        "visit_id": visit.id,
        "store_id": visit.store_id,
    }
    if event.type == STARTED:
        fields["at"] = rfc3339(visit.start_at)
    if event.type == CORRECTED:
        fields |= {
            "replaces": list(event.replaces),
            "start": rfc3339(visit.start_at),
            "end": rfc3339(visit.end_at),
            "status": visit.status,
            "confidence": visit.confidence,
        }
    return fields


def tell(
    before: Mapping[str, VisitRow], after: Iterable[VisitRow]
) -> tuple[dict[str, VisitRow], list[VisitEvent]]:
    """The stays after a change, by id and with what they replace, and what is to be told of them.

    `before` and `after` are the stays of one shopper at one store that the change can have touched.
    """
    rows = {row.id: row for row in after}
    heirs: dict[str, list[VisitRow]] = {}
    events = []
    for old in before.values():
        new = rows.get(old.id)
        if not _counts(old) or (new is not None and _counts(new)):
            continue
        heir = _heir(old, rows.values())
        if heir is None:
            events.append(VisitEvent(RETRACTED, new or old))
        else:
            heirs.setdefault(heir.id, []).append(old)
    for row in rows.values():
        replaced = heirs.get(row.id, ())
        rows[row.id] = with_names(row, before.get(row.id), replaced=replaced, beside=rows)
        event = _told(rows[row.id], before.get(row.id), replaced=tuple(old.id for old in replaced))
        if event is not None:
            events.append(event)
    return rows, events


def _counts(row: VisitRow) -> bool:
    return row.kind == StayKind.VISIT


def _heir(old: VisitRow, rows: Iterable[VisitRow]) -> VisitRow | None:
    """The visit that stands where a told one stood: of those that overlap it the one that does so longest."""
    overlaps = [
        (min(old.end_at, row.end_at) - max(old.start_at, row.start_at), row)
        for row in rows
        if _counts(row) and old.start_at <= row.end_at and row.start_at <= old.end_at
    ]
    return max(overlaps, key=lambda pair: pair[0])[1] if overlaps else None


def with_names(
    row: VisitRow, same: VisitRow | None, *, replaced: Iterable[VisitRow], beside: Mapping[str, VisitRow]
) -> VisitRow:
    """The stay with every name under which it, or what was merged into it, was told before and that is no visit now.

    `same` is the stay as it was kept, `beside` are the stays as they are now.
    """
    names = set() if same is None else names_of(same)
    for old in replaced:
        names |= {old.id, *names_of(old)}
    if names:
        names -= {other.id for other in beside.values() if _counts(other)}
    text = " ".join(sorted(names)) or None
    return row if text == row.replaces else replace(row, replaces=text)


def has_ended(row: VisitRow, was: VisitRow | None) -> bool:
    """Whether a visit is over that was not, or was none."""
    return (
        _counts(row)
        and row.status == "closed"
        and (was is None or was.status != "closed" or not _counts(was))
    )


def names_of(row: VisitRow) -> set[str]:
    """The ids that a stay replaces."""
    return set((row.replaces or "").split())


def _told(row: VisitRow, was: VisitRow | None, *, replaced: tuple[str, ...]) -> VisitEvent | None:
    """What is told of a stay that there is; that an open visit goes on is nothing to be told."""
    if not _counts(row):
        return None
    if was is None or not _counts(was):
        return VisitEvent(CORRECTED, row, replaced) if replaced else VisitEvent(STARTED, row)
    if was.status == "open":
        changed = was.start_at != row.start_at
    else:
        changed = (was.start_at, was.end_at, was.confidence) != (row.start_at, row.end_at, row.confidence)
    return VisitEvent(CORRECTED, row, replaced) if replaced or changed else None

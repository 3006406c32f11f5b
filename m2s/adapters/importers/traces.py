"""What does a file of recorded traces hold? Sightings by phone, and how much was left out and why."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from m2s.app.sighting import Sighting
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import rfc3339

REASONS = {
    "no_time": "no time is told",
    "bad_time": "the time cannot be read",
    "bad_position": "there is no position, or none on Earth",
    "repeat": "the same as one before",
    "mark": "a place that was marked or planned, not where the phone was",
    "not_sighting": "something else than a sighting",
    "encrypted": "encrypted by the app",
    "unreadable": "the line cannot be read",
    "refused": "a value that the service would refuse",
    "broken": "the file breaks off here; what follows is not read",
    "too_old": "more than 71 hours before the end",
}
"""Why something of a file is not sent, by code."""

_NOT_SECONDS = 1e11
"""An epoch time as large as this counts milliseconds or less: as seconds it would be in the year 5138."""
_DATE_ONLY = len("2026-11-02")
_FASTEST_MPS = 1000.0
_LONGEST_NAME = 64
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2500, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RecordedSighting:
    """One sighting: when it happened, and what `POST /v1/sightings` takes of it beside the time.

    The `age_ms` of a beacon's samples count from the sighting.
    """

    at: datetime
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """What one phone saw, in order and each once; `phone` is what the file calls it, perhaps nothing."""

    phone: str
    sightings: tuple[RecordedSighting, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many were left out for one reason of REASONS, and where the first of them stands."""

    reason: str
    many: int
    first: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A file as it was read."""

    traces: tuple[Trace, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader is told beside the file: the zone of times without offset, and how exact a position is that
    does not say so."""

    zone: ZoneInfo | None
    accuracy_m: float


class Gathering:
    """Takes the sightings of a file as a reader finds them, and counts what it leaves out."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._found: dict[str, dict[str, RecordedSighting]] = {}
        self._left_out: dict[str, tuple[int, str]] = {}

    def leave_out(self, reason: str, where: str) -> None:
        """Counts one that is left out."""
        many, first = self._left_out.get(reason, (0, where))
        self._left_out[reason] = many + 1, first

    def locate(
        self,
        phone: str,
        at: datetime,
        *,
        latitude: object,
        longitude: object,
        accuracy_m: object,
        speed_mps: object,
        where: str,
    ) -> None:
        """Takes a position; one that says nothing of its accuracy gets that of the reading, one without a speed none.

        Phones say 0 for an accuracy that they do not know, and a negative one for a position that is none.
        """
        north, east = number(latitude), number(longitude)
        accuracy, speed = number(accuracy_m) or self.reading.accuracy_m, number(speed_mps)
        if north is None or east is None or abs(north) > 90 or abs(east) > 180 or accuracy < 0:
            self.leave_out("bad_position", where)
            return
        fields = {"kind": "location", "latitude": north, "longitude": east, "accuracy_m": accuracy}
        if speed is not None and 0 <= speed <= _FASTEST_MPS:
            fields["speed_mps"] = speed
        self.take(phone, at, fields, where=where)

    def take(self, phone: str, at: datetime, fields: Mapping[str, Any], *, where: str) -> None:
        """Takes a sighting; one without an id gets the digest of what it says, so that it is the same each time."""
        if not _FIRST <= at < _LAST:
            self.leave_out("bad_time", where)
            return
        named = {**fields, "id": fields.get("id") or _digest(at, fields)}
        try:
            msgspec.convert({**named, "age_ms": 0}, Sighting)
        except msgspec.ValidationError:
            self.leave_out("refused", where)
            return
        found = self._found.setdefault(phone[:_LONGEST_NAME], {})
        if named["id"] in found:
            self.leave_out("repeat", where)
        else:
            found[named["id"]] = RecordedSighting(at, named)

    def recording(self) -> Recording:
        """All that was taken, and all that was not."""
        return Recording(
            tuple(
                Trace(phone, tuple(sorted(found.values(), key=lambda one: one.at)))
                for phone, found in self._found.items()
            ),
            tuple(LeftOut(reason, *counted) for reason, counted in self._left_out.items()),
        )


def number(value: object) -> float | None:
    """A finite number, also one written as text; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def instant(value: object, zone: ZoneInfo | None, *, where: str) -> datetime:
    """The instant of an ISO 8601 text or of seconds, or finer units, since 1970; `zone` is for texts without offset.

    Raises ValueError for what is no time, and Invalid for one without an offset where `zone` is None.
    """
    epoch = number(value)
    try:
        if epoch is not None:
            while abs(epoch) >= _NOT_SECONDS:
                epoch /= 1000
            return _FIRST + timedelta(seconds=epoch)
        text = str(value).strip()
        if len(text) <= _DATE_ONLY:
            raise ValueError(f"{text!r} has no time of day")
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            if zone is None:
                raise Invalid(
                    f"{where}: the time {text!r} does not say how far it is from UTC:"
                    " add --timezone, such as --timezone Europe/Paris"
                )
            read = read.replace(tzinfo=zone)
        return read.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value!r} is beyond the calendar") from None


def _digest(at: datetime, fields: Mapping[str, Any]) -> str:
    said = msgspec.json.encode([rfc3339(at), fields], order="deterministic")
    return hashlib.sha256(said).hexdigest()[:32]

"""Which sightings are in these JSON lines? Each line one sighting, or one batch, as `POST /v1/sightings` takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec

from m2s.adapters.importers.traces import Gathering, Reading, Recording, instant
from m2s.app.sighting import Sighting
from m2s.core.base.errors import Invalid
from m2s.core.base.instants import from_ms, to_ms
from m2s.core.presence.quality import event_time

_TIMES = frozenset({"at", "age_ms", "device_id"})


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What is told of a batch; a single sighting is a batch of which nothing is told."""

    device_id: str = ""
    sent_at: datetime | None = None
    received_at: datetime | None = None


def read_jsonl(data: bytes, reading: Reading) -> Recording:
    """The sightings of a file of JSON lines; lines of another kind, such as a simulation's truth, are counted.

    A batch may say when it was received (`received_at`) and from which phone (`device_id`). Ages count from then,
    else from `sent_at`. Raises Invalid when no line is a JSON object.
    """
    gathering = Gathering(reading)
    objects = 0
    for place, line in enumerate(StringIO(data.decode("utf-8-sig", errors="replace"), newline=None), start=1):
        if not line.strip():
            continue
        try:
            entry = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            gathering.leave_out("unreadable", f"line {place}")
            continue
        objects += 1
        _take_line(gathering, entry, f"line {place}")
    if not objects:
        raise Invalid("line 1: these are no JSON lines: no line is a JSON object")
    return gathering.recording()


def _take_line(gathering: Gathering, entry: Mapping[str, Any], where: str) -> None:
    items = entry.get("sightings")
    if not isinstance(items, list):
        if "kind" in entry:
            _take(gathering, entry, _Envelope(), where=where)
        else:
            gathering.leave_out("not_sighting", where)
        return
    try:
        envelope = _Envelope(
            str(entry.get("device_id") or ""),
            *(_moment(entry.get(name), f"{where}: {name}") for name in ("sent_at", "received_at")),
        )
    except ValueError:
        envelope = _Envelope(str(entry.get("device_id") or ""))
    for place, item in enumerate(items):
        _take(gathering, item, envelope, where=f"{where}, sighting {place}")


def _take(gathering: Gathering, item: Any, envelope: _Envelope, *, where: str) -> None:
    try:
        sighting: Sighting = msgspec.convert(item, Sighting)
    except msgspec.ValidationError:
        gathering.leave_out("refused", where)
        return
    try:
        at = _happened(sighting, envelope)
    except OverflowError:
        gathering.leave_out("bad_time", where)
        return
    if at is None:
        gathering.leave_out("no_time", where)
        return
    fields = {name: value for name, value in item.items() if name not in _TIMES}
    if samples := fields.get("samples"):
        ages_ms = [sample["age_ms"] for sample in samples]
        own_ms = min(ages_ms) if sighting.age_ms is None else sighting.age_ms
        fields["samples"] = [
            {**sample, "age_ms": max(0, age_ms - own_ms)}
            for sample, age_ms in zip(samples, ages_ms, strict=True)
        ]
    gathering.take(sighting.device_id or envelope.device_id, at, fields, where=where)


def _happened(sighting: Sighting, envelope: _Envelope) -> datetime | None:
    """When it happened, as the service would have judged it; None for an age that counts from nothing."""
    received_at = envelope.received_at or envelope.sent_at
    if received_at is None:
        return sighting.at
    if sighting.at is None and sighting.age_ms is None:
        return None
    sent_at_ms = None if envelope.sent_at is None else to_ms(envelope.sent_at)
    at_ms = None if sighting.at is None else to_ms(sighting.at)
    return from_ms(event_time(to_ms(received_at), sent_at_ms, at_ms=at_ms, age_ms=sighting.age_ms)[0])


def _moment(value: object, where: str) -> datetime | None:
    return None if value is None else instant(value, None, where=where)

"""Which sightings are in this OwnTracks file? Payloads as the app sends them, and lines of its recorder.

A line is a payload, alone or behind what the recorder (`time, tab, type, tab`) or an MQTT client (the topic) writes in
front; or the whole file is one payload, a list of them, or an answer of the recorder with the list in `data`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec

from m2s.adapters.importers.traces import Gathering, Reading, Recording, instant, number
from m2s.core.base.errors import Invalid

_TRANSITIONS = {"enter": "enter", "leave": "exit"}
_PROXIMITIES = {0: "unknown", 1: "immediate", 2: "near", 3: "far"}
_KMH_PER_MPS = 3.6


def read_owntracks(data: bytes, reading: Reading) -> Recording:
    """The locations, beacons and transitions of an OwnTracks file, by topic, else by tracker id.

    The name of a region is taken as it is: it says something to m2s where it is a region's id, `store_id/zone_id`.
    Raises Invalid when nothing in it is JSON.
    """
    gathering = Gathering(reading)
    text = data.decode("utf-8-sig", errors="replace")
    objects = 0
    for where, topic, payload in _payloads(text):
        if payload is None:
            gathering.leave_out("unreadable", where)
        else:
            objects += 1
            _take(gathering, payload, topic=topic, where=where)
    if not objects:
        raise Invalid("line 1: this is not OwnTracks: no line has a JSON object")
    return gathering.recording()


def _payloads(text: str) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Place, topic and payload of each entry; None as payload where it cannot be read."""
    whole = _decoded(text)
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        whole = whole["data"]
    if isinstance(whole, dict):
        whole = [whole]
    if isinstance(whole, list):
        for place, entry in enumerate(whole, start=1):
            yield f"entry {place}", "", entry if isinstance(entry, dict) else None
        return
    for place, line in enumerate(StringIO(text, newline=None), start=1):
        if line.strip():
            before, _, _ = line.partition("{")
            payload = _decoded(line[len(before) :])
            topic = before.strip() if "/" in before and "\t" not in before else ""
            yield f"line {place}", topic, payload if isinstance(payload, dict) else None


def _take(gathering: Gathering, payload: Mapping[str, Any], *, topic: str, where: str) -> None:
    kind = payload.get("_type")
    if kind not in ("location", "transition", "beacon"):
        gathering.leave_out("encrypted" if kind == "encrypted" else "not_sighting", where)
        return
    if payload.get("tst") is None:
        gathering.leave_out("no_time", where)
        return
    try:
        at = instant(payload["tst"], None, where=where)
    except ValueError:
        gathering.leave_out("bad_time", where)
        return
    phone = _phone(str(payload.get("topic") or topic), str(payload.get("tid") or ""))
    if kind == "location":
        _locate(gathering, phone, at, payload=payload, where=where)
    elif kind == "beacon":
        gathering.take(phone, at, _beacon(payload), where=where)
    else:
        gathering.take(phone, at, _crossing(payload), where=where)


def _locate(
    gathering: Gathering, phone: str, at: datetime, *, payload: Mapping[str, Any], where: str
) -> None:
    speed_kmh = number(payload.get("vel"))
    gathering.locate(
        phone,
        at,
        latitude=payload.get("lat"),
        longitude=payload.get("lon"),
        accuracy_m=payload.get("acc"),
        speed_mps=None if speed_kmh is None else speed_kmh / _KMH_PER_MPS,
        where=where,
    )


def _beacon(payload: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        "kind": "beacon",
        "uuid": payload.get("uuid"),
        "major": payload.get("major"),
        "minor": payload.get("minor"),
        "rssi_dbm": payload.get("rssi"),
    }
    proximity = payload.get("prox")
    if isinstance(proximity, int) and proximity in _PROXIMITIES:
        fields["proximity"] = _PROXIMITIES[proximity]
    return fields


def _crossing(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A transition without its position, which can be an old one from far away."""
    return {
        "kind": "geofence",
        "transition": _TRANSITIONS.get(str(payload.get("event"))),
        "region_ids": [payload.get("desc")],
    }


def _phone(topic: str, tracker: str) -> str:
    """`owntracks/user/device`, without the `/event` or `/beacon` behind it; else the tracker id."""
    return "/".join(topic.split("/")[:3]) or tracker


def _decoded(text: str) -> Any:
    """What a text says in JSON; None where it is none."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None

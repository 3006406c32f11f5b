"""Where did phones really go? The traces of the recordings, each way once."""

import gzip
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from accuracy.stay_points import Place, TimedFix
from m2s.bootstrap import TRACE_READERS, Reading, Trace

ACCURACY_M = 10.0
"""Of fixes that do not say how exact they are, as `m2s replay` takes them."""
FILES = {
    "gotrack": ("mobility/gotrack_aracaju.csv.gz", "csv", ZoneInfo("America/Maceio")),
    "posmo": ("mobility/posmo_ch.csv", "csv", ZoneInfo("UTC")),
    "cerknicko": ("mobility/gpx/cerknicko-jezero.gpx", "gpx", None),
    "korita": ("mobility/gpx/korita-zbevnica.gpx", "gpx", None),
}


def traces(root: Path) -> list[Trace]:
    """All traces, named by recording and phone; of those that share a fix only the longest, which is the same way."""
    found = [trace for name in FILES for trace in traces_of(root, name)]
    kept: list[Trace] = []
    seen: set[tuple[str, datetime, Place]] = set()
    for trace in sorted(found, key=lambda one: len(one.sightings), reverse=True):
        own = {(trace.phone.split()[0], *fix) for fix in fixes_of(trace)}
        if seen.isdisjoint(own):
            seen |= own
            kept.append(trace)
    return sorted(kept, key=lambda one: one.phone)


def traces_of(root: Path, name: str) -> list[Trace]:
    """The traces of one recording. Raises FileNotFoundError where there is none."""
    file, form, zone = FILES[name]
    data = (root / file).read_bytes()
    data = gzip.decompress(data) if file.endswith(".gz") else data
    recording = TRACE_READERS[form](data, Reading(zone, ACCURACY_M))
    return [Trace(f"{name} {trace.phone}".strip(), trace.sightings) for trace in recording.traces]


def fixes_of(trace: Trace) -> list[TimedFix]:
    """When the phone was where."""
    return [(one.at, (one.fields["latitude"], one.fields["longitude"])) for one in trace.sightings]

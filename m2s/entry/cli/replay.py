"""What would m2s have made of these recorded traces? Sends them to a running service, as phones would."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from m2s.entry.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from m2s.bootstrap import Reading, Recording, Trace
    from m2s.entry.cli.replaying import Due, Phones

EXAMPLE = "Example: m2s replay walk.gpx --key $SDK_KEY --url http://127.0.0.1:8000"

_Format = Literal["gpx", "owntracks", "jsonl", "csv"]
_FORMAT_OF_SUFFIX: dict[str, _Format] = {
    ".gpx": "gpx",
    ".rec": "owntracks",
    ".json": "owntracks",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}
_MOST_BYTES = 32 * 1024 * 1024


_Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Also gzipped, as FILE.gz.")]
_Form = Annotated[_Format | None, typer.Option("--format", help="Else told by the file's name.")]
_Url = Annotated[str, typer.Option(help="Where the service listens.")]
_Key = Annotated[str | None, typer.Option(help="A key of role sdk: each phone of the files registers.")]
_Token = Annotated[
    str | None, typer.Option(help="A device token instead: the files are what that device saw.")
]
_Speed = Annotated[
    float | None,
    typer.Option(min=1, help="Send live, so many times as fast as it was recorded; else all at once."),
]
_Timezone = Annotated[str | None, typer.Option(help="Of times that do not say how far they are from UTC.")]
_AccuracyM = Annotated[
    float, typer.Option(min=1, max=10_000, help="Of positions that do not say how exact they are.")
]
_EachPhone = Annotated[bool, typer.Option("--each-phone", help="Move each phone's trace to now by itself.")]
_Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write JSON lines of the sightings instead, as of when they were."),
]


def replay(
    files: _Files,
    form: _Form = None,
    url: _Url = "http://127.0.0.1:8000",
    key: _Key = None,
    token: _Token = None,
    speed: _Speed = None,
    timezone: _Timezone = None,
    accuracy_m: _AccuracyM = 10.0,
    each_phone: _EachPhone = False,
    out: _Out = None,
    as_json: AsJson = False,
) -> None:
    """Send recorded traces to a running service: GPX, OwnTracks, JSON lines of sightings, CSV.

    They are moved in time, so that they end now. What cannot be sent is left out and counted. The same files
    again, within 72 hours, are repeats and change nothing.
    """
    from m2s.bootstrap import Reading

    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"{url!r} is no address; write it like http://127.0.0.1:8000", param_hint="--url"
        )
    if out is None and (key is None) == (token is None):
        raise typer.BadParameter(
            "give one: --key, a key of role sdk (`m2s keys create --role sdk`), or --token, of a device",
            param_hint="--key",
        )
    reading = Reading(_zone(timezone), accuracy_m)
    recordings = [(file, *_recorded(file, form, reading)) for file in files]
    traces = [trace for _, _, recording in recordings for trace in recording.traces]
    told: dict[str, Any] = {"files": [_of_file(*recording) for recording in recordings]}
    if not as_json:
        for line in _lines(told["files"]):
            typer.echo(line)
    _refuse_useless(told["files"], traces, token=token)
    if out is not None:
        _write(out, traces)
        told["out"] = str(out)
    else:
        told |= _sent(traces, url, key=key, token=token, speed=speed, each=each_phone)
    _tell(told, as_json=as_json)


def _zone(name: str | None) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo, available_timezones

    from campaigns.problems import suggestion

    if name is None:
        return None
    if name not in (known := available_timezones()):
        near = suggestion(name, known) or "write an IANA name, such as Europe/Paris"
        raise typer.BadParameter(f"{name!r} is not a time zone; {near}", param_hint="--timezone")
    return ZoneInfo(name)


def _recorded(file: Path, form: _Format | None, reading: "Reading") -> tuple[_Format, "Recording"]:
    """The format of a file and what it holds; raises Invalid, with the file's name, when that cannot be read."""
    from m2s.bootstrap import TRACE_READERS
    from m2s.core.base.errors import Invalid
    from m2s.entry.cli.printing import waiting

    named = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    chosen = form or _FORMAT_OF_SUFFIX.get(named.suffix.lower())
    if chosen is None:
        raise typer.BadParameter(
            f"what is {file}? add --format gpx, owntracks, jsonl or csv", param_hint="--format"
        )
    try:
        with waiting(f"reading {file}"):
            return chosen, TRACE_READERS[chosen](_data(file), reading)
    except Invalid as error:
        raise Invalid(f"{file}: {error.detail}", code=error.code) from None


def _data(file: Path) -> bytes:
    """What a file holds, inflated where its name ends in .gz; raises Invalid."""
    import gzip
    import zlib

    from m2s.core.base.errors import Invalid

    opened = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            data: bytes = stream.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Invalid(f"cannot be read: {reason.lower()}") from None
    if len(data) > _MOST_BYTES:
        raise Invalid(f"holds more than {_MOST_BYTES // 2**20} MiB; split it")
    return data


def _of_file(file: Path, form: _Format, recording: "Recording") -> dict[str, Any]:
    from m2s.bootstrap import REASONS

    return {
        "file": str(file),
        "format": form,
        "phones": len(recording.traces),
        "sightings": sum(len(trace.sightings) for trace in recording.traces),
        "left_out": [
            {"reason": one.reason, "many": one.many, "first": one.first, "detail": REASONS[one.reason]}
            for one in recording.left_out
        ],
    }


def _lines(files: list[dict[str, Any]]) -> Iterator[str]:
    from m2s.entry.cli.printing import counted

    for file in files:
        held = f"{file['sightings']:,} sightings of {counted(file['phones'], 'phone')}"
        yield f"{file['file']}: {held}"
        for one in file["left_out"]:
            yield f"  {one['many']:,} left out, first at {one['first']}: {one['detail']}"


def _refuse_useless(files: list[dict[str, Any]], traces: "Sequence[Trace]", *, token: str | None) -> None:
    from m2s.core.base.errors import Invalid

    if not traces:
        why = {one["detail"] for file in files for one in file["left_out"]} or {"the files are empty"}
        raise Invalid(f"there is no sighting to send: {'; '.join(sorted(why))}")
    phones = {trace.phone for trace in traces}
    if token is not None and len(phones) > 1:
        shown = ", ".join(map(repr, sorted(phones)[:3]))
        raise Invalid(
            f"a device token speaks for one phone, and these are {len(phones)} ({shown}, …):"
            " give --key with a key of role sdk, and each registers"
        )


def _sent(
    traces: "Sequence[Trace]",
    url: str,
    *,
    key: str | None,
    token: str | None,
    speed: float | None,
    each: bool,
) -> dict[str, Any]:
    import httpx2

    from m2s.core.base.errors import Invalid
    from m2s.entry.cli.replaying import Phones, moved, ready

    dues, shifts, too_old = moved(traces, datetime.now(UTC), speed=speed, each=each)
    try:
        client = httpx2.Client(base_url=url, timeout=60)
    except httpx2.InvalidURL as error:
        raise Invalid(f"{url!r} is no address: {error}") from None
    with client, _progress(len(dues)) as advance:
        phones = Phones(client, traces, key=key, token=token)
        for due in ready(dues):
            phones.send(due)
            advance(len(due))
    return _outcome(traces, dues, phones, shifts=shifts, too_old=too_old)


def _outcome(
    traces: "Sequence[Trace]",
    dues: "Sequence[Due]",
    phones: "Phones",
    *,
    shifts: list[timedelta],
    too_old: int,
) -> dict[str, Any]:
    from collections import Counter

    answers, sent = phones.answers, Counter(due.phone for due in dues)
    return {
        "sent": len(dues),
        "too_old": too_old,
        **answers.counts,
        "rejected": dict(answers.rejected),
        "events": dict(answers.events),
        "devices": [
            {
                "phone": trace.phone,
                "device_id": phones.device_ids.get(place),
                "sent": sent[place],
                "moved_s": shifts[place].total_seconds(),
            }
            for place, trace in enumerate(traces)
        ],
    }


@contextmanager
def _progress(many: int) -> "Iterator[Callable[[int], None]]":
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sightings", total=many)
        yield lambda done: bar.advance(task, done)


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    from m2s.bootstrap import REASONS
    from m2s.entry.cli.printing import print_json

    if as_json:
        print_json(told)
        return
    if "out" in told:
        typer.echo(f"{told['out']} is written")
        return
    if told["too_old"]:
        advice = (
            "" if len(told["devices"]) == 1 else "; --each-phone moves each phone's trace to now by itself"
        )
        typer.echo(f"{told['too_old']:,} left out: {REASONS['too_old']}{advice}")
    days = {round(device["moved_s"] / 86_400, 3) for device in told["devices"]}
    by = f"{min(days):,g}" if len(days) == 1 else f"{min(days):,g} to {max(days):,g}"
    counts = ", ".join(f"{told[name]:,} {name}" for name in ("accepted", "away", "duplicates"))
    rejected = sum(told["rejected"].values())
    typer.echo(f"moved by {by} days and sent: {counts}, {rejected:,} rejected")
    for what in ("rejected", "events"):
        for name, many in sorted(told[what].items()):
            typer.echo(f"  {what}: {many:,} {name}")
    if told["away"] == told["sent"] > 0:
        typer.echo(
            "all were more than 2 km from every zone, or named what m2s does not know: see `m2s stores list`"
        )


def _write(out: Path, traces: "Sequence[Trace]") -> None:
    """One sighting a line, with its time and the phone's name as `device_id`."""
    import msgspec

    from m2s.core.base.errors import Invalid
    from m2s.core.base.instants import rfc3339

    try:
        with out.open("wb") as stream:
            for trace in traces:
                named = {"device_id": trace.phone} if trace.phone else {}
                for one in trace.sightings:
                    line = {**one.fields, "at": rfc3339(one.at), **named}
                    stream.write(msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {(error.strerror or str(error)).lower()}") from None

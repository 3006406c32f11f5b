"""How does what was recorded reach the service again? Moved to now, and posted as the phones would have posted it."""

import hashlib
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec

from m2s.bootstrap import Trace
from m2s.core.base.errors import Invalid, Unavailable
from m2s.core.base.instants import rfc3339

OLDEST = timedelta(hours=71)
"""What is older is not sent: the service takes 72 hours, and a request may wait."""
_DAY = timedelta(days=1)
_MS = timedelta(milliseconds=1)
_MOST_ITEMS, _MOST_BYTES = 500, 900_000
_BUSY = frozenset({429, 503})
_TRIES = 10
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """One sighting of the trace number `phone`: when it is to be sent, and when it is to have happened."""

    phone: int
    due_at: datetime
    happened_at: datetime
    fields: Mapping[str, Any]


def moved(
    traces: Sequence[Trace], now: datetime, *, speed: float | None, each: bool
) -> tuple[list[Due], list[timedelta], int]:
    """What is to be sent in order of sending, by how much each trace is moved, and how many are too old to be sent.

    At once (`speed` None) time is moved by whole days, so that the hour of the day stays and the end lies within the
    last 24 hours; what lies within the last 71 hours is not moved. With a speed the end is moved to the end of the
    sending, and the pauses between two requests are shorter by that factor; between two sightings they stay. All traces
    are moved together, or `each` by itself.
    """
    spans = [(trace.sightings[0].at, trace.sightings[-1].at) for trace in traces]
    if not each:
        spans = [(min(first for first, _ in spans), max(last for _, last in spans))] * len(spans)
    ends = now if speed is None else now + max(last - first for first, last in spans) / speed
    dues, shifts = [], []
    for phone, (trace, (first, last)) in enumerate(zip(traces, spans, strict=True)):
        if speed is not None:
            shift = ends - last
        else:
            recent = now - OLDEST <= first and last <= now
            shift = timedelta(0) if recent else (now - last) // _DAY * _DAY
        shifts.append(shift)
        for one in trace.sightings:
            due_at = now if speed is None else ends - (last - one.at) / speed
            dues.append(Due(phone, due_at, one.at + shift, one.fields))
    kept = [due for due in dues if due.due_at - due.happened_at <= OLDEST]
    kept.sort(key=lambda due: (due.due_at, due.phone, due.happened_at))
    return kept, shifts, len(dues) - len(kept)


def ready(dues: Sequence[Due]) -> Iterator[Sequence[Due]]:
    """What is due by now, again and again until all was; waits where nothing is."""
    place = 0
    while place < len(dues):
        time.sleep(max(0.0, (dues[place].due_at - datetime.now(UTC)).total_seconds()))
        end = bisect_right(dues, datetime.now(UTC), lo=place, key=lambda due: due.due_at)
        yield dues[place:end]
        place = end


@dataclass(slots=True)
class Answers:
    """What the service said to all that was sent."""

    counts: Counter[str] = field(default_factory=lambda: Counter(accepted=0, away=0, duplicates=0))
    rejected: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Mapping[str, Any]) -> None:
        """Adds one answer of `POST /v1/sightings`."""
        for name in tuple(self.counts):
            self.counts[name] += answer[name]
        self.rejected.update(one["code"] for one in answer["rejected"])
        self.events.update(event["type"] for event in answer["events"])


class Phones:
    """The phones of the traces, as the service knows them. With `token` all of them are that one device; with `key`,
    of role sdk, each registers when it first sends, and a trace that was replayed before is the same device again."""

    def __init__(
        self, client: httpx2.Client, traces: Sequence[Trace], *, key: str | None, token: str | None
    ) -> None:
        self.answers = Answers()
        self.device_ids: dict[int, str] = {}
        self._client = client
        self._traces = traces
        self._key = key
        self._token = token
        self._tokens: dict[int, str] = {}

    def send(self, dues: Sequence[Due]) -> None:
        """Sends what is due, each phone for itself; raises Unavailable or Invalid when the service does not take it."""
        by_phone = defaultdict(list)
        for due in dues:
            by_phone[due.phone].append(due)
        for phone, own in by_phone.items():
            token = self._token_of(phone)
            for batch in _batches(own):
                self.answers.add(self._post("/v1/sightings", token, lambda batch=batch: _body(batch)))

    def _token_of(self, phone: int) -> str:
        if self._token is not None:
            return self._token
        if phone not in self._tokens:
            once = _once(self._traces[phone])
            answer = self._post("/v1/devices", self._key or "", lambda: b"{}", once=once)
            self._tokens[phone] = answer["device_token"]
            self.device_ids[phone] = answer["device_id"]
        return self._tokens[phone]

    def _post(self, path: str, bearer: str, body: Any, *, once: str | None = None) -> Any:
        """Posts, and again while the service is busy: the body is written anew each time, with the ages of then."""
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        if once is not None:
            headers["Idempotency-Key"] = once
        for _ in range(_TRIES):
            try:
                answer = self._client.post(path, content=body(), headers=headers)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                raise Unavailable(
                    f"{self._client.base_url} cannot be reached: {error}; is `m2s serve` running there?"
                    " Replay again when it is: what was taken is not taken twice"
                ) from None
            if answer.status_code not in _BUSY:
                break
            time.sleep(_pause_s(answer))
        if not answer.is_success:
            raise Invalid(f"{answer.request.url} answers {answer.status_code}: {_detail(answer)}")
        return answer.json()


def _once(trace: Trace) -> str:
    """By what a phone is known again: its name and the first of what it saw. Ids alone can come from anywhere."""
    first = trace.sightings[0]
    said = msgspec.json.encode([trace.phone, rfc3339(first.at), first.fields], order="deterministic")
    return f"replay-{hashlib.sha256(said).hexdigest()}"


def _batches(dues: Sequence[Due]) -> Iterator[Sequence[Due]]:
    """Pieces that the service takes in one request."""
    start, size = 0, 0
    for place, due in enumerate(dues):
        size += len(msgspec.json.encode(due.fields)) + len(',"age_ms":000000000')
        if place > start and (place - start == _MOST_ITEMS or size > _MOST_BYTES):
            yield dues[start:place]
            start, size = place, 0
    yield dues[start:]


def _body(batch: Sequence[Due]) -> bytes:
    now = datetime.now(UTC)
    return msgspec.json.encode(
        {"sent_at": rfc3339(now), "sightings": [_item(due, (now - due.happened_at) // _MS) for due in batch]}
    )


def _item(due: Due, age_ms: int) -> dict[str, Any]:
    item = {**due.fields, "age_ms": max(0, age_ms)}
    if "samples" in item:
        item["samples"] = [
            {**sample, "age_ms": item["age_ms"] + sample["age_ms"]} for sample in item["samples"]
        ]
    return item


def _pause_s(answer: httpx2.Response) -> float:
    told = answer.headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(told)) if told.isdecimal() else 1.0


def _detail(answer: httpx2.Response) -> str:
    try:
        document = answer.json()
        return str(document["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]

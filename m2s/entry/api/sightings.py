"""The fast door: `POST /v1/sightings` as a plain ASGI function with msgspec, answered after the synced commit.

A whole batch is decoded at once; only when that fails is it decoded item by item, so that a bad item is rejected
alone and its neighbours are taken. NaN, Infinity and half of a surrogate pair, which are no JSON but which phones send,
cost their item only.
"""

import re
from itertools import count

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from m2s.app.access import Principal, Role
from m2s.app.sighting import Answer, Batch, BeaconSighting, Geofence, Location, Moment, Rejected, Sighting
from m2s.bootstrap import Engine
from m2s.core.base.errors import Invalid, M2sError, Problem, TooLarge, Unavailable
from m2s.core.base.instants import to_ms
from m2s.core.presence.evidence import Transition
from m2s.entry.api.bodies import (
    DEEPEST,
    ClientGoneError,
    media_type,
    nested_deeper,
    not_json,
    read_body,
    too_deep,
    with_nul_for_half_pairs,
    with_numbers_for_constants,
)
from m2s.entry.api.door import admit, bearer, check_query
from m2s.entry.api.problems import UnsupportedMedia, document_of, unexpected
from m2s.entry.api.room import Room
from m2s.entry.api.sentences import of_msgspec
from m2s.entry.api.waiting import answered

PATH = "/v1/sightings"
ROLES = frozenset({Role.DEVICE, Role.SERVER})
MOST_BYTES = 1024 * 1024
MOST_ITEMS = 500
SAMPLED_EVERY = 64
"""Unknown fields are counted in one request of so many, because that needs a second decoding."""
_MOST_SAMPLED_BYTES = 64 * 1024
"""In none that is larger: what is decoded without knowing its fields can take a hundred times its size."""

log = structlog.get_logger()


class Sightings(msgspec.Struct, frozen=True):
    """Up to 500 sightings; `sent_at` is the sender's clock at this attempt."""

    sightings: list[Sighting]
    sent_at: Moment | None = None


class _Envelope(msgspec.Struct, frozen=True):
    sightings: list[msgspec.Raw]
    sent_at: Moment | None = None


class _Named(msgspec.Struct, frozen=True):
    id: str


_sightings = msgspec.json.Decoder(Sightings)
_envelope = msgspec.json.Decoder(_Envelope)
_item = msgspec.json.Decoder(Sighting)
_named = msgspec.json.Decoder(_Named)
_answer = msgspec.json.Encoder()
_DECODING = (msgspec.DecodeError, UnicodeDecodeError)
_PLACED = re.compile(r"(.*?)(?: - at `\$([^`]*)`)?", re.DOTALL)
_TRANSITIONS = f"write one of {', '.join(sorted(Transition))}"
_FIELDS = {
    kind.__struct_config__.tag: frozenset(kind.__struct_fields__) | {"kind"}
    for kind in (Location, Geofence, BeaconSighting)
}


class SightingsDoor:
    """Takes batches for one engine."""

    def __init__(self, engine: Engine, room: Room) -> None:
        self._engine = engine
        self._room = room
        self._requests = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers = [("content-type", "application/json")]
        status = 200
        try:
            body = _answer.encode(await self._take(scope, receive))
        except ClientGoneError:
            return
        except M2sError as error:
            status, body, headers = document_of(error)
            if isinstance(error, Unavailable):
                self._engine.metrics.refused(error.code)
        except Exception:
            log.exception("sightings.failed")
            status = 500
            body, headers = unexpected()
        raw = [(name.encode(), value.encode()) for name, value in headers]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: Scope, receive: Receive) -> Answer:
        headers = scope["headers"]
        caller = await admit(self._engine, bearer(headers), ROLES)
        check_query(scope["query_string"], ())
        if media_type(headers) != "application/json":
            raise UnsupportedMedia("send the sightings as application/json")
        self._engine.database.check_room()
        with self._room.hold() as held:
            body = await read_body(receive, headers, limit=MOST_BYTES, held=held, gzip_allowed=True)
            return await self._answer(caller, body)

    async def _answer(self, caller: Principal, body: bytes) -> Answer:
        items, rejected, sent_at_ms = _decode(body)
        if next(self._requests) % SAMPLED_EVERY == 0 and len(body) <= _MOST_SAMPLED_BYTES:
            self._engine.metrics.unknown_fields(unknown_fields(body))
        batch = await self._batch(caller, items, rejected=rejected, sent_at_ms=sent_at_ms)
        answer = await answered(self._engine.submit(batch))
        self._engine.metrics.sightings(
            accepted=answer.accepted,
            away=answer.away,
            duplicates=answer.duplicates,
            rejected=len(answer.rejected),
        )
        if answer.rejected:
            in_order = sorted(answer.rejected, key=lambda item: item.index)
            answer = msgspec.structs.replace(answer, rejected=in_order)
        return _for_device(answer) if caller.role is Role.DEVICE else answer

    async def _batch(
        self,
        caller: Principal,
        items: list[tuple[int, Sighting]],
        *,
        rejected: list[Rejected],
        sent_at_ms: int | None,
    ) -> Batch:
        received_at_ms = to_ms(self._engine.clock.now())
        device = caller.device
        own = None if device is None else device.id
        shoppers = {} if device is None else {device.id: device.shopper_id}
        if own is None:
            shoppers = await self._shoppers_of({item.device_id for _, item in items if item.device_id})
        taken = []
        for index, item in items:
            problem = _bad_item(item) or _bad_device(item, own, shoppers=shoppers)
            if problem is None:
                taken.append((index, item))
            else:
                name = item.id if item.id.isprintable() else None
                rejected.append(Rejected(index, name, *problem))
        return Batch(own, shoppers, received_at_ms, sent_at_ms, taken, rejected)

    async def _shoppers_of(self, device_ids: set[str]) -> dict[str, str]:
        known = self._engine.devices.known_shoppers(device_ids)
        if unknown := device_ids - known.keys():
            known |= await run_in_threadpool(self._engine.devices.shoppers_of, unknown)
        return known


def unknown_fields(body: bytes) -> int:
    """How many fields of a batch are unknown here; a newer SDK may send them."""
    try:
        batch = msgspec.json.decode(body)
    except (*_DECODING, RecursionError):
        return 0
    items = [item for item in batch["sightings"] if isinstance(item, dict)]
    unknown = sum(len(item.keys() - known) for item in items if (known := _FIELDS.get(str(item.get("kind")))))
    return unknown + len(batch.keys() - set(Sightings.__struct_fields__))


def _decode(body: bytes) -> tuple[list[tuple[int, Sighting]], list[Rejected], int | None]:
    try:
        batch = _sightings.decode(body)
    except RecursionError:
        raise too_deep() from None
    except _DECODING:
        return _decode_singly(body)
    items = batch.sightings
    if len(items) > MOST_ITEMS:
        raise _too_many(len(items))
    if body.count(b"[") + body.count(b"{") > _brackets(items) + DEEPEST and nested_deeper(body, DEEPEST):
        raise too_deep()
    return list(enumerate(items)), [], _ms(batch.sent_at)


def _decode_singly(body: bytes) -> tuple[list[tuple[int, Sighting]], list[Rejected], int | None]:
    try:
        envelope = _envelope.decode(with_nul_for_half_pairs(with_numbers_for_constants(body)))
    except RecursionError:
        raise too_deep() from None
    except msgspec.ValidationError as error:
        place, detail = _told(error)
        raise Invalid("the batch is not valid", problems=[Problem(place, "invalid", detail)]) from None
    except _DECODING:
        raise not_json(body) from None
    if len(envelope.sightings) > MOST_ITEMS:
        raise _too_many(len(envelope.sightings))
    if nested_deeper(body, DEEPEST):
        raise too_deep()
    items, rejected = [], []
    for index, raw in enumerate(envelope.sightings):
        try:
            items.append((index, _item.decode(raw)))
        except _DECODING as error:
            rejected.append(Rejected(index, _name(raw), *_verdict(error)))
    return items, rejected, _ms(envelope.sent_at)


def _verdict(error: Exception) -> tuple[str, str]:
    """Code and detail; the detail names the field and never repeats what was sent."""
    if not isinstance(error, msgspec.ValidationError):
        return "invalid", "the item is not valid UTF-8"
    if str(error).startswith("Invalid value") and str(error).endswith("`$.kind`"):
        return "unknown_kind", f"/kind: write one of {', '.join(sorted(map(str, _FIELDS)))}"
    place, detail = _told(error)
    return "invalid", f"{place}: {detail}" if place else detail


def _told(error: msgspec.ValidationError) -> tuple[str, str]:
    message, path = _PLACED.fullmatch(str(error)).groups("")  # type: ignore[union-attr]  # it matches any text
    place = path.replace(".", "/").replace("[", "/").replace("]", "")
    if place == "/transition" and message.startswith("Invalid enum value"):
        return place, _TRANSITIONS
    return of_msgspec(place, message)


def _name(raw: msgspec.Raw) -> str | None:
    try:
        name = _named.decode(raw).id
    except _DECODING:
        return None
    return name if name.isprintable() and 0 < len(name) <= 64 else None


def _bad_item(item: Sighting) -> tuple[str, str] | None:
    if not item.id.isprintable():
        return "invalid", "/id: only printable characters"
    if item.source is not None and not item.source.isprintable():
        return "invalid", "/source: only printable characters"
    if item.at is None and item.age_ms is None:
        return "missing_time", "give `age_ms`, the age at sending, or `at`, the time with its offset"
    if type(item) is Geofence and not all(region.isprintable() for region in item.region_ids):
        return "invalid", "/region_ids: only printable characters"
    return None


def _bad_device(item: Sighting, own: str | None, *, shoppers: dict[str, str]) -> tuple[str, str] | None:
    if own is not None:
        if item.device_id in (None, own):
            return None
        return "other_device", "/device_id: a device token sends its own sightings only; leave it out"
    if item.device_id is None:
        return "missing_device", "/device_id: role `server` has to name the device of each sighting"
    if item.device_id not in shoppers:
        return "unknown_device", "/device_id: no such device is registered"
    return None


def _for_device(answer: Answer) -> Answer:
    """A phone never learns that its owner was held out or why nothing was sent."""
    events = [event for event in answer.events if event.get("outcome", "send") == "send"]
    return answer if len(events) == len(answer.events) else msgspec.structs.replace(answer, events=events)


def _brackets(items: list[Sighting]) -> int:
    """How many brackets the fields that are known open."""
    expected = 2 + len(items)
    for item in items:
        if type(item) is Geofence:
            expected += 1
        elif type(item) is BeaconSighting:
            expected += 1 + len(item.samples)
    return expected


def _ms(instant: Moment | None) -> int | None:
    return None if instant is None else to_ms(instant)


def _too_many(number: int) -> TooLarge:
    return TooLarge(f"the batch has {number} sightings; send {MOST_ITEMS} at most", code="too_many_items")

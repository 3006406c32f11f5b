"""Who is in which zone now, and which offers does a step in or a stay bring up? Presence in memory, kept in storage."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta

import msgspec

from beacons.ranging import Proximity
from campaigns.model import BeaconSeen, Research
from m2s.app.catalog import Catalog, LiveOffer
from m2s.app.firing import Change, Fired, by_evidence, fire
from m2s.app.ports import Records
from m2s.core.places.store import Beacon
from m2s.core.places.zone import PREMISES
from m2s.core.presence.evidence import BEACON, Evidence
from m2s.core.presence.nearness import BeaconPresence, heard_for, silent, track_beacon
from m2s.core.presence.tracker import Presence, left, left_by_fix, left_by_silence, track
from m2s.core.presence.whereabouts import Whereabouts, track_whereabouts

_BEACON = "beacon:"
"""Before a place and a proximity; alone it is where among the store's beacons she is."""
_State = Presence | BeaconPresence | Whereabouts
_Zones = dict[tuple[str, str], _State]
_NOWHERE: _Zones = {}
_text_of = msgspec.json.Encoder().encode
_read_presence = msgspec.json.Decoder(Presence).decode
_read_beacon = msgspec.json.Decoder(BeaconPresence).decode
_read_whereabouts = msgspec.json.Decoder(Whereabouts).decode


class Presences:
    """Every open presence by shopper; changed only through a `Step` that has been committed."""

    def __init__(self) -> None:
        self.by_shopper: dict[str, _Zones] = {}

    def load(self, records: Records) -> None:
        """Takes up what was open when the service last stopped."""
        self.by_shopper = {}
        for shopper_id, store_id, zone_id, state in records.sightings.all_presence():
            self.by_shopper.setdefault(shopper_id, {})[store_id, zone_id] = _read(zone_id)(state)

    def move(self, shopper_id: str, *, to: str) -> None:
        """Gives what is open of a shopper to another: of one zone what was seen last."""
        gone = self.by_shopper.pop(shopper_id, None)
        if gone:
            own = self.by_shopper.get(to, _NOWHERE)
            newer = {
                zone: state
                for zone, state in gone.items()
                if zone not in own or own[zone].seen_at_ms < state.seen_at_ms
            }
            self.by_shopper[to] = {**own, **newer}

    def inside(
        self, shopper_ids: Iterable[str], catalog: Catalog, *, at_ms: int
    ) -> dict[str, frozenset[str]]:
        """The stores whose premises each shopper is in at an instant."""
        return {
            shopper_id: _inside(self.by_shopper.get(shopper_id, _NOWHERE), catalog, at_ms=at_ms)
            for shopper_id in shopper_ids
        }

    def researching(self, shopper_ids: Iterable[str], catalog: Catalog, *, at_ms: int) -> list[Fired]:
        """What fires for shoppers who look something up, wherever they are inside of a zone now."""
        return [
            Fired(live, "research", shopper_id, None, *zone, f"research@{at_ms}", at_ms, state.entered_at_ms)
            for shopper_id in shopper_ids
            for zone, state in self.by_shopper.get(shopper_id, _NOWHERE).items()
            if isinstance(state, Presence)
            and state.entered_at_ms is not None
            and _lasts(state, zone, catalog, at_ms=at_ms)
            for live in catalog.by_zone.get(zone, ())
            if isinstance(live.offer.trigger, Research)
        ]

    def over(self, now_ms: int, catalog: Catalog) -> "Step":
        """The step that ends every presence which silence has ended."""
        step = Step(self)
        for shopper_id, zones in self.by_shopper.items():
            for (store_id, zone_id), state in zones.items():
                rules = catalog.rules.get((store_id, PREMISES))
                if rules is None or (
                    left_by_silence(state, now_ms, rules=rules)
                    if isinstance(state, Presence)
                    else silent(state, now_ms)
                ):
                    step.put(shopper_id, (store_id, zone_id), None)
        return step


class Step:
    """What one group changes, laid over the presences; `keep` writes it, `publish` makes it seen."""

    def __init__(self, base: Presences) -> None:
        self._base = base
        self._open: dict[str, _Zones] = {}
        self._changed: dict[tuple[str, tuple[str, str]], None] = {}

    def own(self, shopper_id: str) -> _Zones:
        """The open presences of a shopper as this step leaves them: change them through the step only."""
        zones = self._open.get(shopper_id)
        if zones is None:
            zones = self._open[shopper_id] = dict(self._base.by_shopper.get(shopper_id, _NOWHERE))
        return zones

    def put(self, shopper_id: str, zone: tuple[str, str], state: _State | None) -> None:
        """Lays a state over; None ends it."""
        zones = self.own(shopper_id)
        self._changed[shopper_id, zone] = None
        if state is None:
            zones.pop(zone, None)
        else:
            zones[zone] = state

    def zones(self, shopper_id: str) -> Mapping[tuple[str, str], _State]:
        """All open presences of a shopper."""
        zones = self._open.get(shopper_id)
        return self._base.by_shopper.get(shopper_id, _NOWHERE) if zones is None else zones

    def leavable_since(self, shopper_id: str) -> int | None:
        """Since when a fix outside of every zone can end something; None where there is nothing to end."""
        since_ms: int | None = None
        for state in self.zones(shopper_id).values():
            if isinstance(state, Presence) and state.can_be_left:
                seen_ms = state.seen_at_ms
                if since_ms is None or seen_ms < since_ms:
                    since_ms = seen_ms
        return since_ms

    def inside(
        self, shopper_ids: Iterable[str], catalog: Catalog, *, at_ms: int
    ) -> dict[str, frozenset[str]]:
        """The stores whose premises each shopper is in at an instant."""
        return {
            shopper_id: _inside(self.zones(shopper_id), catalog, at_ms=at_ms) for shopper_id in shopper_ids
        }

    def leave(
        self,
        shopper_id: str,
        at_ms: int,
        *,
        accuracy_m: float,
        but: Collection[tuple[str, str]],
        catalog: Catalog,
    ) -> list[tuple[tuple[str, str], int]]:
        """A fix ends the shopper's presence in every zone whose padding it is outside of: all `but` these.

        Returns those that she was inside of and that offers watch, each with when she had come in. What silence had
        ended by then is not among them: nobody knows when she left.
        """
        ended = []
        for zone, state in self.zones(shopper_id).items():
            if not isinstance(state, Presence) or zone in but or not state.can_be_left:
                continue
            rules = catalog.rules.get(zone)
            if rules is not None and left_by_fix(state, at_ms, accuracy_m=accuracy_m, rules=rules):
                ended.append((zone, state, rules))
        watched = []
        for zone, state, rules in ended:
            if (
                state.entered_at_ms is not None
                and zone in catalog.by_zone
                and not left_by_silence(state, at_ms, rules=rules)
            ):
                watched.append((zone, state.entered_at_ms))
                self.put(shopper_id, zone, left(state, at_ms))
            else:
                self.put(shopper_id, zone, None)
        return watched

    def advance(self, evidence: Evidence, catalog: Catalog, fired: list[Fired]) -> None:
        """Moves presence on by one piece of evidence and adds the triggers that this fires."""
        zone = (evidence.store_id, evidence.zone_id)
        zones = self.own(evidence.shopper_id)
        before = zones.get(zone)
        assert before is None or isinstance(before, Presence)  # noqa: S101  beacon states have their own keys
        rules = catalog.rules[zone]
        after, events = track(before, evidence, rules=rules)
        if after is not None and after is not before:
            zones[zone] = after
            self._changed[evidence.shopper_id, zone] = None
        # Nothing fires of who stays outside.
        stays_out = after is None or (not events and after.entered_at_ms is None)
        offers = None if stays_out else catalog.by_zone.get(zone)
        if offers and after is not None:
            # What silence has ended is no step out, however late it is found: nobody knows when she left.
            if before is not None and left_by_silence(before, evidence.at_ms, rules=rules):
                before = None
            fired += fire(offers, evidence, Change(before, after, events))
        if evidence.kind is not BEACON:
            return
        elsewhere = self._elsewhere(evidence, catalog.apart.get(evidence.store_id))
        if evidence.place is not None:
            heard = catalog.by_place.get((evidence.store_id, evidence.place))
            if heard:
                fired += self._hear(evidence, evidence.place, heard, elsewhere=elsewhere)

    def _elsewhere(self, evidence: Evidence, beacons: Mapping[str, Beacon] | None) -> bool:
        """Whether the shopper is at another place of the store than where a beacon was heard just now."""
        if beacons is None:
            return False
        zone = (evidence.store_id, _BEACON)
        before = self.own(evidence.shopper_id).get(zone)
        assert before is None or isinstance(before, Whereabouts)  # noqa: S101
        powers = {name: beacon.measured_power_dbm for name, beacon in beacons.items()}
        after = track_whereabouts(before, evidence, measured_power_dbm=powers)
        if after is not before:
            self.put(evidence.shopper_id, zone, after)
        at = beacons.get(after.place.beacon) if after is not None and after.place is not None else None
        return at is not None and at.place != evidence.place

    def _hear(
        self, evidence: Evidence, place: str, offers: Iterable[LiveOffer], *, elsewhere: bool
    ) -> Iterator[Fired]:
        steps: dict[str, tuple[BeaconPresence | None, BeaconPresence | None]] = {}
        for live in offers:
            trigger = live.offer.trigger
            assert isinstance(trigger, BeaconSeen)  # noqa: S101  only these stand in by_place
            wanted = Proximity(trigger.proximity.value)
            if wanted.value not in steps:
                zone = (evidence.store_id, f"{_BEACON}{place}:{wanted.value}")
                before = self.own(evidence.shopper_id).get(zone)
                assert before is None or isinstance(before, BeaconPresence)  # noqa: S101
                steps[wanted.value] = (
                    before,
                    track_beacon(before, evidence, wanted=wanted, elsewhere=elsewhere),
                )
                self.put(evidence.shopper_id, zone, steps[wanted.value][1])
            before, after = steps[wanted.value]
            if heard_for(before, after, duration_ms=_ms(trigger.duration)) and after is not None:
                yield by_evidence(live, "beacon", evidence, since_ms=after.first_ms or evidence.at_ms)

    def keep(self, records: Records) -> None:
        """Writes what changed; what began and ended within the step was never stored."""
        put, drop = [], []
        for shopper_id, zone in self._changed:
            state = self._open[shopper_id].get(zone)
            if state is not None:
                put.append((shopper_id, *zone, state.seen_at_ms, _text_of(state).decode()))
            elif zone in self._base.by_shopper.get(shopper_id, _NOWHERE):
                drop.append((shopper_id, *zone))
        if put:
            records.sightings.put_presence(put)
        if drop:
            records.sightings.drop_presence(drop)

    def publish(self) -> None:
        """Makes what changed seen, once it is committed."""
        for shopper_id in dict.fromkeys(shopper_id for shopper_id, _ in self._changed):
            if zones := self._open[shopper_id]:
                self._base.by_shopper[shopper_id] = zones
            else:
                self._base.by_shopper.pop(shopper_id, None)


def _read(zone_id: str) -> Callable[[str], _State]:
    if zone_id == _BEACON:
        return _read_whereabouts
    return _read_beacon if zone_id.startswith(_BEACON) else _read_presence


def _inside(zones: Mapping[tuple[str, str], _State], catalog: Catalog, *, at_ms: int) -> frozenset[str]:
    return frozenset(
        zone[0]
        for zone, state in zones.items()
        if zone[1] == PREMISES
        and isinstance(state, Presence)
        and state.inside
        and _lasts(state, zone, catalog, at_ms=at_ms)
    )


def _lasts(state: Presence, zone: tuple[str, str], catalog: Catalog, *, at_ms: int) -> bool:
    """Whether silence has not ended a presence by an instant, though no job has taken it out yet."""
    rules = catalog.rules.get(zone)
    return rules is not None and not left_by_silence(state, at_ms, rules=rules)


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)

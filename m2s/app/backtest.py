"""What would have been sent? Stored evidence played again, in order of time, through triggers and deciding.

It is the engine of every day with another memory (`m2s.app.hindsight`), and it writes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from operator import itemgetter
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.facts import Candidate
from campaigns.identity import version_of
from campaigns.model import AfterRedemption, AfterVisit, Campaign, Crossing, Offer, Research
from m2s.app.catalog import Catalog, LiveCampaign, stores_of, with_campaigns
from m2s.app.deciding import UNIVERSAL_SALT, Deciding, House, look_back, make_candidate
from m2s.app.facts import store_facts
from m2s.app.firing import Fired
from m2s.app.follow_ups import follow_up, takes_part
from m2s.app.hindsight import Hindsight
from m2s.app.occasions import moments_of
from m2s.app.ports import Database, Records
from m2s.app.presences import Presences, Step
from m2s.app.retention import evidence_kept_since
from m2s.app.scheduled import Send, audience_of, due_sends, occasion_of_send
from m2s.app.spending import Place, Used
from m2s.app.tally import TABLES, Tally
from m2s.core.base.errors import Conflict
from m2s.core.base.instants import from_ms, rfc3339, to_ms
from m2s.core.presence.evidence import Evidence

_WARM_UP = timedelta(hours=6)
"""For so long before the span evidence is played to know who is inside at its start."""
_INSTANT = timedelta(milliseconds=1)
_TOGETHER = 2_000
"""How many moments have their shoppers' facts read together."""
Progress = Callable[[float], object]
Turn = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Played:
    """What a run decided; `used` is what its sends used up, and `notes` say what it could not know."""

    name: str
    versions: Mapping[str, str]
    evidence: int
    tally: Tally
    used: Mapping[Place, Used]
    notes: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        """It as JSON, with all tables."""
        return {
            "name": self.name,
            "versions": dict(self.versions),
            "evidence": self.evidence,
            "notes": list(self.notes),
            **{name: table(self.tally, self.used) for name, table in TABLES.items()},
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """The campaigns of a run, some of them tried: `tried` by id; `lifted` are those whose dates were set aside."""

    name: str
    catalog: Catalog
    tried: Mapping[str, Campaign]
    lifted: tuple[str, ...]


@dataclass(slots=True)
class _Moment:
    """One instant at which something may be offered to a shopper: what fired then, or one that was planned."""

    at_ms: int
    shopper_id: str
    fired: list[Fired]
    inside: frozenset[str]
    planned: Candidate | None = None


class Backtest:
    """Plays stored evidence again with campaigns that are tried."""

    def __init__(self, database: Database, *, catalog: Callable[[], Catalog], house: House) -> None:
        """The universal holdout of the house is drawn with the salt that the database keeps."""
        self._database = database
        self.catalog = catalog
        self.house = house
        self._playing = Lock()

    def scenario(
        self, name: str, campaigns: Sequence[Campaign], *, since: datetime, until: datetime
    ) -> Scenario:
        """What runs, with these campaigns added or in place of those of the same id, and running.

        Where none of a campaign's days is in the span, its dates are set aside.
        """
        catalog = self.catalog()
        live = dict(catalog.campaigns)
        lifted = []
        for campaign in campaigns:
            known = live.get(campaign.id)
            salt = known.salt if known is not None else campaign.id
            played = campaign
            if not _overlaps(campaign, catalog, since, until=until):
                played = _without_dates(campaign)
                lifted.append(campaign.id)
            live[campaign.id] = LiveCampaign(played, version_of(campaign), paused=False, salt=salt)
        tried = {campaign.id: campaign for campaign in campaigns}
        return Scenario(name, with_campaigns(catalog, live), tried, tuple(lifted))

    def play(
        self,
        scenario: Scenario,
        *,
        since: datetime,
        until: datetime,
        progress: Progress = lambda _share: None,
        turn: Turn = lambda: None,
    ) -> Played:
        """Plays [since, until); `progress` is told the share that is done, `turn` lets others go on.

        Raises Conflict while this process plays another one.
        """
        if not self._playing.acquire(blocking=False):
            raise Conflict("another backtest or plan is being made; try again when it is done", code="busy")
        try:
            with self._database.read() as records:
                return self._play(records, scenario, span=(since, until), turn=turn, progress=progress)
        finally:
            self._playing.release()

    def _play(
        self,
        records: Records,
        scenario: Scenario,
        *,
        span: tuple[datetime, datetime],
        turn: Turn,
        progress: Progress,
    ) -> Played:
        salt = records.catalog.setting(UNIVERSAL_SALT) or ""
        house = replace(self.house, policy=replace(self.house.policy, universal_salt=salt))
        run = _Run(records, scenario.catalog, house, span=span, turn=turn)
        for share in run.play():
            progress(share)
        kept_since = evidence_kept_since(records)
        notes = list(_notes(scenario))
        if kept_since is not None and kept_since > span[0]:
            notes.append(f"Evidence is kept since {rfc3339(kept_since)}: what was before is missing.")
        versions = {name: version_of(campaign) for name, campaign in scenario.tried.items()}
        return Played(scenario.name, versions, run.evidence, run.tally, run.used, tuple(notes))


class _Run:
    """One run under way."""

    def __init__(
        self,
        records: Records,
        catalog: Catalog,
        house: House,
        *,
        span: tuple[datetime, datetime],
        turn: Turn,
    ) -> None:
        self._records = records
        self._catalog = catalog
        self._house = house
        self._since, self._until = span
        self._turn = turn
        offers = [offer for live in catalog.campaigns.values() for offer in live.campaign.offers]
        self._past = look_back(house.policy, offers)
        self._known = Hindsight(records, offers, since=self._since)
        self._presences = Presences()
        self._open: dict[tuple[str, str], _Moment] = {}
        self.tally = Tally()
        self.evidence = 0

    @property
    def used(self) -> Mapping[Place, Used]:
        """What the sends used up."""
        return self._known.spending.kept

    def play(self) -> Iterator[float]:
        """Plays page after page; gives the share that is done after each."""
        planned = deque(sorted(self._planned(), key=itemgetter(0)))
        watched = {store_id for store_id, _ in (*self._catalog.by_zone, *self._catalog.by_place)}
        begin_ms, end_ms = to_ms(self._since), to_ms(self._until)
        pages = self._records.sightings.evidence_between(
            to_ms(self._since - _WARM_UP), end_ms, store_ids=watched
        )
        for page in pages if watched else ():
            moments = self._advance(page, begin_ms)
            last_ms = page[-1].at_ms
            while planned and planned[0][0] <= last_ms:
                moments += self._make(*planned.popleft())
            self._decide(moments)
            yield min(1.0, max(0.0, (last_ms - begin_ms) / (end_ms - begin_ms)))
        rest = self._close(end_ms, Step(self._presences))
        for due in planned:
            rest += self._make(*due)
        self._decide(rest)
        yield 1.0

    def _advance(self, page: Sequence[Evidence], begin_ms: int) -> list[_Moment]:
        """Moves presences on, and gives what fired at instants that are over."""
        step, catalog = Step(self._presences), self._catalog
        moments: list[_Moment] = []
        fired: list[Fired] = []
        at_ms = 0
        for evidence in page:
            if evidence.at_ms != at_ms:
                at_ms = evidence.at_ms
                if self._open:
                    moments += self._close(at_ms, step)
            if (evidence.store_id, evidence.zone_id) not in catalog.rules:
                continue
            step.advance(evidence, catalog, fired)
            if fired and at_ms >= begin_ms:
                for one in fired:
                    key = one.shopper_id, one.moment
                    if key not in self._open:
                        self._open[key] = _Moment(at_ms, one.shopper_id, [], frozenset())
                    self._open[key].fired.append(one)
            fired.clear()
        self.evidence += len(page)
        step.publish()
        self._presences.over(at_ms, catalog).publish()
        return moments

    def _close(self, at_ms: int, step: Step) -> list[_Moment]:
        """The moments of the instant that is over, each with where the shopper was."""
        moments = list(self._open.values())
        self._open = {}
        for one in moments:
            one.inside = step.inside([one.shopper_id], self._catalog, at_ms=at_ms)[one.shopper_id]
        return moments

    def _planned(self) -> Iterator[tuple[int, Send | Candidate]]:
        """What comes due in the span without evidence, by time."""
        for send in due_sends(self._catalog, self._since - _INSTANT, self._until - _INSTANT):
            yield to_ms(send.due), send
        for entry in self._catalog.following:
            trigger = entry.offer.trigger
            if not isinstance(trigger, AfterVisit | AfterRedemption) or entry.live.paused:
                continue
            histories = self._records.histories
            found = histories.visits_ended if isinstance(trigger, AfterVisit) else histories.redeemed
            for past in found(self._since - trigger.delay, self._until - trigger.delay):
                at = past.at + trigger.delay
                if past.store_id in self._catalog.stores and takes_part(entry, trigger, past, self._catalog):
                    yield to_ms(at), follow_up(entry, trigger, past, catalog=self._catalog, now=at)

    def _make(self, at_ms: int, due: Send | Candidate) -> list[_Moment]:
        if isinstance(due, Candidate):
            return [_Moment(at_ms, due.occasion.shopper_id, [], frozenset(), due)]
        audience = audience_of(self._records, due, self._catalog, until=due.due)
        moments = []
        for store in due.stores:
            there = store_facts(store, due.due)
            moments += [
                _Moment(
                    at_ms,
                    shopper_id,
                    [],
                    frozenset(),
                    make_candidate(due.entry, occasion_of_send(due, shopper_id, near), there),
                )
                for shopper_id, near in audience.get(store.id, {}).items()
            ]
        return moments

    def _decide(self, moments: list[_Moment]) -> None:
        moments.sort(key=lambda one: one.at_ms)
        for first in range(0, len(moments), _TOGETHER):
            part = moments[first : first + _TOGETHER]
            pairs = {
                (one.shopper_id, store_id)
                for one in part
                for store_id in (
                    {fired.store_id for fired in one.fired}
                    if one.planned is None
                    else (one.planned.store.store_id,)
                )
            }
            self._known.load(pairs, from_ms(part[0].at_ms), past=self._past)
            for one in part:
                self._decide_one(one)
                self._turn()

    def _decide_one(self, moment: _Moment) -> None:
        known, catalog, now = self._known, self._catalog, from_ms(moment.at_ms)
        known.now = now
        if moment.planned is None:
            together = list(moments_of(known, moment.fired, catalog=catalog, now=now).values())
        else:
            together = [[moment.planned]]
        if not together:
            return
        inside = {moment.shopper_id: moment.inside}
        deciding = Deciding(known, together, house=self._house, catalog=catalog, inside=inside, now=now)
        for candidates in together:
            if moment.planned is None:
                deciding.decide(candidates, now=now)
            else:
                deciding.decide_scheduled(candidates, now=now)
        made = deciding.count_on(known.spending)
        known.remember(made)
        self.tally.count(made)


def _overlaps(campaign: Campaign, catalog: Catalog, since: datetime, *, until: datetime) -> bool:
    """Whether the campaign runs on a day of [since, until), by its own clock or those of its stores."""
    stores = stores_of(campaign, catalog.stores.values())
    zones = {campaign.timezone} if campaign.timezone else {store.timezone for store in stores}
    return any(
        (campaign.since or date.min) <= (until - _INSTANT).astimezone(zone).date()
        and (campaign.until or date.max) >= since.astimezone(zone).date()
        for zone in map(ZoneInfo, sorted(zones))
    )


def _without_dates(campaign: Campaign) -> Campaign:
    offers = tuple(replace(offer, since=None, until=None) for offer in campaign.offers)
    return replace(campaign, since=None, until=None, offers=offers)


def _notes(scenario: Scenario) -> tuple[str, ...]:
    """What a reader has to know of the figures."""
    notes = [
        "Visits, staff, consents and addresses are those known today; of visits, baskets and research only what had "
        "happened by then.",
        "Each phone is taken to have told at once, so nothing comes too late. Fixes outside every zone are not kept: "
        "presences end by evidence or by silence.",
        "Budgets, stock and pace begin with nothing used; sends and ghosts before the span weigh on pressure, those "
        "in it are the run's own.",
    ]
    notes += [
        f"None of the days of {name} is in the span: its dates were set aside." for name in scenario.lifted
    ]
    new = sorted(
        name for name, campaign in scenario.tried.items() if scenario.catalog.campaigns[name].salt == name
    )
    if new:
        notes.append(
            f"Who is held out of {', '.join(new)} is drawn when it is applied: others than here, as many."
        )
    offers = [offer for campaign in scenario.tried.values() for offer in campaign.offers]
    notes += [note for offer in offers for note in _left_out(offer)]
    return tuple(notes)


def _left_out(offer: Offer) -> Iterator[str]:
    if isinstance(offer.trigger, Crossing):
        yield f"{offer.id} waits for ways between two fixes, which are not kept: it never comes up here."
    if isinstance(offer.trigger, Research):
        yield f"{offer.id} comes up here as a shopper comes in, not as she looks something up while she is there."

"""How do stores and campaigns come into force? Whole and checked or not at all, then as one new catalog."""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec.structs import replace

from campaigns.identity import version_of
from campaigns.model import Campaign, Channel, Money
from campaigns.problems import CampaignProblems
from campaigns.reader import read_campaign
from campaigns.smslaw import SmsRules
from m2s.app.catalog import Catalog
from m2s.app.past import resumed_key
from m2s.app.ports import Database, Records
from m2s.app.rows import CampaignRow
from m2s.core.base.errors import Conflict, Invalid, NotFound, Problem
from m2s.core.base.ids import Ids
from m2s.core.base.instants import Clock, rfc3339
from m2s.core.places.geojson import read_features, store_to_feature
from m2s.core.places.store import Store

T = TypeVar("T")
ACTIVE, PAUSED, STOPPED = "active", "paused", "stopped"

_Identity = tuple[str, int, int]
Turn = Callable[[], None]
"""Called after each piece of long work: it lets others go on."""

_SALT_BYTES = 16
_PRICED = {Channel.PUSH: "push", Channel.SMS: "sms_part"}
NO_PRICES: Mapping[Channel, Money] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_campaign` did: `created`, `changed` or `unchanged`."""

    campaign: CampaignRow
    change: str


class Publish:
    """Publishes stores and campaigns; `reload` swaps the running catalog for the new one after each commit.

    It is given the stores that were just read, each by its text, so that they are not read again.

    What is made of many stores is made within `making_much`, beside everything else: what that gives is called after
    each store, to let others go on.
    """

    def __init__(
        self,
        database: Database,
        ids: Ids,
        *,
        clock: Clock,
        catalog: Callable[[], Catalog],
        reload: Callable[[Mapping[str, Store]], None],
        making_much: Callable[[], AbstractContextManager[Turn]] = lambda: nullcontext(lambda: None),
        prices: Mapping[Channel, Money] = NO_PRICES,
        sms_rules: SmsRules | None = None,
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._catalog = catalog
        self._reload = reload
        self._making_much = making_much
        self._prices = prices
        self.sms_rules = sms_rules

    def publish_stores(self, stores: Sequence[Store]) -> int:
        """Adds the stores, or replaces those of the same id, all or none; returns the catalog's new version.

        Raises Invalid for a beacon that another store has already, and for stores that could not be read back.
        """
        with self._making_much() as turn:
            features = {store.id: _text(store) for store in in_turns(stores, turn)}
            # What cannot be read back would keep the service from starting.
            read = read_features(
                (store_id, json.loads(text)) for store_id, text in in_turns(features.items(), turn)
            )
            version = self._database.write(self._publication(stores, features))
            self._reload(dict(zip(features.values(), read, strict=True)))
        return version

    def _publication(self, stores: Sequence[Store], features: Mapping[str, str]) -> Callable[[Records], int]:
        """The transaction; as much as can be is done before it, because no sighting is taken meanwhile."""
        now, known, beacons = self._clock.now(), self._catalog(), _beacons(stores)
        taken = {
            identity: owner.id
            for identity in beacons.keys() & known.beacons.keys()
            if (owner := known.beacons[identity][0]).id not in features
        }

        def put(records: Records) -> int:
            later = [json.loads(text) for text in records.catalog.store_features(after=known.version)]
            _refuse_taken_beacons(beacons, taken, later=later, replaced=features)
            version = records.catalog.raise_version()
            records.catalog.put_stores(features, version=version, at=now)
            return version

        return put

    def check_campaign(self, yaml: str | bytes, file: str = "<campaign>") -> Campaign:
        """The campaign of a YAML text, checked against the stores in force.

        Raises Invalid with every problem of the text; each pointer is `file:line:column`.
        """
        try:
            with self._making_much():
                campaign = read_campaign(
                    yaml, file, stores=self._catalog().stores.values(), sms=self.sms_rules
                )
        except CampaignProblems as found:
            problems = [
                Problem(
                    f"{problem.file}:{problem.line}:{problem.column}",
                    problem.code,
                    f"{problem.detail} ({problem.hint})" if problem.hint else problem.detail,
                )
                for problem in found.problems
            ]
            raise Invalid("the campaign cannot be used as it is written", problems=problems) from None
        _check_prices(campaign, self._prices)
        return campaign

    def apply_campaign(
        self, campaign_id: str | None, yaml: str | bytes, *, file: str = "<campaign>"
    ) -> Applied:
        """Puts a campaign into force; a paused one stays paused, and its salt stays for ever.

        `campaign_id`, where given, is what the text must call itself. Raises Invalid as `check_campaign`, and
        Conflict for a campaign that was stopped.
        """
        campaign = self.check_campaign(yaml, file)
        if campaign_id not in (None, campaign.id):
            raise Invalid(
                f"this is the campaign {campaign.id!r}, not {campaign_id!r}: change `campaign:` or the address",
                code="other_campaign",
            )
        row = CampaignRow(
            id=campaign.id,
            version=version_of(campaign),
            state=ACTIVE,
            salt=self._ids.secret(_SALT_BYTES).hex(),
            yaml=yaml if isinstance(yaml, str) else yaml.decode("utf-8-sig"),
            applied_at=self._clock.now(),
        )
        applied = self._database.write(lambda records: _put(records, row))
        # Also where nothing changed: the reload after an earlier change may have failed.
        self._reload({})
        return applied

    def campaigns(self) -> list[CampaignRow]:
        """Every campaign ever applied, sorted by id."""
        with self._database.read() as records:
            return records.catalog.campaigns()

    def campaign(self, campaign_id: str) -> CampaignRow:
        """One campaign; raises NotFound."""
        with self._database.read() as records:
            return _campaign(records, campaign_id)

    def pause(self, campaign_id: str) -> CampaignRow:
        """Stops sending until `resume`; raises NotFound, and Conflict for a stopped campaign."""
        return self._set_state(campaign_id, PAUSED)

    def resume(self, campaign_id: str) -> CampaignRow:
        """Sends again; raises NotFound, and Conflict for a stopped campaign."""
        return self._set_state(campaign_id, ACTIVE)

    def stop(self, campaign_id: str) -> CampaignRow:
        """Ends a campaign for good; raises NotFound."""
        return self._set_state(campaign_id, STOPPED)

    def _set_state(self, campaign_id: str, state: str) -> CampaignRow:
        def change(records: Records) -> CampaignRow:
            row = _campaign(records, campaign_id)
            if row.state == state:
                return row
            if row.state == STOPPED:
                raise Conflict(_stopped(campaign_id), code="campaign_stopped")
            records.catalog.set_campaign_state(campaign_id, state)
            if state == ACTIVE:
                records.catalog.keep_setting(resumed_key(campaign_id), rfc3339(self._clock.now()))
            records.catalog.raise_version()
            return replace(row, state=state)

        row = self._database.write(change)
        # Also where nothing changed: the reload after an earlier change may have failed.
        self._reload({})
        return row


def _check_prices(campaign: Campaign, prices: Mapping[Channel, Money]) -> None:
    """Raises Invalid for a budget of money that nobody can hold the campaign to."""
    cost = campaign.budget.cost
    channels = {channel for offer in campaign.offers for channel in offer.channels} & _PRICED.keys()
    for channel in sorted(channels if cost is not None else ()):
        price = prices.get(channel)
        if price is None or cost is None or price.currency != cost.currency:
            given = "no price" if price is None else f"a price in {price.currency}"
            raise Invalid(
                f"the budget has a cost, but the settings have {given} for {channel}: "
                f"set `{_PRICED[channel]}` in [prices] of m2s.toml, or take the cost out of the budget",
                code="no_price",
            )


def _put(records: Records, row: CampaignRow) -> Applied:
    running = next((known for known in records.catalog.campaigns() if known.id == row.id), None)
    if running is None:
        records.catalog.put_campaign(row)
        records.catalog.raise_version()
        return Applied(row, "created")
    if running.state == STOPPED:
        raise Conflict(_stopped(row.id), code="campaign_stopped")
    if running.version == row.version:
        return Applied(running, "unchanged")
    changed = replace(row, state=running.state, salt=running.salt)
    records.catalog.put_campaign(changed)
    records.catalog.raise_version()
    return Applied(changed, "changed")


def _campaign(records: Records, campaign_id: str) -> CampaignRow:
    row = next((known for known in records.catalog.campaigns() if known.id == campaign_id), None)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id!r}; GET /v1/campaigns lists those that exist")
    return row


def _stopped(campaign_id: str) -> str:
    return f"the campaign {campaign_id!r} was stopped for good; apply it under another name to run it again"


def in_turns(items: Iterable[T], turn: Turn) -> Iterator[T]:
    """The items, and others' turn after each."""
    for item in items:
        yield item
        turn()


def _text(store: Store) -> str:
    return json.dumps(store_to_feature(store), ensure_ascii=False, separators=(",", ":"))


def _beacons(stores: Iterable[Store]) -> dict[_Identity, str]:
    """Each beacon of the stores with the id of its store."""
    return {
        (beacon.uuid, beacon.major, beacon.minor): store.id for store in stores for beacon in store.beacons
    }


def _refuse_taken_beacons(
    beacons: Mapping[_Identity, str],
    taken: Mapping[_Identity, str],
    *,
    later: Sequence[dict[str, Any]],
    replaced: Container[str],
) -> None:
    """Raises Invalid for beacons that are `taken` already, or by a store that was published `later`."""
    put_again = {feature["id"] for feature in later}
    owners = {identity: owner for identity, owner in taken.items() if owner not in put_again}
    for feature in later:
        if feature["id"] not in replaced:
            for beacon in feature["properties"]["beacons"]:
                owners[beacon["uuid"], beacon["major"], beacon["minor"]] = feature["id"]
    problems = [
        Problem(
            store_id,
            "duplicate",
            f"beacon {identity[0]} {identity[1]} {identity[2]} is already at the store {owners[identity]}",
        )
        for identity, store_id in beacons.items()
        if identity in owners
    ]
    if problems:
        raise Invalid(
            "a beacon hangs in one store only; nothing was imported", code="stores", problems=problems
        )

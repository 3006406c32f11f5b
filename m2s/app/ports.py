"""What does the service need of storage? Protocols; adapters fulfil them.

`Records` is one transaction's (or one read snapshot's) view of the database. Whatever runs inside
`Database.write` is committed once, synced, or not at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from campaigns.facts import PastOffer
from m2s.app.callbacks import CallbackRecords
from m2s.app.endpoints import WebhookRecords
from m2s.app.figures import ReportRecords
from m2s.app.inputs import InputRecords
from m2s.app.outbox import MessageRecords
from m2s.app.past import HistoryRecords, OptOutRecords
from m2s.app.rows import (
    AnswerRow,
    CampaignRow,
    ConsentRow,
    CouponRow,
    DecisionRow,
    DeviceRow,
    KeyRow,
    RedemptionRow,
    ShopperRow,
    VisitRow,
)
from m2s.app.spending import SpendingRecords
from m2s.app.upkeep import DeadLetterRecords, JobRecords, RegularRecords, RetentionRecords
from m2s.core.presence.evidence import Evidence

T = TypeVar("T")
Pair = tuple[str, str]
"""A shopper's id and a store's."""


class CatalogRecords(Protocol):
    """Stores, campaigns and the catalog's version."""

    def version(self) -> int:
        """The catalog's version; 0 when nothing was ever published."""
        ...

    def raise_version(self) -> int:
        """Adds one to the catalog's version and returns it."""
        ...

    def setting(self, key: str) -> str | None:
        """A value kept with the database, like the universal holdout's salt."""
        ...

    def keep_setting(self, key: str, value: str) -> None:
        """Keeps a value with the database."""
        ...

    def store_features(self, *, after: int = 0) -> Iterator[str]:
        """Every store put after this version, as the JSON text of its GeoJSON feature, sorted by id."""
        ...

    def has_store(self, store_id: str) -> bool: ...

    def put_stores(self, features: Mapping[str, str], *, version: int, at: datetime) -> None:
        """Adds or replaces stores by id; `version` is the one with which they come into force."""
        ...

    def campaigns(self) -> list[CampaignRow]:
        """Every campaign ever applied, sorted by id."""
        ...

    def put_campaign(self, row: CampaignRow) -> None:
        """Adds or replaces a campaign and keeps the version for ever."""
        ...

    def first_applied(self) -> dict[str, datetime]:
        """When each campaign was put into force first."""
        ...

    def set_campaign_state(self, campaign_id: str, state: str) -> None:
        """Sets `active`, `paused` or `stopped`."""
        ...


class AccessRecords(Protocol):
    """API keys, and answers kept for Idempotency-Key."""

    def add_key(self, row: KeyRow, secret_hash: bytes) -> None: ...

    def key_by_hash(self, secret_hash: bytes) -> KeyRow | None: ...

    def keys(self) -> list[KeyRow]: ...

    def revoke_key(self, key_id: str, *, at: datetime) -> bool:
        """False when there is no such live key."""
        ...

    def answer(self, key_id: str, idempotency_key: str) -> AnswerRow | None: ...

    def keep_answer(self, key_id: str, idempotency_key: str, *, answer: AnswerRow, at: datetime) -> None: ...

    def forget_answers(self, before: datetime) -> None: ...


class DeviceRecords(Protocol):
    """Devices, shoppers and consents."""

    def add_device(self, row: DeviceRow, *, token_hash: bytes) -> None:
        """Adds a device and, where it is new, its shopper."""
        ...

    def device(self, device_id: str) -> DeviceRow | None: ...

    def device_by_token(self, token_hash: bytes) -> DeviceRow | None: ...

    def set_token(self, device_id: str, token_hash: bytes) -> None:
        """Ends a device's token: it has another one."""
        ...

    def devices(self, device_ids: Iterable[str]) -> dict[str, DeviceRow]: ...

    def update_device(self, device_id: str, changes: Mapping[str, Any], *, at: datetime) -> None:
        """Changes any of platform, push_token, language, timezone, os_permissions."""
        ...

    def forget_push_token(self, device_id: str, push_token: str, *, registered_until: datetime) -> bool:
        """Drops a token that was registered until an instant; False when the device has a newer or another one."""
        ...

    def set_phone(self, shopper_id: str, phone: str | None, *, country: str | None) -> None: ...

    def shoppers_with_phone(self, phone: str) -> list[str]:
        """Those to whom SMS would go at this number, sorted."""
        ...

    def keep_clock_offsets(self, offsets_ms: Sequence[tuple[str, int]], *, moved_ms: int) -> None:
        """Keeps (device_id, offset_ms) where none is kept or the kept one is more than `moved_ms` away."""
        ...

    def move_device(self, device_id: str, shopper_id: str, *, at: datetime) -> None:
        """Gives a device to another shopper."""
        ...

    def add_consents(
        self, device: DeviceRow, rows: Sequence[ConsentRow], *, received_at: datetime
    ) -> None: ...

    def consents(self, shopper_ids: Iterable[str]) -> dict[str, list[ConsentRow]]:
        """The statement per shopper, purpose and channel that counts: the newest, a withdrawal from its receipt."""
        ...

    def shoppers(self, shopper_ids: Iterable[str]) -> dict[str, ShopperRow]: ...

    def devices_of(self, shopper_ids: Iterable[str]) -> dict[str, list[DeviceRow]]:
        """Devices by shopper, latest updated first."""
        ...


class SightingRecords(Protocol):
    """Sightings, evidence, presence and visits: what the hot path writes."""

    def add_sightings(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Appends rows (device_id, sighting_id, at_ms, received_at_ms, latitude, longitude, accuracy_m, flags,
        speed_mps, detail, kind); that of a location ends after its flags, or after its speed."""
        ...

    def recent_ids(self, received_since_ms: int) -> Iterable[tuple[list[str], list[str]]]:
        """Pages of device ids and of the senders' ids of sightings received since, newest first."""
        ...

    def add_evidence(self, rows: Sequence[Evidence], *, zone_version: int) -> None: ...

    def evidence(self, shopper_id: str, store_id: str, since_ms: int) -> list[Evidence]:
        """Evidence of the pair with at_ms ≥ since_ms, oldest first."""
        ...

    def evidence_of(self, since_ms: Mapping[Pair, int]) -> dict[Pair, list[Evidence]]:
        """As `evidence`, of many pairs at once, each since its own instant; a pair without any is absent."""
        ...

    def every_evidence(self, zone_id: str) -> Iterator[Evidence]:
        """All evidence of zones with this id, by shopper and store, each pair's oldest first."""
        ...

    def evidence_between(
        self, since_ms: int, until_ms: int, *, store_ids: Iterable[str]
    ) -> Iterator[Sequence[Evidence]]:
        """Pages of what happened at the stores in [since, until), in order of time, and then as it came."""
        ...

    def all_presence(self) -> Iterable[tuple[str, str, str, str]]:
        """(shopper_id, store_id, zone_id, state) of every open presence."""
        ...

    def put_presence(self, rows: Sequence[tuple[str, str, str, int, str]]) -> None:
        """Adds or replaces (shopper_id, store_id, zone_id, last_at_ms, state)."""
        ...

    def drop_presence(self, keys: Sequence[tuple[str, str, str]]) -> None: ...

    def visits_since(self, shopper_id: str, store_id: str, end_since: datetime) -> list[VisitRow]:
        """Stays of the pair that end at or after `end_since`, oldest first."""
        ...

    def visits_of(self, end_since: Mapping[Pair, datetime]) -> dict[Pair, list[VisitRow]]:
        """As `visits_since`, of many pairs at once, each since its own instant; a pair without any is absent."""
        ...

    def put_visits(self, rows: Sequence[VisitRow]) -> None: ...

    def drop_visits(self, rows: Sequence[VisitRow]) -> None: ...

    def open_visits(self, end_before: datetime) -> list[VisitRow]:
        """Open stays whose last evidence is before an instant."""
        ...

    def last_visits(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, dict[str, datetime]]:
        """Per shopper and store the end of the latest counted visit that ended since."""
        ...

    def seen_at(
        self, store_ids: Iterable[str], since: datetime, *, until: datetime | None = None
    ) -> list[tuple[str, str]]:
        """(shopper_id, store_id) of every shopper with evidence at one of the stores since, sorted."""
        ...


class DecisionRecords(Protocol):
    """Decisions, assignments and occurrences of scheduled sends."""

    def add(self, rows: Sequence[DecisionRow]) -> None: ...

    def known_occasions(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Which (campaign_id, offer_id, occasion_key) are decided already."""
        ...

    def past(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastOffer]]:
        """Sends and ghosts per shopper decided since, oldest first."""
        ...

    def arms(self, shopper_ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """Recorded arms per shopper, by experiment."""
        ...

    def record_arms(self, rows: Sequence[tuple[str, str, str]], *, at: datetime) -> None:
        """Keeps (experiment, shopper_id, arm) where none is kept yet."""
        ...

    def claimed(self, campaign_id: str, offer_id: str, *, key: str) -> set[str]:
        """The stores for which this scheduled send is claimed already."""
        ...

    def claim(
        self,
        campaign_id: str,
        offer_id: str,
        *,
        store_ids: Iterable[str],
        key: str,
        due: datetime,
        at: datetime,
    ) -> set[str]:
        """Claims a scheduled send at stores; returns those that nobody had claimed."""
        ...

    def get(self, decision_id: str) -> DecisionRow | None: ...

    def find(
        self,
        *,
        shopper_id: str | None,
        offer_id: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int,
    ) -> list[DecisionRow]:
        """Decisions, newest first."""
        ...


class CouponRecords(Protocol):
    """Coupons and redemptions."""

    def issue(self, rows: Sequence[CouponRow]) -> None: ...

    def coupon(self, code: str) -> CouponRow | None: ...

    def coupons_of(self, decision_ids: Iterable[str]) -> dict[str, CouponRow]: ...

    def redeem(self, code: str, *, redemption_id: str, now: datetime) -> bool:
        """One conditional update: True for the only redemption of an issued, unexpired coupon."""
        ...

    def reopen(self, code: str, redemption_id: str) -> bool:
        """Takes a redemption back: the coupon is `issued` again."""
        ...

    def add_redemption(self, row: RedemptionRow) -> None: ...

    def redemption(self, redemption_id: str) -> RedemptionRow | None: ...

    def void_redemption(self, redemption_id: str, *, at: datetime) -> bool: ...

    def redemption_times(
        self, shopper_ids: Iterable[str], since: datetime
    ) -> dict[tuple[str, str], list[datetime]]:
        """Unvoided redemptions since, by (shopper_id, store_id), oldest first: proof that the shopper was there."""
        ...


class Records(InputRecords, CallbackRecords, Protocol):
    """Everything kept, seen in one transaction."""

    @property
    def catalog(self) -> CatalogRecords: ...
    @property
    def access(self) -> AccessRecords: ...
    @property
    def devices(self) -> DeviceRecords: ...
    @property
    def sightings(self) -> SightingRecords: ...
    @property
    def decisions(self) -> DecisionRecords: ...
    @property
    def messages(self) -> MessageRecords: ...
    @property
    def coupons(self) -> CouponRecords: ...
    @property
    def regulars(self) -> RegularRecords: ...
    @property
    def reports(self) -> ReportRecords: ...
    @property
    def jobs(self) -> JobRecords: ...
    @property
    def retention(self) -> RetentionRecords: ...
    @property
    def dead_letters(self) -> DeadLetterRecords: ...
    @property
    def histories(self) -> HistoryRecords: ...
    @property
    def spending(self) -> SpendingRecords: ...
    @property
    def opt_outs(self) -> OptOutRecords: ...
    @property
    def webhooks(self) -> WebhookRecords: ...


class Database(Protocol):
    """The one database."""

    def read(self) -> AbstractContextManager[Records]:
        """A read snapshot; writing through it fails."""
        ...

    def write(self, work: Callable[[Records], T], *, then: Callable[[T], object] | None = None) -> T:
        """Runs `work` in one transaction on the writer and returns its result after the synced commit.

        `then` gets the result right after the commit, before any other group or work is processed.
        Whatever `work` raises rolls everything back and is raised here. Raises Unavailable when the database
        cannot take writes now (locked for 5 s, disk full).
        """
        ...

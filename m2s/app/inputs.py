"""What does the retailer tell of shoppers, and what must storage do to keep it? Rows and protocols."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from m2s.app.rows import ConsentRow
from m2s.app.sighting import Rejected

PivotId = tuple[str, str]
"""The kind of a pivot id and its value as it is kept."""


@dataclass(frozen=True, slots=True)
class Pivots:
    """Keys of a shopper in the retailer's other systems, as they were written."""

    customer_id: str | None = None
    loyalty_id: str | None = None
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A pivot id and whose it is; `vouched` by the retailer, or else a device's own word."""

    pivot: PivotId
    shopper_id: str
    vouched: bool


@dataclass(frozen=True, slots=True)
class Basket:
    """A purchase as a till or a file tells it; `amount` is what was paid, `discount` what was taken off before."""

    purchase_id: str
    store_id: str
    at: datetime
    amount: Decimal
    discount: Decimal
    currency: str
    pivots: Pivots = Pivots()
    basket_id: str | None = None
    coupon_code: str | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """A basket as it is kept; amounts are decimal text in `currency`; `shopper_id` None where nobody knows whose."""

    store_id: str
    purchase_id: str
    shopper_id: str | None
    at: datetime
    amount: str
    discount: str
    currency: str
    basket_id: str | None
    coupon_code: str | None
    source: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """A consent as the retailer's base tells it, with where it was given."""

    consent: ConsentRow
    source: str


@dataclass(frozen=True, slots=True)
class BaseRow:
    """A customer of the retailer's own base."""

    pivots: Pivots
    since: datetime | None = None
    last_purchase_at: datetime | None = None
    statements: Sequence[Statement] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """Something that was looked up online; by whom is told by a device, or by pivot ids."""

    id: str
    topic: str
    at: datetime | None = None
    age_ms: int | None = None
    store_id: str | None = None
    product: str | None = None
    device_id: str | None = None
    pivots: Pivots = Pivots()


@dataclass(frozen=True, slots=True)
class ResearchRow:
    """A research event as it is kept; unique by its sender (a device, or `server`) and that one's id."""

    sender: str
    research_id: str
    shopper_id: str
    topic: str
    store_id: str | None
    product: str | None
    at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Join:
    """A shopper who turned out to be another one."""

    shopper_id: str
    into_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: `left_out` are items that were taken but for a pivot id, `rejected` were not."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
    left_out: list[Rejected]


class IdentityRecords(Protocol):
    """Whose is which pivot id, and which shoppers became one?"""

    def add_shoppers(self, shopper_ids: Iterable[str], *, at: datetime) -> None:
        """Adds shoppers without a device."""
        ...

    def holders(self, pivots: Iterable[PivotId]) -> dict[PivotId, Held]:
        """Whose each pivot id is; those of nobody are absent."""
        ...

    def held_by(self, shopper_ids: Iterable[str]) -> dict[str, list[Held]]:
        """The pivot ids of each shopper that has any."""
        ...

    def hold(self, rows: Sequence[Held], *, source: str, at: datetime) -> None:
        """Gives pivot ids to shoppers, also those that others have."""
        ...

    def elder(self, shopper_ids: Collection[str]) -> str:
        """The one of the shoppers that is known longest."""
        ...

    def earliest_evidence(self, shopper_id: str) -> dict[str, int]:
        """When (ms) the earliest evidence that is kept of a shopper happened, by store."""
        ...

    def merge(self, shopper_id: str, *, into: str, source: str, at: datetime) -> None:
        """Makes everything that is kept of a shopper another shopper's; visits are to be folded again after it.

        Of two recorded arms the earlier rules, and where they differ the pair is kept as crossed.
        """
        ...

    def joined(self, shopper_id: str) -> list[Join]:
        """How this shopper became another one, or else others this one, by time."""
        ...

    def crossed(self, experiments: Collection[str]) -> set[str]:
        """Shoppers with both arms of one of the experiments."""
        ...

    def state(self, shopper_id: str, rows: Sequence[Statement], *, now: datetime) -> None:
        """Adds consent statements of the base but those that are there; each counts from its own time, or from now."""
        ...

    def oppose(self, shopper_id: str, *, to: str) -> None:
        """Copies the withdrawals for SMS of a shopper to another, who has the number from now on."""
        ...


class PurchaseRecords(Protocol):
    """Baskets, and the retailer's own base."""

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which (store_id, purchase_id) are there."""
        ...

    def add(self, rows: Sequence[PurchaseRow]) -> None: ...

    def put_customers(self, rows: Mapping[str, BaseRow], *, at: datetime) -> None:
        """Adds customers of the base by shopper, or completes them: the earlier `since`, the later purchase."""
        ...

    def customers_since(self, shopper_ids: Iterable[str]) -> dict[str, datetime]:
        """Since when each shopper is a customer: by the base, or by her first purchase; absent who is none.

        Who is in the base without a date is one since she was imported.
        """
        ...


class ResearchRecords(Protocol):
    """Research events."""

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which (sender, research_id) are there."""
        ...

    def add(self, rows: Sequence[ResearchRow]) -> None: ...

    def drop_before(self, before: datetime) -> int:
        """Drops what was looked up before an instant; returns how many."""
        ...


class InputRecords(Protocol):
    """What the retailer tells, seen in one transaction."""

    @property
    def identities(self) -> IdentityRecords: ...
    @property
    def purchases(self) -> PurchaseRecords: ...
    @property
    def research(self) -> ResearchRecords: ...

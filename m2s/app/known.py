"""What must be known to decide? What deciding reads, of what is kept now or was known earlier."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from campaigns.facts import PastOffer
from campaigns.history import PastPurchase, PastRedemption, PastResearch
from m2s.app.past import PastStay
from m2s.app.rows import ConsentRow, DeviceRow, RegularRow, ShopperRow
from m2s.app.spending import Counters


class KnownDevices(Protocol):
    """Who the shoppers are, what they agreed to, and how they are reached."""

    def shoppers(self, shopper_ids: Iterable[str]) -> dict[str, ShopperRow]: ...

    def devices_of(self, shopper_ids: Iterable[str]) -> dict[str, list[DeviceRow]]: ...

    def consents(self, shopper_ids: Iterable[str]) -> dict[str, list[ConsentRow]]: ...


class KnownDecisions(Protocol):
    """What was decided before."""

    def past(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastOffer]]: ...

    def arms(self, shopper_ids: Iterable[str]) -> dict[str, dict[str, str]]: ...

    def known_occasions(self, keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]: ...


class KnownVisits(Protocol):
    """Where shoppers were lately."""

    def last_visits(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, dict[str, datetime]]: ...


class KnownRegulars(Protocol):
    """Who was staff or resident, and when."""

    def of(self, pairs: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RegularRow]]: ...


class KnownHistories(Protocol):
    """What audiences are judged by."""

    def stays(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastStay]]: ...

    def purchases(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastPurchase]]: ...

    def redemptions(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastRedemption]]: ...

    def research(self, shopper_ids: Iterable[str], since: datetime) -> dict[str, list[PastResearch]]: ...


class KnownCustomers(Protocol):
    """The retailer's own base."""

    def customers_since(self, shopper_ids: Iterable[str]) -> dict[str, datetime]: ...


class Known(Protocol):
    """All of it."""

    @property
    def devices(self) -> KnownDevices: ...
    @property
    def decisions(self) -> KnownDecisions: ...
    @property
    def sightings(self) -> KnownVisits: ...
    @property
    def regulars(self) -> KnownRegulars: ...
    @property
    def histories(self) -> KnownHistories: ...
    @property
    def purchases(self) -> KnownCustomers: ...
    @property
    def spending(self) -> Counters: ...

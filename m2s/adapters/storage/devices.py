"""Which phones are there, whose are they, and what did their owners agree to?"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from m2s.adapters.storage.direct import Query, one_of
from m2s.adapters.storage.statements import columns, values
from m2s.adapters.storage.tables_people import consents, devices, shoppers
from m2s.app.rows import ConsentRow, DeviceRow, ShopperRow
from m2s.core.base.errors import NotFound

_CHANGEABLE = frozenset({"platform", "push_token", "language", "timezone", "os_permissions"})

COUNTS_FROM = sa.case(
    (sa.and_(consents.c.granted, consents.c.at < consents.c.received_at), consents.c.at),
    else_=consents.c.received_at,
)
"""From when a statement counts."""
_CONSENTS = Query(
    sa.select(consents.c.shopper_id, *columns(consents, ConsentRow))
    .where(one_of(consents.c.shopper_id))
    .order_by(COUNTS_FROM, consents.c.granted.desc(), consents.c.seq)
)
_SHOPPERS = Query(sa.select(*columns(shoppers, ShopperRow)).where(one_of(shoppers.c.id)))
_DEVICES = Query(sa.select(*columns(devices, DeviceRow)).where(one_of(devices.c.id)))
_DEVICES_OF = Query(
    sa.select(*columns(devices, DeviceRow))
    .where(one_of(devices.c.shopper_id))
    .order_by(devices.c.updated_at.desc(), devices.c.id)
)


class SqlDevices:
    """Devices, shoppers and consents."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add_device(self, row: DeviceRow, *, token_hash: bytes) -> None:
        """Adds a device and, where it is new, its shopper."""
        new_shopper = insert(shoppers).on_conflict_do_nothing()
        self._connection.execute(new_shopper, {"id": row.shopper_id, "created_at": row.registered_at})
        kept = values(row) | {
            "os_permissions": json.dumps(dict(row.os_permissions)),
            "token_hash": token_hash,
            "push_token_at": row.registered_at if row.push_token else None,
            "updated_at": row.registered_at,
        }
        self._connection.execute(sa.insert(devices), kept)

    def device(self, device_id: str) -> DeviceRow | None:
        """One device."""
        return self._one(devices.c.id == device_id)

    def device_by_token(self, token_hash: bytes) -> DeviceRow | None:
        """The device of a token, by the token's SHA-256."""
        return self._one(devices.c.token_hash == token_hash)

    def set_token(self, device_id: str, token_hash: bytes) -> None:
        """Replaces the SHA-256 of a device's token; raises NotFound when there is no such device."""
        change = sa.update(devices).where(devices.c.id == device_id).values(token_hash=token_hash)
        if not self._connection.execute(change).rowcount:
            raise NotFound(f"there is no device {device_id!r}")

    def devices(self, device_ids: Iterable[str]) -> dict[str, DeviceRow]:
        """Devices by id; unknown ids are absent."""
        rows = [_device_row(row) for row in _DEVICES.of(self._connection, device_ids)]
        return {row.id: row for row in rows}

    def update_device(self, device_id: str, changes: Mapping[str, Any], *, at: datetime) -> None:
        """Changes any of platform, push_token, language, timezone, os_permissions.

        Raises ValueError for any other name and NotFound when there is no such device.
        """
        if unknown := set(changes) - _CHANGEABLE:
            raise ValueError(f"a device has nothing to change called {', '.join(sorted(unknown))}")
        kept = dict(changes) | {"updated_at": at}
        if "os_permissions" in kept:
            kept["os_permissions"] = json.dumps(dict(kept["os_permissions"]))
        if "push_token" in kept:
            kept["push_token_at"] = at if kept["push_token"] else None
        change = sa.update(devices).where(devices.c.id == device_id).values(kept)
        if not self._connection.execute(change).rowcount:
            raise NotFound(f"there is no device {device_id!r}")

    def forget_push_token(self, device_id: str, push_token: str, *, registered_until: datetime) -> bool:
        """Drops a token that was registered until an instant; False when the device has a newer or another one."""
        change = sa.update(devices).where(
            devices.c.id == device_id,
            devices.c.push_token == push_token,
            devices.c.push_token_at <= registered_until,
        )
        return self._connection.execute(change.values(push_token=None, push_token_at=None)).rowcount == 1

    def keep_clock_offsets(self, offsets_ms: Sequence[tuple[str, int]], *, moved_ms: int) -> None:
        """Keeps (device_id, offset_ms) where none is kept or the kept one is more than `moved_ms` away."""
        kept = devices.c.clock_offset_ms
        found: sa.BindParameter[int] = sa.bindparam("found")
        moved = sa.or_(kept.is_(None), sa.func.abs(kept - found) > moved_ms)
        change = sa.update(devices).where(devices.c.id == sa.bindparam("device"), moved)
        change = change.values(clock_offset_ms=found)
        self._connection.execute(change, [{"device": row[0], "found": row[1]} for row in offsets_ms])

    def set_phone(self, shopper_id: str, phone: str | None, *, country: str | None) -> None:
        """Sets a shopper's phone (E.164) and country; raises NotFound when there is no such shopper."""
        change = sa.update(shoppers).where(shoppers.c.id == shopper_id).values(phone=phone, country=country)
        if not self._connection.execute(change).rowcount:
            raise NotFound(f"there is no shopper {shopper_id!r}")

    def shoppers_with_phone(self, phone: str) -> list[str]:
        """Those to whom SMS would go at this number, sorted."""
        return list(
            self._connection.scalars(
                sa.select(shoppers.c.id).where(shoppers.c.phone == phone).order_by(shoppers.c.id)
            )
        )

    def move_device(self, device_id: str, shopper_id: str, *, at: datetime) -> None:
        """Gives a device to another shopper; raises NotFound when there is no such device."""
        change = sa.update(devices).where(devices.c.id == device_id)
        if not self._connection.execute(change.values(shopper_id=shopper_id, updated_at=at)).rowcount:
            raise NotFound(f"there is no device {device_id!r}")

    def add_consents(self, device: DeviceRow, rows: Sequence[ConsentRow], *, received_at: datetime) -> None:
        """Appends consent statements of the device's shopper."""
        if not rows:
            return
        whose = {"shopper_id": device.shopper_id, "device_id": device.id, "received_at": received_at}
        self._connection.execute(sa.insert(consents), [values(row) | whose for row in rows])

    def consents(self, shopper_ids: Iterable[str]) -> dict[str, list[ConsentRow]]:
        """The newest statement per shopper, purpose and channel.

        A grant counts from its own time, or from its receipt where that is earlier; a withdrawal from its receipt,
        and before a grant of the same instant. So no wrong clock lets a consent outlive its withdrawal.
        """
        newest: dict[str, dict[tuple[str, str | None], ConsentRow]] = {}
        for shopper_id, *fields in _CONSENTS.of(self._connection, shopper_ids):
            row = ConsentRow(*fields)
            newest.setdefault(shopper_id, {})[row.purpose, row.channel] = row
        return {
            shopper_id: sorted(rows.values(), key=lambda row: (row.purpose, row.channel or ""))
            for shopper_id, rows in newest.items()
        }

    def shoppers(self, shopper_ids: Iterable[str]) -> dict[str, ShopperRow]:
        """Shoppers by id; unknown ids are absent."""
        rows = [ShopperRow(*row) for row in _SHOPPERS.of(self._connection, shopper_ids)]
        return {row.id: row for row in rows}

    def devices_of(self, shopper_ids: Iterable[str]) -> dict[str, list[DeviceRow]]:
        """Devices by shopper, latest updated first."""
        found: dict[str, list[DeviceRow]] = {}
        for found_row in _DEVICES_OF.of(self._connection, shopper_ids):
            row = _device_row(found_row)
            found.setdefault(row.shopper_id, []).append(row)
        return found

    def _one(self, condition: sa.ColumnElement[bool]) -> DeviceRow | None:
        query = sa.select(*columns(devices, DeviceRow)).where(condition)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _device_row(row)


_PERMISSIONS = [column.name for column in columns(devices, DeviceRow)].index("os_permissions")


def _device_row(row: Sequence[Any]) -> DeviceRow:
    kept = list(row)
    kept[_PERMISSIONS] = json.loads(kept[_PERMISSIONS] or "{}")
    return DeviceRow(*kept)
